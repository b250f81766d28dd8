//! The servers of a shard, one of which is asked: who measures beside them need not know which one
//! is the primary.

use std::cell::Cell;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline};

use crate::model::{Clock, Nanos};
use crate::node::{Admin, NodeError};
use crate::sync::term::STANDBY;

/// Requests that may wait for one server; beyond that it is not asked.
const MOST_WAITING: usize = 64;
/// After an error the next node of the group is asked, so much later: most of the time the others
/// do not take writes at all.
const REST: Duration = Duration::from_millis(100);
/// How long a request may take. A link that is cut leaves the servers near.
const PATIENCE: Duration = Duration::from_secs(1);

/// A group whose servers are written or read: its name, and for each shard, how its nodes are
/// asked.
pub struct Member {
    pub group: String,
    pub shards: Vec<Vec<Admin>>,
}

pub(super) struct Servers {
    nodes: Vec<Admin>,
    asked: Cell<usize>,
    rests_until: Cell<Nanos>,
    waiting: Cell<usize>,
    sent: Cell<u64>,
    clock: Clock,
}

impl Servers {
    pub fn new(nodes: &[Admin], clock: Clock) -> Servers {
        // Each its own connections: what others ask of a server must not delay this.
        let nodes = nodes.iter().map(|node| node.apart().routinely());
        let nodes = nodes.map(|node| node.with_timeout(PATIENCE)).collect();
        Servers {
            nodes,
            asked: Cell::new(0),
            rests_until: Cell::new(Nanos::ZERO),
            waiting: Cell::new(0),
            sent: Cell::new(0),
            clock,
        }
    }

    /// Whether one more may be sent.
    pub fn is_ready(&self, now: Nanos) -> bool {
        now >= self.rests_until.get() && self.waiting.get() < MOST_WAITING
    }

    /// Of a shard of each group, in the order of the groups.
    pub fn of_shard(members: &[Member], shard: usize, clock: Clock) -> Vec<Servers> {
        members.iter().map(|member| Servers::new(&member.shards[shard], clock)).collect()
    }

    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, NodeError> {
        self.sending(1, async |node| node.query(command).await).await
    }

    pub async fn ask_all<T: FromRedisValue>(&self, all: &Pipeline) -> Result<T, NodeError> {
        self.sending(all.len() as u64, async |node| node.pipeline(all).await).await
    }

    async fn sending<T>(
        &self,
        requests: u64,
        send: impl AsyncFn(&Admin) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let asked = self.asked.get();
        self.sent.set(self.sent.get() + requests);
        self.waiting.set(self.waiting.get() + 1);
        let answer = send(&self.nodes[asked]).await;
        self.waiting.set(self.waiting.get() - 1);
        if let Err(error) = &answer
            && self.asked.get() == asked
        {
            // That one is the primary, and its group is not to be written now.
            if error.code() != Some(STANDBY) {
                self.asked.set((asked + 1) % self.nodes.len());
            }
            self.rests_until.set(self.clock.now() + REST);
        }
        answer
    }

    /// Requests since this was asked for last.
    pub fn take_sent(&self) -> u64 {
        self.sent.take()
    }
}
