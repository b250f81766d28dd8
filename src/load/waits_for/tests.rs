//! The graph against a plain search.

use proptest::prelude::*;

use super::*;

const LONG: Nanos = Nanos(1_000);

#[test]
fn who_closes_a_cycle_is_told_who_is_in_it() {
    let mut graph = WaitsFor::default();
    for session in 1..=4 {
        graph.has(session, session * 10, LONG);
    }
    assert_eq!(graph.waits(1, 20, Nanos(1)), None);
    assert_eq!(graph.waits(4, 10, Nanos(1)), None, "it only stands beside");
    assert_eq!(graph.waits(2, 30, Nanos(2)), None);
    assert_eq!(graph.waits(3, 10, Nanos(3)), Some(vec![3, 1, 2]));
    assert_eq!(graph.waits(4, 10, Nanos(3)), None, "nobody waits for it");
    graph.leaves(2);
    assert_eq!(graph.waits(3, 10, Nanos(4)), None);
    assert_eq!(graph.waits(1, 30, Nanos(4)), Some(vec![1, 3]));
}

#[test]
fn a_lease_that_is_over_holds_nobody_up() {
    let mut graph = WaitsFor::default();
    graph.has(1, 10, Nanos(50));
    graph.has(2, 20, LONG);
    graph.waits(1, 20, Nanos(1));
    assert_eq!(graph.waits(2, 10, Nanos(49)), Some(vec![2, 1]));
    assert_eq!(graph.waits(2, 10, Nanos(50)), None);
}

#[test]
fn who_gives_back_gets_or_gives_up_is_waited_for_no_more() {
    let closes = |before: fn(&mut WaitsFor)| {
        let mut graph = WaitsFor::default();
        graph.has(1, 10, LONG);
        graph.has(2, 20, LONG);
        graph.waits(1, 20, Nanos(1));
        before(&mut graph);
        graph.waits(2, 10, Nanos(2)).is_some()
    };
    assert!(closes(|_| ()));
    assert!(!closes(|graph| graph.gives_back(1, 10)));
    assert!(!closes(|graph| graph.waits_no_more(1)));
    assert!(!closes(|graph| graph.has(1, 30, LONG)));
    assert!(!closes(|graph| graph.leaves(1)));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Has(u64, u64, u64),
    GivesBack(u64, u64),
    Waits(u64, u64),
    WaitsNoMore(u64),
    Leaves(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (session, lock) = (|| 0..6_u64, || 0..6_u64);
    let step = prop_oneof![
        3 => (session(), lock(), 0..60_u64).prop_map(|(s, l, until)| Step::Has(s, l, until)),
        1 => (session(), lock()).prop_map(|(s, l)| Step::GivesBack(s, l)),
        4 => (session(), lock()).prop_map(|(s, l)| Step::Waits(s, l)),
        1 => session().prop_map(Step::WaitsNoMore),
        1 => session().prop_map(Step::Leaves),
    ];
    prop::collection::vec(step, 0..40)
}

/// The same as two plain lists, and whether somebody comes back to itself by any way.
#[derive(Default)]
struct Plain {
    has: Vec<(u64, u64, u64)>,
    waits: Vec<(u64, u64)>,
}

impl Plain {
    fn edge(&self, from: u64, to: u64, now: u64) -> bool {
        let waits = self.waits.iter().filter(|(session, _)| *session == from);
        let mut locks = waits.map(|(_, lock)| *lock);
        locks.any(|lock| self.has.iter().any(|h| h.0 == to && h.1 == lock && h.2 > now))
    }

    /// Warshall's closure of all edges.
    fn comes_back(&self, session: u64, now: u64) -> bool {
        let mut reach = [[false; 6]; 6];
        for (from, row) in reach.iter_mut().enumerate() {
            for (to, cell) in row.iter_mut().enumerate() {
                *cell = self.edge(from as u64, to as u64, now);
            }
        }
        for via in 0..6 {
            for from in 0..6 {
                for to in 0..6 {
                    reach[from][to] |= reach[from][via] && reach[via][to];
                }
            }
        }
        reach[session as usize][session as usize]
    }
}

proptest! {
    #[test]
    fn a_cycle_is_found_where_a_plain_search_finds_one(steps in steps()) {
        let (mut graph, mut plain) = (WaitsFor::default(), Plain::default());
        for (now, step) in (0..).zip(steps) {
            match step {
                Step::Has(session, lock, until) => {
                    graph.has(session, lock, Nanos(until));
                    plain.has.push((session, lock, until));
                    plain.waits.retain(|(other, _)| *other != session);
                }
                Step::GivesBack(session, lock) => {
                    graph.gives_back(session, lock);
                    plain.has.retain(|h| (h.0, h.1) != (session, lock));
                }
                Step::Waits(session, lock) => {
                    plain.waits.retain(|(other, _)| *other != session);
                    plain.waits.push((session, lock));
                    let found = graph.waits(session, lock, Nanos(now));
                    prop_assert_eq!(found.is_some(), plain.comes_back(session, now));
                    for (place, one) in found.iter().flatten().enumerate() {
                        let cycle = found.as_ref().unwrap();
                        let next = cycle[(place + 1) % cycle.len()];
                        prop_assert!(plain.edge(*one, next, now), "{:?}", cycle);
                    }
                    prop_assert!(found.is_none_or(|cycle| cycle[0] == session));
                }
                Step::WaitsNoMore(session) => {
                    graph.waits_no_more(session);
                    plain.waits.retain(|(other, _)| *other != session);
                }
                Step::Leaves(session) => {
                    graph.leaves(session);
                    plain.has.retain(|h| h.0 != session);
                    plain.waits.retain(|(other, _)| *other != session);
                }
            }
        }
    }
}
