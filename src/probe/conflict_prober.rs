//! Writes one key in two groups at the same instant, again and again, and reads it in all groups
//! until they agree ([`Conflict`]).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join;
use redis::Cmd;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::blind_time::BlindTime;
use super::conflict::Conflict;
use super::servers::Servers;
use super::tied::{Tied, Writing};
use crate::model::Nanos;
use crate::model::event::{EventKind, Teller};
use crate::sync::functions::CONFLICT;
use crate::sync::shard::{Shard, Tag};
use crate::wake::Alarm;

/// How often a conflict begins.
const BEGIN_EVERY: Duration = Duration::from_millis(100);
/// In one of so many conflicts, one of the two groups deletes the key.
const DELETES_EVERY: usize = 4;
/// Conflicts that may be open at once; beyond that none begins.
const MOST_OPEN: usize = 256;
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long those that began last may take once none begins any more.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// What both groups write in the conflict of that number, the `turn`th of its pair and shard. The
/// groups take turns in deleting.
fn written(number: u64, turn: usize) -> [Option<u64>; 2] {
    let mut written = [Some(2 * number), Some(2 * number + 1)];
    if turn % DELETES_EVERY == DELETES_EVERY - 1 {
        written[turn / DELETES_EVERY % 2] = None;
    }
    written
}

/// All that is needed to make conflicts between groups that all take writes.
pub(super) struct Conflicts {
    groups: Vec<String>,
    shards: Vec<OfShard>,
    writing: Writing,
    /// Which groups write, in turns.
    pairs: Vec<[usize; 2]>,
    /// By their numbers.
    open: RefCell<BTreeMap<u64, Open>>,
    begun: Cell<u64>,
    told: RefCell<Vec<Told>>,
    every: Duration,
    teller: Teller,
    blind: Rc<RefCell<BlindTime>>,
}

/// What is of a shard.
struct OfShard {
    tag: Tag,
    /// By group.
    servers: Vec<Servers>,
    /// Keys whose conflicts are over, and how many there are in all.
    free: RefCell<Vec<u64>>,
    keys: Cell<u64>,
}

impl OfShard {
    fn name(&self, key: u64) -> String {
        format!("{CONFLICT}{}{key}", self.tag)
    }

    /// One that no open conflict has.
    fn key(&self) -> u64 {
        let fresh = || self.keys.replace(self.keys.get() + 1);
        self.free.borrow_mut().pop().unwrap_or_else(fresh)
    }
}

struct Open {
    pair: usize,
    shard: usize,
    key: u64,
    conflict: Conflict,
}

/// What came of the conflicts of a pair since it was told last.
#[derive(Default)]
struct Told {
    ended: Vec<Duration>,
    open: Vec<Duration>,
}

impl Conflicts {
    pub fn new(
        tied: &Tied,
        every: Duration,
        teller: Teller,
        blind: Rc<RefCell<BlindTime>>,
    ) -> Rc<Conflicts> {
        let groups: Vec<_> = tied.members.iter().map(|member| member.group.clone()).collect();
        let of_shard = |(at, shard): (usize, &Shard)| OfShard {
            tag: shard.tag.clone(),
            servers: Servers::of_shard(&tied.members, at, teller.clock()),
            free: RefCell::default(),
            keys: Cell::new(0),
        };
        let of = |one: usize| (one + 1..groups.len()).map(move |other| [one, other]);
        let pairs: Vec<[usize; 2]> = (0..groups.len()).flat_map(of).collect();
        let told = pairs.iter().map(|_| Told::default()).collect();
        Rc::new(Conflicts {
            groups,
            shards: tied.shards.iter().enumerate().map(of_shard).collect(),
            writing: tied.writing,
            pairs,
            open: RefCell::default(),
            begun: Cell::new(0),
            told: RefCell::new(told),
            every,
            teller,
            blind,
        })
    }

    fn now(&self) -> Nanos {
        self.teller.clock().now()
    }

    /// Makes conflicts until it is to stop, and then waits for the last ones.
    pub async fn run(self: Rc<Self>, stop: CancellationToken) -> io::Result<()> {
        let alarm = Alarm::new(self.teller.clock())?;
        tokio::task::spawn_local(self.clone().keep_reading(Alarm::new(self.teller.clock())?));
        let mut told = self.now();
        let mut due = told;
        loop {
            due = due + BEGIN_EVERY;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                woken = alarm.until(due) => woken?,
            }
            due = self.blind.borrow_mut().begins(due, self.now());
            if self.open.borrow().len() < MOST_OPEN {
                tokio::task::spawn_local(self.clone().begin(due));
            }
            if due.since(told) >= TELL_EVERY {
                told = due;
                self.tell();
            }
        }
        let enough = self.now() + LAST_LOOK;
        while !self.open.borrow().is_empty() && self.now() < enough {
            tokio::time::sleep(self.every).await;
        }
        self.end_all();
        self.tell();
        Ok(())
    }

    /// Writes in both groups of the pair whose turn it is, in the shard whose turn it is. If one of
    /// them is not acknowledged, nobody knows what its key will show, and it is never used again.
    async fn begin(self: Rc<Self>, due: Nanos) {
        let number = self.begun.replace(self.begun.get() + 1);
        let turn = number as usize;
        let (pair, shard) = (turn % self.pairs.len(), turn / self.pairs.len() % self.shards.len());
        let own = &self.shards[shard];
        let [one, other] = self.pairs[pair].map(|group| &own.servers[group]);
        if !one.is_ready(due) || !other.is_ready(due) {
            return;
        }
        let key = own.key();
        let written = written(number, turn / self.pairs.len() / self.shards.len());
        let writes = written.map(|value| self.writing.write(&own.name(key), value));
        let sent = self.now();
        let answers = join(one.ask::<()>(&writes[0]), other.ask::<()>(&writes[1])).await;
        let at = self.now();
        // Blind time in it would hide when the later one was acknowledged.
        let is_sharp = self.blind.borrow().blind(sent, at).is_zero();
        match answers {
            (Ok(()), Ok(())) if is_sharp => {
                let conflict = Conflict::new(self.groups.len(), written, at);
                self.open.borrow_mut().insert(number, Open { pair, shard, key, conflict });
            }
            (Ok(()), Ok(())) => own.free.borrow_mut().push(key),
            _ => {}
        }
    }

    /// Reads the keys of all open conflicts in all groups.
    async fn keep_reading(self: Rc<Self>, alarm: Alarm) {
        // Never in step with the writes: a conflict must end at any part of an interval.
        let every = self.every - self.every / 32;
        let mut due = self.now();
        loop {
            due = due + every;
            if let Err(error) = alarm.until(due).await {
                return warn!("no timer to read with: {error}");
            }
            due = self.blind.borrow_mut().begins(due, self.now());
            for (shard, own) in self.shards.iter().enumerate() {
                if !self.open.borrow().values().any(|open| open.shard == shard) {
                    continue;
                }
                for (group, _) in
                    own.servers.iter().enumerate().filter(|(_, one)| one.is_ready(due))
                {
                    tokio::task::spawn_local(self.clone().read(shard, group));
                }
            }
        }
    }

    async fn read(self: Rc<Self>, shard: usize, group: usize) {
        let own = &self.shards[shard];
        let (mut command, mut asked) = (Cmd::new(), Vec::new());
        command.arg("MGET");
        for (number, open) in self.open.borrow().iter().filter(|(_, open)| open.shard == shard) {
            command.arg(own.name(open.key));
            asked.push(*number);
        }
        let sent = self.now();
        let found: Result<Vec<Option<u64>>, _> = own.servers[group].ask(&command).await;
        let at = self.now();
        let Ok(found) = found else { return };
        let mut all = self.open.borrow_mut();
        for (number, value) in asked.into_iter().zip(found) {
            let Some(open) = all.get_mut(&number) else { continue };
            open.conflict.read(group, value, (sent, at), &self.blind.borrow());
            if let Some(took) = open.conflict.took().filter(|_| open.conflict.is_over()) {
                self.told.borrow_mut()[open.pair].ended.push(took);
                own.free.borrow_mut().push(open.key);
                all.remove(&number);
            }
        }
    }

    /// What is still open is told as it is.
    fn end_all(&self) {
        let now = self.now();
        for (_, open) in std::mem::take(&mut *self.open.borrow_mut()) {
            let told = &mut self.told.borrow_mut()[open.pair];
            match open.conflict.took() {
                Some(took) => told.ended.push(took),
                None => told.open.push(open.conflict.age(now)),
            }
        }
    }

    fn tell(&self) {
        let ns = |some: Vec<Duration>| some.into_iter().map(|one| one.as_nanos() as u64).collect();
        let servers = || self.shards.iter().flat_map(|shard| &shard.servers);
        let sent = || servers().map(Servers::take_sent).sum();
        for (pair, told) in self.pairs.iter().zip(self.told.borrow_mut().iter_mut()) {
            let between = pair.map(|group| self.groups[group].clone());
            let Told { ended, open } = std::mem::take(told);
            let (ended_ns, open_ns) = (ns(ended), ns(open));
            let sent = sent();
            self.teller.tell(EventKind::SyncConflicts { between, ended_ns, open_ns, sent });
        }
    }
}
