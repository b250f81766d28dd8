//! How much of the loads' schedules was sent.

use std::time::Duration;

use crate::model::op::{Cause, Op, Outcome};

use super::spans::Spans;

/// An operation that redrill sends later than this is sent together with other overdue ones.
const LATE: Duration = Duration::from_millis(10);

/// The schedule of one load and what was sent of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    sent: u64,
    /// There was no room for them in flight although redrill was in time.
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

    /// The share of the schedule that was sent, in percent. A schedule runs from its first
    /// operation to the end of the line; `None` if the record breaks off before.
    pub fn held(&self, spans: &Spans, rates: &[f64]) -> Option<f64> {
        let asked = self.asked(spans, rates)?;
        let sent: u64 = self.0.iter().map(|load| load.sent).sum();
        Some((sent as f64 / asked * 100.0).min(100.0))
    }

    /// The same if redrill had always been in time: then only missing room counts, which is the
    /// servers' part.
    pub fn held_if_in_time(&self, spans: &Spans, rates: &[f64]) -> Option<f64> {
        let asked = self.asked(spans, rates)?;
        let shed: u64 = self.0.iter().map(|load| load.shed_in_time).sum();
        Some((100.0 - shed as f64 / asked * 100.0).max(0.0))
    }

    /// How many operations the schedules have; `None` without any.
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
