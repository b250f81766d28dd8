//! A load in a thread of its own, and the handle that the drill holds on it.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};

use super::cache::{Application, Library, Of, Origin, Repository, hosts};
use super::client::adapter::{Adapter, AdapterError, Beside, Question, Settings};
use super::client::{Client, ClientOptions, Front, Near, Stock};
use super::context::LoadContext;
use super::history::Writer;
use super::sweep::{self, FinalRead};
use super::tally::Totals;
use super::workload::Plans;
use super::{Lookup, Targets};
use super::{closed, open};
use crate::backend::programs::Programs;
use crate::log::OrUnheard;
use crate::model::event::Teller;
use crate::model::op::{Cause, key_prefix};
use crate::model::{Nanos, Pacing};
use crate::spec::cache::Cache;
use crate::spec::scenario::{ClientKind, Load};
use crate::wake::wake_soon;

/// How long the group may take to tell a new client where its slots are.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long an adapter may take to greet, and to connect. On a busy machine an interpreter
/// loads its libraries for more than ten seconds.
const ADAPTER_PATIENCE: Duration = Duration::from_secs(30);
/// Tasks that run between two looks at sockets and timers: few, so that the
/// schedule's timer is not kept waiting by a burst of answers.
const EVENT_INTERVAL: u32 = 16;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("load `{load}` cannot begin: none of {seeds:?} told where its keys belong; {why}")]
    Unreachable { load: String, seeds: Vec<SocketAddr>, why: String },
    #[error(
        "load `{load}`: `client: redis-rs` is a cluster client, and group `{group}` is no cluster; \
         use `client: redrill`"
    )]
    NeedsCluster { load: String, group: String },
    #[error("load `{load}`: {source}")]
    Adapter { load: String, source: AdapterError },
    #[error("load `{load}`: nothing here runs its adapter; this is a bug in redrill")]
    NoPrograms { load: String },
    #[error("load `{load}`: key {key} could not be filled: {cause:?}")]
    Fill { load: String, key: u64, cause: Cause },
    #[error("load `{load}`: the machine gave no thread or timer: {source}")]
    Machine { load: String, source: io::Error },
    #[error("load `{load}` cannot {what}; this is a bug in redrill")]
    Order { load: String, what: &'static str },
    #[error("load `{load}` ended early; this is a bug in redrill")]
    Ended { load: String },
}

/// One running load. Dropping it stops it.
#[derive(Debug)]
pub struct LoadRunner {
    name: String,
    is_filled_by_another: bool,
    phase: Phase,
    orders: Option<mpsc::UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    Running,
    Stopped,
}

enum Order {
    Fill(oneshot::Sender<Result<u64, (u64, Cause)>>),
    Begin(Nanos),
    Stop(oneshot::Sender<io::Result<Totals>>),
    End(oneshot::Sender<()>),
    FinalRead(Nanos, oneshot::Sender<FinalRead>),
}

/// What a load's thread begins with.
struct Start {
    index: u8,
    load: Load,
    /// One for each of the load's groups.
    targets: Vec<Targets>,
    seed: u64,
    teller: Teller,
    history: Writer,
    programs: Option<Arc<Programs>>,
    application: Option<Application>,
}

impl LoadRunner {
    /// Starts the thread of load number `index` and connects it. Nothing is sent
    /// to any key yet.
    ///
    /// `targets` has one for each of the load's groups, in their order.
    /// `programs` runs the load's adapter, if it has one. `application` is what steps change of one
    /// that reads through a cache.
    ///
    /// Errors: no node of a group answers within 10 s, or the machine lacks something.
    pub async fn launch(
        index: u8,
        load: &Load,
        targets: Vec<Targets>,
        seed: u64,
        teller: Teller,
        history: Writer,
        (programs, application): (Option<Arc<Programs>>, Option<Application>),
    ) -> Result<LoadRunner, LoadError> {
        let name = load.name.clone();
        // Loads of one drill share its seed and should not do the same operations.
        let seed = seed.wrapping_add(u64::from(index) << 32);
        let load = load.clone();
        let is_filled_by_another = load.client.is_an_adapter() && load.cache.is_none();
        let start = Start { index, load, targets, seed, teller, history, programs, application };
        let (orders, received) = mpsc::unbounded_channel();
        let (ready, started) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(format!("load-{name}"))
            .spawn(move || thread_main(start, received, ready))
            .map_err(|source| LoadError::Machine { load: name.clone(), source })?;
        let (phase, orders, thread) = (Phase::Ready, Some(orders), Some(thread));
        let runner = LoadRunner { name, is_filled_by_another, phase, orders, thread };
        runner.answer(started).await??;
        Ok(runner)
    }

    /// Whether somebody else writes its keys before the load, because that is faster. Nobody knows
    /// in which form a library's cache has its copies.
    pub fn is_filled_by_another(&self) -> bool {
        self.is_filled_by_another
    }

    /// Writes every key once; how many there were. Errors: a key that could not
    /// be written for 10 s, or of which it is not known whether it was.
    pub async fn fill(&mut self) -> Result<u64, LoadError> {
        let filled = self.order(Order::Fill).await?;
        let load = self.name.clone();
        filled.map_err(|(key, cause)| LoadError::Fill { load, key, cause })
    }

    /// Operation 0 is intended at `at`. If that is past, the load catches up. A
    /// load begins once; its values would not be unique if it began again.
    pub fn begin(&mut self, at: Nanos) -> Result<(), LoadError> {
        if self.phase != Phase::Ready {
            return Err(LoadError::Order { load: self.name.clone(), what: "begin a second time" });
        }
        self.phase = Phase::Running;
        self.send(Order::Begin(at))
    }

    /// Stops the schedule now and waits for operations in flight, no longer than
    /// their time-out.
    pub async fn stop(&mut self) -> Result<Totals, LoadError> {
        if self.phase != Phase::Running {
            return Err(LoadError::Order { load: self.name.clone(), what: "stop before it runs" });
        }
        self.phase = Phase::Stopped;
        let stopped = self.order(Order::Stop).await?;
        stopped.map_err(|source| LoadError::Machine { load: self.name.clone(), source })
    }

    /// Its clients do what they do at the end: programs end, copies are compared with the origin.
    pub async fn end(&mut self) -> Result<(), LoadError> {
        self.order(Order::End).await
    }

    /// Reads every key once from its primary, trying again until `deadline`.
    pub async fn final_read(&mut self, deadline: Nanos) -> Result<FinalRead, LoadError> {
        self.order(|reply| Order::FinalRead(deadline, reply)).await
    }

    fn send(&self, order: Order) -> Result<(), LoadError> {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        if sent { Ok(()) } else { Err(self.ended()) }
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, LoadError> {
        let (reply, answer) = oneshot::channel();
        self.send(order(reply))?;
        self.answer(answer).await
    }

    async fn answer<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, LoadError> {
        answer.await.map_err(|_| self.ended())
    }

    fn ended(&self) -> LoadError {
        LoadError::Ended { load: self.name.clone() }
    }
}

impl Drop for LoadRunner {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            thread.join().or_unheard();
        }
    }
}

type Ready = oneshot::Sender<Result<(), LoadError>>;

fn thread_main(start: Start, orders: mpsc::UnboundedReceiver<Order>, ready: Ready) {
    wake_soon();
    let mut builder = Builder::new_current_thread();
    builder.enable_all().event_interval(EVENT_INTERVAL);
    match builder.build_local(LocalOptions::default()) {
        Ok(runtime) => runtime.block_on(connect(start, orders, ready)),
        Err(source) => {
            ready.send(Err(LoadError::Machine { load: start.load.name, source })).or_unheard();
        }
    }
}

async fn connect(start: Start, orders: mpsc::UnboundedReceiver<Order>, mut ready: Ready) {
    let load = start.load.clone();
    let unreachable = |(seeds, why)| LoadError::Unreachable { load: load.name.clone(), seeds, why };
    match &load.client {
        ClientKind::Redrill if load.near => {
            let (clock, options) = (start.teller.clock(), ClientOptions::of_load(&load));
            let clients = for_each_group(&start, async |instance, targets| {
                let keys = (key_prefix(&load.keyspace.name), CONNECT_PATIENCE);
                let client = Near::connect(targets, instance, clock, options, keys).await;
                client.map_err(|why| unreachable((targets.seeds.clone(), why)))
            });
            let clients = give_up_on(&mut ready, clients).await;
            serve(clients, start, orders, ready).await;
        }
        ClientKind::Redrill if let Some(cache) = &load.cache => {
            let clock = start.teller.clock();
            let application = application(&start, cache);
            let hosts = hosts(cache, clock);
            let of = Of { load: &load, cache, application: &application, hosts: &hosts };
            let of_each = async |instance| {
                let (clock, targets) = (start.teller.clock(), &start.targets);
                let clients =
                    Repository::connect(of, targets, instance, clock, CONNECT_PATIENCE).await;
                let seeds = || targets.iter().flat_map(|targets| targets.seeds.clone()).collect();
                clients.map_err(|why| unreachable((seeds(), why)))
            };
            let clients = try_join_all((0..load.instances).map(of_each));
            let clients = give_up_on(&mut ready, clients).await;
            serve(clients, start, orders, ready).await;
        }
        ClientKind::Redrill => {
            let (clock, options) = (start.teller.clock(), ClientOptions::of_load(&load));
            let clients = for_each_group(&start, async |instance, targets| {
                let client =
                    Front::connect(targets, instance, clock, options, CONNECT_PATIENCE).await;
                client.map_err(|why| unreachable((targets.seeds.clone(), why)))
            });
            let clients = give_up_on(&mut ready, clients).await;
            serve(clients, start, orders, ready).await;
        }
        ClientKind::RedisRs => {
            let clients = for_each_group(&start, async |_, targets| {
                if targets.lookup != Lookup::Cluster {
                    let group = load.groups.join("`, `");
                    return Err(LoadError::NeedsCluster { load: load.name.clone(), group });
                }
                let Targets { seeds, password, .. } = targets;
                let client =
                    Stock::connect(seeds, password.as_ref(), load.timeout, CONNECT_PATIENCE);
                let client = client.await;
                client.map_err(|why| unreachable((targets.seeds.clone(), why)))
            });
            let clients = give_up_on(&mut ready, clients).await;
            serve(clients, start, orders, ready).await;
        }
        ClientKind::Adapter { command } if let Some(cache) = &load.cache => {
            let application = application(&start, cache);
            let clients = for_each_group(&start, async |instance, targets| {
                let of = Of { load: &load, cache, application: &application, hosts: &[] };
                library(&start, (command, of), instance, targets).await
            });
            let clients = give_up_on(&mut ready, clients).await;
            serve(clients, start, orders, ready).await;
        }
        ClientKind::Adapter { command } if load.lock.is_some() => {
            let of_each = |instance| with_accounts(&start, command, instance);
            let clients = try_join_all((0..load.instances).map(of_each));
            let clients = give_up_on(&mut ready, clients).await;
            serve(clients, start, orders, ready).await;
        }
        ClientKind::Adapter { command } => {
            let clients = for_each_group(&start, async |instance, targets| {
                adapter(&start, command, (instance, None), slice::from_ref(targets)).await
            });
            let clients = give_up_on(&mut ready, clients).await;
            serve(clients, start, orders, ready).await;
        }
    }
}

/// The adapter of an instance, connected to the groups of `targets`.
async fn adapter(
    start: &Start,
    command: &[String],
    (instance, questions): (u16, Option<mpsc::UnboundedSender<Question>>),
    targets: &[Targets],
) -> Result<Rc<Adapter>, LoadError> {
    let name = || start.load.name.clone();
    let Some(programs) = start.programs.clone() else {
        return Err(LoadError::NoPrograms { load: name() });
    };
    let settings = Settings {
        index: start.index,
        instance: u32::from(instance),
        load: start.load.clone(),
        teller: start.teller.clone(),
        programs,
        patience: ADAPTER_PATIENCE,
        questions,
    };
    let adapter = Adapter::launch(command, targets, settings).await;
    adapter.map_err(|source| LoadError::Adapter { load: name(), source })
}

/// What steps change of the load's cache. Without a drill around it nobody does.
fn application(start: &Start, cache: &Cache) -> Application {
    let own = || Application::new(Origin::new(cache.origin, start.load.keys, start.seed));
    start.application.clone().unwrap_or_else(own)
}

/// The cache of an instance's adapter, connected to a group.
async fn library(
    start: &Start,
    (command, of): (&[String], Of<'_>),
    instance: u16,
    targets: &Targets,
) -> Result<Rc<Library>, LoadError> {
    let (ask, questions) = mpsc::unbounded_channel();
    let asks = (instance, Some(ask));
    let adapter = adapter(start, command, asks, slice::from_ref(targets)).await?;
    let library = Library::begin(of, adapter, questions, start.teller.clock());
    library.map_err(|why| {
        let load = start.load.name.clone();
        LoadError::Machine { load, source: io::Error::other(why) }
    })
}

/// For each group a client of an instance: an adapter takes locks on all groups that have them, and
/// redrill's own client has the accounts.
async fn with_accounts(
    start: &Start,
    command: &[String],
    instance: u16,
) -> Result<Vec<Rc<Beside>>, LoadError> {
    let Start { load, targets, teller, .. } = start;
    let Some(lock) = &load.lock else { return Ok(Vec::new()) };
    let (clock, options) = (teller.clock(), ClientOptions::of_load(load));
    let accounts = usize::from(lock.accounts());
    let at = &targets[accounts];
    let own = Front::connect(at, instance, clock, options, CONNECT_PATIENCE).await;
    let (name, seeds) = (load.name.clone(), at.seeds.clone());
    let own = own.map_err(|why| LoadError::Unreachable { load: name, seeds, why })?;
    let adapter = adapter(start, command, (instance, None), &targets[..lock.groups]).await?;
    let client = |group| {
        let adapter = (group == 0).then(|| adapter.clone());
        Rc::new(Beside { adapter, own: (group == accounts).then(|| own.clone()) })
    };
    Ok((0..targets.len()).map(client).collect())
}

/// For each instance a client for each group.
async fn for_each_group<C>(
    start: &Start,
    connect: impl AsyncFn(u16, &Targets) -> Result<Rc<C>, LoadError>,
) -> Result<Vec<Vec<Rc<C>>>, LoadError> {
    let connect = &connect;
    let each = async |instance| {
        try_join_all(start.targets.iter().map(|targets| connect(instance, targets))).await
    };
    try_join_all((0..start.load.instances).map(each)).await
}

/// Obeys orders until the handle is dropped. There are no clients if nobody waits for them.
async fn serve<C: Client>(
    clients: Option<Result<Vec<Vec<Rc<C>>>, LoadError>>,
    start: Start,
    mut orders: mpsc::UnboundedReceiver<Order>,
    ready: Ready,
) {
    let clients = match clients {
        Some(Ok(clients)) => clients,
        Some(Err(error)) => return ready.send(Err(error)).or_unheard(),
        None => return,
    };
    let Start { index, load, seed, teller, history, programs, .. } = start;
    // Two generators, so that the load does the same whether or not keys were filled.
    let mut filling = Plans::new(&load, !seed);
    let mut operations = Some(Plans::new(&load, seed));
    let part = |programs: Arc<Programs>| load.pausable().map(|name| programs.part(name)).collect();
    let paused: Vec<_> = programs.map(part).unwrap_or_default();
    let context = LoadContext::new(index, load, teller.clock(), clients, history);
    let context = Rc::new(match paused.is_empty() {
        true => context,
        false => context.pausable(paused),
    });
    let mut running = None;
    ready.send(Ok(())).or_unheard();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Fill(reply) => unless_dropped(reply, sweep::fill(&context, &mut filling)).await,
            Order::FinalRead(deadline, reply) => {
                unless_dropped(reply, sweep::read_all(&context, deadline)).await;
            }
            Order::Begin(at) => {
                if let Some(operations) = operations.take() {
                    context.begin();
                    let (stop, stopped) = oneshot::channel();
                    let (context, teller) = (context.clone(), teller.clone());
                    let run = match context.load.pacing {
                        Pacing::Open(rate) => tokio::task::spawn_local(open::run(
                            context,
                            operations,
                            (at, rate),
                            teller,
                            stopped,
                        )),
                        Pacing::Closed { think } => tokio::task::spawn_local(closed::run(
                            context,
                            operations,
                            (at, think),
                            teller,
                            stopped,
                        )),
                    };
                    running = Some((stop, run));
                }
            }
            Order::Stop(reply) => {
                let Some((stop, task)) = running.take() else { continue };
                stop.send(()).or_unheard();
                let ended = async {
                    let totals = task.await.unwrap_or_else(|e| Err(io::Error::other(e)));
                    context.flush();
                    totals
                };
                unless_dropped(reply, ended).await;
            }
            Order::End(reply) => {
                let ended = async {
                    context.end().await;
                    context.flush_all();
                };
                unless_dropped(reply, ended).await;
            }
        }
    }
}

/// Does `work` and answers with what it gives, unless nobody waits for that any more.
async fn unless_dropped<T>(mut reply: oneshot::Sender<T>, work: impl Future<Output = T>) {
    if let Some(done) = give_up_on(&mut reply, work).await {
        reply.send(done).or_unheard();
    }
}

/// Does `work`; `None` if whoever waits for `reply` has gone before it was done.
async fn give_up_on<T, R>(
    reply: &mut oneshot::Sender<R>,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = reply.closed() => None,
    }
}
