//! All figures of a report, by their names in the catalogue.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::Checked;
use crate::model::catalogue::{CATALOGUE, ScenarioFacts, known};
use crate::model::event::Phase;
use crate::model::op::Access;
use crate::model::{Measure, Nanos, Workload};

use super::failovers;
use super::record::Record;
use super::step_record::StepRecord;
use super::tally::{Band, Since, Tally};

/// The sources of the figures. Without a time line or a history there is no tally, and nothing
/// is checked.
pub(super) struct Sources<'a> {
    pub record: &'a Record,
    pub tally: Option<&'a mut Tally>,
    pub checked: &'a Checked,
}

/// Every measure that the drill can produce. Unknown ones have no value.
pub(super) fn measures(mut sources: Sources) -> BTreeMap<String, Measure> {
    let mut told = BTreeMap::new();
    from_events(sources.record, &mut told);
    if let Some(tally) = sources.tally.take() {
        from_tally(sources.record, tally, &mut told);
    }
    for (name, value) in &sources.checked.measures {
        put(&mut told, name, Some(*value));
    }
    let (loads, steps) = (&sources.record.info.loads, &sources.record.steps);
    let workloads: Vec<Workload> = loads.iter().map(|load| load.workload).collect();
    let facts = ScenarioFacts {
        workloads: &workloads,
        waits: loads.iter().any(|load| load.waits_for > 0),
        steps: !steps.is_empty(),
        moves: steps.iter().any(|step| step.effects().moves_slots),
        may_fail_over: steps.iter().any(|step| step.effects().fails_over),
        // Without these, a measure is there without a value.
        baseline: true,
        sees_redirects: true,
    };
    CATALOGUE
        .iter()
        .filter(|known| known.lacks(&facts).is_none())
        .map(|known| {
            let value = told.get(known.name).copied();
            (known.name.to_owned(), Measure { value, unit: known.unit })
        })
        .collect()
}

/// Values by the names of their measures.
pub(super) type Told = BTreeMap<&'static str, f64>;

fn put(told: &mut Told, name: &'static str, value: Option<f64>) {
    debug_assert!(known(name).is_some(), "{name} is not a measure");
    if let Some(value) = value.filter(|value| value.is_finite()) {
        told.insert(name, value);
    }
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

fn from_events(record: &Record, told: &mut Told) {
    let ready = record.ready_at.zip(record.phase_at(Phase::Form));
    put(told, "ready.time", ready.map(|(at, form)| ms(at.since(form))));
    if record.probes_sent > 0 {
        let write = record.outages.worst(Access::Write, |_| true);
        let read = record.outages.worst(Access::Read, |_| true);
        put(told, "downtime.write.max", Some(ms(write.longest)));
        put(told, "downtime.write.total", Some(ms(write.total)));
        put(told, "downtime.read.max", Some(ms(read.longest)));
        put(told, "downtime.read.total", Some(ms(read.total)));
    }
    put(told, "convergence.view", slowest(record, |step| step.view_converged));
    put(told, "convergence", slowest(record, |step| step.converged));
    for (name, value) in failovers::measures(&failovers::rows(record)) {
        put(told, name, value);
    }
    put(told, "servers.waited.max", record.waited_max);
    put(told, "redrill.cpu", record.own.cpu_percent());
    put(told, "redrill.memory.max", record.own.memory_max_bytes().map(|b| b as f64));
    from_moves(record, told);
}

/// The longest time from a step's start to the instant that `until` gives; `None` unless all
/// steps have it.
fn slowest(record: &Record, until: impl Fn(&StepRecord) -> Option<Nanos>) -> Option<f64> {
    let took = |step: &StepRecord| Some(ms(until(step)?.since(step.began?)));
    let all: Option<Vec<f64>> = record.steps.iter().map(took).collect();
    all?.into_iter().reduce(f64::max)
}

/// Only if every step that moves slots has ended: a part of them would be another figure.
fn from_moves(record: &Record, told: &mut Told) {
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
    put(told, "reshard.duration", Some(ms(time)));
    put(told, "reshard.slots", Some(slots as f64));
    put(told, "reshard.slots.rate", a_second(slots));
    put(told, "reshard.keys", Some(keys as f64));
    put(told, "reshard.keys.rate", a_second(keys));
}

fn from_tally(record: &Record, tally: &mut Tally, told: &mut Told) {
    latency(tally, Since::Intended, told);
    throughput(tally, told);
    let count = |n: u64| Some(n as f64);
    let errors = tally.fail + tally.unknown;
    put(told, "writes.acknowledged", count(tally.acknowledged));
    put(told, "errors.total", count(errors));
    put(told, "errors.fail", count(tally.fail));
    put(told, "errors.unknown", count(tally.unknown));
    put(told, "writes.under_replicated", count(tally.under_replicated));
    let share = (tally.rows > 0).then(|| errors as f64 / tally.rows as f64 * 100.0);
    put(told, "errors.share", share);
    if record.info.loads.iter().any(|load| load.sees_redirects) {
        put(told, "redirects.moved", count(tally.redirects.moved));
        put(told, "redirects.ask", count(tally.redirects.ask));
        put(told, "redirects.tryagain", count(tally.redirects.try_again));
    }
    let rates: Vec<f64> = record.info.loads.iter().map(|load| load.rate).collect();
    put(told, "schedule.held", tally.held(&rates).map(|(held, _)| held));
    put(told, "schedule.late.p99", tally.late());
}

/// The measures of latency if they counted from sending: without redrill's own lateness. Used
/// for judging only.
pub(super) fn latency_since_sent(tally: &mut Tally) -> Told {
    let mut told = Told::new();
    latency(tally, Since::Sent, &mut told);
    told
}

/// A drill without steps has a worst window, but nothing to compare it with.
fn latency(tally: &mut Tally, since: Since, told: &mut Told) {
    let worst = tally.latencies.of_mut(since).worst_ms();
    let quantile = |band: Option<&Band>, q| band.and_then(|band| band.quantile(since, q));
    let (before, during, after) =
        (Some(&tally.before), tally.during.as_ref(), tally.after.as_ref());
    put(told, "latency.p50.before", quantile(before, 0.5));
    put(told, "latency.p50.during", quantile(during, 0.5));
    put(told, "latency.p50.after", quantile(after, 0.5));
    put(told, "latency.p99.before", quantile(before, 0.99));
    put(told, "latency.p99.during", quantile(during, 0.99));
    put(told, "latency.p99.after", quantile(after, 0.99));
    put(told, "latency.max.during", during.and_then(|band| band.max(since)));
    put(told, "latency.p99.worst", worst);
    if during.is_some() {
        let p99 = worst.zip(quantile(before, 0.99)).and_then(|(worst, base)| over(worst, base));
        put(told, "latency.p99.degradation", p99);
    }
}

fn throughput(tally: &Tally, told: &mut Told) {
    put(told, "throughput.before", tally.before.rate());
    put(told, "throughput.during", tally.during.as_ref().and_then(Band::rate));
    put(told, "throughput.after", tally.after.as_ref().and_then(Band::rate));
    if tally.during.is_some() {
        let worst = tally.rates.worst().zip(tally.before.rate());
        let fell = worst.and_then(|(worst, base)| over(worst, base));
        put(told, "throughput.degradation", fell.map(|fell| -fell));
    }
}

/// By how much the worst window exceeds the time before the first step, in percent.
fn over(worst: f64, base: f64) -> Option<f64> {
    (base > 0.0).then(|| (worst / base - 1.0) * 100.0)
}
