//! How much of the loads' schedules was sent, and in time.
//!
//! What redrill sends too late is no longer what the schedule asked for: some operations bunch up,
//! and the load that servers had is another one.

use std::time::Duration;

use crate::model::op::{Cause, Op, Outcome};
use crate::model::{Nanos, Rate};

use super::spans::Span;

/// An operation that redrill sends later than this is sent together with other overdue ones.
const LATE: Duration = Duration::from_millis(10);

/// An operation that redrill sends later than this counts as not sent by the schedule. A second in
/// which redrill was not run for so long is starved.
const TOO_LATE: Duration = Duration::from_millis(50);

/// The schedule of one load and what was sent of it.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// In time.
    sent: u64,
    /// When a step held instances: what they send late is no lateness of redrill.
    paused: Vec<(u16, Span)>,
    /// There was no room for them in flight although redrill was in time.
    shed_in_time: u64,
    /// When the first and the last operation were intended.
    first: Option<u64>,
    last: u64,
}

impl Schedule {
    pub fn add(&mut self, op: &Op) {
        match op.outcome {
            Outcome::Fail(Cause::Shed) => {
                self.shed_in_time += u64::from(!is_shed_late(op));
            }
            _ => self.sent += u64::from(!self.is_sent_late(op)),
        }
        self.first = Some(self.first.map_or(op.began().0, |first| first.min(op.began().0)));
        self.last = self.last.max(op.began().0);
    }

    /// A step held the instance for so long.
    pub fn pause(&mut self, instance: u16, span: Span) {
        self.paused.push((instance, span));
    }

    /// Whether redrill itself came too late to the stages of the session that ends with it.
    fn is_sent_late(&self, op: &Op) -> bool {
        let late = op.sent.since(op.intended) + op.late_before();
        let by_step = |(instance, span): &(u16, Span)| {
            *instance == op.instance && span.from <= op.sent && op.began() <= span.to
        };
        late > TOO_LATE && !self.paused.iter().any(by_step)
    }
}

/// Whether redrill itself came too late to it, and then had no room for it.
pub(super) fn is_shed_late(op: &Op) -> bool {
    op.outcome == Outcome::Fail(Cause::Shed) && op.done.since(op.began()) > LATE
}

/// The share of the schedules that was sent in time, in percent: as it was, and if redrill had
/// always been in time. Then only missing room counts, which is the servers' part.
///
/// A schedule runs from its first operation until `end`, when loads were told to stop. `None` if
/// a load sent nothing.
pub(super) fn held<'a>(
    schedules: impl Iterator<Item = (&'a Schedule, &'a Rate)>,
    end: Nanos,
) -> Option<(f64, f64)> {
    let (mut asked, mut sent, mut shed) = (0.0, 0, 0);
    for (load, rate) in schedules {
        let to = end.max(Nanos(load.last));
        asked += rate.asked(to.since(Nanos(load.first?)));
        sent += load.sent;
        shed += load.shed_in_time;
    }
    let share = |n: u64| n as f64 / asked * 100.0;
    (asked > 0.0).then(|| (share(sent).min(100.0), (100.0 - share(shed)).max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::{Action, RegisterOp};

    fn ms(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    /// A hundred operations a second for ten seconds; each is sent as late as `late` says of the
    /// millisecond at which it was due.
    fn held_with(mut schedule: Schedule, late: impl Fn(u64) -> u64) -> (f64, f64) {
        for at in (0..10_000).step_by(10) {
            let sent = ms(at + late(at));
            let op = Op::new(1, Action::Register(RegisterOp::Write(at)), sent, sent);
            schedule.add(&Op { intended: ms(at), ..op });
        }
        let rate = Rate::steady(100.0);
        held([(&schedule, &rate)].into_iter(), ms(10_000)).unwrap()
    }

    #[test]
    fn what_redrill_sends_too_late_is_not_held_and_no_fault_of_the_servers() {
        let of = |late: fn(u64) -> u64| held_with(Schedule::default(), late);
        assert_eq!(of(|_| 0), (100.0, 100.0));
        assert_eq!(of(|_| 50), (100.0, 100.0), "late, and still the schedule");
        assert_eq!(of(|at| if at < 1_000 { 51 } else { 0 }), (90.0, 100.0));
    }

    #[test]
    fn what_a_step_holds_back_is_not_late_by_redrill() {
        let late = |at: u64| if (2_000..4_000).contains(&at) { 4_000 - at } else { 0 };
        let mut schedule = Schedule::default();
        schedule.pause(0, Span { from: ms(2_000), to: ms(4_000) });
        assert_eq!(held_with(schedule, late), (100.0, 100.0));
        let mut schedule = Schedule::default();
        schedule.pause(1, Span { from: ms(2_000), to: ms(4_000) });
        assert!(held_with(schedule, late).0 < 82.0, "that was another instance");
    }
}
