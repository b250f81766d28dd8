//! The open loop: every operation is begun at its instant, or as soon after as
//! the machine allows, whatever became of those before it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use tokio::sync::{Notify, oneshot};

use super::client::Client;
use super::context::LoadContext;
use super::tally::{Schedule, Tally, Totals};
use super::workload::{Plans, Stage};
use crate::model::Nanos;
use crate::model::event::Teller;
use crate::model::op::{Cause, Op, Purpose};
use crate::wake::Alarm;

/// Runs from `at` until `stop` is heard of (or its other end has gone), then waits for what is
/// in flight: an operation ends within its time-out, and a session begins no stage later than a
/// time-out after the stop.
///
/// Errors: the machine has no timer to give.
pub(crate) async fn run<C: Client>(
    context: Rc<LoadContext<C>>,
    mut operations: Plans,
    at: Nanos,
    teller: Teller,
    mut stop: oneshot::Receiver<()>,
) -> io::Result<Totals> {
    let schedule = Schedule::new(at, context.load.rate);
    let alarm = Alarm::new(context.clock)?;
    context.be_exact()?;
    let load = &context.load;
    let locks = load.lock.as_ref().map(|lock| lock.rules(load.keys));
    let tally = RefCell::new(Tally::new(context.index, at, schedule, locks, teller));
    let before = context.reconnects();
    let state = State { tally, in_flight: Cell::new(0), idle: Notify::new(), before };
    let open = Open { context, state: Rc::new(state) };
    let mut next = 0;
    loop {
        let now = open.context.clock.now();
        next = open.dispatch(&mut operations, &schedule, next, now);
        open.roll(now);
        let wake = schedule.intended(next).min(open.state.tally.borrow().window_end());
        tokio::select! {
            biased;
            _ = &mut stop => break,
            woken = alarm.until(wake) => woken?,
        }
    }
    let end = open.context.clock.now();
    open.dispatch(&mut operations, &schedule, next, end);
    open.state.tally.borrow_mut().stop(Nanos(end.0 + 1));
    open.context.stop(end);
    open.drain(&alarm).await?;
    let (reconnects, processes) = (open.state.reconnects(&open.context), open.context.processes());
    open.context.flush();
    Ok(open.state.tally.borrow_mut().finish(reconnects, processes))
}

struct Open<C> {
    context: Rc<LoadContext<C>>,
    state: Rc<State>,
}

struct State {
    tally: RefCell<Tally>,
    in_flight: Cell<u32>,
    /// Nothing is in flight any more.
    idle: Notify,
    /// Reconnects before the load began, while keys were filled say.
    before: u64,
}

impl State {
    fn reconnects<C: Client>(&self, context: &LoadContext<C>) -> u64 {
        context.reconnects() - self.before
    }
}

impl<C: Client> Open<C> {
    /// Begins every operation from number `next` on that is intended by `now`;
    /// the number of the first one that is not.
    fn dispatch(
        &self,
        operations: &mut Plans,
        schedule: &Schedule,
        mut next: u64,
        now: Nanos,
    ) -> u64 {
        while schedule.intended(next) <= now {
            if let Some(stage) = operations.next() {
                self.begin(stage, schedule.intended(next));
            }
            next += 1;
        }
        next
    }

    fn begin(&self, stage: Stage, intended: Nanos) {
        let in_flight = self.state.in_flight.get();
        if in_flight >= self.context.load.max_in_flight {
            for op in self.context.unsent(stage, Purpose::Load, intended, Cause::Shed) {
                self.state.tally.borrow_mut().ended(&op);
                self.context.record(op);
            }
            return;
        }
        self.state.in_flight.set(in_flight + 1);
        let (context, state) = (self.context.clone(), self.state.clone());
        tokio::task::spawn_local(async move {
            let ended = |op: Op| {
                let mut tally = state.tally.borrow_mut();
                tally.roll(op.done, state.in_flight.get(), state.reconnects(&context));
                tally.ended(&op);
                context.record(op);
            };
            context.session(stage, intended, ended).await;
            state.in_flight.set(state.in_flight.get() - 1);
            if state.in_flight.get() == 0 {
                state.idle.notify_one();
            }
        });
    }

    fn roll(&self, now: Nanos) {
        let mut tally = self.state.tally.borrow_mut();
        if tally.window_end() <= now {
            tally.roll(now, self.state.in_flight.get(), self.state.reconnects(&self.context));
            self.context.flush();
        }
    }

    async fn drain(&self, alarm: &Alarm) -> io::Result<()> {
        while self.state.in_flight.get() > 0 {
            let wake = self.state.tally.borrow().window_end();
            tokio::select! {
                () = self.state.idle.notified() => {}
                woken = alarm.until(wake) => woken?,
            }
            self.roll(self.context.clock.now());
        }
        Ok(())
    }
}
