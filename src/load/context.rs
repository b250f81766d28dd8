//! What all operations of one load have in common, and the doing of one.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::Rc;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use smallvec::{SmallVec, smallvec};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::client::{Client, Noted};
use super::history::Writer;
use super::processes::{Process, Processes};
use super::workload::{self, Doing, Next, Plan, Sessions, Stage, Values};
use crate::log::OrUnheard;
use crate::model::op::{Action, Cause, Op, Outcome, Part, Purpose};
use crate::model::{Clock, Nanos};
use crate::spec::scenario::Load;
use crate::wake::Timer;

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
    /// No session begins another stage after this instant.
    last_stage_by: Cell<Nanos>,
    timer: OnceCell<Rc<Timer>>,
    history: RefCell<Writer>,
}

/// One application process.
struct Instance<C> {
    /// One for each group.
    clients: Vec<Rc<C>>,
    /// What its clients remember.
    sessions: RefCell<Box<dyn Sessions>>,
    /// Whether it is paused, as a process can be; `None` if nobody pauses it.
    paused: Option<watch::Receiver<bool>>,
}

impl<C> Instance<C> {
    /// Returns when it is not paused. What redrill does for itself does not wait for that.
    async fn goes_on(&self, purpose: Purpose) {
        let Some(paused) = &self.paused else { return };
        if purpose == Purpose::Load && *paused.borrow() {
            // Whoever pauses it may be gone.
            Box::pin(paused.clone().wait_for(|paused| !paused)).await.map(drop).or_unheard();
        }
    }
}

/// Operations of one stage.
pub(crate) type Ops = SmallVec<[Op; 1]>;

/// Operations that are under way, each with the number of its stage.
type UnderWay = FuturesUnordered<JoinHandle<(u32, Op)>>;

/// Makes `ops` a part of a session. If it ends with them, it does with the one that is `decisive`.
fn number(ops: &mut [Op], part: Part, decisive: Option<usize>) {
    for (place, op) in ops.iter_mut().enumerate() {
        op.part = Some(Part { last: part.last && decisive == Some(place), ..part });
    }
}

impl<C: Client> LoadContext<C> {
    /// For each instance, and there is at least one, a client for each group.
    pub(crate) fn new(
        index: u8,
        load: Load,
        clock: Clock,
        clients: Vec<Vec<Rc<C>>>,
        history: Writer,
    ) -> Self {
        let instances = {
            let sessions = workload::of_instances(&load);
            let instance =
                |clients| Instance { clients, sessions: RefCell::new(sessions()), paused: None };
            clients.into_iter().map(instance).collect()
        };
        LoadContext {
            index,
            clock,
            instances,
            processes: RefCell::new(Processes::new(&load)),
            values: RefCell::new(Values::new(load.value.1)),
            sessions: Cell::new(0),
            last_stage_by: Cell::new(Nanos(u64::MAX)),
            history: RefCell::new(history),
            timer: OnceCell::new(),
            load,
        }
    }

    /// From now on sessions go on to some tens of microseconds at the instant at which they should,
    /// and not to a millisecond.
    ///
    /// Errors: the machine gives no timer.
    pub(crate) fn be_exact(&self) -> io::Result<()> {
        if self.timer.get().is_none() {
            let timer = Rc::new(Timer::new(self.clock)?);
            _ = self.timer.set(timer.clone());
            tokio::task::spawn_local(async move { timer.run().await.or_unheard() });
        }
        Ok(())
    }

    /// Its instances, in their order, stand still while these say so.
    pub(crate) fn pausable(self, paused: Vec<watch::Receiver<bool>>) -> Self {
        let instances = self.instances.into_iter().zip(paused);
        let instances = instances.map(|(one, paused)| Instance { paused: Some(paused), ..one });
        LoadContext { instances: instances.collect(), ..self }
    }

    /// The load begins.
    pub(crate) fn begin(&self) {
        self.clients().for_each(|client| client.begin());
    }

    /// The load is stopped: a session has until a time-out from `now` to begin its last stage.
    pub(crate) fn stop(&self, now: Nanos) {
        self.last_stage_by.set(now + self.load.timeout);
        self.clients().for_each(|client| client.stop());
    }

    /// A client that is free.
    pub(crate) fn take_process(&self) -> Process {
        self.processes.borrow_mut().take()
    }

    pub(crate) fn give_back(&self, process: Process) {
        self.processes.borrow_mut().give_back(process);
    }

    /// Returns at `at`, or as soon after it as the machine allows.
    pub(crate) async fn sleep_until(&self, at: Nanos) {
        match self.timer.get() {
            Some(timer) => timer.until(at).await,
            // Not all sessions are to be as large as those that sleep.
            None => Box::pin(tokio::time::sleep(at.since(self.clock.now()))).await,
        }
    }

    /// One session of `process`, which begins with `stage`. Each of its operations is handed to
    /// `ended`. Returns the client that may go on: another one if the outcome is unknown.
    pub(crate) async fn session(
        self: &Rc<Self>,
        mut process: Process,
        stage: Stage,
        intended: Nanos,
        ended: impl Fn(Op),
    ) -> Process {
        let (mut stage, mut due) = (stage, intended);
        let (mut session, mut late) = (None, Nanos::ZERO);
        // Of stages before, which the session did not wait for.
        let mut others = UnderWay::new();
        for step in 0.. {
            let mut ops = self.stage(&mut process, (step, stage, due), &mut others).await;
            let sessions = &self.instances[usize::from(process.instance)].sessions;
            let at = ops.iter().map(|op| op.done).max().unwrap_or(due);
            let in_time = |next: &Next| at + next.after <= self.last_stage_by.get();
            let next = sessions.borrow().then(&ops, step).filter(in_time);
            if step > 0 || next.is_some() || ops.len() > 1 {
                let session = *session.get_or_insert_with(|| self.next_session());
                let last = next.is_none();
                let decisive = sessions.borrow().decisive(&ops);
                number(&mut ops, Part { session, step, began: intended, late, last }, decisive);
            }
            late = late + ops.iter().map(|op| op.sent.since(op.intended)).max().unwrap_or_default();
            ops.into_iter().for_each(&ended);
            let Some(next) = next else { break };
            if !next.after.is_zero() {
                self.sleep_until(at + next.after).await;
            }
            (stage, due) = (next.stage, at + next.after);
        }
        if !others.is_empty() {
            let session = *session.get_or_insert_with(|| self.next_session());
            for (step, op) in Box::pin(others.collect::<Vec<_>>()).await.into_iter().flatten() {
                let part = Part { session, step, began: intended, late, last: false };
                self.retire(&mut process, std::slice::from_ref(&op));
                ended(Op { part: Some(part), ..op });
            }
        }
        process
    }

    /// The operations of stage number `step`, all at once, in the order in which they end. Those
    /// that the session need not wait for are left to `others`. If nobody knows what came of one,
    /// `process` becomes another one of the same instance.
    async fn stage(
        self: &Rc<Self>,
        process: &mut Process,
        (step, mut stage, due): (u32, Stage, Nanos),
        others: &mut UnderWay,
    ) -> Ops {
        let by = *process;
        let mut ops: Ops = match stage.pop() {
            Some(plan) if stage.is_empty() => {
                smallvec![self.operate_by(by, plan, Purpose::Load, due).await]
            }
            last => {
                // Each has a task of its own: those that nobody waits for any more go on.
                let operate = |plan| {
                    let context = self.clone();
                    tokio::task::spawn_local(async move {
                        (step, context.operate_by(by, plan, Purpose::Load, due).await)
                    })
                };
                let all = stage.into_iter().chain(last).map(operate).collect();
                Box::pin(self.first_of(by, all, others)).await
            }
        };
        ops.sort_by_key(|op| op.done);
        self.retire(process, &ops);
        ops
    }

    /// So many of the operations as the session has to wait for.
    async fn first_of(&self, by: Process, mut all: UnderWay, others: &mut UnderWay) -> Ops {
        let sessions = &self.instances[usize::from(by.instance)].sessions;
        let (mut ops, of) = (Ops::new(), all.len());
        while let Some(ended) = all.next().await {
            // A panic there has been printed already.
            ops.extend(ended.ok().map(|(_, op)| op));
            if sessions.borrow().enough(&ops, of) {
                break;
            }
        }
        others.extend(all);
        ops
    }

    /// A process of which nobody knows what it did is replaced.
    fn retire(&self, process: &mut Process, ops: &[Op]) {
        if ops.iter().any(|op| matches!(op.outcome, Outcome::Unknown(_))) {
            *process = self.processes.borrow_mut().replace(*process);
        }
    }

    fn next_session(&self) -> u64 {
        let number = self.sessions.get();
        self.sessions.set(number + 1);
        number
    }

    /// Does one operation of redrill's own, by a process that is free. It is not yet recorded.
    pub(crate) async fn operate(&self, plan: Plan, purpose: Purpose, intended: Nanos) -> Op {
        let mut process = self.processes.borrow_mut().take();
        let op = self.operate_by(process, plan, purpose, intended).await;
        self.retire(&mut process, std::slice::from_ref(&op));
        self.processes.borrow_mut().give_back(process);
        op
    }

    async fn operate_by(
        &self,
        process: Process,
        plan: Plan,
        purpose: Purpose,
        intended: Nanos,
    ) -> Op {
        let instance = &self.instances[usize::from(process.instance)];
        let Instance { clients, sessions, .. } = instance;
        let client = &clients[usize::from(plan.group)];
        instance.goes_on(purpose).await;
        // Only clients of the load remember; fill and final state are redrill's own.
        let plan = match purpose {
            Purpose::Load => sessions.borrow_mut().complete(plan),
            Purpose::Fill | Purpose::Final | Purpose::Beside => plan,
        };
        let request = {
            let (sessions, mut values) = (sessions.borrow(), self.values.borrow_mut());
            let (load, plan, values) = (&self.load, &plan, &mut *values);
            C::request(Doing { load, sessions: &**sessions, plan, purpose, values })
        };
        let sent = self.clock.now();
        let answer = client.perform(&request).await;
        // A process that is paused reads no answer.
        instance.goes_on(purpose).await;
        let done = self.clock.now();
        let action = answer.told.action(plan.action);
        let op = Op {
            outcome: answer.outcome,
            by: answer.by,
            redirects: answer.redirects,
            ..self.op((plan.key, plan.group, action), process, purpose, (intended, sent, done))
        };
        if op.outcome == Outcome::Ok {
            sessions.borrow_mut().learn(&op, &answer.told);
        }
        op
    }

    fn op(
        &self,
        (key, group, action): (u64, u8, Action),
        process: Process,
        purpose: Purpose,
        (intended, sent, done): (Nanos, Nanos, Nanos),
    ) -> Op {
        Op {
            load: self.index,
            shares: self.load.keyspace.of,
            instance: process.instance,
            process: process.number,
            purpose,
            group,
            intended,
            ..Op::new(key, action, sent, done)
        }
    }

    /// What reads the final state of `key` in each group.
    pub(crate) fn last(&self, key: u64) -> impl Iterator<Item = Plan> {
        self.in_each_group(Plan::bare(key, self.instances[0].sessions.borrow().last()))
    }

    /// The same operation on each of the load's groups.
    pub(crate) fn in_each_group(&self, plan: Plan) -> impl Iterator<Item = Plan> + use<C> {
        (0..self.load.groups.len() as u8).map(move |group| Plan { group, ..plan.clone() })
    }

    /// Operations of one client that end now without having been sent.
    pub(crate) fn unsent(
        &self,
        stage: Stage,
        purpose: Purpose,
        intended: Nanos,
        cause: Cause,
    ) -> Ops {
        let mut processes = self.processes.borrow_mut();
        let process = processes.take();
        processes.give_back(process);
        let (now, outcome) = (self.clock.now(), Outcome::Fail(cause));
        let op = |plan: Plan| {
            let what = (plan.key, plan.group, plan.action);
            Op { outcome, ..self.op(what, process, purpose, (intended, now, now)) }
        };
        let mut ops: Ops = stage.into_iter().map(op).collect();
        if ops.len() > 1 {
            let session = self.next_session();
            let part = Part { session, step: 0, began: intended, late: Nanos::ZERO, last: true };
            // All went alike.
            number(&mut ops, part, Some(0));
        }
        ops
    }

    /// Its clients find out anew whom to ask.
    pub(crate) async fn look_again(&self) {
        join_all(self.clients().map(|client| client.look_again())).await;
    }

    /// No more will be asked of its clients.
    pub(crate) async fn end(&self) {
        join_all(self.clients().map(|client| client.end())).await;
    }

    /// Connections made again after a loss, so far.
    pub(crate) fn reconnects(&self) -> u64 {
        self.clients().map(|client| client.reconnects()).sum()
    }

    fn clients(&self) -> impl Iterator<Item = &Rc<C>> {
        self.instances.iter().flat_map(|instance| &instance.clients)
    }

    pub(crate) fn record(&self, op: Op) {
        self.history.borrow_mut().push(op);
    }

    /// Hands over to the history what was recorded so far.
    pub(crate) fn flush(&self) {
        self.record_noted(false);
        self.history.borrow_mut().flush();
    }

    /// The same after the last operation.
    pub(crate) fn flush_all(&self) {
        self.record_noted(true);
        self.history.borrow_mut().flush();
    }

    fn record_noted(&self, last: bool) {
        for (number, instance) in self.instances.iter().enumerate() {
            for (group, client) in instance.clients.iter().enumerate() {
                for Noted { key, action, from, to, outcome } in client.noted(last) {
                    let by = Process { instance: number as u16, number: 0 };
                    let what = (key, group as u8, action);
                    let op = self.op(what, by, Purpose::Beside, (from, from, to));
                    self.record(Op { outcome, ..op });
                }
            }
        }
    }

    /// Processes that there have been.
    pub(crate) fn processes(&self) -> u32 {
        self.processes.borrow().born()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::{Builder, LocalOptions};

    use super::*;
    use crate::load::client::{Answer, Commands, Read, done, of};
    use crate::load::history;
    use crate::load::workload::{Draw, Next};
    use crate::model::event::Teller;
    use crate::model::op::RegisterOp;

    /// Answers everything well after 5 ms.
    struct Well;

    impl Client for Well {
        type Form = ();

        fn request(_: Doing<'_>) {}

        async fn perform(&self, (): &()) -> Answer {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Answer::of(Outcome::Ok)
        }

        fn reconnects(&self) -> u64 {
            0
        }
    }

    /// Reads, and reads again after a while, so many times.
    #[derive(Debug)]
    struct Reads {
        times: u32,
        after: Duration,
    }

    fn read() -> Action {
        Action::Register(RegisterOp::Read(None))
    }

    impl Sessions for Reads {
        fn begin(&self, key: u64, _: bool, _: &mut Draw) -> Stage {
            smallvec![Plan::bare(key, read())]
        }

        fn last(&self) -> Action {
            read()
        }

        fn command(&self, key: &str, _: &Plan, _: &mut Values) -> (Commands, Read) {
            (of("GET", key).into(), done)
        }

        fn then(&self, ended: &[Op], step: u32) -> Option<Next> {
            let stage = || smallvec![Plan::bare(ended[0].key, read())];
            (step + 1 < self.times).then(|| Next { stage: stage(), after: self.after })
        }
    }

    /// A load of one instance, and the folder of its history.
    fn load() -> (LoadContext<Well>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let path = folder.path().join("history");
        let history = history::create(&path, Teller::new(clock).0, |_| ()).unwrap();
        let load = Load { timeout: Duration::from_millis(50), ..Load::new("app", "cache", 1.0) };
        let clients = vec![vec![Rc::new(Well)]];
        (LoadContext::new(0, load, clock, clients, history.writer()), folder)
    }

    /// The operations of one session, in a load that is stopped at its begin or not at all.
    fn session(reads: Reads, stopped: bool) -> Vec<Op> {
        let (context, _folder) = load();
        let clock = context.clock;
        let context = Rc::new(context);
        context.instances[0].sessions.replace(Box::new(reads));
        let ops = RefCell::new(Vec::new());
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let now = clock.now();
            if stopped {
                context.stop(now);
            }
            let stage = smallvec![Plan::bare(1, read())];
            let process = context.take_process();
            context.session(process, stage, now, |op| ops.borrow_mut().push(op)).await;
        });
        ops.into_inner()
    }

    #[test]
    fn a_stage_begins_when_it_is_due_and_the_last_one_ends_the_session() {
        let after = Duration::from_millis(20);
        let ops = session(Reads { times: 3, after }, false);
        let parts = ops.iter().map(|op| op.part.unwrap());
        let parts: Vec<(u32, bool)> = parts.map(|part| (part.step, part.last)).collect();
        assert_eq!(parts, [(0, false), (1, false), (2, true)]);
        for pair in ops.windows(2) {
            assert_eq!(pair[1].intended, pair[0].done + after);
            assert!(pair[1].sent >= pair[1].intended, "{pair:?}");
        }
    }

    /// What is due meanwhile is sent when it goes on, and what was sent is heard of then.
    #[test]
    fn an_instance_that_is_paused_stands_still() {
        let (pause, paused) = watch::channel(true);
        let (context, _folder) = load();
        let clock = context.clock;
        let context = Rc::new(context.pausable(vec![paused]));
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().build_local(LocalOptions::default()).unwrap();
        let (op, went_on) = runtime.block_on(async {
            let begun = clock.now();
            let process = Process { number: 0, instance: 0 };
            let of_load = context.clone();
            let doing = tokio::task::spawn_local(async move {
                of_load.operate_by(process, Plan::bare(1, read()), Purpose::Load, begun).await
            });
            let own = context.operate_by(process, Plan::bare(1, read()), Purpose::Final, begun);
            assert_eq!(own.await.outcome, Outcome::Ok, "redrill's own reading does not wait");
            tokio::time::sleep(Duration::from_millis(50)).await;
            let went_on = clock.now();
            pause.send_replace(false);
            (doing.await.unwrap(), went_on)
        });
        assert!(op.sent >= went_on && op.outcome == Outcome::Ok, "{op:?} {went_on}");
    }

    #[test]
    fn a_session_begins_no_stage_long_after_the_load_has_stopped() {
        let ops = session(Reads { times: 500, after: Duration::from_millis(5) }, true);
        assert!(ops.len() < 20, "{}", ops.len());
        assert!(ops.last().unwrap().part.is_none_or(|part| part.last), "it has an end");
    }
}
