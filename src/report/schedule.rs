//! How much of what the loads' schedules asked for was sent.

use std::time::Duration;

use crate::model::op::{Cause, Op, Outcome};

use super::spans::Spans;

/// What redrill comes to later than this, it comes to with other things that are overdue.
const LATE: Duration = Duration::from_millis(10);

/// What became of one load's schedule.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    sent: u64,
    /// There was no room for them in flight, and redrill had not come to them late and in heaps.
    shed_in_time: u64,
    /// When the first and the last operation were intended.
    first: Option<u64>,
    last: u64,
}

/// The schedules of all loads together.
#[derive(Debug)]
pub(super) struct Schedules(Vec<Schedule>);

impl Schedules {
    pub fn new(loads: usize) -> Schedules {
        Schedules(vec![Schedule::default(); loads])
    }

    pub fn add(&mut self, op: &Op) {
        let Some(load) = self.0.get_mut(usize::from(op.load)) else { return };
        match op.outcome {
            Outcome::Fail(Cause::Shed) => {
                load.shed_in_time += u64::from(op.done.since(op.began()) <= LATE);
            }
            _ => load.sent += 1,
        }
        load.first = Some(load.first.map_or(op.began().0, |first| first.min(op.began().0)));
        load.last = load.last.max(op.began().0);
    }

    /// What was sent of what was asked for, in percent. A schedule asks from its first
    /// operation until the end of the line; `None` if the record breaks off before.
    pub fn held(&self, spans: &Spans, rates: &[f64]) -> Option<f64> {
        let asked = self.asked(spans, rates)?;
        let sent: u64 = self.0.iter().map(|load| load.sent).sum();
        Some((sent as f64 / asked * 100.0).min(100.0))
    }

    /// The same, had redrill come in time to everything that it was asked for: only what
    /// there was no room for then counts against the servers.
    pub fn held_if_in_time(&self, spans: &Spans, rates: &[f64]) -> Option<f64> {
        let asked = self.asked(spans, rates)?;
        let shed: u64 = self.0.iter().map(|load| load.shed_in_time).sum();
        Some((100.0 - shed as f64 / asked * 100.0).max(0.0))
    }

    /// Operations that the schedules asked for; `None` if there are none.
    fn asked(&self, spans: &Spans, rates: &[f64]) -> Option<f64> {
        if !spans.seen_to_the_end {
            return None;
        }
        let mut asked = 0.0;
        for (load, rate) in self.0.iter().zip(rates) {
            let to = spans.line.to.0.max(load.last);
            asked += (to - load.first?) as f64 / 1e9 * rate;
        }
        (asked > 0.0).then_some(asked)
    }
}
