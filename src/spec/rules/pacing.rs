//! When the sessions of a load begin: at a rate, or when its clients have their answers.

use crate::model::{Pacing, Ramp, Rate};
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::scenario::LoadMap;
use crate::spec::quantity::{Asked, PerSecond, Rates, Time};
use crate::spec::scenario::MAX_IN_FLIGHT;
use crate::spec::source::Span;

const MAX_RATE: f64 = 1_000_000.0;

/// What a load without a valid `rate` or `think` is checked with.
const ANY: Pacing = Pacing::steady(1.0);

pub(super) fn check(map: &LoadMap, errors: &mut Diagnostics) -> Pacing {
    let think = map.think.or(Time::secs(0)).0;
    match (map.rate.given(), map.think.given()) {
        (Some(At { value: Asked::Rates(rates), span }), None) => {
            Pacing::Open(rate(*rates, span, errors))
        }
        (Some(At { value: Asked::Rates(rates), .. }), Some(at)) => {
            let message = format!("at a rate of {rates} no client waits for its answer and thinks");
            let advice = "write `rate: max` for clients that think, or leave `think` out";
            errors.add(&at.span, message, advice);
            ANY
        }
        (Some(At { value: Asked::Max, .. }), _) => Pacing::Closed { think },
        (None, Some(_)) if map.rate.is_missing() => Pacing::Closed { think },
        (None, _) => {
            if map.rate.is_missing() && map.think.is_missing() {
                let message = "a load needs the key `rate`";
                let advice = "write how many operations a second, like `rate: 4000/s`; or \
                              `rate: max`, and each client sends its next one when it has its answer";
                errors.add(&map.span, message, advice);
            }
            ANY
        }
    }
}

/// How long a ramp takes depends on the time line.
fn rate(Rates(first, last): Rates, span: &Span, errors: &mut Diagnostics) -> Rate {
    if first.0 <= 0.0 || last.0 <= 0.0 {
        let message = "a load of no operations a second is no load";
        errors.add(span, message, "write a rate above 0, or leave the load out");
    } else {
        let range = (PerSecond(0.001), PerSecond(MAX_RATE));
        for value in [first, last] {
            let end = Field::Given(At { value, span: span.clone() });
            end.check_range("rate", range, "one machine does no more", errors);
            if first == last {
                break;
            }
        }
    }
    let ramp = (first != last).then_some(Ramp { to: last.0, over_ms: 0.0 });
    Rate { first: first.0, ramp }
}

/// Unless it is given, a stall of a second sheds nothing.
pub(super) fn max_in_flight(map: &LoadMap, pacing: &Pacing, errors: &mut Diagnostics) -> u32 {
    match (pacing, map.max_in_flight.given()) {
        (Pacing::Open(rate), None) => MAX_IN_FLIGHT.max(rate.most().ceil() as u32),
        (Pacing::Open(_), Some(at)) => at.value,
        (Pacing::Closed { .. }, None) => MAX_IN_FLIGHT,
        (Pacing::Closed { .. }, Some(at)) => {
            let message = "each client of this load has one session in flight, and no more";
            errors.add(&at.span, message, "leave `max_in_flight` out; `clients` is the limit");
            at.value
        }
    }
}
