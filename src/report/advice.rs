//! What to do about what could not be told: every reason of an `unknown` verdict says so.

use crate::check::FindingKind;

/// About a measure that has no value.
pub(super) fn of_measure(name: &str) -> &'static str {
    match name.split('.').next().unwrap_or(name) {
        "convergence" => "give the nodes more time, with a longer `settle`",
        "downtime" => "let the load last longer: no probe was counted",
        "failover" => "look at the failovers that were seen: the steps have to make a primary fail",
        "latency" | "throughput" => {
            "let the load go on for longer before, during and after the steps, and look at its errors"
        }
        "reshard" => "let the steps that move slots come to their end",
        "writes" | "rpo" | "counter" | "set" | "queue" | "stream" => {
            of_finding(FindingKind::LostWrites)
        }
        "keys" => of_finding(FindingKind::Linearizability),
        _ => "the run's `warnings` tell what was missing",
    }
}

/// About a finding that is neither good nor bad.
pub(super) fn of_finding(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Linearizability => {
            "have fewer operations on each key: more `keys`, or a lower `rate` on fewer hot ones"
        }
        FindingKind::UnexpectedValues => {
            "let the drill come to its end, so that its history is whole"
        }
        _ => "have all shards served again before the drill ends: heal, or a longer `settle`",
    }
}

/// About figures that redrill itself can have moved.
pub(super) const BUSY: &str = "run it on an idle machine, or with a lower `rate`";

/// About a drill that could not go on.
pub(super) const FAILED: &str = "mend that (`logs/` has the servers' last words), and run it again";

/// About a drill without an end.
pub(super) const ENDLESS: &str = "wait for its end, or run it again";

/// About a drill that somebody ended.
pub(super) const INTERRUPTED: &str = "run it again, to its end";
