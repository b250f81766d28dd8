//! What a person is told of a lock that two had: who, when, and under which step; and the picture of
//! it.

use super::fencing::Late;
use super::overlap::Overlap;
use super::session::Held;
use crate::check::checker::Context;
use crate::check::finding::{Proof, ProofAction, Zero, millis};
use crate::model::Nanos;

/// What a step did to servers or clients then.
pub(super) fn during(context: &Context, at: Nanos) -> String {
    let Some(fault) = context.fault_before(at) else { return String::new() };
    let when = if fault.is_over_by(at) { "after" } else { "during" };
    format!(" ({when} the step {})", fault.text)
}

/// A bar for each that had it: from getting it to its last use, or to giving it back.
pub(super) fn drawn(overlap: &Overlap) -> Vec<Proof> {
    let had = |one: &Held| {
        let end = if overlap.is_certain { one.used } else { one.given_back };
        let (sent_ms, done_ms) = (millis(one.got), Some(millis(end.max(one.got))));
        let (action, value) = (ProofAction::Held, Some(one.token));
        let (expected, key, link, group) = Default::default();
        let process = one.process;
        Proof { process, action, value, expected, sent_ms, done_ms, key, link, group }
    };
    [overlap.first]
        .iter()
        .chain(&overlap.besides)
        .map(|one| had(one))
        .chain([had(overlap.then)])
        .collect()
}

pub(super) fn overlap(key: u64, overlap: &Overlap<'_>, zero: Zero) -> String {
    let had = |one: &Held| {
        let end = match overlap.is_certain {
            true => format!("used it until {}", zero.tell_exactly(one.used)),
            false => format!("gave it back at {}", zero.tell_exactly(one.given_back)),
        };
        format!("{} got it at {} and {end}; ", one.who(), zero.tell_exactly(one.got))
    };
    let others: String =
        [overlap.first].iter().chain(&overlap.besides).map(|one| had(one)).collect();
    let then = overlap.then;
    format!("lock {key}: {others}{} got it at {}", then.who(), zero.tell_exactly(then.got))
}

pub(super) fn unfenced(key: u64, late: &Late<'_>, zero: Zero) -> String {
    let Late { older, sent, newer } = late;
    format!(
        "the account of lock {key} took what {} wrote at {} with the number {}, after {} had \
         written with the number {}",
        older.who(),
        zero.tell_exactly(*sent),
        older.fence,
        newer.who(),
        newer.fence
    )
}
