//! What locks a load takes, and what its clients do with them.

use std::time::Duration;

use super::decode::word_enum;
use crate::model::LockRules;

/// The locks of a load whose workload is `lock`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lock {
    pub kind: LockKind,
    /// The lease: a lock that is not given back is free again after so long.
    pub ttl: Duration,
    /// How long a holder works with each lock after reading its account, on average: from half of
    /// it to one and a half of it.
    pub hold: Duration,
    /// How long a client tries to get a lock.
    pub patience: Duration,
    /// Between two tries, at most; half of it at least.
    pub retry: Duration,
    /// How often a holder makes its lease begin anew; never if none.
    pub extend: Option<Duration>,
    /// The share of holders that never give it back, of one.
    pub abandon: f64,
    /// How many locks a session takes, one after the other.
    pub take: usize,
    /// What ends deadlocks of sessions that take several.
    pub deadlock: Deadlock,
    /// How many have a semaphore at once. One has any other lock.
    pub holders: u32,
    /// How a lock that is one key is compared with its holder's token.
    pub by: LockBy,
    /// By which commands; found out when the servers run, where `by` asks for commands.
    pub comparing: Option<Comparing>,
    /// On how many of the load's groups a lock is; redlock takes it on each of them, and so may a
    /// library.
    pub groups: usize,
    /// On how many of them a client must have got it.
    pub quorum: usize,
    /// The last of the load's groups has the accounts, and no locks. Else the first one has both.
    pub accounts_apart: bool,
}

impl Lock {
    /// A mutex with the defaults of everything else.
    pub fn new(kind: LockKind) -> Lock {
        Lock {
            kind,
            ttl: Duration::from_secs(2),
            hold: Duration::from_millis(5),
            patience: Duration::from_secs(5),
            retry: Duration::from_millis(10),
            extend: None,
            abandon: 0.0,
            take: 1,
            deadlock: Deadlock::Timeout,
            holders: 1,
            by: LockBy::Script,
            comparing: None,
            groups: 1,
            quorum: 1,
            accounts_apart: false,
        }
    }

    /// Which of the load's groups has the accounts.
    pub fn accounts(&self) -> u8 {
        if self.accounts_apart { self.groups as u8 } else { 0 }
    }

    /// On how many of the groups a client asks for a lock. A library asks its servers itself.
    pub fn asked(&self) -> usize {
        if self.kind == LockKind::Library { 1 } else { self.groups }
    }

    /// How many answers an acquisition needs, where there are so many locks.
    pub fn rules(&self, keys: u64) -> LockRules {
        let (servers, quorum) = (self.asked(), self.quorum.min(self.asked()));
        LockRules { servers, quorum, take: (self.take as u64).clamp(1, keys.max(1)) as usize }
    }

    /// Whether it may hand out numbers, of which the account refuses older ones. A library's may.
    pub fn fences(&self) -> bool {
        matches!(self.kind, LockKind::Fenced | LockKind::Library)
    }

    /// How much a lease may be shorter than it seems, because clocks do not run alike: the
    /// allowance of Redlock, <https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/>
    pub fn drift(&self) -> Duration {
        self.ttl / 100 + Duration::from_millis(2)
    }
}

word_enum! {
    /// How a lock is made.
    LockKind "kind of lock" {
        /// SET NX PX with the token of the session; a script that checks it gives the lock back.
        Mutex "mutex",
        /// The same; it counts as got when so many replicas have it (WAIT).
        MutexWait "mutex-wait",
        /// A mutex that hands out growing numbers; the account refuses a number that is older than
        /// one that it has seen.
        Fenced "fenced",
        /// The same key on several independent servers, of which a majority decides.
        Redlock "redlock",
        /// So many holders at once; one past them waits.
        Semaphore "semaphore",
        /// A writer alone, or several readers.
        ReadWrite "read-write",
        /// Waiters get it in the order in which they came, and are woken up.
        Fair "fair",
        /// As the library behind the load's adapter makes it.
        Library "library",
    }
}

word_enum! {
    /// How a lock that is one key is compared with its holder's token.
    LockBy "way to compare" {
        /// A script.
        Script "script",
        /// The newer servers' commands that compare.
        Command "command",
    }
}

/// Whose commands that compare a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparing {
    Redis,
    Valkey,
}

impl Comparing {
    pub const ALL: [Comparing; 2] = [Comparing::Redis, Comparing::Valkey];

    /// The command that deletes a key if it has a certain value.
    pub fn deletes(self) -> &'static str {
        match self {
            Comparing::Redis => "DELEX",
            Comparing::Valkey => "DELIFEQ",
        }
    }
}

word_enum! {
    /// What ends deadlocks of sessions that take several locks each.
    Deadlock "way with deadlocks" {
        /// Nothing but the clients' patience, and the leases.
        Timeout "timeout",
        /// The load looks for a cycle of sessions that wait for each other; the youngest one of it
        /// gives back what it has, and begins anew.
        Detect "detect",
        /// None can form: all sessions take their locks in the order of their numbers.
        Order "order",
    }
}
