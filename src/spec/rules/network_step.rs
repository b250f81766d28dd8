//! Steps that do something to links: both sides are there, and it can be done to them.

use std::time::Duration;

use super::there::Now;
use super::via::{self, TimelineContext};
use super::{check_range, count, links, node_fault, ranged};
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::network_step::{Sides, TrickleMap};
use crate::spec::file::step::StepMap;
use crate::spec::network::{Jitter, Links, NetworkFault, NetworkStep, Side, Spot, Trickle};
use crate::spec::quantity::{Bytes, Percent, Time};
use crate::spec::scenario::StepAction;
use crate::spec::source::Span;
use crate::spec::topology::Topology;

/// Shorter ones are over before servers and clients have noticed.
const LEAST_EVERY: Duration = Duration::from_millis(20);
/// What the relay reads in one go.
const MOST_BYTES: Bytes = Bytes(64 << 10);

/// What `step` does to links, if it is such a step.
pub fn check(
    step: &At<StepMap>,
    now: Now<'_>,
    topology: &Topology,
    around: TimelineContext,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<StepAction> {
    let no_time = (&Field::Missing, &Field::Missing);
    let (fault, sides, (lasts, every)) = match &step.value {
        StepMap::Partition(map) => {
            let via = via::check(map, topology, around, diagnostics);
            (Some(NetworkFault::Partition(via)), map.sides(), (&map.lasts, &map.every))
        }
        StepMap::LatencyStep(map) => {
            let fault = latency(&map.latency, &map.jitter, diagnostics);
            (fault, map.sides(), (&map.lasts, &map.every))
        }
        StepMap::BandwidthStep(map) => {
            let bits = map
                .bandwidth
                .given()
                .and_then(|at| links::bandwidth(at, "use `do: partition` to cut it", diagnostics));
            (bits.map(NetworkFault::Bandwidth), map.sides(), (&map.lasts, &map.every))
        }
        StepMap::TrickleStep(map) => {
            (trickle(map, diagnostics), map.sides(), (&map.lasts, &map.every))
        }
        StepMap::Refuse(map) => {
            let why = "each new connection is refused with this probability";
            let share = share(&map.share, why, diagnostics);
            (Some(NetworkFault::Refuse { share }), map.sides(), (&map.lasts, &map.every))
        }
        StepMap::Reset(map) => {
            let why = "each open connection is reset with this probability";
            let share = share(&map.share, why, diagnostics);
            (Some(NetworkFault::Reset { share }), map.sides(), no_time)
        }
        _ => return None,
    };
    let lasts = node_fault::lasts(lasts, diagnostics);
    let every = flapping(every, lasts, diagnostics);
    let links = sides_of(&sides, &step.span, diagnostics)?;
    for side in sides.given() {
        missing_spots(side, now, diagnostics);
    }
    Some(StepAction::Network(NetworkStep { fault: fault?, links, lasts, every }))
}

fn latency(
    latency: &Field<Time>,
    jitter: &Field<Jitter>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<NetworkFault> {
    let (latency, jitter) = links::latency(latency, jitter, diagnostics);
    Some(NetworkFault::Latency { latency, jitter })
}

fn trickle(map: &TrickleMap, diagnostics: &mut Vec<Diagnostic>) -> Option<NetworkFault> {
    let (bytes, rest) = (map.bytes.given()?, map.rest.given()?);
    let why = "for more at a time, write `do: bandwidth`";
    check_range("bytes", &bytes.value, &bytes.span, (Bytes(1), MOST_BYTES), why, diagnostics);
    let range = (Time(Duration::from_millis(1)), Time(Duration::from_secs(60)));
    let why = "to let nothing pass, write `do: partition`";
    check_range("rest", &rest.value, &rest.span, range, why, diagnostics);
    let trickle = Trickle { bytes: bytes.value.0 as usize, rest: rest.value.0 };
    Some(NetworkFault::Trickle(trickle))
}

/// From 0 to 1.
fn share(share: &Field<Percent>, why: &str, diagnostics: &mut Vec<Diagnostic>) -> f64 {
    let (none, all) = (Percent(0.0), Percent(100.0));
    ranged("share", share, all, (none, all), why, diagnostics).0 / 100.0
}

fn flapping(
    field: &Field<Time>,
    lasts: Option<Duration>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Duration> {
    let at = field.given()?;
    match lasts {
        None => {
            let diagnostic = Diagnostic::new(&at.span, "a step that comes and goes needs `for`");
            diagnostics.push(diagnostic.advise("say how long it goes on, like `for: 10s`"));
        }
        Some(lasts) => {
            let range = (Time(LEAST_EVERY), Time(lasts));
            let why = "it holds for half of each such time, as long as `for` says";
            check_range("every", &at.value, &at.span, range, why, diagnostics);
        }
    }
    Some(at.value.0)
}

/// The two sides: `target` against all others, `between` two, or one way.
fn sides_of(sides: &Sides<'_>, span: &Span, diagnostics: &mut Vec<Diagnostic>) -> Option<Links> {
    let Sides { target, between, from, to } = sides;
    let is_bad = |field: &Field<Side>| matches!(field, Field::Bad);
    if is_bad(target) || is_bad(from) || is_bad(to) || matches!(between, Field::Bad) {
        return None;
    }
    let (from, to, one_way) = match (target.given(), between.given(), from.given(), to.given()) {
        (Some(target), None, None, None) => (&target.value, &Side::Others, false),
        (None, Some(pair), None, None) => match &pair.value[..] {
            [one, other] => (&one.value, &other.value, false),
            _ => {
                let sides = count(pair.value.len() as u32, "side");
                let message = format!("a link is between two sides, and this is {sides}");
                diagnostics.push(Diagnostic::new(&pair.span, message));
                return None;
            }
        },
        (None, None, Some(from), Some(to)) => (&from.value, &to.value, true),
        _ => {
            let message = "a step on links needs `target`, or `between`, or both `from` and `to`";
            let advice = "write `target: primary of shard 1` to part it from all others, or \
                          `between: [cache/0/0, clients]`";
            diagnostics.push(Diagnostic::new(span, message).advise(advice));
            return None;
        }
    };
    if from.spots().is_empty() && to.spots().is_empty() {
        let diagnostic = Diagnostic::new(span, "neither side says who is on it");
        diagnostics.push(diagnostic.advise("name nodes, a region or clients on one side"));
        return None;
    }
    Some(Links { from: from.clone(), to: to.clone(), one_way })
}

/// What of a side is not there.
fn missing_spots(side: &At<Side>, now: Now<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for spot in side.value.spots() {
        match spot {
            Spot::Clients => {}
            Spot::Region(name) | Spot::ClientsIn(name) => {
                let name = At { value: name.clone(), span: side.span.clone() };
                links::region(&name, now.regions, diagnostics);
            }
            Spot::Shard(number) => {
                told(now.no_shard(*number), &side.span, diagnostics);
            }
            Spot::Nodes(target) => {
                told(now.lacks(target), &side.span, diagnostics);
            }
        }
    }
}

fn told(missing: Option<(String, String)>, span: &Span, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics
        .extend(missing.map(|(message, advice)| Diagnostic::new(span, message).advise(advice)));
}
