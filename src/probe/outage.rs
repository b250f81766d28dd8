//! When a canary was out of service.
//!
//! The probes of one canary are ordered by their intended instants. While they succeed, the
//! canary is up. The first probe that fails begins an **outage**, at its intended instant. The
//! outage ends at the instant of the first good answer to any later probe. Failed probes that
//! were intended before that end belong to it.
//!
//! Why does it not end at the intended instant of the next probe that succeeds? Suppose that a
//! server stalls for 700 ms, and that a probe must be answered within 100 ms. The probes sent
//! in the last 100 ms of the stall are answered in time, just after the stall. The first of
//! them was intended 600 ms after the stall began. An outage that ended there would be 100 ms
//! too short, and the deadline would decide by how much. The instant of the answer does not
//! depend on the deadline.

use std::collections::VecDeque;

use crate::model::Nanos;
use crate::model::op::Cause;

/// The result of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeResult {
    /// The right answer, in time, at this instant.
    Good(Nanos),
    Bad(Cause),
    /// Nothing can be said: redrill itself was not run when the answer could have come.
    Void,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Began { from: Nanos, cause: Cause },
    Ended { from: Nanos, to: Nanos },
}

/// Probes of one canary by one action.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Probes by their intended instants, from the oldest one that has no result yet.
    probes: VecDeque<(Nanos, Option<ProbeResult>)>,
    /// The number of the first of `probes`.
    first: u64,
    out_since: Option<Nanos>,
    /// The end of the last outage.
    back_at: Nanos,
}

impl Track {
    /// Begins a probe that is intended at `due`, no earlier than the probe before it. Returns
    /// its number.
    pub(super) fn begin(&mut self, due: Nanos) -> u64 {
        self.probes.push_back((due, None));
        self.first + self.probes.len() as u64 - 1
    }

    /// Probes that wait for their result, or for the result of an earlier probe.
    pub(super) fn waiting(&self) -> usize {
        self.probes.len()
    }

    /// Records the result of probe `number`, and returns what it changes.
    pub(super) fn end(&mut self, number: u64, result: ProbeResult) -> Vec<Change> {
        let at = number.checked_sub(self.first).and_then(|i| usize::try_from(i).ok());
        if let Some(probe) = at.and_then(|i| self.probes.get_mut(i)) {
            probe.1 = Some(result);
        }
        let mut changes = Vec::new();
        while let Some(&(due, Some(result))) = self.probes.front() {
            self.probes.pop_front();
            self.first += 1;
            changes.extend(self.judge(due, result));
        }
        changes
    }

    fn judge(&mut self, due: Nanos, result: ProbeResult) -> Option<Change> {
        match (result, self.out_since) {
            (ProbeResult::Bad(cause), None) if due >= self.back_at => {
                self.out_since = Some(due);
                Some(Change::Began { from: due, cause })
            }
            (ProbeResult::Good(at), Some(from)) => {
                // A later probe may have been answered before this one.
                let to = self.answers().fold(at, Nanos::min);
                self.out_since = None;
                self.back_at = to;
                Some(Change::Ended { from, to })
            }
            _ => None,
        }
    }

    fn answers(&self) -> impl Iterator<Item = Nanos> {
        self.probes.iter().filter_map(|(_, result)| match result {
            Some(ProbeResult::Good(at)) => Some(*at),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Outages by the definition: over all probes at once, each `(due, result)`.
    fn by_definition(probes: &[(u64, ProbeResult)]) -> Vec<(u64, Option<u64>)> {
        let mut outages = Vec::new();
        let mut covered = 0;
        for (i, (due, result)) in probes.iter().enumerate() {
            if !matches!(result, ProbeResult::Bad(_)) || *due < covered {
                continue;
            }
            let answers = probes[i + 1..].iter().filter_map(|(_, result)| match result {
                ProbeResult::Good(at) => Some(at.0),
                _ => None,
            });
            let end = answers.min();
            outages.push((*due, end));
            covered = end.unwrap_or(u64::MAX);
        }
        outages
    }

    /// The same probes, told in the order in which their results become known.
    fn as_told(probes: &[(u64, u64, ProbeResult)]) -> Vec<(u64, Option<u64>)> {
        let mut track = Track::default();
        let mut told: Vec<(u64, u8, u64, ProbeResult)> = Vec::new();
        let mut outages = Vec::new();
        for &(due, known, result) in probes {
            told.push((known, 1, due, result));
        }
        told.sort_by_key(|&(known, _, due, _)| (known, due));
        let mut begun = 0;
        let mut numbers = std::collections::HashMap::new();
        for (known, _, due, result) in told {
            while begun < probes.len() && probes[begun].0 <= known {
                let due = probes[begun].0;
                numbers.insert(due, track.begin(Nanos(due)));
                begun += 1;
            }
            for change in track.end(numbers[&due], result) {
                match change {
                    Change::Began { from, .. } => outages.push((from.0, None)),
                    Change::Ended { from, to } => {
                        let open = outages.last_mut().unwrap();
                        assert_eq!(*open, (from.0, None));
                        open.1 = Some(to.0);
                    }
                }
            }
        }
        outages
    }

    #[test]
    fn a_stall_is_reported_whole_whatever_the_deadline() {
        // Stopped from 95 to 795; a probe every 10.
        for deadline in [20, 100, 400] {
            let probes: Vec<_> = (0..100)
                .map(|i| {
                    let due = i * 10;
                    let answer = if (95..795).contains(&due) { 795 } else { due + 1 };
                    if answer - due <= deadline {
                        (due, answer, ProbeResult::Good(Nanos(answer)))
                    } else {
                        (due, due + deadline, ProbeResult::Bad(Cause::Timeout))
                    }
                })
                .collect();
            assert_eq!(as_told(&probes), [(100, Some(795))], "deadline {deadline}");
        }
    }

    #[test]
    fn a_void_probe_proves_nothing() {
        let bad = ProbeResult::Bad(Cause::Refused);
        let good = |at| ProbeResult::Good(Nanos(at));
        let probes = [
            (0, 1, good(1)),
            (10, 50, ProbeResult::Void),
            (20, 51, bad),
            (30, 52, ProbeResult::Void),
        ];
        assert_eq!(as_told(&probes), [(20, None)]);
        let probes = [probes[0], probes[1], probes[2], probes[3], (40, 53, good(53))];
        assert_eq!(as_told(&probes), [(20, Some(53))]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Each probe takes its own time, so results come in any order.
        #[test]
        fn outages_are_those_of_the_definition(
            probes in prop::collection::vec((0..60u64, 0..4u8), 0..40)
        ) {
            let probes: Vec<(u64, u64, ProbeResult)> = probes
                .into_iter()
                .enumerate()
                .map(|(i, (took, luck))| {
                    let due = 10 * i as u64;
                    let result = match luck {
                        0 | 1 => ProbeResult::Good(Nanos(due + took)),
                        2 => ProbeResult::Bad(Cause::Timeout),
                        _ => ProbeResult::Void,
                    };
                    (due, due + took, result)
                })
                .collect();
            let plain: Vec<_> = probes.iter().map(|&(due, _, result)| (due, result)).collect();
            prop_assert_eq!(as_told(&probes), by_definition(&plain));
        }
    }
}
