//! Writes to two groups on real servers: whether they differ at the end, and why.

use std::collections::BTreeMap;
use std::fs;

use redrill::model::op::{Action, Op, Outcome, Purpose, RegisterOp};

use crate::drill::place::Place;

const TWO: &str = "
name: two
groups:
  old: { mode: standalone }
  new: { mode: standalone }
";

fn play(load: &str, rest: &str) -> (Place, Option<i32>, String) {
    let place = Place::new();
    fs::write(place.path().join("topology.yaml"), TWO).unwrap();
    let text = format!(
        "name: both\ntopology: ./topology.yaml\nloads:\n  app: {{ workload: dual-write, \
         groups: [old, new], {load} }}\n{rest}\n"
    );
    let ran = place.play(&text, &[]);
    (place, ran.code, ran.out + &ran.err)
}

/// Acknowledged, wrong, one-sided, lost, reordered. The sum is what the final reads say.
fn figures(place: &Place) -> [u64; 5] {
    let report = place.report();
    let figure = |word: &str| {
        let value = report["measures"][format!("dual.{word}")]["value"].as_f64();
        value.unwrap_or_else(|| panic!("dual.{word} is not known")) as u64
    };
    let figures = ["acknowledged", "wrong", "one_sided", "lost", "reordered"].map(figure);
    let mut ends: BTreeMap<u64, [Option<u64>; 2]> = BTreeMap::new();
    for op in place.ops().iter().filter(|op| op.purpose == Purpose::Final) {
        let Action::Register(RegisterOp::Read(value)) = op.action else { panic!("{op:?}") };
        assert_eq!(op.outcome, Outcome::Ok);
        ends.entry(op.key).or_default()[usize::from(op.group)] = value;
    }
    let differ = ends.values().filter(|[old, new]| old != new).count() as u64;
    assert_eq!(figures[1], differ, "of {} keys", ends.len());
    assert_eq!(figures[1], figures[2..].iter().sum::<u64>());
    figures
}

#[test]
fn one_client_at_a_time_leaves_the_same_in_both_groups() {
    let load = "rate: 400/s, keys: 50, clients: 1, max_in_flight: 1";
    let (place, code, told) = play(load, "settle: 2s");
    assert_eq!(code, Some(0), "{told}");
    let [acknowledged, wrong, ..] = figures(&place);
    assert!(acknowledged > 200 && wrong == 0, "{told}");
    // Each write is a session of two operations that were sent at once.
    let mut writes: BTreeMap<u64, Vec<Op>> = BTreeMap::new();
    for op in place.ops().into_iter().filter(|op| op.purpose == Purpose::Load) {
        match op.action.written() {
            Some(value) => writes.entry(value).or_default().push(op),
            None => assert_eq!((op.group, op.part), (0, None), "reads go to the first"),
        }
    }
    for halves in writes.values() {
        let [one, other] = &halves[..] else { panic!("{halves:?}") };
        let [a, b] = [one, other].map(|op| op.part.unwrap());
        assert_eq!((a.session, a.step, b.step), (b.session, 0, 0));
        assert!(a.last != b.last && one.group != other.group && one.process == other.process);
        assert!(one.sent <= other.done && other.sent <= one.done, "{halves:?}");
    }
    place.assert_nothing_left();
}

/// A paused server reads connection by connection what has piled up, in no order of time.
#[test]
fn clients_that_write_to_a_key_at_once_leave_it_different() {
    let load = "rate: 1000/s, keys: 200, instances: 8, timeout: 3s";
    let pause = "timeline: [{ at: 1s, do: pause, group: new, target: all primaries, for: 1s }]\n\
                 settle: 100ms";
    let (place, code, told) = play(load, pause);
    assert_eq!(code, Some(1), "{told}");
    let [_, wrong, one_sided, lost, reordered] = figures(&place);
    assert!(reordered > 0 && wrong == reordered && one_sided + lost == 0, "{told}");
    let finding = &place.report()["findings"][0];
    let example = finding["examples"][0]["text"].as_str().unwrap();
    assert!(example.contains("the groups took two writes in different order"), "{example}");
    assert!(example.contains("acknowledged at"), "{example}");
}

#[test]
fn a_primary_that_is_killed_leaves_its_group_behind() {
    let load = "rate: 500/s, keys: 300, instances: 2";
    let kill = "timeline: [{ at: 1s, do: kill, group: new, target: all primaries, for: 500ms }]\n\
                settle: 1s\nreported: [all]";
    let (place, code, told) = play(load, kill);
    assert_eq!(code, Some(0), "it is only reported: {told}");
    let [_, wrong, one_sided, lost, _] = figures(&place);
    assert!(wrong > 0 && one_sided + lost > 0, "{told}");
    let report = place.report();
    assert!(report["measures"]["errors.total"]["value"].as_f64() > Some(0.0));
    // It came back empty.
    assert!(report["measures"]["canaries.lost"]["value"].as_f64() > Some(0.0), "{told}");
}
