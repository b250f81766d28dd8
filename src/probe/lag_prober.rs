//! Writes in each group of a data set and reads in all others, at fixed instants, to tell how late
//! what is written in one is seen in the others ([`Lag`]). In clusters the shards take turns.
//!
//! Both go to the servers themselves, as clients beside them would: no link lies between, so the
//! links that are felt are those of the replication. Where all groups take writes, [`Conflicts`]
//! are made beside it, and [`Samples`] of keys compared.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures::future::try_join3;
use redis::Cmd;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::blind_time::BlindTime;
use super::conflict_prober::Conflicts;
use super::lag::{Lag, Told};
use super::sample::Samples;
use super::servers::{Member, Servers};
use super::tied::{Tied, Writing};
use crate::log::OrUnheard;
use crate::model::Nanos;
use crate::model::event::{EventKind, SyncPair, Teller};
use crate::sync::term::STANDBY;
use crate::wake::{Alarm, PromptThread};

/// How long what was written last may take to be seen once nothing is written any more.
const LAST_LOOK: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long blind time is remembered: what waits for longer has a lag that hides it.
const MEMORY: Duration = Duration::from_secs(30);

/// Measures until it is stopped. Dropping it stops it.
///
/// It emits `SyncPairs` once and `SyncLag` every second for each pair, and `SyncConflicts` and
/// `SyncSampled` where all groups take writes.
#[derive(Debug)]
pub struct LagProber {
    /// The thread ends when this is dropped, so it stands before the thread.
    stop: DropGuard,
    ended: oneshot::Receiver<io::Result<()>>,
    thread: PromptThread,
}

impl LagProber {
    /// # Errors
    /// The machine gives no thread.
    pub fn launch(tied: Tied, every: Duration, teller: Teller) -> io::Result<LagProber> {
        teller.tell(EventKind::SyncPairs { pairs: tied.pairs.clone() });
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (end, ended) = oneshot::channel();
        let thread = PromptThread::spawn("lag", move |runtime| {
            let measured =
                runtime.and_then(|runtime| runtime.block_on(measure(tied, every, teller, stopped)));
            end.send(measured).or_unheard();
        })?;
        Ok(LagProber { stop: stop.drop_guard(), ended, thread })
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

async fn measure(
    tied: Tied,
    every: Duration,
    teller: Teller,
    stop: CancellationToken,
) -> io::Result<()> {
    let blind = Rc::new(RefCell::new(BlindTime::new(MEMORY)));
    let lags = Rounds::new(&tied, every, teller.clone(), blind.clone());
    let carried = lags.carried.clone();
    let lags = lags.run(stop.clone());
    if !tied.writing.is_by_all() {
        return lags.await;
    }
    let conflicts = Conflicts::new(&tied, every, teller.clone(), blind).run(stop.clone());
    let Tied { members, shards, sampled, .. } = tied;
    let samples = Samples::new(&members, shards, sampled, carried, teller).run(stop);
    try_join3(lags, conflicts, samples).await.map(drop)
}

/// A shard of a group whose key is written. Other groups read it.
struct Source {
    shard: usize,
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
}

struct Rounds {
    sources: Vec<Source>,
    /// Shards take turns.
    shards: usize,
    turn: Cell<usize>,
    readers: Vec<Reader>,
    writing: Writing,
    /// What was written before this instant, in any group, is there in all of them.
    carried: Rc<Cell<Nanos>>,
    every: Duration,
    teller: Teller,
    blind: Rc<RefCell<BlindTime>>,
}

impl Rounds {
    fn new(
        tied: &Tied,
        every: Duration,
        teller: Teller,
        blind: Rc<RefCell<BlindTime>>,
    ) -> Rc<Rounds> {
        let Tied { pairs, members, shards, writing, .. } = tied;
        let servers =
            |member: &Member, shard: usize| Servers::new(&member.shards[shard], teller.clock());
        let key = |group: &str, shard: usize| format!("redrill:lag:{}{group}", shards[shard].tag);
        let shard_of = |pair: &SyncPair| pair.shard.unwrap_or(0) as usize;
        let reader = |pair: &SyncPair| {
            let member = members.iter().find(|member| member.group == pair.to)?;
            let (lag, shard) = (RefCell::default(), shard_of(pair));
            Some(Reader { servers: servers(member, shard), key: key(&pair.from, shard), lag })
        };
        let source = |(member, shard): (&Member, usize)| {
            let is_own = |pair: &SyncPair| (&pair.from, shard_of(pair)) == (&member.group, shard);
            let own = pairs.iter().enumerate().filter(|(_, pair)| is_own(pair));
            let pairs = own.map(|(index, _)| index).collect();
            let (servers, written) = (servers(member, shard), Cell::new(0));
            Source { shard, servers, key: key(&member.group, shard), written, pairs }
        };
        let all = members.iter().flat_map(|one| (0..shards.len()).map(move |shard| (one, shard)));
        Rc::new(Rounds {
            readers: pairs.iter().filter_map(reader).collect(),
            sources: all.map(source).collect(),
            shards: shards.len(),
            turn: Cell::new(0),
            writing: *writing,
            carried: Rc::default(),
            every,
            teller,
            blind,
        })
    }

    fn now(&self) -> Nanos {
        self.teller.clock().now()
    }

    async fn run(self: Rc<Self>, stop: CancellationToken) -> io::Result<()> {
        let alarm = Alarm::new(self.teller.clock())?;
        tokio::task::spawn_local(self.clone().keep_reading(Alarm::new(self.teller.clock())?));
        let mut told = self.now();
        let mut due = told;
        loop {
            due = due + self.every;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                woken = alarm.until(due) => woken?,
            }
            due = self.blind.borrow_mut().begins(due, self.now());
            let turn = self.turn.replace((self.turn.get() + 1) % self.shards);
            let wanted = |one: &Source| one.shard == turn && one.servers.is_ready(due);
            self.each(&self.sources, wanted, Rounds::write);
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
            due = self.blind.borrow_mut().begins(due, self.now());
            let wanted = |one: &Reader| one.lag.borrow().is_waiting() && one.servers.is_ready(due);
            self.each(&self.readers, wanted, Rounds::read);
        }
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
        let command = self.writing.set(&source.key, number);
        let answer = source.servers.ask::<()>(&command).await;
        let (at, blind) = (self.now(), self.blind.borrow());
        for pair in &source.pairs {
            let reader = &self.readers[*pair];
            match &answer {
                Ok(()) => reader.lag.borrow_mut().acknowledged(number, (sent, at), &blind),
                // What it has acknowledged is still carried.
                Err(error) if error.code() == Some(STANDBY) => {}
                Err(_) => reader.lag.borrow_mut().interrupted(at),
            }
        }
    }

    async fn read(self: Rc<Rounds>, index: usize) {
        let (reader, sent) = (&self.readers[index], self.now());
        let command = Cmd::get(&reader.key);
        if let Ok(number) = reader.servers.ask::<Option<u64>>(&command).await {
            let (number, at) = (number.unwrap_or(0), self.now());
            reader.lag.borrow_mut().read(number, (sent, at), &self.blind.borrow());
            let carried = self.readers.iter().map(|reader| reader.lag.borrow().carried()).min();
            self.carried.set(carried.unwrap_or_default());
        }
    }

    fn tell(&self) {
        let ns = |one: Duration| one.as_nanos() as u64;
        let sources = || self.sources.iter().map(|source| source.servers.take_sent());
        for (pair, reader) in self.readers.iter().enumerate() {
            let Told { lags, unseen, hidden } = reader.lag.borrow_mut().tell();
            let sent = reader.servers.take_sent() + sources().sum::<u64>();
            // Of somebody else's replicator nobody knows whether it keeps the order of writes.
            let keeps_order = matches!(self.writing, Writing::Outbox | Writing::InTurn);
            let hidden = if keeps_order { hidden } else { Vec::new() };
            let (since_ns, lags_ns) = lags.into_iter().map(|(at, lag)| (at.0, ns(lag))).unzip();
            let unseen_ns = unseen.into_iter().map(ns).collect();
            let lags = EventKind::SyncLag { pair, lags_ns, since_ns, unseen_ns, hidden, sent };
            self.teller.tell(lags);
        }
    }
}
