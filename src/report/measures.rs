//! All figures of a report, by their names in the catalogue, and how sure they are.
//!
//! On a busy machine redrill sends late, and sometimes sees nothing for a moment. That changes
//! its figures, and the servers have no part in it; nor have they if they wait for a processor
//! themselves. So each such figure has a range: the values
//! that it could have had if redrill itself had been run all the time. An expectation that
//! holds in one part of the range and not in another cannot be judged.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::{Checked, OfLoad};
use crate::model::catalogue::{CATALOGUE, Known, ScenarioFacts, known};
use crate::model::event::{LoadInfo, LocksInfo, Phase};
use crate::model::op::Access;
use crate::model::step::StepKind;
use crate::model::{Measure, Nanos, Rate, Workload};

use super::data::{Failover, Keeper, Load, RegionLink, Resolution, SampleSecond, SyncLag};
use super::doubt::Doubts;
use super::failovers::Part;
use super::record::Record;
use super::resyncs;
use super::sent::Errors;
use super::shards;
use super::span_tally::{Since, SpanTally};
use super::spans::Spans;
use super::starved::Seen;
use super::step_record::StepRecord;
use super::takeover::Takeovers;
use super::tally::Tally;

/// What was worked out before measures are.
pub(super) struct Parts<'a> {
    pub failovers: &'a [Failover],
    pub loads: &'a [Load],
    pub links: &'a [RegionLink],
    pub keepers: &'a [Keeper],
    pub sync: &'a [SyncLag],
    pub resolutions: &'a [Resolution],
    pub takeovers: Option<&'a Takeovers>,
    pub checked: &'a Checked,
}

/// Every measure that the drill can produce. Unknown ones have no value. Without a time line or
/// a history there is no tally, and nothing is checked.
pub(super) fn measures(
    record: &Record,
    parts: &Parts,
    tally: Option<&mut Tally>,
) -> BTreeMap<String, Measure> {
    let Parts { failovers, loads, links, keepers, sync, resolutions, takeovers, checked } = parts;
    let (mut values, mut open) = (Values::new(), Values::new());
    from_events(record, &mut values);
    put(&mut values, "keys.skew", shards::skew(&shards::rows(record)));
    let replaced = failovers.iter().filter(|one| one.to.is_some()).count();
    let loaded = record.phase_at(Phase::Steps).map(|_| replaced as f64);
    put(&mut values, "failovers", loaded);
    from_failovers(failovers, &mut values, &mut open);
    convergence(record, &mut values, &mut open);
    from_lags(sync, &mut values, &mut open);
    catching_up(record, &mut values, &mut open);
    from_conflicts(resolutions, &mut values, &mut open);
    let end = record.load_ended().unwrap_or(record.last);
    let (took, missed) = takeovers.map_or((None, None), |all| all.longest(end));
    match missed {
        Some(least) => put(&mut open, "rto", Some(took.map_or(least, |ms| ms.max(least)))),
        None => put(&mut values, "rto", took),
    }
    if let Some(tally) = tally {
        from_tally(record, tally, &mut values);
    }
    let all = |of: fn(&RegionLink) -> Option<f64>| links.iter().filter_map(of).reduce(|a, b| a + b);
    put(&mut values, "links.bytes", all(|link| link.bytes_per_s));
    put(&mut values, "links.bytes.write", all(|link| link.bytes_per_write));
    let longest = keepers.iter().map(|keeper| keeper.stall_ms).reduce(f64::max);
    put(&mut values, "eviction.stall.max", longest);
    let worst = keepers.iter().filter_map(|keeper| keeper.recovered).reduce(f64::min);
    put(&mut values, "memory.recovered", worst);
    from_loads(loads, &mut values, &mut open);
    for (name, value) in &checked.measures {
        put(&mut values, name, Some(*value));
    }
    for (name, least) in &checked.at_least {
        put(&mut open, name, Some(*least));
    }
    let (loads, steps) = (&record.info.loads, &record.steps);
    let workloads = record.workloads();
    let active_active = loads.iter().any(|load| !load.same_data.is_empty());
    let any_lock =
        |is: fn(&LocksInfo) -> bool| loads.iter().filter_map(|load| load.locks.as_ref()).any(is);
    let facts = ScenarioFacts {
        workloads: &workloads,
        waits: loads.iter().any(|load| load.waits_for > 0),
        steps: !steps.is_empty(),
        moves: steps.iter().any(|step| step.effects().moves_slots),
        may_fail_over: steps.iter().any(|step| step.effects().fails_over),
        // Without these, a measure is there without a value.
        links: !record.info.links.is_empty(),
        successor: record.lag.has_pairs()
            && loads.iter().any(|load| load.same_data.is_empty() || load.fallback.is_some()),
        synced: record.lag.has_pairs(),
        replicas: true,
        shards: shards::are_several(record),
        steady: loads.iter().all(|load| load.ramp.is_none()),
        scheduled: loads.iter().any(|load| load.rate.is_some()),
        baseline: true,
        sees_redirects: true,
        active_active,
        own_replicators: active_active && !record.info.external_sync
            || record.carried.discarded().is_some(),
        near: loads.iter().any(|load| load.near),
        several_locks: any_lock(|locks| locks.lease_of_several().is_some()),
        fenced: any_lock(|locks| locks.fences),
        abandoned: any_lock(|locks| locks.abandons),
        warms: steps.iter().any(|step| step.info.kind == StepKind::Warm),
        guarded: loads.iter().any(|load| load.cache.is_some_and(|cache| cache.guarded)),
    };
    CATALOGUE
        .iter()
        .filter(|known| known.lacks(&facts).is_none())
        .map(|known| {
            let value = values.get(known.name).copied();
            let at_least = open.get(known.name).copied();
            (known.name.to_owned(), Measure { value, unit: known.unit, at_least })
        })
        .collect()
}

/// What checkers told of one load, of the measures of `all` loads that its workload has.
pub(super) fn of_load(
    workload: Workload,
    told: &OfLoad,
    all: &BTreeMap<String, Measure>,
) -> BTreeMap<String, Measure> {
    let of_each = |name: &str| known(name).and_then(Known::of_each) == Some(workload);
    let own = |(name, all): (&String, &Measure)| {
        let value = told.measures.get(&**name).copied();
        let at_least = told.at_least.get(&**name).copied();
        (name.clone(), Measure { value, unit: all.unit, at_least })
    };
    all.iter().filter(|(name, _)| of_each(name)).map(own).collect()
}

/// Values by the names of their measures.
type Values = BTreeMap<&'static str, f64>;

fn put(values: &mut Values, name: &'static str, value: Option<f64>) {
    debug_assert!(known(name).is_some(), "{name} is not a measure");
    if let Some(value) = value.filter(|value| value.is_finite()) {
        values.insert(name, value);
    }
}

/// The measures of the longest outage, and of all outages of a canary together.
const DOWNTIME: [(Access, &str, &str); 2] = [
    (Access::Write, "downtime.write.max", "downtime.write.total"),
    (Access::Read, "downtime.read.max", "downtime.read.total"),
];

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

fn from_events(record: &Record, values: &mut Values) {
    let ready = record.ready_at.zip(record.phase_at(Phase::Form));
    put(values, "ready.time", ready.map(|(at, form)| ms(at.since(form))));
    let loaded = record.phase_at(Phase::Steps).is_some();
    let begin = record.phase_at(Phase::Steps);
    let resyncs = begin.and_then(|begin| resyncs::full_resyncs(record, begin));
    put(values, "replication.full_resyncs", resyncs.map(|count| count as f64));
    put(values, "crashes", loaded.then_some(record.crashes.len() as f64));
    if record.probe.sent > 0 {
        for (action, longest, total) in DOWNTIME {
            let worst = record.outages.worst(action, |_| true);
            put(values, longest, Some(ms(worst.longest)));
            put(values, total, Some(ms(worst.total)));
        }
        put(values, "canaries.lost", Some(record.probe.wrong as f64));
    }
    put(values, "servers.waited.max", record.waited_max);
    put(values, "redrill.cpu", record.own.cpu_percent());
    put(values, "redrill.requests", record.own.requests_per_second());
    put(values, "redrill.memory.max", record.own.memory_max_bytes().map(|b| b as f64));
    put(values, "sync.discarded", record.carried.discarded().map(|n| n as f64));
    let backlog = record.carried.backlog();
    put(values, "sync.backlog.max", backlog.map(|backlog| backlog.entries as f64));
    let bytes = backlog.and_then(|backlog| backlog.bytes);
    put(values, "sync.backlog.bytes.max", bytes.map(|bytes| bytes as f64));
    put(values, "sync.consistency.sampled", alike(&record.samples));
    from_moves(record, values);
}

/// The share of the keys that were judged, in percent; none if none was.
fn alike(samples: &[SampleSecond]) -> Option<f64> {
    let sum = |of: fn(&SampleSecond) -> u64| samples.iter().map(of).sum::<u64>() as f64;
    let (equal, different) = (sum(|one| one.equal), sum(|one| one.different));
    Some(equal / (equal + different) * 100.0).filter(|share| share.is_finite())
}

/// The longest of all failovers. If one was not over when it was last seen, the longest is not
/// known, and was at least so long.
fn from_failovers(failovers: &[Failover], values: &mut Values, open: &mut Values) {
    for (name, part) in Failover::PARTS {
        let longest = |of: fn(Part) -> Option<f64>| {
            failovers.iter().filter_map(|one| of(part(one))).max_by(f64::total_cmp)
        };
        let ended = longest(Part::ended);
        match longest(Part::open) {
            Some(least) => put(open, name, Some(ended.map_or(least, |ms| ms.max(least)))),
            None => put(values, name, ended),
        }
    }
}

/// Those of the load that felt it for longest. What was not over at the load's end took at least
/// until then.
fn from_loads(loads: &[Load], values: &mut Values, open: &mut Values) {
    let slowest = |of: fn(&Load) -> Option<f64>| loads.iter().filter_map(of).reduce(f64::max);
    let never = slowest(|load| load.down_for_ms);
    put(open, "load.recovered", never);
    // Of one whose last operations are missing nobody knows.
    let is_told = |load: &Load| load.recovered_ms.is_some() || load.figures.operations == 0;
    let all_told = never.is_none() && loads.iter().all(is_told);
    put(values, "load.recovered", slowest(|load| load.recovered_ms).filter(|_| all_told));
    let silences = || loads.iter().flat_map(Load::silences).map(|(_, silence)| silence);
    let into = if silences().any(|silence| silence.to_ms.is_none()) { open } else { values };
    let longest = silences().map(|silence| silence.duration_ms).reduce(f64::max);
    put(into, "load.downtime.max", longest);
}

/// Those of the pair that is latest.
fn from_lags(pairs: &[SyncLag], values: &mut Values, open: &mut Values) {
    type Of = fn(&SyncLag) -> f64;
    let figures: [(&str, Of); 3] = [
        ("sync.lag.p50", |pair| pair.p50_ms),
        ("sync.lag.p99", |pair| pair.p99_ms),
        ("sync.lag.max", |pair| pair.max_ms),
    ];
    for (name, of) in figures {
        let all = pairs.iter().map(|pair| (of(pair), pair.is_open(of(pair))));
        put_longest(name, all, values, open);
    }
    let added = pairs.iter().map(|pair| (pair.added_p99_ms(), pair.is_open(pair.p99_ms)));
    put_longest("sync.added.p99", added, values, open);
}

/// Those of the two groups that took longest.
fn from_conflicts(pairs: &[Resolution], values: &mut Values, open: &mut Values) {
    type Of = fn(&Resolution) -> f64;
    let figures: [(&str, Of); 3] = [
        ("sync.resolution.p50", |pair| pair.p50_ms),
        ("sync.resolution.p99", |pair| pair.p99_ms),
        ("sync.resolution.max", |pair| pair.max_ms),
    ];
    for (name, of) in figures {
        let all = pairs.iter().map(|pair| (of(pair), pair.is_open(of(pair))));
        put_longest(name, all, values, open);
    }
}

/// The longest time from the end of a fault until every group had all that the others had written
/// until then. What had not come by the load's end took at least until then.
fn catching_up(record: &Record, values: &mut Values, open: &mut Values) {
    let ended = record.load_ended();
    let healed = record.steps.iter().filter_map(|step| step.undone);
    let all = healed.filter(|at| ended.is_none_or(|end| *at < end));
    let took = |at: Nanos| {
        let seen = record.lag.caught_up(at).into_iter();
        let took = |seen: Option<Nanos>| match seen {
            Some(seen) => (ms(seen.since(at)), false),
            None => (ms(ended.unwrap_or(record.last).since(at)), true),
        };
        seen.map(took).collect::<Vec<_>>()
    };
    put_longest("sync.catch_up", all.flat_map(took), values, open);
}

/// The longest of times. If one of them, the longest or another, is only known to be that at least,
/// so is the longest.
fn put_longest(
    name: &'static str,
    times: impl Iterator<Item = (f64, bool)>,
    values: &mut Values,
    open: &mut Values,
) {
    let longer = |a: (f64, bool), b: (f64, bool)| (a.0.max(b.0), a.1 || b.1);
    let Some((ms, is_open)) = times.reduce(longer) else { return };
    put(if is_open { open } else { values }, name, Some(ms));
}

/// The longest time from a step's start until it had converged; unknown if a step never began. One
/// that did not converge took at least until the load's end.
fn convergence(record: &Record, values: &mut Values, open: &mut Values) {
    type At = fn(&StepRecord) -> Option<Nanos>;
    let view: At = |step| step.view_converged;
    let whole: At = |step| step.converged;
    for (name, at) in [("convergence.view", view), ("convergence", whole)] {
        let slowest = |until: &dyn Fn(&StepRecord) -> Option<Nanos>| {
            let took = |step: &StepRecord| Some(ms(until(step)?.since(step.began?)));
            let all: Option<Vec<f64>> = record.steps.iter().map(took).collect();
            all?.into_iter().reduce(f64::max)
        };
        match slowest(&at) {
            Some(took) => put(values, name, Some(took)),
            None => put(open, name, slowest(&|step| at(step).or(record.line_end()))),
        }
    }
}

/// Only if every step that moves slots has ended: a part of them would be another figure.
fn from_moves(record: &Record, values: &mut Values) {
    let (mut time, mut slots, mut keys) = (Duration::ZERO, 0, 0);
    for step in record.steps.iter().filter(|step| step.effects().moves_slots) {
        let (Some(began), Some(ended)) = (step.began, step.ended) else { return };
        time += ended.since(began);
        slots += step.moved.slots;
        keys += step.moved.keys;
    }
    if time.is_zero() {
        return;
    }
    let a_second = |n: u64| Some(n as f64 / time.as_secs_f64());
    put(values, "reshard.duration", Some(ms(time)));
    put(values, "reshard.slots", Some(slots as f64));
    put(values, "reshard.slots.rate", a_second(slots));
    put(values, "reshard.keys", Some(keys as f64));
    put(values, "reshard.keys.rate", a_second(keys));
}

fn from_tally(record: &Record, tally: &mut Tally, values: &mut Values) {
    latency(tally, Since::Intended, values);
    throughput(record, tally, values);
    let count = |n: u64| Some(n as f64);
    tally.errors(Errors::All).into_iter().for_each(|(name, value)| put(values, name, value));
    put(values, "near.hits", tally.hits(&record.info.loads));
    put(values, "writes.under_replicated", count(tally.under_replicated));
    if record.info.loads.iter().any(|load| load.sees_redirects) {
        put(values, "redirects.moved", count(tally.redirects.moved));
        put(values, "redirects.ask", count(tally.redirects.ask));
        put(values, "redirects.tryagain", count(tally.redirects.try_again));
    }
    let concurrency = std::mem::take(&mut tally.concurrency).under_way();
    put(values, "concurrency.max", concurrency.map(|sessions| sessions.max as f64));
    put(values, "concurrency.mean", concurrency.map(|sessions| sessions.mean));
    let held = tally.held(&rates(record), record.phase_at(Phase::Drain));
    put(values, "schedule.held", held.map(|(held, _)| held));
    put(values, "schedule.unsent", count(tally.unsent));
    put(values, "schedule.late.p99", tally.late());
}

/// Of each load's schedule, if it has one.
fn rates(record: &Record) -> Vec<Option<Rate>> {
    record.info.loads.iter().map(LoadInfo::rate).collect()
}

fn latency(tally: &mut Tally, since: Since, values: &mut Values) {
    let worst = tally.worst.p99(since);
    for known in CATALOGUE {
        let Some((q, when)) = known.quantile() else { continue };
        put(values, known.name, tally.band(when).and_then(|band| band.quantile(since, q)));
    }
    let (before, during, after) =
        (Some(&tally.before), tally.during.as_ref(), tally.after.as_ref());
    let answered = |band: Option<&SpanTally>| band.and_then(|band| band.answered(since, 0.99));
    put(values, "latency.answered.p99.before", answered(before));
    put(values, "latency.answered.p99.during", answered(during));
    put(values, "latency.answered.p99.after", answered(after));
    put(values, "latency.max.during", during.and_then(|band| band.max(since)));
    put(values, "latency.p99.worst", worst);
    put(values, "latency.p99.degradation", tally.worst.slower(since));
}

fn throughput(record: &Record, tally: &Tally, values: &mut Values) {
    put(values, "throughput.before", tally.before.rate());
    put(values, "throughput.during", tally.during.as_ref().and_then(SpanTally::rate));
    put(values, "throughput.after", tally.after.as_ref().and_then(SpanTally::rate));
    put(values, "throughput.degradation", tally.worst.fell(tally.usual_rate(&rates(record))));
}

/// The ranges of all measures that redrill's own lateness may have changed.
pub(super) fn doubts(
    record: &Record,
    failovers: &[Failover],
    mut tally: Option<&mut Tally>,
    measures: &BTreeMap<String, Measure>,
    loads: &[Load],
) -> (Doubts, Vec<Doubts>) {
    let mut of_loads = vec![Doubts::new(); loads.len()];
    let mut doubts = of_downtime(record);
    let mut apart = Values::new();
    if let Some(tally) = tally.as_deref_mut() {
        // Latency counts from the intended instants, and redrill sent a little later.
        let mut since_sent = Values::new();
        latency(tally, Since::Sent, &mut since_sent);
        for (name, sent) in since_sent {
            if let Some(intended) = measures.get(name).and_then(|measure| measure.value) {
                doubts.insert(name, [sent.min(intended), sent.max(intended)].into());
            }
        }
        latency(tally, Since::Apart, &mut apart);
        let held = tally.held(&rates(record), record.phase_at(Phase::Drain));
        let held = held.map(|(held, in_time)| [held, in_time]);
        doubts.extend(held.map(|range| ("schedule.held", range.into())));
    }
    if let Some(spans) = Spans::of(record) {
        let seen = Seen {
            spans: &spans,
            tally: tally.as_deref(),
            apart: &apart,
            failovers,
            carried_late: record.carried_late.is_some(),
            out_of_order: record.info.external_sync,
        };
        record.starved.widen(&mut doubts, &seen, measures);
        for (doubts, load) in of_loads.iter_mut().zip(loads) {
            record.starved.widen(doubts, &seen, &load.measures);
        }
    }
    (doubts, of_loads)
}

/// When redrill did not look, the servers may have been up although an outage was open, or down
/// without being seen. A stall within the probes' deadline is no outage, so blind times shorter
/// than that hide nothing. Where shards have their turns less often than at each tick, an outage
/// may have begun a turn before it was seen.
fn of_downtime(record: &Record) -> Doubts {
    let probe = &record.probe;
    let hides = probe.blind_max_ms >= probe.deadline_ms;
    let hidden = |blind_ms: f64| if hides { blind_ms } else { 0.0 };
    let between = probe.turn_ms.map_or(0.0, |turn_ms| (turn_ms - probe.every_ms).max(0.0));
    let ranges = |(action, longest, total)| {
        let seen = record.outages.worst(action, |_| true);
        let before = if seen.longest.is_zero() { 0.0 } else { between };
        let most = |outage, blind_ms| ms(outage) + before + hidden(blind_ms);
        [
            (longest, [ms(seen.longest_watched), most(seen.longest, probe.blind_max_ms)]),
            (total, [ms(seen.total_watched), most(seen.total, probe.blind_ms)]),
        ]
    };
    DOWNTIME.into_iter().flat_map(ranges).map(|(name, range)| (name, range.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failover at `ms` that was served a second later, and had a replica again at `redundant`.
    fn failover(ms: f64, redundant: Option<f64>) -> Failover {
        Failover {
            group: "cache".to_owned(),
            shard: 0,
            step: Some(0),
            from: None,
            to: Some("cache/0/1".parse().unwrap()),
            injected_ms: Some(ms),
            suspected_ms: Some(ms + 400.0),
            agreed_ms: Some(ms + 500.0),
            elected_ms: Some(ms + 900.0),
            propagated_ms: Some(ms + 950.0),
            served_ms: Some(ms + 1_000.0),
            unserved_until_ms: None,
            redundant_ms: redundant,
            seen_until_ms: Some(30_000.0),
            lost: None,
            rpo_ms: None,
        }
    }

    #[test]
    fn a_time_that_did_not_end_leaves_the_longest_open_though_another_one_was_longer() {
        let longest = |all: &[(f64, bool)]| {
            let (mut values, mut open) = (Values::new(), Values::new());
            put_longest("sync.catch_up", all.iter().copied(), &mut values, &mut open);
            [values, open].map(|told| told.get("sync.catch_up").copied())
        };
        assert_eq!(longest(&[(10.0, false), (2.0, true)]), [None, Some(10.0)]);
        assert_eq!(longest(&[(10.0, false), (2.0, false)]), [Some(10.0), None]);
        assert_eq!(longest(&[]), [None, None]);
    }

    #[test]
    fn keys_that_were_not_judged_are_neither_alike_nor_different() {
        let second = |equal, different, changed| {
            let at_ms = 1_000.0;
            SampleSecond { at_ms, equal, different, apart: Vec::new(), changed }
        };
        assert_eq!(alike(&[second(100, 0, 50), second(197, 3, 0)]), Some(99.0));
        assert_eq!(alike(&[second(0, 0, 50)]), None);
    }

    #[test]
    fn a_failover_that_did_not_end_makes_the_longest_unknown() {
        let told = |failovers: &[Failover]| {
            let (mut values, mut open) = (Values::new(), Values::new());
            from_failovers(failovers, &mut values, &mut open);
            let of = |name: &str| (values.get(name).copied(), open.get(name).copied());
            (of("failover.redundant"), of("failover.served"))
        };
        let ended = failover(10_000.0, Some(14_000.0));
        let served = (Some(1_000.0), None);
        assert_eq!(told(std::slice::from_ref(&ended)), ((Some(4_000.0), None), served));
        let never = failover(20_000.0, None);
        assert_eq!(told(&[ended.clone(), never]), ((None, Some(10_000.0)), served));
        let late = failover(28_000.0, None);
        assert_eq!(told(&[ended.clone(), late]).0, (None, Some(4_000.0)), "no less than the first");
        let (served_ms, unserved_until_ms) = (None, Some(30_000.0));
        let unserved = Failover { served_ms, unserved_until_ms, ..failover(25_000.0, None) };
        assert_eq!(told(&[ended, unserved]).1, (None, Some(5_000.0)));
    }
}
