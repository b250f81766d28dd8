//! What an adapter's library felt: for how long no shard of its keys gave it a good answer, how
//! soon after an election one did, and its errors in its own words.

use crate::model::Nanos;
use crate::model::Unit;
use crate::model::event::{EventKind, LoadInfo, ShardView};
use crate::model::measure::thousands;
use crate::model::op::{Op, Outcome, Purpose, key_name};
use crate::model::slot::{SlotSet, slot_of};

use super::data::{Adapter, Failover, Load, Report, Silence, millis};
use super::record::Record;
use super::spans::Span;

/// So many of the errors are shown; all are in report.json.
const SHOWN: usize = 4;
/// An election is seen when a node is asked next: mostly so much later at most.
const SEEN_LATE_MS: f64 = 500.0;

impl Adapter {
    /// What the event tells of the load's adapter.
    pub(super) fn hear(adapter: &mut Option<Adapter>, told: EventKind) {
        let ms = |ns: u64| ns as f64 / 1e6;
        match (told, adapter) {
            (EventKind::Adapter { name, version, noop_p50_ns, noop_p99_ns, .. }, adapter) => {
                *adapter = Some(Adapter {
                    name,
                    version,
                    noop_p50_ms: ms(noop_p50_ns),
                    noop_p99_ms: ms(noop_p99_ns),
                    ..Adapter::default()
                });
            }
            (EventKind::AdapterTold { errors, late, own_p50_ns, own_p99_ns, .. }, Some(known)) => {
                errors
                    .into_iter()
                    .for_each(|(text, n)| *known.errors.entry(text).or_default() += n);
                known.late += late;
                (known.own_p50_ms, known.own_p99_ms) = (own_p50_ns.map(ms), own_p99_ns.map(ms));
            }
            _ => {}
        }
    }
}

/// The longest silence of each shard, for one load, as its operations are read.
///
/// A silence ends with a good answer. It begins when something was wanted that had none: at
/// the intended instant of the first such operation, or with the good answer before that, if
/// it came later.
#[derive(Debug)]
pub(super) struct Silences {
    load: String,
    group: String,
    line: Span,
    shards: Vec<ShardSilences>,
}

#[derive(Debug)]
struct ShardSilences {
    shard: u32,
    slots: SlotSet,
    answered: Nanos,
    /// The first that was wanted, of what has ended since.
    wanted: Option<Nanos>,
    worst: Option<(Nanos, Option<Nanos>)>,
}

impl Silences {
    /// Of the loads of the drill, in their order.
    pub fn of(record: &Record, line: Span) -> Vec<Silences> {
        let of_load = |load: &LoadInfo| {
            let views = record.views.before(&load.group).unwrap_or_default();
            let shard = |view: &ShardView| ShardSilences {
                shard: view.shard,
                slots: view.slots.clone(),
                answered: line.from,
                wanted: None,
                worst: None,
            };
            let shards = views.iter().map(shard).collect();
            Silences { load: load.name.clone(), group: load.group.clone(), line, shards }
        };
        record.info.loads.iter().map(of_load).collect()
    }

    /// Operations come in the order in which they ended.
    pub fn add(&mut self, op: &Op) {
        if op.purpose != Purpose::Load {
            return;
        }
        let slot = slot_of(key_name(&self.load, op.key).as_bytes());
        // Outside a cluster there is one shard, of no slots.
        let only = self.shards.len() == 1;
        let shard = self.shards.iter_mut().find(|shard| only || shard.slots.contains(slot));
        let Some(shard) = shard else { return };
        let wanted = shard.wanted.map_or(op.intended, |wanted| wanted.min(op.intended));
        shard.wanted = Some(wanted);
        if op.outcome == Outcome::Ok {
            shard.hear(Some(op.done), op.done);
            (shard.answered, shard.wanted) = (shard.answered.max(op.done), None);
        }
    }

    pub fn done(mut self, failovers: &[Failover]) -> Vec<Silence> {
        let end = self.line.to;
        self.shards.iter_mut().for_each(|shard| shard.hear(None, end));
        let silence = |shard: &ShardSilences| {
            let (from, to) = shard.worst?;
            let (from_ms, until) = (millis(from), millis(to.unwrap_or(end)));
            let of_it = |failover: &&Failover| {
                failover.group == self.group && failover.shard == shard.shard
            };
            let elected = failovers.iter().filter(of_it).filter_map(|failover| failover.elected_ms);
            let seen = until + SEEN_LATE_MS;
            let elected = elected.filter(|at| from_ms <= *at && *at <= seen).reduce(f64::max);
            Some(Silence {
                shard: shard.shard,
                from_ms,
                to_ms: to.map(millis),
                duration_ms: until - from_ms,
                // 0 where an answer came before a node that was asked told of the election.
                reconnect_ms: elected.zip(to).map(|(at, to)| (millis(to) - at).max(0.0)),
            })
        };
        self.shards.iter().filter_map(silence).collect()
    }
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
}

/// What is shown of each adapter: its longest silence, and notes on it.
pub(super) fn shown(r: &Report) -> Vec<(String, Vec<String>)> {
    let of_load = |load: &Load| Some(figure(load.adapter.as_ref()?, load));
    r.loads.iter().filter_map(of_load).collect()
}

fn figure(adapter: &Adapter, load: &Load) -> (String, Vec<String>) {
    let mut silences: Vec<&Silence> = adapter.silences.iter().collect();
    silences.sort_by(|a, b| b.duration_ms.total_cmp(&a.duration_ms));
    let of_shard = |silence: &Silence| {
        let after =
            silence.reconnect_ms.map(|after| format!(", until {} after the election", ms(after)));
        let never = if silence.to_ms.is_none() { ", until the load's end" } else { "" };
        format!("{}/{}{}{never}", load.group, silence.shard, after.unwrap_or_default())
    };
    let mut silences = silences.into_iter();
    let longest = silences.next();
    let value = longest.map_or("unknown".to_owned(), |silence| ms(silence.duration_ms));
    let Adapter { name, version, .. } = adapter;
    let whose = longest.map_or(String::new(), |longest| format!(", {}", of_shard(longest)));
    let mut notes = vec![format!("{name} {version} for `{}`{whose}", load.name)];
    let others = silences.take(SHOWN).map(|s| format!("{} for {}", of_shard(s), ms(s.duration_ms)));
    notes.extend(others);
    notes.extend(errors(adapter));
    let cost =
        format!("doing nothing took {}, p99 {}", ms(adapter.noop_p50_ms), ms(adapter.noop_p99_ms));
    let own = adapter.own_p50_ms.zip(adapter.own_p99_ms);
    let own = own.map(|(p50, p99)| format!("the library's own time {}, p99 {}", ms(p50), ms(p99)));
    notes.extend([cost].into_iter().chain(own));
    (value, notes)
}

/// The errors, the most frequent first.
fn errors(adapter: &Adapter) -> Vec<String> {
    let mut errors: Vec<(&String, &u64)> = adapter.errors.iter().collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = errors.len().saturating_sub(SHOWN);
    let told = |(text, count): &(&String, &u64)| format!("{} {text}", thousands(**count as f64));
    let mut told: Vec<String> = errors.iter().take(SHOWN).map(told).collect();
    told.extend((more > 0).then(|| format!("{more} more kinds of errors")));
    let late = thousands(adapter.late as f64);
    told.extend((adapter.late > 0).then(|| format!("{late} answers came after their time-out")));
    told
}

fn ms(ms: f64) -> String {
    Unit::Millis.show(ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::{Action, Cause, RegisterOp};

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    fn silences(ops: &[(u64, u64, bool)]) -> Vec<(f64, f64, bool)> {
        let slots = SlotSet::default();
        let shard = ShardSilences { shard: 0, slots, answered: at(0), wanted: None, worst: None };
        let line = Span { from: at(0), to: at(10_000) };
        let (load, group) = ("app".to_owned(), "cache".to_owned());
        let mut silences = Silences { load, group, line, shards: vec![shard] };
        for &(intended, done, ok) in ops {
            let failed = Outcome::Unknown(Cause::Timeout);
            let outcome = if ok { Outcome::Ok } else { failed };
            let read = Action::Register(RegisterOp::Read(None));
            let (intended, done) = (at(intended), at(done));
            silences.add(&Op { intended, outcome, ..Op::new(0, read, intended, done) });
        }
        let told = silences.done(&[]);
        told.iter().map(|s| (s.from_ms, s.duration_ms, s.to_ms.is_some())).collect()
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
}
