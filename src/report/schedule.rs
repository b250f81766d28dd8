//! How much of the loads' schedules was sent.

use std::time::Duration;

use crate::model::op::{Cause, Op, Outcome};
use crate::model::{Nanos, Rate};

/// An operation that redrill sends later than this is sent together with other overdue ones.
const LATE: Duration = Duration::from_millis(10);

/// The schedule of one load and what was sent of it.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    sent: u64,
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
            _ => self.sent += 1,
        }
        self.first = Some(self.first.map_or(op.began().0, |first| first.min(op.began().0)));
        self.last = self.last.max(op.began().0);
    }
}

/// Whether redrill itself came too late to it, and then had no room for it.
pub(super) fn is_shed_late(op: &Op) -> bool {
    op.outcome == Outcome::Fail(Cause::Shed) && op.done.since(op.began()) > LATE
}

/// The share of the schedules that was sent, in percent: as it was, and if redrill had always
/// been in time. Then only missing room counts, which is the servers' part.
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
