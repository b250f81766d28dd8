//! The seam between the load and what it is put on: a [`Client`] does one
//! operation and says what came of it.
//!
//! `Fail` means that the server certainly did not do it, `Unknown` that it may
//! have, now or later. Checkers are only as right as this is.

pub mod adapter;
mod asked;
mod dial;
mod ear;
mod front;
mod learn;
mod link;
mod locked;
mod near;
mod node;
mod request;
mod routed;
mod stock;

use std::time::Duration;

use crate::load::workload::Doing;
use crate::model::Nanos;
use crate::model::op::{Action, Outcome, Redirects};
use crate::spec::scenario::{By, Load};

pub(crate) use asked::Asked;
pub(crate) use dial::{Tell, connect};
pub(crate) use ear::{Ear, Listener, Topic, try_resp3};
pub(crate) use front::Front;
pub(crate) use link::Link;
pub(crate) use near::Near;
pub(crate) use request::{Commands, Locked, Read, ReplyValue, Request, Then};
pub(crate) use request::{done, element, elements, number_of, of, script, set, value, with};
pub(crate) use stock::{Stock, cluster_client};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) redirects: Redirects,
    /// `ReplyValue::Done` unless it ended ok.
    pub(crate) told: ReplyValue,
    /// Who answered, if the client tells, as the history counts nodes.
    pub(crate) by: Option<u16>,
}

impl Answer {
    /// Of a client that tells neither of redirects nor who answered.
    pub(crate) fn of(outcome: Outcome) -> Answer {
        Answer { outcome, redirects: Redirects::default(), told: ReplyValue::Done, by: None }
    }
}

/// How patient a client is, and how eager.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientOptions {
    /// Of one operation.
    pub(crate) timeout: Duration,
    /// Of making a connection.
    pub(crate) connect: Duration,
    /// How often a request is sent again that was certainly not carried out.
    pub(crate) retries: u32,
    /// Connections to each node. One is both cheapest and fast enough: it batches what is sent in
    /// one go, and the server answers in order anyway. But WAIT holds a connection up, and WATCH is
    /// of a connection.
    pub(crate) lines: usize,
    /// Requests that may wait in a connection, so that handing one over never waits.
    pub(crate) room: usize,
    /// The longest pause between attempts to connect to a node that refuses.
    pub(crate) pause: Duration,
    /// The slot map is asked for no more often than this, however many ask for it.
    pub(crate) map_every: Duration,
    /// How long a node may take to give the map before another one is asked.
    pub(crate) map_patience: Duration,
}

impl ClientOptions {
    /// As an application would be configured.
    pub(crate) fn of_load(load: &Load) -> ClientOptions {
        ClientOptions {
            timeout: load.timeout,
            connect: load.connect_timeout,
            retries: load.retries,
            lines: match load.wait.is_some() || load.by == Some(By::Watch) {
                true => load.clients_of_each(),
                false => load.connections,
            } as usize,
            room: load.max_in_flight as usize,
            pause: Duration::from_millis(100),
            // More often than most libraries, so that little of an outage is the client's own.
            map_every: Duration::from_millis(20),
            map_patience: Duration::from_secs(1),
        }
    }
}

/// Something that a client did or saw for no operation.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) key: u64,
    pub(crate) action: Action,
    pub(crate) from: Nanos,
    pub(crate) to: Nanos,
    pub(crate) outcome: Outcome,
}

impl Noted {
    /// Something that ended ok.
    pub(crate) fn new(key: u64, action: Action, (from, to): (Nanos, Nanos)) -> Noted {
        Noted { key, action, from, to, outcome: Outcome::Ok }
    }
}

pub(crate) trait Client: 'static {
    /// An operation in the form in which it carries it out.
    type Form;

    /// The operation in that form.
    fn request(doing: Doing<'_>) -> Self::Form;

    /// Does one operation. Ends within the load's time-out, or a few
    /// milliseconds after it.
    async fn perform(&self, request: &Self::Form) -> Answer;

    /// Connections made again after a loss, so far.
    fn reconnects(&self) -> u64;

    /// What it did or saw by itself since the last call; with `last`, what goes on too.
    fn noted(&self, _last: bool) -> Vec<Noted> {
        Vec::new()
    }

    /// Finds out anew whom to ask. A replica answers reads, so nothing else shows that it was a
    /// primary once.
    async fn look_again(&self) {}

    /// The load begins.
    fn begin(&self) {}

    /// The load is stopped: nobody waits for longer than a time-out from now.
    fn stop(&self) {}

    /// No more will be asked for.
    async fn end(&self) {}
}
