//! What each application instance of a load felt: its sessions and errors, as they were counted,
//! and for how long no shard gave it a good answer.

use crate::model::event::LoadInfo;
use crate::model::op::Op;

use super::acquisitions::Acquisitions;
use super::data::{Failover, Instance};
use super::felt::{Felt, is_felt, shard_of};
use super::record::Record;
use super::sent::{Errors, Sent};
use super::spans::Span;

/// The instances of each load, as its operations are read.
#[derive(Debug)]
pub(super) struct Instances {
    line: Span,
    loads: Vec<Vec<Felt>>,
    acquisitions: Acquisitions,
}

impl Instances {
    pub fn new(loads: &[LoadInfo], line: Span) -> Instances {
        let acquisitions = Acquisitions::new(loads);
        Instances { line, loads: loads.iter().map(|_| Vec::new()).collect(), acquisitions }
    }

    /// Operations come in the order in which they ended.
    pub fn add(&mut self, op: &Op, record: &Record) {
        let Some(load) = self.loads.get_mut(usize::from(op.load)) else { return };
        if !is_felt(op) {
            return;
        }
        let instance = usize::from(op.instance);
        if load.len() <= instance {
            load.resize_with(instance + 1, Felt::default);
        }
        let felt = &mut load[instance];
        let Some(good) = self.acquisitions.answer(op) else { return };
        if self.acquisitions.is_on_several(op.load) {
            felt.want((op, good), (0, 0), self.line.from);
        } else if let Some(shard) = shard_of(op, record) {
            felt.want((op, good), (op.group, shard), self.line.from);
        }
    }

    /// By load and instance, as is what they `sent`.
    pub fn done<'s>(
        self,
        sent: impl Fn(usize) -> &'s [Sent],
        record: &Record,
        failovers: &[Failover],
    ) -> Vec<Vec<Instance>> {
        let end = self.line.to;
        let of_load = |(index, load): (usize, Vec<Felt>)| {
            let names = group_names(record.info.loads.get(index));
            let group = |group: u8| names.get(usize::from(group)).map(String::as_str);
            let row = |(instance, felt): (usize, Felt)| {
                let sent = sent(index).get(instance).copied().unwrap_or_default();
                let (operations, errors) = (sent.all, sent.failed[Errors::All as usize]);
                let silences = felt.silences(group, (record, end), failovers);
                Instance { operations, errors, silences }
            };
            load.into_iter().enumerate().map(row).collect()
        };
        self.loads.into_iter().enumerate().map(of_load).collect()
    }
}

/// Of the load, as its silences number them. Servers that have its locks together are one.
fn group_names(load: Option<&LoadInfo>) -> Vec<String> {
    let Some(load) = load else { return Vec::new() };
    let mut names: Vec<String> = load.groups().map(|(name, _)| name.to_owned()).collect();
    let servers = load.lock_rules().map_or(1, |rules| rules.servers).min(names.len());
    let of_locks: Vec<String> = names.drain(..servers).collect();
    names.insert(0, of_locks.join("+"));
    names
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Nanos;
    use crate::model::event::{DrillInfo, LoadInfo, ShardView};
    use crate::model::op::{Action, Cause, OWN_MEMORY, Outcome, RegisterOp, key_name};
    use crate::model::slot::slot_of;
    use crate::report::load_tally::LoadTally;
    use crate::report::spans::Spans;
    use crate::report::tally::Tally;

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
        let line = Span { from: at(0), to: at(10_000) };
        let (before, seen_to_the_end) = (line, true);
        let spans = Spans { line, seen_to_the_end, before, during: None, after: None };
        let load = LoadTally::new(Duration::from_secs(1), true, None);
        let mut tally = Tally::new(spans, vec![load], Vec::new());
        let mut instances = Instances::new(&record.info.loads, line);
        for op in ops {
            tally.add(op);
            instances.add(op, record);
        }
        let sent = |load: usize| &*tally.loads[load].instances;
        instances.done(sent, record, &[]).remove(0)
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
        let two = [(100, 200, false), (300, 7_100, true), (8_000, 8_100, false)];
        assert_eq!(silences(&two), [(100.0, 7_000.0, true), (8_000.0, 2_000.0, false)]);
        let new = [(100, 200, false), (300, 7_100, true), (9_100, 9_900, false)];
        assert_eq!(silences(&new), [(100.0, 7_000.0, true)], "this may be over at once");
    }

    /// Nothing was answered from 200 to 1,100 ms, and the operations of that time hung for longer.
    #[test]
    fn what_hangs_for_longer_than_a_silence_was_wanted_all_along() {
        let mut ops = vec![(100, 101, true), (1_099, 1_100, true), (1_110, 1_111, true)];
        ops.extend((20..110).map(|n| (n * 10, n * 10 + 1_000, false)));
        ops.extend((112..300).map(|n| (n * 10, n * 10 + 1, true)));
        ops.sort_by_key(|op| op.1);
        assert_eq!(silences(&ops), [(200.0, 900.0, true)]);
        // One that hangs among others that are answered.
        let answered = [(100, 101, true), (500, 501, true), (900, 901, true)];
        let hanging = [answered.as_slice(), &[(200, 950, false), (1_000, 1_001, true)]].concat();
        assert_eq!(silences(&hanging), [(501.0, 400.0, true)]);
        let late = [answered.as_slice(), &[(200, 5_000, true)]].concat();
        assert_eq!(silences(&late), [(901.0, 4_099.0, true)]);
    }

    /// The last second begins at 9,000 ms.
    #[test]
    fn one_that_hangs_at_the_end_beside_others_that_are_answered_is_no_silence() {
        let until = |last: u64| {
            let mut ops: Vec<_> = (1..last / 10).map(|n| (n * 10, n * 10 + 1, true)).collect();
            ops.push((8_500, 10_000, false));
            silences(&ops)
        };
        assert_eq!(until(9_990), [(9_971.0, 10.0, true)]);
        assert_eq!(until(8_900), [(8_891.0, 1_109.0, false)]);
    }

    #[test]
    fn an_answer_from_an_instances_own_memory_is_none_of_the_shard() {
        let own = Op { by: Some(OWN_MEMORY), ..op(0, (3_000, 3_001, true)) };
        let ops = [op(0, (100, 1_100, false)), own, op(0, (5_000, 5_100, true))];
        let told = felt(&record(), &ops);
        let silence = &told[0].silences[0];
        assert_eq!((silence.from_ms, silence.to_ms), (100.0, Some(5_100.0)));
        assert_eq!((told[0].operations, told[0].errors), (3, 1), "its users had an answer");
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
