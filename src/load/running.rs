//! A load that runs: its sessions, what is in flight, and what has ended.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use tokio::sync::{Notify, oneshot};

use super::client::Client;
use super::context::LoadContext;
use super::processes::Process;
use super::tally::{Schedule, Tally, Totals};
use super::workload::Stage;
use crate::model::Nanos;
use crate::model::event::Teller;
use crate::model::op::{Op, Outcome};
use crate::wake::Alarm;

pub(crate) struct Running<C> {
    pub(crate) context: Rc<LoadContext<C>>,
    alarm: Alarm,
    tally: RefCell<Tally>,
    in_flight: Cell<u32>,
    /// Nothing is in flight any more.
    idle: Notify,
    /// No session is begun any more.
    stopped: Cell<bool>,
    /// Reconnects before the load began, while keys were filled say.
    reconnects_before: u64,
}

/// How a session ended.
pub(crate) struct Ended {
    /// The client that did it, or the one that took its place.
    pub(crate) process: Process,
    pub(crate) at: Nanos,
    pub(crate) is_ok: bool,
}

impl<C: Client> Running<C> {
    /// Errors: the machine has no timer to give.
    pub(crate) fn new(
        context: Rc<LoadContext<C>>,
        at: Nanos,
        schedule: Option<Schedule>,
        teller: Teller,
    ) -> io::Result<Rc<Running<C>>> {
        let alarm = Alarm::new(context.clock)?;
        context.be_exact()?;
        let load = &context.load;
        let locks = load.lock.as_ref().map(|lock| lock.rules(load.keys));
        let tally = RefCell::new(Tally::new(context.index, at, schedule, locks, teller));
        let reconnects_before = context.reconnects();
        let (in_flight, idle, stopped) = Default::default();
        let running =
            Running { context, alarm, tally, in_flight, idle, stopped, reconnects_before };
        Ok(Rc::new(running))
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// The end of the current window, when [`Running::roll`] has something to do.
    pub(crate) fn window_end(&self) -> Nanos {
        self.tally.borrow().window_end()
    }

    /// Returns at `wake`, or `true` when `stop` is received or its other end has gone.
    pub(crate) async fn wait(
        &self,
        wake: Nanos,
        stop: &mut oneshot::Receiver<()>,
    ) -> io::Result<bool> {
        tokio::select! {
            biased;
            _ = stop => Ok(true),
            woken = self.alarm.until(wake) => woken.map(|()| false),
        }
    }

    /// A session is in flight from now on; [`Running::session`] follows.
    pub(crate) fn begin(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
        self.tally.borrow_mut().begun();
    }

    /// Does a session that has begun.
    pub(crate) async fn session(&self, process: Process, stage: Stage, intended: Nanos) -> Ended {
        let (at, is_ok) = (Cell::new(intended), Cell::new(true));
        let ended = |op: Op| {
            at.set(at.get().max(op.done));
            is_ok.set(is_ok.get() && op.outcome == Outcome::Ok);
            let mut tally = self.tally.borrow_mut();
            tally.roll(op.done, self.in_flight.get(), self.reconnects());
            tally.ended(&op);
            self.context.record(op);
        };
        let process = self.context.session(process, stage, intended, ended).await;
        self.in_flight.set(self.in_flight.get() - 1);
        if self.in_flight.get() == 0 {
            self.idle.notify_one();
        }
        Ended { process, at: at.get(), is_ok: is_ok.get() }
    }

    /// An operation that ended without having been sent.
    pub(crate) fn unsent(&self, op: Op) {
        self.tally.borrow_mut().ended(&op);
        self.context.record(op);
    }

    pub(crate) fn roll(&self, now: Nanos) {
        if self.window_end() <= now {
            self.tally.borrow_mut().roll(now, self.in_flight.get(), self.reconnects());
            self.context.flush();
        }
    }

    /// Begins no session from `end` on, and waits for those in flight.
    pub(crate) async fn stop(&self, end: Nanos) -> io::Result<Totals> {
        self.stopped.set(true);
        self.tally.borrow_mut().stop(Nanos(end.0 + 1));
        self.context.stop(end);
        while self.in_flight.get() > 0 {
            let wake = self.window_end();
            tokio::select! {
                () = self.idle.notified() => {}
                woken = self.alarm.until(wake) => woken?,
            }
            self.roll(self.context.clock.now());
        }
        let (reconnects, processes) = (self.reconnects(), self.context.processes());
        self.context.flush();
        Ok(self.tally.borrow_mut().finish(reconnects, processes))
    }

    fn reconnects(&self) -> u64 {
        self.context.reconnects() - self.reconnects_before
    }
}
