//! A machine that was too busy decides no verdict: what it may explain is unknown.

use std::time::Duration;

use redrill::model::event::*;
use redrill::model::op::{Action, Cause, Op, Outcome, Purpose, RegisterOp};
use redrill::model::{NodeName, Verdict};
use redrill::report::{self, Report};

use super::tiny::*;

/// The tiny drill with these bounds, in which a server waited for 80 % of each of the seconds
/// that end at these instants.
fn starved(
    seconds: &[u64],
    bounds: &[(&str, f64)],
    change: impl Fn(&mut Vec<Event>),
) -> Vec<Event> {
    let mut events = events();
    let EventKind::Drill(info) = &mut events[0].kind else { panic!("the first event") };
    let bound = |(name, bound): &(&str, f64)| expect(name, Compare::AtMost, *bound);
    info.expect = bounds.iter().map(bound).collect();
    info.reported = ["writes.lost", "keys.not_linearizable"].map(str::to_owned).to_vec();
    let node = NodeName::new("cache", 1, 0);
    let waited = |ms: &u64| Event {
        at: at(*ms),
        kind: EventKind::Waited { node: node.clone(), percent: 80.0 },
    };
    change(&mut events);
    events.extend(seconds.iter().map(waited));
    // The end stays the last.
    events.sort_by_key(|event| (matches!(event.kind, EventKind::Ended { .. }), event.at));
    events
}

fn judged(events: &[Event], history: &[Op]) -> Report {
    build(events, history)
}

#[test]
fn speed_that_starved_servers_decide_is_unknown() {
    let mut slow = history();
    for op in slow.iter_mut().filter(|op| op.purpose == Purpose::Load) {
        if (20..45).contains(&op.key) {
            op.done = op.done + Duration::from_millis(30);
        }
    }
    // During is from 3,000 to 5,500 ms.
    let bounds = [
        ("latency.p50.during", 2.0),
        ("downtime.read.max", 59.0),
        ("convergence", 2_499.0),
        ("errors.total", 0.0),
        ("latency.p50.before", 0.5),
    ];
    let told = |seconds: &[u64]| {
        let r = judged(&starved(seconds, &bounds, |_| ()), &slow);
        r.expectations.iter().map(|e| e.verdict).collect::<Vec<_>>()
    };
    use Verdict::{Fail, Unknown};
    assert_eq!(told(&[]), [Fail; 5]);
    // The median of what was not starved is as slow; and before the step nobody waited.
    assert_eq!(told(&[4_000]), [Fail, Unknown, Unknown, Unknown, Fail]);
    assert_eq!(told(&[4_000, 5_000]), [Unknown, Unknown, Unknown, Unknown, Fail]);
    let r = judged(&starved(&[4_000, 5_000], &bounds, |_| ()), &slow);
    let why = "and could have been anything from 500 ms to 2,500 ms had redrill and the servers \
               been run all the time; the machine was too busy to tell";
    assert!(r.why.iter().any(|told| told.contains(why)), "{:?}", r.why);
    let r = judged(&starved(&[4_000], &[("convergence", 2_500.0)], |_| ()), &slow);
    assert_eq!(r.verdict, Verdict::Pass, "what holds although nobody had time: {:?}", r.why);
}

/// The instants of sending say nothing of that.
#[test]
fn answers_that_redrill_read_late_are_no_latency_of_the_servers() {
    let mut late = history();
    for op in late.iter_mut().filter(|op| op.purpose == Purpose::Load && op.key == 30) {
        op.done = op.done + Duration::from_millis(300);
    }
    let judged = |blind: u64| {
        let events = starved(&[], &[("latency.p99.worst", 200.0)], |events| {
            let is_probes = |event: &&mut Event| matches!(event.kind, EventKind::Probes { .. });
            for event in events.iter_mut().filter(is_probes) {
                *event = Event { at: at(4_500), kind: probes(blind) };
            }
        });
        judged(&events, &late).expectations[0].verdict
    };
    assert_eq!(judged(49), Verdict::Fail);
    assert_eq!(judged(127), Verdict::Unknown);
}

/// Two of five operations before the step take 80 ms, and redrill was not run for 60 ms.
#[test]
fn a_broken_bound_on_a_quantile_stays_broken_if_the_starved_share_is_small() {
    let mut slow = history();
    let before = |op: &Op| op.purpose == Purpose::Load && op.intended < at(3_000);
    for (n, op) in slow.iter_mut().filter(|op| before(op)).enumerate() {
        let slow = if n % 5 < 2 { 80 } else { 0 };
        op.done = op.done + Duration::from_millis(slow);
    }
    slow.sort_by_key(|op| op.done);
    let names = ["latency.p95.before", "latency.p99.before", "latency.p999.before"];
    let bounds = names.map(|name| (name, 75.0));
    let told = |blind: u64| {
        let events = starved(&[], &bounds, |events| {
            events.push(Event { at: at(2_500), kind: probes(blind) });
        });
        judged(&events, &slow).expectations.iter().map(|e| e.verdict).collect::<Vec<_>>()
    };
    assert_eq!(told(0), [Verdict::Fail; 3]);
    assert_eq!(told(60), [Verdict::Fail; 3]);
    assert_eq!(told(1_000), [Verdict::Unknown; 3], "half of the time");
}

/// It is neither told nor drawn, and explains the worst latency and errors.
#[test]
fn a_server_that_waited_for_a_quarter_of_a_second_explains_its_errors() {
    let told = |percent: f64| {
        let bounds = [("errors.total", 0.0), ("errors.share", 0.0), ("errors.share.during", 0.0)];
        let events = starved(&[], &bounds, |events| {
            let node = NodeName::new("cache", 1, 0);
            events.push(Event { at: at(4_000), kind: EventKind::Waited { node, percent } });
        });
        judged(&events, &history()).expectations.iter().map(|e| e.verdict).collect::<Vec<_>>()
    };
    assert_eq!(told(24.0), [Verdict::Fail; 3]);
    assert_eq!(told(30.0), [Verdict::Unknown; 3]);
}

/// What happened elsewhere on the time line explains nothing.
#[test]
fn the_worst_second_is_excused_by_what_was_starved_then() {
    let mut slow = history();
    let is_slow = |op: &&mut Op| op.purpose == Purpose::Load && op.key == 30;
    let op = slow.iter_mut().find(is_slow).unwrap();
    op.done = op.done + Duration::from_millis(300);
    let second = op.intended.0 / 1_000_000 + 500;
    let bounds = [("latency.p99.worst", 200.0), ("latency.max.during", 200.0)];
    let told = |seconds: &[u64]| {
        let r = judged(&starved(seconds, &bounds, |_| ()), &slow);
        r.expectations.iter().map(|e| e.verdict).collect::<Vec<_>>()
    };
    assert_eq!(told(&[]), [Verdict::Fail; 2]);
    assert_eq!(told(&[second]), [Verdict::Unknown; 2]);
    assert_eq!(told(&[second + 2_000]), [Verdict::Fail; 2], "{second}");
}

#[test]
fn nodes_that_had_no_time_to_agree_are_no_failure() {
    let judged = |seconds: &[u64], agreed: u64| {
        let events = starved(seconds, &[], |events| {
            let how = vec!["the link to the primary is down at cache/1/0".to_owned()];
            let (group, agreed) = ("cache".to_owned(), Some(at(agreed)));
            let kind = EventKind::Disagreed { group, how, agreed };
            events.push(Event { at: at(7_990), kind });
        });
        judged(&events, &history())
    };
    assert_eq!(judged(&[], 7_000).verdict, Verdict::Fail);
    assert_eq!(judged(&[7_800], 3_000).verdict, Verdict::Fail, "one second of five");
    let r = judged(&[7_800], 7_000);
    let why = "is down at cache/1/0; cache/1/0 stood ready for 80 % of a second with no processor \
               free: the machine was too busy to tell";
    assert_eq!((r.verdict, r.why.len()), (Verdict::Unknown, 1));
    assert!(r.why[0].contains(why), "{:?}", r.why);
    let junit = report::junit::render(std::slice::from_ref(&r)).unwrap();
    assert!(junit.contains("failures=\"0\" errors=\"1\""), "{junit}");
}

/// Two groups that have the same keys, of which one differs. They were read at 8,300 ms, and what
/// was written last was to be carried since 8,000 ms.
fn differing(seconds: &[u64], all_carried: bool) -> Report {
    let bounds = [("sync.diverged", 0.0)];
    let events = starved(seconds, &bounds, |events| {
        for event in events.iter_mut() {
            if let EventKind::Drill(info) = &mut event.kind {
                info.loads[0].same_data = vec!["cache".to_owned(), "other".to_owned()];
                info.expect.push(expect("sync.consistency", Compare::Equal, 100.0));
                info.reported.retain(|name| name != "writes.lost");
            }
        }
        if !all_carried {
            events.push(Event { at: at(8_300), kind: EventKind::NotCarried });
        }
    });
    let mut history = history();
    // What the other checkers judge is in order.
    let is_lost = |op: &&mut Op| op.purpose == Purpose::Final && [5, 60].contains(&op.key);
    for op in history.iter_mut().filter(is_lost) {
        op.action = Action::Register(RegisterOp::Read((op.key == 5).then_some(5)));
    }
    let finals = history.iter().filter(|op| op.purpose == Purpose::Final).cloned();
    let others = finals.map(|op| match op.key {
        7 => Op { group: 1, action: Action::Register(RegisterOp::Read(None)), ..op },
        _ => Op { group: 1, ..op },
    });
    let others: Vec<Op> = others.collect();
    history.extend(others);
    judged(&events, &history)
}

#[test]
fn groups_that_were_compared_before_nobody_had_the_time_to_carry_all_are_unknown() {
    let told = |r: &Report| {
        let finding = r.findings.iter().find(|finding| finding.kind == "diverged_keys").unwrap();
        let bounds: Vec<Verdict> = r.expectations.iter().map(|e| e.verdict).collect();
        (r.verdict, finding.verdict, bounds)
    };
    use Verdict::{Fail, Unknown};
    let fails = (Fail, Fail, vec![Fail; 2]);
    assert_eq!(told(&differing(&[], true)), fails);
    assert_eq!(told(&differing(&[], false)), fails, "it had the time, and did not carry");
    assert_eq!(told(&differing(&[4_000, 5_000], false)), fails, "that was long before");
    assert_eq!(told(&differing(&[8_200, 9_000], true)), fails, "at rest they differ");
    let r = differing(&[8_200], false);
    assert_eq!(told(&r), (Unknown, Unknown, vec![Unknown; 2]), "{:?}", r.why);
    let why = "1 of 70 keys differ between groups, and were read before all was carried: cache/1/0 \
               stood ready for 80 % of a second with no processor free; the machine was too busy";
    assert!(r.why.iter().any(|told| told.starts_with(why)), "{:?}", r.why);
    assert!(r.why.iter().all(|told| told.contains("too busy to tell")), "{:?}", r.why);
}

#[test]
fn keys_that_looked_different_while_nobody_kept_their_order_may_have_been_late() {
    let told = |seconds: &[u64], external: bool| {
        let bound = [("sync.consistency.sampled", 0.0)];
        let events = starved(seconds, &bound, |events| {
            for event in events.iter_mut() {
                if let EventKind::Drill(info) = &mut event.kind {
                    info.loads[0].same_data = vec!["cache".to_owned(), "other".to_owned()];
                    info.expect = vec![expect("sync.consistency.sampled", Compare::Equal, 100.0)];
                    info.external_sync = external;
                }
            }
            let kind = EventKind::SyncSampled {
                equal: 198,
                different: 2,
                apart: vec![],
                changed: 0,
                sent: 4,
            };
            events.push(Event { at: at(4_500), kind });
        });
        judged(&events, &history()).expectations[0].verdict
    };
    assert_eq!(told(&[], true), Verdict::Fail);
    assert_eq!(told(&[4_500], true), Verdict::Unknown);
    assert_eq!(told(&[4_500], false), Verdict::Fail, "redrill's own keep the order");
}

#[test]
fn a_step_that_redrill_could_not_see_the_target_of_is_unknown() {
    let judged = |blind: u64, in_time: bool| {
        let events = starved(&[], &[], |events| {
            for event in events {
                match &mut event.kind {
                    EventKind::Probes { sent: 1_000, .. } => {
                        *event = Event { at: at(4_500), kind: probes(blind) };
                    }
                    EventKind::StepEnded { error, doubtful, .. } => {
                        *error = Some("there is no `primary of shard 1` now".to_owned());
                        *doubtful = in_time;
                    }
                    _ => {}
                }
            }
        });
        judged(&events, &history())
    };
    assert_eq!(judged(0, true).verdict, Verdict::Fail, "nobody was kept from looking");
    assert_eq!(judged(793, false).verdict, Verdict::Fail, "it does not depend on time");
    let r = judged(793, true);
    let why = "now; redrill itself was not run for 793 ms: the machine was too busy to tell";
    assert_eq!(r.verdict, Verdict::Unknown);
    assert!(r.why.iter().any(|told| told.contains(why)), "{:?}", r.why);
}

#[test]
fn a_step_that_redrill_could_not_do_is_unknown() {
    let judged = |is_own: bool| {
        let events = starved(&[], &[], |events| {
            for event in events {
                match &mut event.kind {
                    EventKind::Drill(info) => {
                        info.expect = vec![expect("failovers", Compare::Equal, 9.0)];
                    }
                    EventKind::StepEnded { error, own, .. } => {
                        *error = Some("the engine cannot pause a container".to_owned());
                        *own = is_own;
                    }
                    _ => {}
                }
            }
        });
        judged(&events, &history())
    };
    assert_eq!(judged(false).verdict, Verdict::Fail);
    let r = judged(true);
    assert_eq!(r.verdict, Verdict::Unknown);
    let why = "failed: the engine cannot pause a container; that is no fault of the servers";
    assert!(r.why.iter().any(|told| told.contains(why)), "{:?}", r.why);
    let lacks = r.expectations[0].why.as_deref().unwrap();
    assert!(lacks.contains("and a step could not be done; that is no fault"), "{lacks}");
}

/// Without its step there is nothing to replace, and less to move.
#[test]
fn what_a_step_that_was_not_done_in_time_would_have_caused_is_unknown() {
    let judged = |in_time: bool, name: &str, op: Compare, bound: f64| {
        let events = starved(&[], &[], |events| {
            for event in events {
                match &mut event.kind {
                    EventKind::Drill(info) => info.expect = vec![expect(name, op, bound)],
                    EventKind::Probes { sent: 1_000, .. } => {
                        *event = Event { at: at(4_500), kind: probes(793) };
                    }
                    EventKind::StepEnded { error, doubtful, .. } => {
                        *error = Some("there is no `primary of shard 1` now".to_owned());
                        *doubtful = in_time;
                    }
                    _ => {}
                }
            }
        });
        let r = judged(&events, &history());
        assert_eq!(r.verdict, if in_time { Verdict::Unknown } else { Verdict::Fail });
        r.expectations[0].verdict
    };
    use Compare::{AtLeast, Equal};
    assert_eq!(judged(true, "failovers", Equal, 9.0), Verdict::Unknown);
    assert_eq!(judged(false, "failovers", Equal, 9.0), Verdict::Fail, "the servers refused it");
    assert_eq!(judged(true, "reshard.slots", AtLeast, 1e6), Verdict::Unknown);
    assert_eq!(judged(true, "errors.total", AtLeast, 1e6), Verdict::Unknown);
}

#[test]
fn a_load_whose_servers_were_starved_until_its_end_is_not_known_to_be_dead() {
    let judged = |seconds: &[u64]| {
        let mut history = history();
        let due = |op: &&mut Op| op.purpose == Purpose::Load && op.key >= 21;
        let dies = |op: &mut Op| op.outcome = Outcome::Unknown(Cause::Timeout);
        history.iter_mut().filter(due).for_each(dies);
        let events = starved(seconds, &[("load.recovered", 60_000.0)], |_| ());
        judged(&events, &history).expectations[0].verdict
    };
    assert_eq!(judged(&[]), Verdict::Fail);
    assert_eq!(judged(&[4_500]), Verdict::Fail, "it had four seconds to come back");
    assert_eq!(judged(&[4_000, 5_000, 5_500]), Verdict::Unknown);
}

#[test]
fn the_page_says_it_on_top_and_hatches_it() {
    let r = judged(&starved(&[4_000, 5_000], &[], |_| ()), &history());
    let busy = "The machine was too busy for 2.0 s of the load's 7 s: cache/1/0 stood ready for \
                80 % of a second with no processor free";
    assert!(r.busy.as_ref().unwrap().starts_with(busy), "{:?}", r.busy);
    let page = report::html::render(&r).unwrap();
    let (banner, head) = (page.find("<p class=\"busy\"").unwrap(), page.find("<header").unwrap());
    assert!(banner < head && page.contains("class=\"starved\""), "{page}");
    let text = report::text::summary(&r, 100, false);
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(busy), "{text}");
    assert!(report::markdown::render(&r).unwrap().contains("> The machine was too busy"));
    let calm = build(&events(), &history());
    let page = report::html::render(&calm).unwrap();
    assert!(calm.busy.is_none() && !page.contains("class=\"starved\""));
}
