//! The seam between the load and what it is put on: a [`Client`] does one
//! operation and says what came of it.
//!
//! `Fail` means that the server certainly did not do it, `Unknown` that it may
//! have, now or later. Checkers are only as right as this is.

mod error;
mod learn;
mod node;
mod routed;
mod slots;
mod stock;

use std::time::Duration;

use redis::Cmd;

use super::workload::{Plan, Values};
use crate::model::op::{Action, Outcome, Redirects, key_name};
use crate::model::slot::slot_of;

pub(crate) use node::{Link, connect};
pub(crate) use routed::Routed;
pub(crate) use stock::Stock;

/// One operation, as it is sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) slot: u16,
    pub(crate) command: Cmd,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) redirects: Redirects,
    /// What a read read; `None` if there was nothing.
    pub(crate) value: Option<u64>,
}

/// How patient a client is, and how eager.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Of one operation.
    pub(crate) timeout: Duration,
    /// Requests that may wait in a connection, so that handing one over never waits.
    pub(crate) room: usize,
    /// The longest pause between attempts to connect to a node that refuses.
    pub(crate) pause: Duration,
    /// The slot map is asked for no more often than this, however many ask for it.
    pub(crate) map_every: Duration,
    /// How long a node may take to give the map before another one is asked.
    pub(crate) map_patience: Duration,
}

impl Manner {
    /// As an application would be configured.
    pub(crate) fn of_load(timeout: Duration, room: usize) -> Manner {
        Manner {
            timeout,
            room,
            pause: Duration::from_millis(100),
            map_every: Duration::from_millis(100),
            map_patience: Duration::from_secs(1),
        }
    }
}

pub(crate) trait Client {
    /// Does one operation. Ends within the load's time-out, or a few
    /// milliseconds after it.
    async fn perform(&self, request: &Request) -> Answer;

    /// Connections made again after a loss, so far.
    fn reconnects(&self) -> u64;
}

impl Request {
    /// `plan` as a command of the load named `load`.
    pub(crate) fn new(load: &str, plan: &Plan, values: &mut Values) -> Request {
        let key = key_name(load, plan.key);
        let slot = slot_of(key.as_bytes());
        let command = match (plan.action, plan.value) {
            (Action::Write, Some(value)) => set(&key, values.text(value, plan.size)),
            _ => {
                let mut get = Cmd::with_capacity(2, key.len() + 3);
                get.arg("GET").arg(key.as_bytes());
                get
            }
        };
        Request { slot, command }
    }
}

pub(crate) fn set(key: &str, value: &[u8]) -> Cmd {
    let mut set = Cmd::with_capacity(3, key.len() + value.len() + 3);
    set.arg("SET").arg(key.as_bytes()).arg(value);
    set
}
