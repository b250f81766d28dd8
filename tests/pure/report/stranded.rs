//! Keys that redrill's own move of slots left where clients do not find them.

use redrill::model::Verdict;
use redrill::model::event::*;
use redrill::model::op::key_name;
use redrill::model::slot::{SlotSet, slot_of};
use redrill::report;

use super::tiny::*;

/// The tiny drill, of which keys of these slots were stranded when its final state was read.
fn stranded(slots: SlotSet) -> report::Report {
    let mut events = events();
    let EventKind::Drill(info) = &events[0].kind else { panic!("the first event") };
    let group = info.loads[0].group.clone();
    let kind = EventKind::Stranded { step: 0, group, slots, keys: 7 };
    let end = events.len() - 1;
    let last = events[end].at;
    events.insert(end, Event { at: last, kind });
    build(&events, &history())
}

#[test]
fn they_are_a_finding_of_their_own_and_no_lost_writes() {
    let plain = build(&events(), &history());
    assert_value(&plain, "writes.lost", 1.0);
    let lost = plain.findings.iter().find(|found| found.kind == "lost_writes").unwrap();
    let EventKind::Drill(info) = &events()[0].kind else { panic!("the first event") };
    let name = key_name(&info.loads[0].name, lost.examples[0].key);
    let slot = slot_of(name.as_bytes());
    let r = stranded((slot..=slot).into());
    assert_value(&r, "writes.lost", 0.0);
    let found = r.findings.iter().find(|found| found.kind == "stranded_keys").unwrap();
    assert_eq!((found.verdict, found.count), (Verdict::Unknown, 7));
    assert!(found.text.starts_with("redrill itself left 7 keys of cache"), "{}", found.text);
    assert!(found.text.contains(&format!("the slots {slot};")), "{}", found.text);
    assert!(r.why.iter().any(|why| why.starts_with("redrill itself left 7 keys")), "{:?}", r.why);
    assert_ne!(r.verdict, Verdict::Pass);
}

#[test]
fn keys_of_other_slots_are_judged_as_ever() {
    let EventKind::Drill(info) = &events()[0].kind else { panic!("the first event") };
    let used: Vec<u16> =
        (0..100).map(|key| slot_of(key_name(&info.loads[0].name, key).as_bytes())).collect();
    let other = (0..16_384).find(|slot| !used.contains(slot)).unwrap();
    assert_value(&stranded((other..=other).into()), "writes.lost", 1.0);
}
