//! The open loop: every operation is begun at its instant, or as soon after as
//! the machine allows, whatever became of those before it.

use std::io;
use std::rc::Rc;

use tokio::sync::oneshot;

use super::client::Client;
use super::context::LoadContext;
use super::running::Running;
use super::tally::{Schedule, Totals};
use super::workload::{Plans, Stage};
use crate::model::event::Teller;
use crate::model::op::{Cause, Purpose};
use crate::model::{Nanos, Rate};

/// Runs from `at` until `stop` is heard of (or its other end has gone), then waits for what is
/// in flight: an operation ends within its time-out, and a session begins no stage later than a
/// time-out after the stop.
///
/// Errors: the machine has no timer to give.
pub(crate) async fn run<C: Client>(
    context: Rc<LoadContext<C>>,
    operations: Plans,
    (at, rate): (Nanos, Rate),
    teller: Teller,
    mut stop: oneshot::Receiver<()>,
) -> io::Result<Totals> {
    let schedule = Schedule::new(at, rate);
    let running = Running::new(context, at, Some(schedule), teller)?;
    let mut open = Open { running, operations, schedule, next: 0 };
    loop {
        let now = open.now();
        open.dispatch(now);
        open.running.roll(now);
        let wake = schedule.intended(open.next).min(open.running.window_end());
        if open.running.wait(wake, &mut stop).await? {
            break;
        }
    }
    let end = open.now();
    open.dispatch(end);
    open.running.stop(end).await
}

struct Open<C> {
    running: Rc<Running<C>>,
    operations: Plans,
    schedule: Schedule,
    /// The number of the first operation that was not yet due.
    next: u64,
}

impl<C: Client> Open<C> {
    fn now(&self) -> Nanos {
        self.running.context.clock.now()
    }

    /// Begins every operation that is intended by `now`.
    fn dispatch(&mut self, now: Nanos) {
        while self.schedule.intended(self.next) <= now {
            let intended = self.schedule.intended(self.next);
            if let Some(stage) = self.operations.next() {
                self.begin(stage, intended);
            }
            self.next += 1;
        }
    }

    fn begin(&self, stage: Stage, intended: Nanos) {
        let context = &self.running.context;
        if self.running.in_flight() >= context.load.max_in_flight {
            let unsent = context.unsent(stage, Purpose::Load, intended, Cause::Shed);
            unsent.into_iter().for_each(|op| self.running.unsent(op));
            return;
        }
        self.running.begin();
        let running = self.running.clone();
        tokio::task::spawn_local(async move {
            let process = running.context.take_process();
            let ended = running.session(process, stage, intended).await;
            running.context.give_back(ended.process);
        });
    }
}
