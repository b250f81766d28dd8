//! Jobs: slot migrations that servers carry out themselves, all slots of a job at once.
//!
//! Valkey 9 has `CLUSTER MIGRATESLOTS`, which is sent to the source. Redis 8.4 has `CLUSTER
//! MIGRATION IMPORT`, which is sent to the target. The source goes on serving while keys are
//! copied, and all slots change their owner at once. A job that fails leaves the slots where
//! they were.
//!
//! <https://valkey.io/topics/atomic-slot-migration>,
//! <https://redis.io/docs/latest/commands/cluster-migration/>

use std::collections::{BTreeSet, HashMap};

use redis::{Cmd, Value};

use super::layout::Member;
use crate::model::slot::SlotSet;
use crate::node::{Admin, NodeError, Problem};

/// Which server's commands are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Valkey,
    Redis,
}

/// Whether the server carries out another job.
pub fn is_busy(error: &NodeError) -> bool {
    let busy = |why: &redis::RedisError| why.to_string().contains("already in progress");
    matches!(&*error.problem, Problem::Refused(why) if busy(why))
}

impl Dialect {
    /// How many jobs there may be at once.
    pub fn at_once(self) -> usize {
        match self {
            Dialect::Valkey => usize::MAX,
            Dialect::Redis => 1,
        }
    }

    /// The kind of jobs that the server offers, by its own list of commands; `None` without
    /// such jobs.
    pub async fn of(admin: &Admin) -> Result<Option<Dialect>, NodeError> {
        let mut about = redis::cmd("COMMAND");
        about.arg("INFO").arg("cluster|migrateslots").arg("cluster|migration");
        let known: Vec<Value> = admin.query(&about).await?;
        let knows = |i: usize| known.get(i).is_some_and(|about| *about != Value::Nil);
        Ok(match (knows(0), knows(1)) {
            (true, _) => Some(Dialect::Valkey),
            (_, true) => Some(Dialect::Redis),
            _ => None,
        })
    }
}

/// A job that was ordered.
pub struct Job<'a> {
    dialect: Dialect,
    from: &'a Member,
    to: &'a Member,
    /// The job's name. Redis returns it. Valkey does not: there it is the job that was not
    /// listed before.
    name: Option<String>,
    before: BTreeSet<String>,
}

/// The state of a job as a server reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    name: String,
    target: String,
    /// The server's own term: `snapshotting`, `success`, …
    pub state_text: String,
    pub message: String,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    UnderWay,
    Done,
    Cancelled,
    Failed,
}

impl Status {
    pub fn state(&self) -> JobState {
        match self.state_text.as_str() {
            "success" | "completed" => JobState::Done,
            "cancelled" | "canceled" => JobState::Cancelled,
            "failed" => JobState::Failed,
            _ => JobState::UnderWay,
        }
    }
}

impl<'a> Job<'a> {
    pub async fn order(
        dialect: Dialect,
        from: &'a Member,
        to: &'a Member,
        slots: &SlotSet,
    ) -> Result<Job<'a>, NodeError> {
        let ends = slots.ranges().iter().flat_map(|range| [*range.start(), *range.end()]);
        let ends: Vec<u16> = ends.collect();
        let mut job = Job { dialect, from, to, name: None, before: BTreeSet::new() };
        match dialect {
            Dialect::Valkey => {
                job.before = job.all().await?.into_iter().map(|status| status.name).collect();
                let mut order = cluster("MIGRATESLOTS");
                order.arg("SLOTSRANGE").arg(ends).arg("NODE").arg(to.id());
                from.node.admin.query::<()>(&order).await?;
            }
            Dialect::Redis => {
                let mut order = cluster("MIGRATION");
                job.name = Some(to.node.admin.query(order.arg("IMPORT").arg(ends)).await?);
            }
        }
        Ok(job)
    }

    /// The job's state at the server that carries it out; `None` if it knows no such job.
    pub async fn look(&self) -> Result<Option<Status>, NodeError> {
        let own = |status: &Status| match &self.name {
            Some(name) => status.name == *name,
            None => status.target == self.to.id() && !self.before.contains(&status.name),
        };
        Ok(self.all().await?.into_iter().find(own))
    }

    /// The state of the target's part in the job of `status`.
    pub async fn look_at_target(&self, status: &Status) -> Result<Option<Status>, NodeError> {
        let told = self.ask(&self.to.node.admin).await?;
        Ok(told.into_iter().find(|one| one.name == status.name))
    }

    pub async fn cancel(&self) -> Result<(), NodeError> {
        let mut order = match self.dialect {
            Dialect::Valkey => cluster("CANCELSLOTMIGRATIONS"),
            Dialect::Redis => cluster("MIGRATION"),
        };
        if self.dialect == Dialect::Redis {
            order.arg("CANCEL").arg("ID").arg(&self.name);
        }
        self.carrier().query(&order).await
    }

    /// The server that carries it out.
    fn carrier(&self) -> &Admin {
        match self.dialect {
            Dialect::Valkey => &self.from.node.admin,
            Dialect::Redis => &self.to.node.admin,
        }
    }

    async fn all(&self) -> Result<Vec<Status>, NodeError> {
        self.ask(self.carrier()).await
    }

    async fn ask(&self, admin: &Admin) -> Result<Vec<Status>, NodeError> {
        let told: Vec<Value> = match self.dialect {
            Dialect::Valkey => admin.query(&cluster("GETSLOTMIGRATIONS")).await?,
            Dialect::Redis => admin.query(cluster("MIGRATION").arg("STATUS").arg("ALL")).await?,
        };
        Ok(told.into_iter().filter_map(status).collect())
    }
}

fn cluster(subcommand: &str) -> Cmd {
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg(subcommand);
    cmd
}

/// Reads one job. Its fields come as a map or as a list of names and values, and some names
/// differ between the two servers.
fn status(told: Value) -> Option<Status> {
    let text = |value: Value| redis::from_redis_value::<String>(value).ok();
    let fields: Vec<(Value, Value)> = match told {
        Value::Map(fields) => fields,
        Value::Array(list) => {
            let mut list = list.into_iter();
            std::iter::from_fn(|| Some((list.next()?, list.next()?))).collect()
        }
        _ => return None,
    };
    let mut fields: HashMap<String, String> =
        fields.into_iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    let mut either = |one: &str, other: &str| fields.remove(one).or_else(|| fields.remove(other));
    Some(Status {
        name: either("name", "id")?,
        target: either("target_node", "dest")?,
        state_text: either("state", "state")?,
        message: either("message", "last_error").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(fields: &[&str]) -> Value {
        Value::Array(fields.iter().map(|f| Value::BulkString(f.as_bytes().to_vec())).collect())
    }

    #[test]
    fn both_servers_jobs_are_read() {
        // As Valkey 9.1.2 and Redis 8.6.3 answered.
        let valkey = list(&[
            "name",
            "121a",
            "operation",
            "EXPORT",
            "slot_ranges",
            "0-1819 2010-2010",
            "target_node",
            "af17",
            "source_node",
            "81bf",
            "state",
            "waiting-to-snapshot",
            "message",
            "",
        ]);
        let status = super::status(valkey).unwrap();
        assert_eq!((&*status.name, &*status.target), ("121a", "af17"));
        assert_eq!(status.state(), JobState::UnderWay);
        let redis = list(&[
            "id",
            "24cf",
            "slots",
            "0-1000",
            "source",
            "a",
            "dest",
            "b",
            "operation",
            "migrate",
            "state",
            "completed",
            "last_error",
            "",
            "retries",
            "0",
        ]);
        let status = super::status(redis).unwrap();
        assert_eq!((&*status.name, &*status.target), ("24cf", "b"));
        assert_eq!(status.state(), JobState::Done);
        assert_eq!(super::status(Value::Nil), None);
    }
}
