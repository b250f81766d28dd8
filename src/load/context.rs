//! What all operations of one load have in common, and the doing of one.

use std::cell::RefCell;
use std::rc::Rc;

use super::client::{Client, ReplyValue, Request};
use super::history::Writer;
use super::memory::Memory;
use super::processes::Processes;
use super::workload::{Plan, Values};
use crate::model::op::{Action, Op, Outcome, Purpose, Redirects};
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
    memory: RefCell<Memory>,
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
            memory: RefCell::new(Memory::new(load.workload)),
            history: RefCell::new(history),
            load,
        }
    }

    /// Does one operation by a process that is free. It is not yet recorded.
    pub(crate) async fn operate(&self, plan: &Plan, purpose: Purpose, intended: Nanos) -> Op {
        let process = self.processes.borrow_mut().take();
        // Only clients of the load remember; fill and final state are redrill's own.
        let plan = match purpose {
            Purpose::Load => self.memory.borrow_mut().complete(plan),
            Purpose::Fill | Purpose::Final => plan.clone(),
        };
        let request = Request::new(&self.load, &plan, purpose, &mut self.values.borrow_mut());
        let sent = self.clock.now();
        let answer = self.client.perform(&request).await;
        let done = self.clock.now();
        match answer.outcome {
            Outcome::Unknown(_) => self.processes.borrow_mut().retire(),
            Outcome::Ok | Outcome::Fail(_) => self.processes.borrow_mut().give_back(process),
        }
        let (action, value) = match &answer.told {
            // It did what a read does: it looked, and left all as it was.
            ReplyValue::Instead(found) => (Action::Read, *found),
            told => (plan.action, plan.value.or(told.value())),
        };
        let op = Op {
            load: self.index,
            process,
            purpose,
            action,
            key: plan.key,
            value,
            intended,
            sent,
            done,
            outcome: answer.outcome,
            expected: plan.expected,
            members: if purpose == Purpose::Final { members(&answer.told) } else { Box::default() },
            by: answer.by,
            redirects: answer.redirects,
        };
        self.memory.borrow_mut().learn(&op, &answer.told);
        op
    }

    /// Makes `key` ready for its first operation, if it must be.
    pub(crate) async fn prepare(&self, key: u64) -> Outcome {
        match Request::prepare(&self.load, key) {
            Some(request) => self.client.perform(&request).await.outcome,
            None => Outcome::Ok,
        }
    }

    /// An operation that ends now without having been sent.
    pub(crate) fn unsent(
        &self,
        plan: &Plan,
        purpose: Purpose,
        intended: Nanos,
        outcome: Outcome,
    ) -> Op {
        let mut processes = self.processes.borrow_mut();
        let process = processes.take();
        processes.give_back(process);
        let now = self.clock.now();
        Op {
            load: self.index,
            process,
            purpose,
            action: plan.action,
            key: plan.key,
            value: plan.value,
            intended,
            sent: now,
            done: now,
            outcome,
            expected: None,
            members: Box::default(),
            by: None,
            redirects: Redirects::default(),
        }
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

/// All that a final read found: of a stream's element, its value matters.
fn members(told: &ReplyValue) -> Box<[u64]> {
    match told {
        ReplyValue::Members(members) => members.as_slice().into(),
        ReplyValue::Entries(entries) => entries.iter().map(|(_, value)| *value).collect(),
        ReplyValue::Done | ReplyValue::Value(_) | ReplyValue::Instead(_) => Box::default(),
    }
}
