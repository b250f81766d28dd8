//! What somebody felt, an instance of a load or the clients of a region: for how long no shard gave
//! a good answer.

use std::time::Duration;

use crate::model::Nanos;
use crate::model::event::Phase;
use crate::model::op::{Action, LockOp, OWN_MEMORY, Op, Purpose, key_name};
use crate::model::slot::slot_of;

use super::data::{Failover, Silence, millis};
use super::gaps::Gaps;
use super::record::Record;
use super::schedule::is_shed_late;

/// An election is seen when a node is asked next: mostly so much later at most.
const SEEN_LATE_MS: f64 = 500.0;

/// So long before the load's end a silence is too new to be told.
const NEW: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Felt {
    /// In the order in which they were first wanted.
    shards: Vec<ShardSilences>,
}

/// The longest silence of a shard, and the one that was not over when the load ended.
///
/// A silence ends with a good answer. It begins when something was wanted that had none: at
/// the intended instant of the first such operation, or with the good answer before that, if
/// it came later. What hangs for longer than the silence was wanted all along.
#[derive(Debug)]
struct ShardSilences {
    /// The index of its group, and its number.
    shard: (u8, u32),
    answered: Nanos,
    /// The first that was wanted, of what has ended since.
    wanted: Option<Nanos>,
    /// Between the good answers before that.
    gaps: Gaps,
    worst: Option<(Nanos, Option<Nanos>)>,
    /// Since when a shorter one has lasted at the load's end.
    open: Option<Nanos>,
}

/// Whether somebody felt it: it is of a load, and redrill itself was not too late with it.
pub(super) fn is_felt(op: &Op) -> bool {
    op.purpose == Purpose::Load && !is_shed_late(op)
}

/// The shard of the operation's group that owned the key's slot when it was due. Outside a cluster
/// there is one. None if no shard was asked: what an instance has in its own memory it also has
/// while the shard is dead.
pub(super) fn shard_of(op: &Op, record: &Record) -> Option<u32> {
    if op.by == Some(OWN_MEMORY) {
        return None;
    }
    let loads = &record.info.loads;
    let keys = &loads.get(usize::from(op.keyspace()))?.name;
    let (group, _) = loads.get(usize::from(op.load))?.groups().nth(usize::from(op.group))?;
    let owners = record.owners.get(group);
    let slot = slot_of(key_name(keys, op.key).as_bytes());
    Some(owners.and_then(|owners| owners.at(slot, op.intended)).unwrap_or(0))
}

impl Felt {
    /// An operation on a shard, by the index of its group and its number, and whether it is a `good`
    /// answer. The load began at `from`.
    pub fn want(&mut self, (op, good): (&Op, bool), shard: (u8, u32), from: Nanos) {
        let known = self.shards.iter().position(|known| known.shard == shard);
        let index = known.unwrap_or_else(|| {
            let (wanted, worst, open, gaps) = (None, None, None, Gaps::default());
            self.shards.push(ShardSilences { shard, answered: from, wanted, gaps, worst, open });
            self.shards.len() - 1
        });
        self.shards[index].want(op, good);
    }

    /// By shard. The load ended at `end`; `group` names a group by its index. A silence that began
    /// in the last second before operations were only waited for may have been over at once, and is
    /// left out.
    pub fn silences<'g>(
        mut self,
        group: impl Fn(u8) -> Option<&'g str>,
        (record, end): (&Record, Nanos),
        failovers: &[Failover],
    ) -> Vec<Silence> {
        let new = record.phase_at(Phase::Drain).unwrap_or(end) - NEW;
        self.shards.sort_by_key(|shard| shard.shard);
        let of_shard = |mut shard: ShardSilences| {
            let group = group(shard.shard.0)?;
            let left = record.owners.get(group).and_then(|o| o.lost_all(shard.shard.1));
            shard.over(left, end, new);
            Some(shard.told(group, end, failovers))
        };
        self.shards.into_iter().filter_map(of_shard).flatten().collect()
    }
}

impl ShardSilences {
    /// Operations come in the order in which they ended.
    fn want(&mut self, op: &Op, good: bool) {
        let wanted = self.wanted.map_or(op.intended, |wanted| wanted.min(op.intended));
        self.wanted = Some(wanted);
        if let Some((from, to)) = self.missed(op) {
            self.silent(from, Some(to), to);
        }
        if good {
            self.hear(Some(op.done), op.done);
            if op.done > self.answered {
                self.gaps.add(self.answered, op.done);
            }
            (self.answered, self.wanted) = (self.answered.max(op.done), None);
        }
    }

    /// The longest time between good answers to others while the operation waited. Whoever stands in
    /// line for a lock waits for its holder, and not for an answer.
    fn missed(&self, op: &Op) -> Option<(Nanos, Nanos)> {
        let in_line = matches!(op.action, Action::Lock(LockOp::Wait { .. }));
        let waited = op.intended < self.answered && !in_line;
        waited.then(|| self.gaps.longest_since(op.intended))?
    }

    /// Something was wanted, and had a good answer `to`, or none until `end`.
    fn hear(&mut self, to: Option<Nanos>, end: Nanos) {
        let Some(wanted) = self.wanted else { return };
        self.silent(wanted.max(self.answered), to, end);
    }

    /// There was no good answer from `from` on: until `to`, or not until `end`.
    fn silent(&mut self, from: Nanos, to: Option<Nanos>, end: Nanos) {
        let length = |(from, to): (Nanos, Option<Nanos>)| to.unwrap_or(end).since(from);
        if self.worst.is_none_or(|worst| end.since(from) > length(worst)) {
            self.worst = Some((from, to));
        }
    }

    /// The load has ended, or the shard `left` before: nobody wants anything of it any more.
    fn over(&mut self, left: Option<Nanos>, end: Nanos, new: Nanos) {
        let is_old = |wanted: &Nanos| (*wanted).max(self.answered) < new;
        self.wanted = self.wanted.filter(|wanted| left.is_some() || is_old(wanted));
        self.hear(left, left.unwrap_or(end));
        let since = self.wanted.map(|wanted| wanted.max(self.answered));
        let is_worst = |since: &Nanos| self.worst.is_some_and(|(from, _)| from == *since);
        self.open = since.filter(|since| left.is_none() && !is_worst(since));
    }

    fn told(&self, group: &str, end: Nanos, failovers: &[Failover]) -> Vec<Silence> {
        let open = self.open.map(|since| (since, None));
        let both = self.worst.into_iter().chain(open);
        both.map(|silence| self.silence(silence, group, end, failovers)).collect()
    }

    fn silence(
        &self,
        (from, to): (Nanos, Option<Nanos>),
        group: &str,
        end: Nanos,
        failovers: &[Failover],
    ) -> Silence {
        let (_, shard) = self.shard;
        let (from_ms, until) = (millis(from), millis(to.unwrap_or(end)));
        let of_it = |failover: &&Failover| failover.group == group && failover.shard == shard;
        let elected = failovers.iter().filter(of_it).filter_map(|failover| failover.elected_ms);
        let seen = until + SEEN_LATE_MS;
        let elected = elected.filter(|at| from_ms <= *at && *at <= seen).reduce(f64::max);
        Silence {
            group: group.to_owned(),
            shard,
            from_ms,
            to_ms: to.map(millis),
            duration_ms: until - from_ms,
            // 0 where an answer came before a node that was asked told of the election.
            reconnect_ms: elected.zip(to).map(|(at, to)| (millis(to) - at).max(0.0)),
        }
    }
}
