//! What all operations of one load have in common, and the doing of one.

use std::cell::RefCell;
use std::rc::Rc;

use super::client::{Client, Request, done};
use super::history::Writer;
use super::processes::Processes;
use super::workload::{self, Plan, Sessions, Values};
use crate::model::op::{Op, Outcome, Purpose, key_name};
use crate::model::slot::slot_of;
use crate::model::{Clock, Nanos};
use crate::spec::scenario::Load;

/// Lives on the load's own thread, so nothing here is locked.
pub(crate) struct LoadContext<C> {
    pub(crate) index: u8,
    pub(crate) load: Load,
    pub(crate) clock: Clock,
    pub(crate) client: Rc<C>,
    processes: RefCell<Processes>,
    values: RefCell<Values>,
    sessions: RefCell<Box<dyn Sessions>>,
    history: RefCell<Writer>,
}

impl<C: Client> LoadContext<C> {
    pub(crate) fn new(index: u8, load: Load, clock: Clock, client: Rc<C>, history: Writer) -> Self {
        LoadContext {
            index,
            clock,
            client,
            processes: RefCell::new(Processes::new(load.clients)),
            values: RefCell::new(Values::new(load.value.1)),
            sessions: RefCell::new(workload::of(load.workload)),
            history: RefCell::new(history),
            load,
        }
    }

    /// Does one operation by a process that is free. It is not yet recorded.
    pub(crate) async fn operate(&self, plan: Plan, purpose: Purpose, intended: Nanos) -> Op {
        let process = self.processes.borrow_mut().take();
        // Only clients of the load remember; fill and final state are redrill's own.
        let plan = match purpose {
            Purpose::Load => self.sessions.borrow_mut().complete(plan),
            Purpose::Fill | Purpose::Final => plan,
        };
        let request = self.request(&plan, purpose);
        let sent = self.clock.now();
        let answer = self.client.perform(&request).await;
        let done = self.clock.now();
        match answer.outcome {
            Outcome::Unknown(_) => self.processes.borrow_mut().retire(),
            Outcome::Ok | Outcome::Fail(_) => self.processes.borrow_mut().give_back(process),
        }
        let op = Op {
            load: self.index,
            process,
            purpose,
            intended,
            outcome: answer.outcome,
            by: answer.by,
            redirects: answer.redirects,
            ..Op::new(plan.key, answer.told.action(plan.action), sent, done)
        };
        if op.outcome == Outcome::Ok {
            self.sessions.borrow_mut().learn(&op, &answer.told);
        }
        op
    }

    fn request(&self, plan: &Plan, purpose: Purpose) -> Request {
        let sessions = self.sessions.borrow();
        workload::request(&self.load, &**sessions, plan, purpose, &mut self.values.borrow_mut())
    }

    /// Makes `key` ready for its first operation, if it must be.
    pub(crate) async fn prepare(&self, key: u64) -> Outcome {
        let key = key_name(&self.load.name, key);
        let Some(command) = self.sessions.borrow().prepare(&key) else { return Outcome::Ok };
        let request = Request { slot: slot_of(key.as_bytes()), command, read: done, wait: None };
        self.client.perform(&request).await.outcome
    }

    /// What reads the final state of `key`.
    pub(crate) fn last(&self, key: u64) -> Plan {
        Plan::bare(key, self.sessions.borrow().last())
    }

    /// An operation that ends now without having been sent.
    pub(crate) fn unsent(
        &self,
        plan: Plan,
        purpose: Purpose,
        intended: Nanos,
        outcome: Outcome,
    ) -> Op {
        let mut processes = self.processes.borrow_mut();
        let process = processes.take();
        processes.give_back(process);
        let now = self.clock.now();
        let op = Op::new(plan.key, plan.action, now, now);
        Op { load: self.index, process, purpose, intended, outcome, ..op }
    }

    pub(crate) fn record(&self, op: Op) {
        self.history.borrow_mut().push(op);
    }

    /// Hands over to the history what was recorded so far.
    pub(crate) fn flush(&self) {
        self.history.borrow_mut().flush();
    }

    /// Processes that there have been.
    pub(crate) fn processes(&self) -> u32 {
        self.processes.borrow().born()
    }
}
