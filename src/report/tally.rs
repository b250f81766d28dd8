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

use hdrhistogram::Histogram;

use crate::model::catalogue::When;
use crate::model::event::{LoadInfo, Phase};
use crate::model::histogram::{histogram, record};
use crate::model::op::{Cause, Op, Outcome, Purpose};
use crate::model::{Nanos, NodeName, Rate, SessionEnd};

use super::concurrency::Concurrency;
use super::data::Hit;
use super::load_tally::{LoadTally, felt};
use super::record::Record;
use super::recovery::Recovered;
use super::schedule;
use super::sent::{Errors, Sent, share};
use super::span_tally::{Since, SpanTally};
use super::spans::{Span, Spans};
use super::windows::quantile_ms;
use super::worst::Worst;

/// The results of single operations in the history.
#[derive(Debug)]
pub(super) struct Tally {
    spans: Spans,
    pub before: SpanTally,
    pub during: Option<SpanTally>,
    pub after: Option<SpanTally>,
    pub worst: Worst,
    /// From intended to sent, of all operations that were sent, of loads with a schedule.
    late: Histogram<u64>,
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
    /// Sessions that had ended when the first step began. Those that were under way may have failed by
    /// its doing.
    ended_before: Sent,
    /// Of the unknown ones, changes that had reached too few replicas.
    pub under_replicated: u64,
    pub concurrency: Concurrency,
    /// When the machine was too busy for redrill or for a server.
    starved: Vec<Span>,
    pub redirects: Redirected,
    /// A summary by load.
    pub loads: Vec<LoadTally>,
    /// Operations of loads that the drill did not have.
    pub foreign: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Redirected {
    pub moved: u64,
    pub ask: u64,
    pub try_again: u64,
}

impl Tally {
    /// In `starved` times the machine was too busy.
    pub fn new(spans: Spans, loads: Vec<LoadTally>, starved: Vec<Span>) -> Tally {
        Tally {
            before: SpanTally::new(spans.before, &spans),
            during: spans.during.map(|span| SpanTally::new(span, &spans)),
            after: spans.after.map(|span| SpanTally::new(span, &spans)),
            worst: Worst::new(&spans),
            late: histogram(),
            spans,
            rows: 0,
            unsent: 0,
            changes: 0,
            fail: [0; 2],
            unknown: [0; 2],
            concurrency: Concurrency::default(),
            ended_before: Sent::default(),
            starved,
            under_replicated: 0,
            redirects: Redirected::default(),
            foreign: 0,
            loads,
        }
    }

    /// Takes in when steps held instances of loads.
    pub fn pause_instances(&mut self, record: &Record) {
        let ns = |ms: f64| Nanos((ms * 1e6) as u64);
        let instance = |hit: &Hit, load: &str| {
            let name = NodeName::actor(load, hit.node.ordinal);
            u16::try_from(hit.node.ordinal).ok().filter(|_| hit.node == name)
        };
        for (tally, load) in self.loads.iter_mut().zip(&record.info.loads) {
            for hit in record.steps.iter().flat_map(|step| &step.hits) {
                let to = hit.undone_ms.map_or(self.spans.line.to, ns);
                let span = Span { from: ns(hit.at_ms), to };
                if let Some(instance) = instance(hit, &load.name) {
                    tally.schedule.pause(instance, span);
                }
            }
        }
    }

    pub fn add(&mut self, op: &Op) {
        if op.purpose != Purpose::Load {
            return;
        }
        self.concurrency.add(op);
        self.redirects.moved += u64::from(op.redirects.moved);
        self.redirects.ask += u64::from(op.redirects.ask);
        self.redirects.try_again += u64::from(op.redirects.try_again);
        let has_schedule = |load: &LoadTally| load.has_schedule;
        let scheduled = self.loads.get(usize::from(op.load)).is_none_or(has_schedule);
        if scheduled && op.outcome != Outcome::Fail(Cause::Shed) {
            record(&mut self.late, op.sent.since(op.intended).as_nanos() as u64);
        }
        self.changes += u64::from(op.outcome == Outcome::Ok && op.action.changed());
        let Some(load) = self.loads.get_mut(usize::from(op.load)) else {
            self.foreign += 1;
            return;
        };
        if let Some(end) = load.add(op, &self.spans) {
            self.session(op, end);
        }
    }

    /// `op` ended its session.
    fn session(&mut self, op: &Op, end: SessionEnd) {
        if end.outcome == Outcome::Fail(Cause::Shed) {
            self.unsent += 1;
            return;
        }
        self.rows += 1;
        self.sent(op, |sent| sent.all += 1);
        self.felt(op, end.outcome);
        match end.outcome {
            Outcome::Ok if end.served => self.answered(op),
            // Somebody else had the lock until the session gave up: no error, and no answer.
            Outcome::Ok => {}
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

    /// The figures of a part of the time line; `None` if there is no such part.
    pub fn band(&self, when: When) -> Option<&SpanTally> {
        match when {
            When::Before => Some(&self.before),
            When::During => self.during.as_ref(),
            When::After => self.after.as_ref(),
            When::WorstSecond => None,
        }
    }

    /// Counts a session that was sent: in the span in which it was due, and for its instance.
    fn sent(&mut self, op: &Op, count: impl Fn(&mut Sent)) {
        count(&mut self.span(op).sent);
        if op.done < self.spans.before.to {
            count(&mut self.ended_before);
        }
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

    /// The share of failures in sessions that ended before the first step, in percent; none without
    /// a step.
    pub fn failed_before(&self) -> Option<f64> {
        self.during.as_ref()?;
        self.ended_before.failed(Errors::All)
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
    fn felt(&mut self, op: &Op, outcome: Outcome) {
        let Some(timeout) = self.loads.get(usize::from(op.load)).map(|load| load.timeout) else {
            return;
        };
        for (since, from) in self.begins(op) {
            let Some(latency) = felt((op, outcome), from, timeout) else { return };
            self.span(op).felt(since, latency);
            self.worst.felt(since, op.began(), latency);
        }
    }

    fn answered(&mut self, op: &Op) {
        for (since, from) in self.begins(op) {
            let latency = op.done.since(from).as_nanos() as u64;
            self.span(op).hear(since, latency);
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
        self.worst.answered(op.done);
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

    /// How many operations a second there are at most if everything is well: what schedules ask for,
    /// and the mean of what loads without a schedule did.
    pub fn usual_rate(&self, rates: &[Option<Rate>]) -> f64 {
        let line = self.spans.line;
        let seconds = line.to.since(line.from).as_secs_f64().max(1e-3);
        let did = |load: &LoadTally| load.figures().answered as f64 / seconds;
        let of_load =
            |(load, rate): (_, &Option<Rate>)| rate.map_or_else(|| did(load), |r| r.most());
        self.loads.iter().zip(rates).map(of_load).sum()
    }

    /// The 99th percentile of how late operations were sent, in milliseconds.
    pub fn late(&self) -> Option<f64> {
        quantile_ms(&self.late, 0.99)
    }

    /// The share of the schedule that was sent in time, in percent: as it was, and if redrill had
    /// always been in time. `None` if the record breaks off. From `drain` on, loads begin nothing
    /// more and wait for what is in flight.
    pub fn held(&self, rates: &[Option<Rate>], drain: Option<Nanos>) -> Option<(f64, f64)> {
        let schedules = self.loads.iter().zip(rates);
        let schedules = schedules.filter_map(|(load, rate)| Some((&load.schedule, rate.as_ref()?)));
        let end = drain.unwrap_or(self.spans.line.to);
        self.spans.seen_to_the_end.then(|| schedule::held(schedules, end)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::model::catalogue::{Busy, CATALOGUE};
    use crate::model::op::{Action, ExpiryOp, Part, RegisterOp};
    use crate::report::spans::Span;

    #[test]
    fn errors_have_a_count_for_each_measure_that_a_busy_machine_excuses_by_it() {
        let excused = CATALOGUE.iter().filter(|known| known.busy() == Busy::Errors);
        let excused: BTreeSet<&str> = excused.map(|known| known.name).collect();
        let line = Span { from: Nanos(0), to: Nanos(1) };
        let spans = Spans { line, seen_to_the_end: true, before: line, during: None, after: None };
        let counted = Tally::new(spans, Vec::new(), Vec::new()).errors(Errors::OfServers);
        assert_eq!(counted.map(|(name, _)| name).into_iter().collect::<BTreeSet<_>>(), excused);
    }

    fn ms(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    /// Of one load, on a time line without steps.
    fn ten_seconds(starved: Vec<Span>) -> (Span, Tally) {
        let line = Span { from: ms(0), to: ms(10_000) };
        let (before, seen_to_the_end) = (line, true);
        let spans = Spans { line, seen_to_the_end, before, during: None, after: None };
        (line, Tally::new(spans, vec![LoadTally::new(Duration::from_secs(1), true, None)], starved))
    }

    #[test]
    fn writes_that_are_dead_do_not_hide_among_reads() {
        let (line, mut tally) = ten_seconds(Vec::new());
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
    fn a_session_under_way_when_the_first_step_begins_has_not_failed_before_it() {
        let (line, seen_to_the_end) = (Span { from: ms(0), to: ms(10_000) }, true);
        let [before, during] = [(0, 2_000), (2_000, 10_000)];
        let span = |(from, to)| Span { from: ms(from), to: ms(to) };
        let (before, during) = (span(before), Some(span(during)));
        let spans = Spans { line, seen_to_the_end, before, during, after: None };
        let load = LoadTally::new(Duration::from_secs(1), true, None);
        let mut tally = Tally::new(spans, vec![load], Vec::new());
        for (sent, done, outcome) in [
            (100, 101, Outcome::Ok),
            (200, 201, Outcome::Fail(Cause::ConnectionLost)),
            (1_500, 2_500, Outcome::Unknown(Cause::Timeout)),
            (1_900, 2_900, Outcome::Unknown(Cause::Timeout)),
        ] {
            let read = Action::Register(RegisterOp::Read(None));
            tally.add(&Op { outcome, ..Op::new(1, read, ms(sent), ms(done)) });
        }
        assert_eq!(tally.failed_before(), Some(50.0), "one of the two that had ended");
    }

    /// Those that fail end with the write, and the others with a look.
    #[test]
    fn a_session_that_sets_a_key_and_looks_at_it_recovers_as_one() {
        let (line, mut tally) = ten_seconds(Vec::new());
        for at in (0..10_000).step_by(10) {
            let set = ExpiryOp::Set { value: at, lives: ms(100) };
            let look = ExpiryOp::Look { value: at, ends: ms(at), replica: false, found: None };
            let (action, outcome) = match (4_000..5_000).contains(&at) {
                true => (set, Outcome::Unknown(Cause::ConnectionLost)),
                false => (look, Outcome::Ok),
            };
            let op = Op::new(1, Action::Expiry(action), ms(at), ms(at + 1));
            tally.add(&Op { outcome, ..op });
        }
        let recovered = tally.loads[0].recovered((line, line.to), &[ms(4_000)]);
        assert_eq!(recovered, Some(Recovered::After(Duration::from_secs(1))));
    }

    #[test]
    fn errors_of_an_instance_that_met_a_starved_time_are_not_the_servers_alone() {
        let (_, mut tally) = ten_seconds(vec![Span { from: ms(1_000), to: ms(2_000) }]);
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
        let (_, mut tally) = ten_seconds(Vec::new());
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
