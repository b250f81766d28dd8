//! What all operations of one load have in common, and the doing of one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::join_all;

use super::client::{Client, Request, done};
use super::history::Writer;
use super::processes::{Process, Processes};
use super::workload::{self, Plan, Sessions, Values};
use crate::model::op::{Op, Outcome, Part, Purpose, key_name};
use crate::model::slot::slot_of;
use crate::model::{Clock, Nanos};
use crate::spec::scenario::Load;

/// Lives on the load's own thread, so nothing here is locked.
pub(crate) struct LoadContext<C> {
    pub(crate) index: u8,
    pub(crate) load: Load,
    pub(crate) clock: Clock,
    instances: Vec<Instance<C>>,
    processes: RefCell<Processes>,
    values: RefCell<Values>,
    /// Sessions of several operations so far.
    sessions: Cell<u64>,
    history: RefCell<Writer>,
}

/// One application process.
struct Instance<C> {
    client: Rc<C>,
    /// What its clients remember.
    sessions: RefCell<Box<dyn Sessions>>,
}

impl<C: Client> LoadContext<C> {
    /// A client for each instance; at least one.
    pub(crate) fn new(
        index: u8,
        load: Load,
        clock: Clock,
        clients: Vec<Rc<C>>,
        history: Writer,
    ) -> Self {
        let sessions = || RefCell::new(workload::of(&load));
        let instance = |client| Instance { client, sessions: sessions() };
        LoadContext {
            index,
            clock,
            instances: clients.into_iter().map(instance).collect(),
            processes: RefCell::new(Processes::new(&load)),
            values: RefCell::new(Values::new(load.value.1)),
            sessions: Cell::new(0),
            history: RefCell::new(history),
            load,
        }
    }

    /// One session, which begins with `plan`. Each of its operations is handed to `ended`.
    pub(crate) async fn session(&self, plan: Plan, intended: Nanos, ended: impl Fn(Op)) {
        let (mut plan, mut due) = (plan, intended);
        let mut process = self.processes.borrow_mut().take();
        let mut part = None;
        loop {
            let mut op = self.operate_by(&mut process, plan, Purpose::Load, due).await;
            let sessions = &self.instances[usize::from(process.instance)].sessions;
            let step = part.map_or(0, |part: Part| part.step + 1);
            let next = sessions.borrow().then(&op, step);
            let last = next.is_none();
            if step > 0 || !last {
                let session = part.map_or_else(|| self.next_session(), |part| part.session);
                part = Some(Part { session, step, began: intended, last });
                op.part = part;
            }
            let at = op.done;
            ended(op);
            let Some(next) = next else { break };
            if !next.after.is_zero() {
                // Not all sessions are to be as large as those that sleep.
                Box::pin(tokio::time::sleep(next.after)).await;
            }
            (plan, due) = (next.plan, at + next.after);
        }
        self.processes.borrow_mut().give_back(process);
    }

    fn next_session(&self) -> u64 {
        let number = self.sessions.get();
        self.sessions.set(number + 1);
        number
    }

    /// Does one operation of redrill's own, by a process that is free. It is not yet recorded.
    pub(crate) async fn operate(&self, plan: Plan, purpose: Purpose, intended: Nanos) -> Op {
        let mut process = self.processes.borrow_mut().take();
        let op = self.operate_by(&mut process, plan, purpose, intended).await;
        self.processes.borrow_mut().give_back(process);
        op
    }

    /// If nobody knows what came of it, `process` becomes another one of the same instance.
    async fn operate_by(
        &self,
        process: &mut Process,
        plan: Plan,
        purpose: Purpose,
        intended: Nanos,
    ) -> Op {
        let Process { number, instance } = *process;
        let Instance { client, sessions } = &self.instances[usize::from(instance)];
        // Only clients of the load remember; fill and final state are redrill's own.
        let plan = match purpose {
            Purpose::Load => sessions.borrow_mut().complete(plan),
            Purpose::Fill | Purpose::Final => plan,
        };
        let request = {
            let (sessions, mut values) = (sessions.borrow(), self.values.borrow_mut());
            workload::request(&self.load, &**sessions, &plan, purpose, &mut values)
        };
        let sent = self.clock.now();
        let answer = client.perform(&request).await;
        let done = self.clock.now();
        if let Outcome::Unknown(_) = answer.outcome {
            *process = self.processes.borrow_mut().replace(*process);
        }
        let op = Op {
            load: self.index,
            shares: self.load.keyspace.of,
            instance,
            process: number,
            purpose,
            intended,
            outcome: answer.outcome,
            by: answer.by,
            redirects: answer.redirects,
            ..Op::new(plan.key, answer.told.action(plan.action), sent, done)
        };
        if op.outcome == Outcome::Ok {
            sessions.borrow_mut().learn(&op, &answer.told);
        }
        op
    }

    /// Makes `key` ready for its first operation, if it must be.
    pub(crate) async fn prepare(&self, key: u64) -> Outcome {
        let key = key_name(&self.load.keyspace.name, key);
        let Instance { client, sessions } = &self.instances[0];
        let Some(command) = sessions.borrow().prepare(&key) else { return Outcome::Ok };
        let slot = slot_of(key.as_bytes());
        let request = Request { slot, commands: command.into(), read: done, wait: None };
        client.perform(&request).await.outcome
    }

    /// What reads the final state of `key`.
    pub(crate) fn last(&self, key: u64) -> Plan {
        Plan::bare(key, self.instances[0].sessions.borrow().last())
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
        let (shares, instance) = (self.load.keyspace.of, process.instance);
        let process = process.number;
        Op { load: self.index, shares, instance, process, purpose, intended, outcome, ..op }
    }

    /// No more will be asked of its clients.
    pub(crate) async fn end(&self) {
        join_all(self.instances.iter().map(|instance| instance.client.end())).await;
    }

    /// Connections made again after a loss, so far.
    pub(crate) fn reconnects(&self) -> u64 {
        self.instances.iter().map(|instance| instance.client.reconnects()).sum()
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
