//! What each application instance of a load felt: its operations and errors, and for how long no
//! shard gave it a good answer.

use crate::model::Nanos;
use crate::model::op::{Cause, Op, Outcome, Purpose, key_name};
use crate::model::slot::slot_of;

use super::data::{Failover, Instance, Silence, millis};
use super::record::Record;
use super::schedule::is_shed_late;
use super::spans::Span;

/// An election is seen when a node is asked next: mostly so much later at most.
const SEEN_LATE_MS: f64 = 500.0;

/// The instances of each load, as its operations are read.
#[derive(Debug)]
pub(super) struct Instances {
    line: Span,
    loads: Vec<Vec<Felt>>,
}

/// What one instance felt.
#[derive(Debug, Default)]
struct Felt {
    operations: u64,
    errors: u64,
    /// In the order in which they were first wanted.
    shards: Vec<ShardSilences>,
}

/// The longest silence of a shard, and the one that was not over when the load ended.
///
/// A silence ends with a good answer. It begins when something was wanted that had none: at
/// the intended instant of the first such operation, or with the good answer before that, if
/// it came later.
#[derive(Debug)]
struct ShardSilences {
    /// The index of its group among those of the load, and its number.
    shard: (u8, u32),
    answered: Nanos,
    /// The first that was wanted, of what has ended since.
    wanted: Option<Nanos>,
    worst: Option<(Nanos, Option<Nanos>)>,
    /// Since when a shorter one has lasted at the load's end.
    open: Option<Nanos>,
}

impl Instances {
    pub fn new(loads: usize, line: Span) -> Instances {
        Instances { line, loads: (0..loads).map(|_| Vec::new()).collect() }
    }

    /// Operations come in the order in which they ended.
    pub fn add(&mut self, op: &Op, record: &Record) {
        let Some(load) = self.loads.get_mut(usize::from(op.load)) else { return };
        if op.purpose != Purpose::Load || is_shed_late(op) {
            return;
        }
        let instance = usize::from(op.instance);
        if load.len() <= instance {
            load.resize_with(instance + 1, Felt::default);
        }
        let (felt, ok) = (&mut load[instance], op.outcome == Outcome::Ok);
        if op.ends_session() && op.outcome != Outcome::Fail(Cause::Shed) {
            felt.operations += 1;
            felt.errors += u64::from(!ok);
        }
        let Some(shard) = shard_of(op, record) else { return };
        let shard = felt.shard(shard, self.line.from);
        let wanted = shard.wanted.map_or(op.intended, |wanted| wanted.min(op.intended));
        shard.wanted = Some(wanted);
        if ok {
            shard.hear(Some(op.done), op.done);
            (shard.answered, shard.wanted) = (shard.answered.max(op.done), None);
        }
    }

    /// By load and instance.
    pub fn done(self, record: &Record, failovers: &[Failover]) -> Vec<Vec<Instance>> {
        let end = self.line.to;
        let of_load = |(index, load): (usize, Vec<Felt>)| {
            let row = |mut felt: Felt| {
                felt.shards.sort_by_key(|shard| shard.shard);
                let silences = |shard: &mut ShardSilences| {
                    let group = group_of(record, index, shard.shard.0)?;
                    let left = record.owners.get(group).and_then(|o| o.lost_all(shard.shard.1));
                    shard.over(left, end);
                    Some(shard.told(group, end, failovers))
                };
                let silences = felt.shards.iter_mut().filter_map(silences).flatten().collect();
                Instance { operations: felt.operations, errors: felt.errors, silences }
            };
            load.into_iter().map(row).collect()
        };
        self.loads.into_iter().enumerate().map(of_load).collect()
    }
}

impl Felt {
    fn shard(&mut self, shard: (u8, u32), from: Nanos) -> &mut ShardSilences {
        let known = self.shards.iter().position(|known| known.shard == shard);
        let index = known.unwrap_or_else(|| {
            let (wanted, worst, open) = (None, None, None);
            self.shards.push(ShardSilences { shard, answered: from, wanted, worst, open });
            self.shards.len() - 1
        });
        &mut self.shards[index]
    }
}

fn group_of(record: &Record, load: usize, group: u8) -> Option<&str> {
    let load = record.info.loads.get(load)?;
    Some(match usize::from(group).checked_sub(1) {
        None => &load.group,
        Some(more) => &load.more_groups.get(more)?.0,
    })
}

/// The shard that owned the key's slot when the operation was due. Outside a cluster there is one.
fn shard_of(op: &Op, record: &Record) -> Option<(u8, u32)> {
    let keys = &record.info.loads.get(usize::from(op.keyspace()))?.name;
    let group = group_of(record, usize::from(op.load), op.group)?;
    let owners = record.owners.get(group);
    let slot = slot_of(key_name(keys, op.key).as_bytes());
    Some((op.group, owners.and_then(|owners| owners.at(slot, op.intended)).unwrap_or(0)))
}

impl ShardSilences {
    /// Something was wanted, and had a good answer `to`, or none until `end`.
    fn hear(&mut self, to: Option<Nanos>, end: Nanos) {
        let Some(wanted) = self.wanted else { return };
        let from = wanted.max(self.answered);
        let length = |(from, to): (Nanos, Option<Nanos>)| to.unwrap_or(end).since(from);
        if self.worst.is_none_or(|worst| end.since(from) > length(worst)) {
            self.worst = Some((from, to));
        }
    }

    /// The load has ended, or the shard `left` before: nobody wants anything of it any more.
    fn over(&mut self, left: Option<Nanos>, end: Nanos) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{DrillInfo, LoadInfo, ShardView};
    use crate::model::op::{Action, RegisterOp};

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    fn op(key: u64, (intended, done, ok): (u64, u64, bool)) -> Op {
        let outcome = if ok { Outcome::Ok } else { Outcome::Unknown(Cause::Timeout) };
        let read = Action::Register(RegisterOp::Read(None));
        let (intended, done) = (at(intended), at(done));
        Op { intended, outcome, ..Op::new(key, read, intended, done) }
    }

    fn record() -> Record {
        let load: LoadInfo = serde_json::from_value(serde_json::json!({
            "name": "app", "group": "cache", "rate": 1.0, "clients": 1, "keys": 9, "text": ""
        }))
        .unwrap();
        Record {
            info: DrillInfo { loads: vec![load], ..DrillInfo::default() },
            ..Record::default()
        }
    }

    fn felt(record: &Record, ops: &[Op]) -> Vec<Instance> {
        let mut instances = Instances::new(1, Span { from: at(0), to: at(10_000) });
        ops.iter().for_each(|op| instances.add(op, record));
        instances.done(record, &[]).remove(0)
    }

    fn silences(ops: &[(u64, u64, bool)]) -> Vec<(f64, f64, bool)> {
        let ops: Vec<Op> = ops.iter().map(|told| op(0, *told)).collect();
        let told = felt(&record(), &ops);
        let told = told.iter().flat_map(|instance| &instance.silences);
        told.map(|s| (s.from_ms, s.duration_ms, s.to_ms.is_some())).collect()
    }

    #[test]
    fn a_silence_lasts_from_what_was_wanted_to_the_next_good_answer() {
        assert_eq!(silences(&[]), []);
        // Nothing was wanted for a second: no silence.
        assert_eq!(silences(&[(100, 101, true), (1_100, 1_103, true)]), [(1_100.0, 3.0, true)]);
        let failed =
            [(100, 101, true), (200, 1_200, false), (300, 1_300, false), (1_500, 1_501, true)];
        assert_eq!(silences(&failed), [(200.0, 1_301.0, true)]);
        let late = [(100, 101, true), (110, 3_110, true), (3_111, 3_112, true)];
        assert_eq!(silences(&late), [(110.0, 3_000.0, true)], "a late answer is a silence too");
        let between = [(100, 500, false), (90, 600, true), (120, 700, true)];
        assert_eq!(silences(&between), [(90.0, 510.0, true)]);
        assert_eq!(silences(&[(100, 101, true), (200, 300, false)]), [(200.0, 9_800.0, false)]);
    }

    #[test]
    fn a_shorter_silence_that_is_not_over_is_told_too() {
        let two = [(100, 200, false), (300, 7_100, true), (9_000, 9_100, false)];
        assert_eq!(silences(&two), [(100.0, 7_000.0, true), (9_000.0, 1_000.0, false)]);
    }

    #[test]
    fn a_shard_that_lost_its_slots_is_silent_until_then() {
        let mut record = record();
        let shard = |shard, slots: &str| ShardView {
            shard,
            slots: slots.parse().unwrap(),
            primary: None,
            replicas: Vec::new(),
        };
        let owners = record.owners.entry("cache".to_owned()).or_default();
        owners.hear(at(0), &[shard(0, "0-16383"), shard(1, "")]);
        owners.hear(at(5_000), &[shard(0, ""), shard(1, "0-16383")]);
        let told = felt(&record, &[op(0, (4_900, 5_100, false)), op(0, (6_000, 6_001, true))]);
        let told = told[0].silences.iter().map(|s| (s.shard, s.duration_ms, s.to_ms));
        let both = [(0, 100.0, Some(5_000.0)), (1, 1.0, Some(6_001.0))];
        assert_eq!(told.collect::<Vec<_>>(), both);
    }

    #[test]
    fn each_instance_and_each_owner_of_a_slot_is_told_apart() {
        let mut record = record();
        let key = (0..).find(|key| slot_of(key_name("app", *key).as_bytes()) < 8_192).unwrap();
        let view = |slots: [&str; 2]| -> Vec<ShardView> {
            let shard = |(shard, slots): (u32, &str)| ShardView {
                shard,
                slots: slots.parse().unwrap(),
                primary: None,
                replicas: Vec::new(),
            };
            (0..).zip(slots).map(shard).collect()
        };
        let owners = record.owners.entry("cache".to_owned()).or_default();
        owners.hear(at(0), &view(["0-8191", "8192-16383"]));
        owners.hear(at(5_000), &view(["", "0-16383"]));
        let of = |instance, told| Op { instance, ..op(key, told) };
        let told = felt(
            &record,
            &[
                of(0, (100, 101, true)),
                of(2, (100, 900, false)),
                of(2, (200, 1_000, true)),
                of(2, (6_000, 6_005, true)),
                of(2, (6_010, 6_210, false)),
            ],
        );
        let counts: Vec<_> = told.iter().map(|one| (one.operations, one.errors)).collect();
        assert_eq!(counts, [(1, 0), (0, 0), (4, 2)]);
        let of_last: Vec<_> =
            told[2].silences.iter().map(|s| (s.shard, s.duration_ms, s.to_ms)).collect();
        assert_eq!(of_last, [(0, 900.0, Some(1_000.0)), (1, 3_990.0, None)]);
    }
}
