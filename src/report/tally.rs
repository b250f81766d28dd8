//! One pass over the history: latencies before, during and after, and the results of the
//! operations.
//!
//! Latency runs from an operation's *intended* instant to its answer, and an operation belongs
//! to the span in which it was intended: a stall delays the answer, but does not change the
//! span. An operation that failed counts as at least its time-out: a user who got an error has
//! waited in vain. One that was never sent is left out. Throughput counts answers when they
//! arrived.
//!
//! The same latencies are also kept from the instant of sending ([`Since::Sent`]). They are no
//! measures, but without them redrill's own lateness would count against the servers.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::Nanos;
use crate::model::event::{LoadInfo, Phase};
use crate::model::histogram::{histogram, record};
use crate::model::op::{Access, Cause, OWN_MEMORY, Op, Outcome, Purpose};

use super::data::{Figures, Quantiles};
use super::degradation::degradation;
use super::record::Record;
use super::recovery::{Recovered, Recovery};
use super::schedule::{self, Schedule, is_shed_late};
use super::spans::{Span, Spans};
use super::windows::{HOPS, Latencies, Rates, SHORTEST, quantile_ms};

/// The results of single operations in the history.
#[derive(Debug)]
pub(super) struct Tally {
    spans: Spans,
    pub before: SpanTally,
    pub during: Option<SpanTally>,
    pub after: Option<SpanTally>,
    /// Sliding windows of 1 s: from the first step to convergence; without steps, over
    /// the whole line.
    pub latencies: [Latencies; 3],
    /// The same windows before the first step, and answers there.
    calm: Option<([Latencies; 3], Rates)>,
    /// From intended to sent, of all operations that were sent.
    late: Histogram<u64>,
    rates: Rates,
    /// Sessions that were sent.
    pub rows: u64,
    /// That were not: as many as the load allows were in flight. No server knows of them.
    pub unsent: u64,
    /// Operations that changed something and ended ok.
    pub changes: u64,
    /// Sessions that certainly failed, by [`Errors`].
    fail: [u64; 2],
    /// Sessions whose outcome is unknown, by [`Errors`].
    unknown: [u64; 2],
    /// Of the unknown ones, changes that had reached too few replicas.
    pub under_replicated: u64,
    /// When the machine was too busy for redrill or for a server.
    starved: Vec<Span>,
    pub redirects: Redirected,
    /// A summary by load.
    pub loads: Vec<LoadTally>,
}

/// The figures of one span.
#[derive(Debug)]
pub(super) struct SpanTally {
    pub span: Span,
    /// The record reaches the span's end.
    whole: bool,
    latency: [LatencySpread; 3],
    /// Of those alone that ended ok.
    answered_latency: [Histogram<u64>; 3],
    /// Ended ok within the span, whenever intended. What was due during the steps and ended after
    /// them is their backlog, and belongs to them.
    pub answered: u64,
    sent: Sent,
}

/// Sessions that were sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    all: u64,
    /// Those that did not end ok, by [`Errors`].
    failed: [u64; 2],
}

impl Sent {
    /// The share of those that did not end ok, in percent; `None` if none was sent.
    fn failed(&self, errors: Errors) -> Option<f64> {
        share(self.failed[errors as usize], self.all)
    }
}

/// Which errors: an index of counts that are kept for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errors {
    All,
    /// Without those that met a starved time on their way: the machine may be to blame.
    OfServers,
}

/// Which latency: an index of figures that are kept for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// What users feel, from the intended instant; all measures use it.
    Intended,
    /// From the instant of sending, without redrill's own lateness.
    Sent,
    /// From the intended instant, without operations that met a starved time on their way. Kept
    /// where there was such a time.
    Apart,
}

#[derive(Debug)]
struct LatencySpread {
    histogram: Histogram<u64>,
    max: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Redirected {
    pub moved: u64,
    pub ask: u64,
    pub try_again: u64,
}

impl SpanTally {
    fn new(span: Span, spans: &Spans) -> SpanTally {
        let whole = spans.seen_to_the_end || span.to < spans.line.to;
        SpanTally {
            span,
            whole,
            latency: std::array::from_fn(|_| LatencySpread::new()),
            answered_latency: std::array::from_fn(|_| histogram()),
            answered: 0,
            sent: Sent::default(),
        }
    }

    /// In milliseconds; `None` if nothing ended ok.
    pub fn quantile(&self, since: Since, q: f64) -> Option<f64> {
        quantile_ms(&self.latency[since as usize].histogram, q)
    }

    /// In milliseconds, of good answers alone; `None` if there were none.
    pub fn answered(&self, since: Since, q: f64) -> Option<f64> {
        quantile_ms(&self.answered_latency[since as usize], q)
    }

    /// In milliseconds.
    pub fn max(&self, since: Since) -> Option<f64> {
        let spread = &self.latency[since as usize];
        (!spread.histogram.is_empty()).then_some(spread.max as f64 / 1e6)
    }

    /// Answers a second; `None` if the record breaks off within the span, or if the span is too
    /// short for a rate.
    pub fn rate(&self) -> Option<f64> {
        let length = self.span.length();
        (length >= SHORTEST && self.whole).then(|| self.answered as f64 / length.as_secs_f64())
    }
}

impl LatencySpread {
    fn new() -> LatencySpread {
        LatencySpread { histogram: histogram(), max: 0 }
    }

    fn record(&mut self, ns: u64) {
        record(&mut self.histogram, ns);
        self.max = self.max.max(ns);
    }
}

impl Tally {
    /// `timeouts` are how long the clients of each load wait for an answer. In `starved` times the
    /// machine was too busy.
    pub fn new(spans: Spans, timeouts: &[Duration], starved: Vec<Span>) -> Tally {
        let windowed = spans.during.unwrap_or(spans.line);
        Tally {
            before: SpanTally::new(spans.before, &spans),
            during: spans.during.map(|span| SpanTally::new(span, &spans)),
            after: spans.after.map(|span| SpanTally::new(span, &spans)),
            latencies: std::array::from_fn(|_| Latencies::new(windowed)),
            late: histogram(),
            rates: Rates::new(windowed, spans.line.to),
            calm: spans.during.map(|_| {
                let latencies = std::array::from_fn(|_| Latencies::new(spans.before));
                (latencies, Rates::new(spans.before, spans.line.to))
            }),
            spans,
            rows: 0,
            unsent: 0,
            changes: 0,
            fail: [0; 2],
            unknown: [0; 2],
            starved,
            under_replicated: 0,
            redirects: Redirected::default(),
            loads: timeouts.iter().map(|timeout| LoadTally::new(*timeout)).collect(),
        }
    }

    pub fn add(&mut self, op: &Op) {
        if op.purpose != Purpose::Load {
            return;
        }
        self.redirects.moved += u64::from(op.redirects.moved);
        self.redirects.ask += u64::from(op.redirects.ask);
        self.redirects.try_again += u64::from(op.redirects.try_again);
        if op.outcome != Outcome::Fail(Cause::Shed) {
            record(&mut self.late, op.sent.since(op.intended).as_nanos() as u64);
        }
        self.changes += u64::from(op.outcome == Outcome::Ok && op.action.changed());
        if let Some(load) = self.loads.get_mut(usize::from(op.load)) {
            load.add(op, &self.spans);
        }
        if !op.ends_session() {
            return;
        }
        if op.outcome == Outcome::Fail(Cause::Shed) {
            self.unsent += 1;
            return;
        }
        self.rows += 1;
        self.sent(op, |sent| sent.all += 1);
        self.felt(op);
        match op.outcome {
            Outcome::Ok => self.answered(op),
            Outcome::Fail(_) => self.failed(op, |tally| &mut tally.fail),
            Outcome::Unknown(cause) => {
                self.failed(op, |tally| &mut tally.unknown);
                self.under_replicated += u64::from(cause == Cause::UnderReplicated);
            }
        }
    }

    /// The span in which the operation's session was due.
    fn span(&mut self, op: &Op) -> &mut SpanTally {
        match (self.spans.index_of(op.began()), &mut self.during, &mut self.after) {
            (2, _, Some(after)) => after,
            (1, Some(during), _) => during,
            _ => &mut self.before,
        }
    }

    /// Counts a session that was sent: in the span in which it was due, and for its instance.
    fn sent(&mut self, op: &Op, count: impl Fn(&mut Sent)) {
        count(&mut self.span(op).sent);
        if let Some(load) = self.loads.get_mut(usize::from(op.load)) {
            count(load.instance(op.instance));
        }
    }

    /// One more error of a kind.
    fn failed(&mut self, op: &Op, of_kind: fn(&mut Tally) -> &mut [u64; 2]) {
        let of_servers = u64::from(!self.met_starved_time(op));
        let count = |counts: &mut [u64; 2]| {
            counts[Errors::All as usize] += 1;
            counts[Errors::OfServers as usize] += of_servers;
        };
        count(of_kind(self));
        self.sent(op, |sent| count(&mut sent.failed));
    }

    /// The measures of errors, by their names.
    pub fn errors(&self, errors: Errors) -> [(&'static str, Option<f64>); 7] {
        let [fail, unknown] = [self.fail, self.unknown].map(|counts| counts[errors as usize]);
        let count = |n: u64| Some(n as f64);
        let of = |span: &Option<SpanTally>| span.as_ref()?.sent.failed(errors);
        let instances = self.loads.iter().flat_map(|load| &load.instances);
        let shares = instances.filter_map(|sent| sent.failed(errors));
        [
            ("errors.total", count(fail + unknown)),
            ("errors.fail", count(fail)),
            ("errors.unknown", count(unknown)),
            ("errors.share", share(fail + unknown, self.rows)),
            ("errors.share.instance", shares.reduce(f64::max)),
            ("errors.share.during", of(&self.during)),
            ("errors.share.after", of(&self.after)),
        ]
    }

    /// Whether the machine may have delayed the operation, or made it fail.
    fn met_starved_time(&self, op: &Op) -> bool {
        self.starved.iter().any(|time| time.from <= op.done && op.began() <= time.to)
    }

    /// From when a session's latency counts. What redrill was late with is no time of the servers,
    /// in any stage.
    fn begins(&self, op: &Op) -> impl Iterator<Item = (Since, Nanos)> + use<> {
        let in_time = op.began() + op.sent.since(op.intended) + op.late_before();
        let apart = !self.starved.is_empty() && !self.met_starved_time(op);
        let apart = apart.then_some((Since::Apart, op.began()));
        [(Since::Intended, op.began()), (Since::Sent, in_time)].into_iter().chain(apart)
    }

    /// The latency that a user felt.
    fn felt(&mut self, op: &Op) {
        let Some(timeout) = self.loads.get(usize::from(op.load)).map(|load| load.timeout) else {
            return;
        };
        for (since, from) in self.begins(op) {
            let Some(latency) = felt(op, from, timeout) else { return };
            self.span(op).latency[since as usize].record(latency);
            self.latencies[since as usize].record(op.began(), latency);
            if let Some((calm, _)) = &mut self.calm {
                calm[since as usize].record(op.began(), latency);
            }
        }
    }

    fn answered(&mut self, op: &Op) {
        for (since, from) in self.begins(op) {
            let latency = op.done.since(from).as_nanos() as u64;
            record(&mut self.span(op).answered_latency[since as usize], latency);
        }
        let is_backlog = self.spans.index_of(op.began()) < self.spans.index_of(op.done);
        for band in [Some(&mut self.before), self.during.as_mut(), self.after.as_mut()] {
            let counts = band.filter(|band| band.span.contains(op.done));
            counts.into_iter().for_each(|band| band.answered += 1);
        }
        if let (true, Some(after), Some(during)) = (is_backlog, &mut self.after, &mut self.during)
            && after.span.contains(op.done)
        {
            after.answered -= 1;
            during.answered += 1;
        }
        self.rates.record(op.done);
        self.calm.iter_mut().for_each(|(_, rates)| rates.record(op.done));
    }

    /// By how much the worst window of the 99th percentile exceeds what was usual before, in
    /// percent.
    pub fn slower(&mut self, since: Since) -> Option<f64> {
        let during = self.latencies[since as usize].p99s();
        match &mut self.calm {
            Some((calm, _)) => degradation(calm[since as usize].p99s(), during, HOPS as usize),
            None => of_halves(during, HOPS as usize),
        }
    }

    /// By how much the worst window of throughput falls below what was usual before, in percent.
    /// `rate` is that of all schedules together.
    pub fn fell(&self, rate: f64) -> Option<f64> {
        let negative = |rates: &Rates| {
            let (windows, hops) = rates.windows(rate);
            (windows.into_iter().map(|rate| -rate).collect::<Vec<f64>>(), hops)
        };
        let (during, hops) = negative(&self.rates);
        let change = match &self.calm {
            Some((_, calm)) => degradation(&negative(calm).0, &during, hops),
            None => of_halves(&during, hops),
        };
        change.map(|change| 0.0 - change)
    }

    /// The share of reads that instances' own memories answered, in percent, of loads whose
    /// instances have one.
    pub fn hits(&self, loads: &[LoadInfo]) -> Option<f64> {
        let near = self.loads.iter().zip(loads).filter(|(_, info)| info.near);
        let [asked, own] =
            near.fold([0, 0], |sum, (load, _)| [sum[0] + load.reads[0], sum[1] + load.reads[1]]);
        share(own, asked + own)
    }

    /// By load; `None` where nothing was due, or without steps.
    pub fn recovered(&self, record: &Record) -> Vec<Option<Recovered>> {
        // Whatever was done: a step that begins, each of its faults, and each that is undone; and
        // crashes.
        let ns = |ms: f64| Nanos((ms * 1e6) as u64);
        let hits = record.steps.iter().flat_map(|step| &step.hits);
        let hits = hits.flat_map(|hit| [Some(ns(hit.at_ms)), hit.undone_ms.map(ns)]).flatten();
        let begun = record.steps.iter().filter_map(|step| step.began);
        let crashes = record.crashes.iter().map(|crash| ns(crash.at_ms));
        let mut acts: Vec<Nanos> = begun.chain(hits).chain(crashes).collect();
        acts.sort_unstable();
        let drain = record.phase_at(Phase::Drain).unwrap_or(self.spans.line.to);
        // Where the record breaks off, nobody knows how it went on.
        let known =
            |recovered: &Recovered| self.spans.seen_to_the_end || recovered.down_for_ms().is_none();
        let of_load =
            |load: &LoadTally| load.recovered((self.spans.line, drain), &acts).filter(known);
        self.loads.iter().map(of_load).collect()
    }

    /// The 99th percentile of how late operations were sent, in milliseconds.
    pub fn late(&self) -> Option<f64> {
        quantile_ms(&self.late, 0.99)
    }

    /// The share of the schedule that was sent, in percent: as it was, and if redrill had
    /// always been in time. `None` if the record breaks off. From `drain` on, loads begin nothing
    /// more and wait for what is in flight.
    pub fn held(&self, rates: &[f64], drain: Option<Nanos>) -> Option<(f64, f64)> {
        let schedules = self.loads.iter().map(|load| &load.schedule).zip(rates);
        let end = drain.unwrap_or(self.spans.line.to);
        self.spans.seen_to_the_end.then(|| schedule::held(schedules, end)).flatten()
    }
}

/// Without steps, the second half of the time is compared with the first.
fn of_halves(windows: &[f64], hops: usize) -> Option<f64> {
    let half = windows.len() / 2;
    degradation(&windows[..half], windows.get(half + hops..)?, hops)
}

/// In percent; `None` of nothing.
fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64 * 100.0)
}

/// How long a user waited, in nanoseconds; `None` if nothing was sent.
fn felt(op: &Op, from: Nanos, timeout: Duration) -> Option<u64> {
    let took = op.done.since(from);
    let felt = match op.outcome {
        Outcome::Ok => took,
        Outcome::Fail(Cause::Shed) => return None,
        // It was answered, and has waited for replicas as long as it was to.
        Outcome::Unknown(Cause::UnderReplicated) => took,
        Outcome::Fail(_) | Outcome::Unknown(_) => took.max(timeout),
    };
    Some(felt.as_nanos() as u64)
}

/// The results of one load, while its operations are read.
#[derive(Debug)]
pub(super) struct LoadTally {
    /// Of its sessions.
    sessions: Results,
    /// By application instance.
    instances: Vec<Sent>,
    /// Reads that ended ok: those that nodes answered, and those that instances' memories did.
    reads: [u64; 2],
    /// Of its operations, by what they do.
    operations: BTreeMap<&'static str, Results>,
    schedule: Schedule,
    timeout: Duration,
    /// Of sessions that end with a read, and of the others: few writes would hide among many reads.
    recoveries: [Recovery; 2],
}

impl LoadTally {
    fn new(timeout: Duration) -> LoadTally {
        let (sessions, instances, reads, operations, schedule, recoveries) = Default::default();
        LoadTally { sessions, instances, reads, operations, schedule, timeout, recoveries }
    }

    fn instance(&mut self, instance: u16) -> &mut Sent {
        let index = usize::from(instance);
        if self.instances.len() <= index {
            self.instances.resize(index + 1, Sent::default());
        }
        &mut self.instances[index]
    }

    /// Takes each of its operations.
    fn add(&mut self, op: &Op, spans: &Spans) {
        let of_kind = self.operations.entry(op.action.name()).or_default();
        of_kind.add(op, op.intended, self.timeout, spans);
        if op.outcome == Outcome::Ok && op.action.access() == Access::Read {
            self.reads[usize::from(op.by == Some(OWN_MEMORY))] += 1;
        }
        // A session counts once, as what its last operation came to.
        if !op.ends_session() {
            return;
        }
        self.schedule.add(op);
        if !is_shed_late(op) {
            self.recoveries[usize::from(op.action.access() == Access::Write)].add(op, spans.line);
        }
        self.sessions.add(op, op.began(), self.timeout, spans);
    }

    /// The slower of reads and writes.
    fn recovered(&self, (line, drain): (Span, Nanos), acts: &[Nanos]) -> Option<Recovered> {
        let both = self.recoveries.iter().filter_map(|one| one.recovered(line, drain, acts));
        both.reduce(Recovered::slower)
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
    /// Latency counts `from` an instant.
    fn add(&mut self, op: &Op, from: Nanos, timeout: Duration, spans: &Spans) {
        self.operations += 1;
        self.answered += u64::from(op.outcome == Outcome::Ok);
        self.unsent += u64::from(op.outcome == Outcome::Fail(Cause::Shed));
        if let Some(latency) = felt(op, from, timeout) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::catalogue::{Busy, CATALOGUE};
    use crate::model::op::{Action, Part, RegisterOp};
    use crate::report::spans::Span;

    #[test]
    fn errors_have_a_count_for_each_measure_that_a_busy_machine_excuses_by_it() {
        let excused = CATALOGUE.iter().filter(|known| known.busy() == Busy::Errors);
        let excused: BTreeSet<&str> = excused.map(|known| known.name).collect();
        let line = Span { from: Nanos(0), to: Nanos(1) };
        let spans = Spans { line, seen_to_the_end: true, before: line, during: None, after: None };
        let counted = Tally::new(spans, &[], Vec::new()).errors(Errors::OfServers);
        assert_eq!(counted.map(|(name, _)| name).into_iter().collect::<BTreeSet<_>>(), excused);
    }

    #[test]
    fn writes_that_are_dead_do_not_hide_among_reads() {
        let ms = |ms: u64| Nanos(ms * 1_000_000);
        let line = Span { from: ms(0), to: ms(10_000) };
        let (before, seen_to_the_end) = (line, true);
        let spans = Spans { line, seen_to_the_end, before, during: None, after: None };
        let mut tally = Tally::new(spans, &[Duration::from_secs(1)], Vec::new());
        for at in 0..10_000 {
            let writes = at % 50 == 0;
            let action = if writes { RegisterOp::Write(at) } else { RegisterOp::Read(None) };
            let dead = writes && at > 4_000;
            let outcome = if dead { Outcome::Unknown(Cause::Timeout) } else { Outcome::Ok };
            let op = Op::new(1, Action::Register(action), ms(at), ms(at + 1));
            tally.add(&Op { outcome, ..op });
        }
        let recovered = tally.loads[0].recovered((line, line.to), &[ms(3_900)]);
        assert_eq!(recovered, Some(Recovered::Never(Duration::from_millis(6_100))));
    }

    #[test]
    fn errors_of_an_instance_that_met_a_starved_time_are_not_the_servers_alone() {
        let ms = |ms: u64| Nanos(ms * 1_000_000);
        let line = Span { from: ms(0), to: ms(10_000) };
        let (before, seen_to_the_end) = (line, true);
        let spans = Spans { line, seen_to_the_end, before, during: None, after: None };
        let starved = vec![Span { from: ms(1_000), to: ms(2_000) }];
        let mut tally = Tally::new(spans, &[Duration::from_secs(1)], starved);
        for (instance, at, outcome) in [
            (0, 500, Outcome::Ok),
            (1, 1_500, Outcome::Unknown(Cause::Timeout)),
            (1, 1_600, Outcome::Fail(Cause::Shed)),
            (1, 5_000, Outcome::Unknown(Cause::Timeout)),
            (1, 6_000, Outcome::Ok),
            (1, 7_000, Outcome::Ok),
        ] {
            let read = Action::Register(RegisterOp::Read(None));
            let op = Op::new(1, read, ms(at), ms(at + 1));
            tally.add(&Op { instance, outcome, ..op });
        }
        let share = |errors| {
            let all = tally.errors(errors).into_iter();
            all.filter(|(name, _)| *name == "errors.share.instance").find_map(|(_, value)| value)
        };
        assert_eq!((share(Errors::All), share(Errors::OfServers)), (Some(50.0), Some(25.0)));
    }

    #[test]
    fn of_a_session_redrills_own_delay_is_no_time_of_the_servers_and_the_rest_is() {
        let ms = |ms: u64| Nanos(ms * 1_000_000);
        let line = Span { from: ms(0), to: ms(10_000) };
        let (before, seen_to_the_end) = (line, true);
        let spans = Spans { line, seen_to_the_end, before, during: None, after: None };
        let mut tally = Tally::new(spans, &[Duration::from_secs(1)], Vec::new());
        let stage = |(intended, sent, done), late, last| {
            let part = Part { session: 0, step: u32::from(last), began: ms(0), late, last };
            let read = Action::Register(RegisterOp::Read(None));
            Op { intended: ms(intended), part: Some(part), ..Op::new(1, read, ms(sent), ms(done)) }
        };
        // The first stage is sent 1 ms late, the second 10 ms.
        tally.add(&stage((0, 1, 401), Nanos::ZERO, false));
        tally.add(&stage((401, 411, 811), ms(1), true));
        assert_eq!(tally.before.max(Since::Intended), Some(811.0));
        assert_eq!(tally.before.max(Since::Sent), Some(800.0));
        let load = &tally.loads[0];
        assert_eq!(load.figures().operations, 1);
        // Each operation counts from its own instant.
        let reads = &load.operations()["read"];
        assert_eq!((reads.operations, reads.answered), (2, 2));
        assert!((400.0..402.0).contains(&reads.before.p50_ms.unwrap()), "{reads:?}");
    }
}
