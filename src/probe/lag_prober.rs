//! Writes in each group of a data set and reads in all others, at fixed instants, to tell how late
//! what is written in one is seen in the others ([`Lag`]).
//!
//! Both go to the servers themselves, as clients beside them would: no link lies between, so the
//! links that are felt are those of the replication.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use tokio::sync::oneshot;
use tracing::warn;

use super::blind_time::BlindTime;
use super::lag::{Lag, Told};
use crate::log::OrUnheard;
use crate::model::Nanos;
use crate::model::event::{EventKind, SyncPair, Teller};
use crate::node::{Admin, NodeError};
use crate::sync::functions;
use crate::wake::{Alarm, PromptThread};

/// Requests that may wait for one server; beyond that it is not asked.
const MOST_WAITING: usize = 64;
/// After an error the next node of the group is asked, so much later: most of the time the others
/// do not take writes at all.
const REST: Duration = Duration::from_millis(100);
/// How long a request may take. A link that is cut leaves the servers near.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long what was written last may take to be seen once nothing is written any more.
const LAST_LOOK: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long blind time is remembered: what waits for longer has a lag that hides it.
const MEMORY: Duration = Duration::from_secs(30);

/// Groups that have the same data.
pub struct Tied {
    /// By the names of the groups in `members`.
    pub pairs: Vec<SyncPair>,
    pub members: Vec<Member>,
    /// Replicators carry what is written, and know of it from an outbox.
    pub outbox: bool,
}

/// A group whose servers are written or read: its name, and how its nodes are asked.
pub struct Member {
    pub group: String,
    pub nodes: Vec<Admin>,
}

/// Measures until it is stopped. Dropping it stops it.
///
/// It emits `SyncPairs` once and `SyncLag` every second for each pair.
#[derive(Debug)]
pub struct LagProber {
    /// The thread ends when this is dropped, so it stands before the thread.
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<io::Result<()>>,
    thread: PromptThread,
}

impl LagProber {
    /// # Errors
    /// The machine gives no thread.
    pub fn launch(tied: Tied, every: Duration, teller: Teller) -> io::Result<LagProber> {
        teller.tell(EventKind::SyncPairs { pairs: tied.pairs.clone() });
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = PromptThread::spawn("lag", move |runtime| {
            let measured = runtime.and_then(|runtime| {
                runtime.block_on(Rounds::new(&tied, every, teller).run(stopped))
            });
            end.send(measured).or_unheard();
        })?;
        Ok(LagProber { stop, ended, thread })
    }

    /// Ends the writes, and waits until the last of them are seen: two seconds at most.
    ///
    /// # Errors
    /// The machine gave no timer, or the thread ended early, which is a bug.
    pub async fn stop(self) -> io::Result<()> {
        let LagProber { stop, ended, thread: _thread } = self;
        drop(stop);
        let early =
            |_| Err(io::Error::other("the probes of the lag ended early: a bug in redrill"));
        ended.await.unwrap_or_else(early)
    }
}

/// A group whose key is written. Other groups read it.
struct Source {
    servers: Servers,
    key: String,
    written: Cell<u64>,
    /// The pairs that it is the source of.
    pairs: Vec<usize>,
}

/// The reader of a pair.
struct Reader {
    servers: Servers,
    key: String,
    lag: RefCell<Lag>,
    sent: Cell<u64>,
}

/// The servers of a group, one of which is asked.
struct Servers {
    nodes: Vec<Admin>,
    asked: Cell<usize>,
    rests_until: Cell<Nanos>,
    waiting: Cell<usize>,
}

struct Rounds {
    sources: Vec<Source>,
    readers: Vec<Reader>,
    outbox: bool,
    every: Duration,
    teller: Teller,
    blind: RefCell<BlindTime>,
}

impl Servers {
    fn new(member: &Member) -> Servers {
        // Each its own connections: what others ask of a server must not delay this.
        let nodes = member.nodes.iter().map(|node| node.apart().routinely());
        let nodes = nodes.map(|node| node.with_timeout(PATIENCE)).collect();
        Servers {
            nodes,
            asked: Cell::new(0),
            rests_until: Cell::new(Nanos::ZERO),
            waiting: Cell::new(0),
        }
    }

    /// Whether one more may be sent.
    fn is_ready(&self, now: Nanos) -> bool {
        now >= self.rests_until.get() && self.waiting.get() < MOST_WAITING
    }

    async fn ask<T: FromRedisValue>(
        &self,
        command: &Cmd,
        clock: impl Fn() -> Nanos,
    ) -> Result<T, NodeError> {
        let asked = self.asked.get();
        self.waiting.set(self.waiting.get() + 1);
        let answer = self.nodes[asked].query(command).await;
        self.waiting.set(self.waiting.get() - 1);
        if answer.is_err() && self.asked.get() == asked {
            self.asked.set((asked + 1) % self.nodes.len());
            self.rests_until.set(clock() + REST);
        }
        answer
    }
}

impl Rounds {
    fn new(tied: &Tied, every: Duration, teller: Teller) -> Rc<Rounds> {
        let Tied { pairs, members, outbox } = tied;
        let key = |group: &str| format!("redrill:lag:{group}");
        let reader = |pair: &SyncPair| {
            let member = members.iter().find(|member| member.group == pair.to)?;
            let (lag, sent) = Default::default();
            Some(Reader { servers: Servers::new(member), key: key(&pair.from), lag, sent })
        };
        let source = |member: &Member| {
            let own = pairs.iter().enumerate().filter(|(_, pair)| pair.from == member.group);
            let pairs = own.map(|(index, _)| index).collect();
            let servers = Servers::new(member);
            Source { servers, key: key(&member.group), written: Cell::new(0), pairs }
        };
        Rc::new(Rounds {
            readers: pairs.iter().filter_map(reader).collect(),
            sources: members.iter().map(source).collect(),
            outbox: *outbox,
            every,
            teller,
            blind: RefCell::new(BlindTime::new(MEMORY)),
        })
    }

    fn now(&self) -> Nanos {
        self.teller.clock().now()
    }

    async fn run(self: Rc<Self>, mut stop: oneshot::Receiver<()>) -> io::Result<()> {
        let alarm = Alarm::new(self.teller.clock())?;
        tokio::task::spawn_local(self.clone().keep_reading(Alarm::new(self.teller.clock())?));
        let mut told = self.now();
        let mut due = told;
        loop {
            due = due + self.every;
            tokio::select! {
                biased;
                _ = &mut stop => break,
                woken = alarm.until(due) => woken?,
            }
            due = self.woke(due);
            self.each(&self.sources, |one| one.servers.is_ready(due), Rounds::write);
            if due.since(told) >= TELL_EVERY {
                told = due;
                self.tell();
            }
        }
        let enough = self.now() + LAST_LOOK;
        while self.is_waiting() && self.now() < enough {
            tokio::time::sleep(self.every).await;
        }
        let now = self.now();
        self.readers.iter().for_each(|reader| reader.lag.borrow_mut().interrupted(now));
        self.tell();
        Ok(())
    }

    /// Reads where a write is waited for.
    async fn keep_reading(self: Rc<Self>, alarm: Alarm) {
        // Never in step with the writes: a lag must end at any part of an interval.
        let every = self.every - self.every / 32;
        let mut due = self.now();
        loop {
            due = due + every;
            if let Err(error) = alarm.until(due).await {
                return warn!("no timer to read with: {error}");
            }
            due = self.woke(due);
            let wanted = |one: &Reader| one.lag.borrow().is_waiting() && one.servers.is_ready(due);
            self.each(&self.readers, wanted, Rounds::read);
        }
    }

    /// The tick that was due begins. If that is late, it was due now.
    fn woke(&self, due: Nanos) -> Nanos {
        let now = self.now();
        if self.blind.borrow_mut().woke(due, now) { now } else { due }
    }

    /// Sends what each of `all` has to send, and does not wait.
    fn each<T, F: Future<Output = ()> + 'static>(
        self: &Rc<Self>,
        all: &[T],
        wanted: impl Fn(&T) -> bool,
        send: fn(Rc<Rounds>, usize) -> F,
    ) {
        let wanted = all.iter().enumerate().filter(|(_, one)| wanted(one));
        wanted.for_each(|(index, _)| drop(tokio::task::spawn_local(send(self.clone(), index))));
    }

    fn is_waiting(&self) -> bool {
        self.readers.iter().any(|reader| reader.lag.borrow().is_waiting())
    }

    async fn write(self: Rc<Rounds>, index: usize) {
        let (source, sent) = (&self.sources[index], self.now());
        let number = source.written.get() + 1;
        source.written.set(number);
        let command = match self.outbox {
            true => functions::write("set", &source.key, number.to_string().as_bytes()),
            false => Cmd::set(&source.key, number),
        };
        let answer = source.servers.ask::<()>(&command, || self.now()).await;
        let (at, blind) = (self.now(), self.blind.borrow());
        for pair in &source.pairs {
            let reader = &self.readers[*pair];
            reader.sent.set(reader.sent.get() + 1);
            match &answer {
                Ok(()) => reader.lag.borrow_mut().acknowledged(number, (sent, at), &blind),
                Err(_) => reader.lag.borrow_mut().interrupted(at),
            }
        }
    }

    async fn read(self: Rc<Rounds>, index: usize) {
        let reader = &self.readers[index];
        reader.sent.set(reader.sent.get() + 1);
        let command = Cmd::get(&reader.key);
        if let Ok(number) = reader.servers.ask::<Option<u64>>(&command, || self.now()).await {
            let at = self.now();
            reader.lag.borrow_mut().read(number.unwrap_or(0), at, &self.blind.borrow());
        }
    }

    fn tell(&self) {
        let ns = |one: Duration| one.as_nanos() as u64;
        for (pair, reader) in self.readers.iter().enumerate() {
            let Told { lags, unseen } = reader.lag.borrow_mut().tell();
            let sent = reader.sent.take();
            let (since_ns, lags_ns) = lags.into_iter().map(|(at, lag)| (at.0, ns(lag))).unzip();
            let unseen_ns = unseen.into_iter().map(ns).collect();
            self.teller.tell(EventKind::SyncLag { pair, lags_ns, since_ns, unseen_ns, sent });
        }
    }
}
