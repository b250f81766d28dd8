//! The results of the operations of one load.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::histogram::{histogram, record};
use crate::model::op::{Access, Cause, OWN_MEMORY, Op, Outcome};
use crate::model::{LockRules, Nanos, SessionEnd, SessionEnds};

use super::data::{Figures, Quantiles};
use super::recovery::{Recovered, Recovery};
use super::schedule::{Schedule, is_shed_late};
use super::sent::Sent;
use super::spans::{Span, Spans};
use super::windows::quantile_ms;

/// The results of one load, while its operations are read.
#[derive(Debug)]
pub(super) struct LoadTally {
    /// Of its sessions.
    sessions: Results,
    /// By application instance.
    pub instances: Vec<Sent>,
    /// Reads that ended ok: those that nodes answered, and those that instances' memories did.
    pub reads: [u64; 2],
    /// Of its operations, by what they do.
    operations: BTreeMap<&'static str, Results>,
    pub schedule: Schedule,
    /// How long its clients wait for an answer.
    pub timeout: Duration,
    /// Whether its sessions are due at instants that no answer can move.
    pub has_schedule: bool,
    /// Of sessions that end with a read, and of the others: few writes would hide among many reads.
    recoveries: [Recovery; 2],
    ends: SessionEnds,
    /// Sessions whose users got what they asked for.
    pub served: u64,
}

impl LoadTally {
    /// `locks` are the rules of the locks that the load takes.
    pub fn new(timeout: Duration, has_schedule: bool, locks: Option<LockRules>) -> LoadTally {
        let (sessions, instances, reads, operations, schedule, recoveries) = Default::default();
        let ends = SessionEnds::new(locks);
        LoadTally {
            sessions,
            instances,
            reads,
            operations,
            schedule,
            timeout,
            has_schedule,
            recoveries,
            ends,
            served: 0,
        }
    }

    pub fn instance(&mut self, instance: u16) -> &mut Sent {
        let index = usize::from(instance);
        if self.instances.len() <= index {
            self.instances.resize(index + 1, Sent::default());
        }
        &mut self.instances[index]
    }

    /// Takes each of its operations. The end of the session that `op` ends, if it ends one.
    pub fn add(&mut self, op: &Op, spans: &Spans) -> Option<SessionEnd> {
        let of_kind = self.operations.entry(op.action.name()).or_default();
        of_kind.add((op, op.outcome), op.intended, self.timeout, spans);
        if op.outcome == Outcome::Ok && op.action.access() == Access::Read {
            self.reads[usize::from(op.by == Some(OWN_MEMORY))] += 1;
        }
        let end = self.ends.on_op(op)?;
        self.schedule.add(op);
        self.served += u64::from(end.served);
        if !is_shed_late(op) {
            let writes = op.action.access_of_session() == Access::Write;
            self.recoveries[usize::from(writes)].add(op.began(), end, spans.line);
        }
        self.sessions.add((op, end.outcome), op.began(), self.timeout, spans);
        Some(end)
    }

    /// The slower of reads and writes.
    pub fn recovered(&self, line: (Span, Nanos), acts: &[Nanos]) -> Option<Recovered> {
        let [reads, writes] = &self.recoveries;
        let both = [reads.recovered(writes, line, acts), writes.recovered(reads, line, acts)];
        both.into_iter().flatten().reduce(Recovered::slower)
    }

    pub fn figures(&self) -> Figures {
        self.sessions.figures()
    }

    pub fn operations(&self) -> BTreeMap<String, Figures> {
        let each = self.operations.iter();
        each.map(|(name, results)| (name.to_string(), results.figures())).collect()
    }
}

#[derive(Debug)]
struct Results {
    operations: u64,
    answered: u64,
    unsent: u64,
    /// What users felt, by the span in which they were intended; latency from that instant.
    latency: [Histogram<u64>; 3],
}

impl Default for Results {
    fn default() -> Results {
        let latency = std::array::from_fn(|_| histogram());
        Results { operations: 0, answered: 0, unsent: 0, latency }
    }
}

impl Results {
    /// Latency counts `from` an instant to the end of `op`.
    fn add(
        &mut self,
        (op, outcome): (&Op, Outcome),
        from: Nanos,
        timeout: Duration,
        spans: &Spans,
    ) {
        self.operations += 1;
        self.answered += u64::from(outcome == Outcome::Ok);
        self.unsent += u64::from(outcome == Outcome::Fail(Cause::Shed));
        if let Some(latency) = felt((op, outcome), from, timeout) {
            record(&mut self.latency[spans.index_of(from)], latency);
        }
    }

    fn figures(&self) -> Figures {
        let [before, during, after] = self.latency.each_ref().map(|latency| Quantiles {
            p50_ms: quantile_ms(latency, 0.5),
            p99_ms: quantile_ms(latency, 0.99),
        });
        let errors = self.operations - self.answered - self.unsent;
        let (operations, answered, unsent) = (self.operations, self.answered, self.unsent);
        Figures { operations, answered, errors, unsent, before, during, after }
    }
}

/// How long a user waited until the end of `op`, in nanoseconds; `None` if nothing was sent.
pub(super) fn felt((op, outcome): (&Op, Outcome), from: Nanos, timeout: Duration) -> Option<u64> {
    let took = op.done.since(from);
    let felt = match outcome {
        Outcome::Ok => took,
        Outcome::Fail(Cause::Shed) => return None,
        // It was answered, and has waited for replicas as long as it was to.
        Outcome::Unknown(Cause::UnderReplicated) => took,
        Outcome::Fail(_) | Outcome::Unknown(_) => took.max(timeout),
    };
    Some(felt.as_nanos() as u64)
}
