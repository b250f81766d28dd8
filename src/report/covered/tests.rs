//! Goes through the catalogue, and asks each measure what starvation at each place of a drill does
//! to a bound that is broken, and to one that holds.

use std::collections::BTreeMap;

use super::*;
use crate::model::catalogue::{Better, Busy, CATALOGUE};
use crate::model::event::{Compare, Expectation};
use crate::model::op::{Action, Cause, Op, Outcome, RegisterOp};
use crate::model::{NodeName, Verdict};
use crate::report::doubt::Doubts;
use crate::report::judge::expectation;
use crate::report::load_tally::LoadTally;
use crate::report::sent::Errors;
use crate::report::starved::{Seen, StarvedTimes, quantile};
use crate::report::tally::Tally;

fn at(s: u64) -> Nanos {
    Nanos(s * 1_000_000_000)
}

fn seconds(from: u64, to: u64) -> Span {
    Span { from: at(from), to: at(to) }
}

/// A load of a minute, with a step after 20 s whose effects last as long.
fn spans() -> Spans {
    let (line, seen_to_the_end) = (seconds(10, 70), true);
    let (during, after) = (Some(seconds(30, 50)), Some(seconds(50, 70)));
    Spans { line, seen_to_the_end, before: seconds(10, 30), during, after }
}

/// Three seconds of the drill.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    BeforeLoad,
    BeforeStep,
    /// The failover is under way.
    Fault,
    /// It is over, and nodes have not yet converged.
    RightAfter,
    Converged,
    VeryEnd,
    AfterLoad,
}

const PLACES: [(Place, u64); 7] = [
    (Place::BeforeLoad, 5),
    (Place::BeforeStep, 20),
    (Place::Fault, 31),
    (Place::RightAfter, 44),
    (Place::Converged, 56),
    (Place::VeryEnd, 67),
    (Place::AfterLoad, 72),
];

impl Place {
    fn is_within(self, covers: Covers) -> bool {
        use Place::*;
        let places: &[Place] = match covers {
            Covers::Forming => &[],
            Covers::Throughout => &[BeforeStep, Fault, RightAfter, Converged, VeryEnd],
            Covers::BeforeSteps => &[BeforeStep],
            Covers::Steps => &[Fault, RightAfter],
            Covers::AfterSteps => &[Converged, VeryEnd],
            Covers::SinceSteps => &[Fault, RightAfter, Converged, VeryEnd],
            Covers::Failures | Covers::Losses => &[Fault],
            Covers::Afterwards => &[AfterLoad],
        };
        places.contains(&self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Starved {
    Redrill,
    /// The thread that reads what nodes say of each other.
    Watcher,
    Server,
    /// A server that waited for a third of each second only.
    ServerALittle,
}

impl Starved {
    const ALL: [Starved; 4] =
        [Starved::Redrill, Starved::Watcher, Starved::Server, Starved::ServerALittle];

    fn times(self, from: u64) -> StarvedTimes {
        let mut times = StarvedTimes::default();
        let node = || NodeName::new("c", 0, 0);
        let length = Duration::from_secs(3);
        let mut waited = |percent| {
            (from + 1..=from + 3).for_each(|s| times.waited(at(s), node(), percent));
        };
        match self {
            Starved::Redrill => times.blind(at(from + 3), length),
            Starved::Watcher => times.behind(at(from + 3), length),
            Starved::Server => waited(80.0),
            Starved::ServerALittle => waited(33.0),
        }
        times
    }

    /// Whether the measure may depend on them.
    fn concerns(self, known: &Known) -> bool {
        let of_single_answers = matches!(known.busy(), Busy::MayBeAll | Busy::Errors);
        match self {
            Starved::Redrill => !known.knows_own_lateness,
            Starved::Watcher => known.of_views,
            Starved::Server => true,
            Starved::ServerALittle => of_single_answers,
        }
    }
}

/// Operations every 20 ms, from 1 to 100 ms long, of which two in a hundred fail.
fn tally(starved: Vec<Span>) -> Tally {
    let mut tally =
        Tally::new(spans(), vec![LoadTally::new(Duration::from_secs(1), true, None)], starved);
    for n in 0..3_000 {
        let sent = at(10) + Duration::from_millis(n * 20);
        let done = sent + Duration::from_millis(1 + n * 37 % 100);
        let op = Op::new(0, Action::Register(RegisterOp::Read(None)), sent, done);
        let outcome = match n % 100 {
            7 => Outcome::Fail(Cause::ConnectionLost),
            57 => Outcome::Unknown(Cause::Timeout),
            _ => Outcome::Ok,
        };
        tally.add(&Op { intended: sent, outcome, ..op });
    }
    tally
}

fn failover() -> Failover {
    Failover {
        to: Some(NodeName::new("c", 0, 1)),
        injected_ms: Some(30_000.0),
        suspected_ms: Some(31_000.0),
        agreed_ms: Some(32_000.0),
        elected_ms: Some(33_000.0),
        propagated_ms: Some(33_500.0),
        served_ms: Some(34_000.0),
        redundant_ms: Some(36_000.0),
        ..Failover::default()
    }
}

fn value(known: &Known, tally: &Tally) -> f64 {
    let counted = tally.errors(Errors::All).into_iter().find(|(name, _)| *name == known.name);
    let of_tally = counted.and_then(|(_, value)| value).or_else(|| quantile(known, tally, 0.0));
    of_tally.unwrap_or(match known.unit {
        Unit::Millis => 6_000.0,
        Unit::Percent => 50.0,
        Unit::Count if known.busy() == Busy::Failovers => 1.0,
        Unit::Count | Unit::PerSecond | Unit::Bytes | Unit::BytesPerSecond => 100.0,
    })
}

/// The verdict on `OP BOUND` of the measure, if that was starved at these times.
fn verdict(
    (known, measure): (&'static Known, &Measure),
    (op, bound): (Compare, f64),
    (times, tally): &(StarvedTimes, Tally),
) -> Verdict {
    let (spans, apart) = (spans(), BTreeMap::new());
    let seen = Seen {
        spans: &spans,
        tally: Some(tally),
        apart: &apart,
        failovers: &[failover()],
        carried_late: false,
        out_of_order: true,
    };
    let measures = BTreeMap::from([(known.name.to_owned(), measure.clone())]);
    let mut doubts = Doubts::new();
    times.widen(&mut doubts, &seen, &measures);
    let (text, name) = (String::new(), known.name.to_owned());
    let e = Expectation { text, measure: name, load: None, op, bound };
    let doubt = doubts.get(known.name).copied();
    expectation(&e, (Some(measure), doubt), true).verdict
}

/// Bounds that are broken by a hundredth, in the directions that starved time may explain, and
/// the one that it may not.
fn broken(known: &Known, value: f64) -> Vec<((Compare, f64), bool)> {
    let too_much = (Compare::AtMost, value * 0.99);
    let too_little = (Compare::AtLeast, value * 1.01);
    match (known.busy(), known.unit, known.better) {
        (Busy::Spares | Busy::Carried, ..) => vec![(too_much, false), (too_little, false)],
        (Busy::Failovers, ..) => vec![(too_much, true)],
        (Busy::Counts, ..) => vec![(too_much, false), (too_little, true)],
        (_, Unit::Count, _) => vec![(too_much, true), (too_little, true)],
        (Busy::Slows | Busy::Lowers | Busy::Disorders, ..) | (_, _, Better::Higher) => {
            vec![(too_little, true)]
        }
        _ => vec![(too_much, true)],
    }
}

/// The bounds of one measure, at a place at which that was starved.
fn ask(
    (known, measure): (&'static Known, &Measure),
    (place, who): (Place, Starved),
    times: &(StarvedTimes, Tally),
) {
    let (name, value) = (known.name, measure.value.unwrap());
    let within = match known.busy() {
        // It is looked for elsewhere: shortly before the primary was missed.
        Busy::Failovers => place == Place::Fault,
        _ => place.is_within(known.covers),
    };
    for (bound, may_be) in broken(known, value) {
        let is_excused = may_be && within && who.concerns(known);
        let right = if is_excused { Verdict::Unknown } else { Verdict::Fail };
        let judged = verdict((known, measure), bound, times);
        assert_eq!(judged, right, "{name}: {bound:?} of {value}, {who:?} {place:?}");
    }
    for bound in [(Compare::AtMost, value * 1.01), (Compare::AtLeast, value * 0.99)] {
        let judged = verdict((known, measure), bound, times);
        assert_eq!(judged, Verdict::Pass, "{name}: {who:?} {place:?} takes it back");
    }
}

#[test]
fn starved_time_excuses_what_its_measure_covers_and_nothing_else() {
    let plain = tally(Vec::new());
    for (place, from) in PLACES {
        for who in Starved::ALL {
            let times = who.times(from);
            let tally = tally(times.met());
            let starved = (times, tally);
            for known in CATALOGUE {
                let value = Some(value(known, &plain));
                let measure = Measure { value, at_least: None, unit: known.unit };
                ask((known, &measure), (place, who), &starved);
            }
        }
    }
}

/// What was not over when the load ended is excused by the time that it had, and by nothing before.
#[test]
fn what_never_ended_is_excused_by_the_end_of_what_its_measure_covers() {
    let to_the_end = [Covers::Throughout, Covers::AfterSteps, Covers::SinceSteps];
    let is_open = |known: &&Known| {
        let is_time = known.unit == Unit::Millis && known.busy() != Busy::Spares;
        is_time && to_the_end.contains(&known.covers)
    };
    for (place, from) in PLACES {
        for who in Starved::ALL {
            let times = who.times(from);
            let tally = tally(times.met());
            let starved = (times, tally);
            for known in CATALOGUE.iter().filter(is_open) {
                let measure = Measure { value: None, at_least: Some(3_000.0), unit: known.unit };
                let judged = verdict((known, &measure), (Compare::AtMost, 2_000.0), &starved);
                let is_excused = place == Place::VeryEnd && who.concerns(known);
                let right = if is_excused { Verdict::Unknown } else { Verdict::Fail };
                assert_eq!(judged, right, "{}: {who:?} {place:?}", known.name);
            }
        }
    }
}
