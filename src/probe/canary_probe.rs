//! One canary: its requests, the values it may hold, and when it was out of service.

use std::rc::Rc;
use std::time::Duration;

use super::blind_time::BlindTime;
use super::counter::{Counter, ReadStart, WriteStart};
use super::outage::{Change, ProbeResult, Track};
use crate::load::client::{self, Front, Request};
use crate::load::workload::Values;
use crate::model::Nanos;
use crate::model::event::{Canary, EventKind};
use crate::model::op::{Access, Cause, Outcome};
use crate::sync::functions;

pub(super) struct CanaryProbe {
    canary: Canary,
    clients: Clients,
    counter: Counter,
    writes: ActionProbes,
    reads: ActionProbes,
    /// A read was not answered. From then on writes go the way of the reads, behind them:
    /// on a connection of their own they might overwrite what a server has lost before it is read.
    reads_fail: bool,
}

/// Each with connections of its own. A server that pauses writes goes on with reads, but a read
/// waits behind a write on the same connection.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) reads: Rc<Front>,
    pub(super) writes: Rc<Front>,
}

/// The probes of one canary by one action (read or write).
#[derive(Default)]
struct ActionProbes {
    track: Track,
    /// All blind time before the last outage began.
    blind_before: Duration,
}

/// The state at the start of a probe, by which its answer is judged.
#[derive(Clone, Copy)]
pub(super) enum ProbeStart {
    Write(WriteStart),
    Read(ReadStart),
}

impl CanaryProbe {
    pub(super) fn new(canary: Canary, clients: Clients) -> CanaryProbe {
        let (counter, writes, reads) = Default::default();
        CanaryProbe { canary, clients, counter, writes, reads, reads_fail: false }
    }

    /// Whether a read was not answered so far.
    pub(super) fn reads_fail(&self) -> bool {
        self.reads_fail
    }

    fn probes(&mut self, action: Access) -> &mut ActionProbes {
        match action {
            Access::Write => &mut self.writes,
            Access::Read => &mut self.reads,
        }
    }

    /// Begins a probe that is intended at `due`. Returns its number, and how many are waiting
    /// with it.
    pub(super) fn begin(&mut self, action: Access, due: Nanos) -> (u64, usize) {
        let track = &mut self.probes(action).track;
        (track.begin(due), track.waiting())
    }

    /// What to send, and through which client.
    pub(super) fn ask(
        &mut self,
        action: Access,
        values: &mut Values,
    ) -> (Rc<Front>, Request, ProbeStart) {
        let CanaryProbe { canary, clients, counter, reads_fail, .. } = self;
        let (client, asked, command, read): (_, _, _, client::Read) = match action {
            Access::Write => {
                let ticket = counter.write();
                let value = values.text(ticket.value, 0);
                let command = match clients.writes.has_outbox() {
                    true => functions::write("set", &canary.key, value),
                    false => client::set(&canary.key, value),
                };
                let client = if *reads_fail { &clients.reads } else { &clients.writes };
                (client, ProbeStart::Write(ticket), command, client::done)
            }
            Access::Read => {
                let command = client::of("GET", &canary.key);
                (&clients.reads, ProbeStart::Read(counter.read()), command, client::value)
            }
        };
        let request = Request { slot: canary.slot, commands: command.into(), read, wait: None };
        (client.clone(), request, asked)
    }

    /// Whether a good answer carried a right value.
    pub(super) fn is_right(&self, asked: ProbeStart, value: Option<u64>) -> bool {
        match asked {
            ProbeStart::Read(glance) => self.counter.is_right(glance, value),
            ProbeStart::Write(_) => true,
        }
    }

    /// Records the outcome of a write.
    pub(super) fn learn(&mut self, asked: ProbeStart, outcome: Outcome) {
        let ProbeStart::Write(ticket) = asked else { return };
        match outcome {
            Outcome::Ok => self.counter.acknowledged(ticket),
            Outcome::Fail(_) => self.counter.refused(ticket),
            Outcome::Unknown(_) => self.counter.unknown(ticket),
        }
    }

    /// Records the result of probe `number` and returns the events that follow from it. `canary`
    /// is this canary's number.
    pub(super) fn conclude(
        &mut self,
        canary: usize,
        (action, number): (Access, u64),
        result: ProbeResult,
        blind_time: &BlindTime,
    ) -> Vec<EventKind> {
        let is_answer = matches!(result, ProbeResult::Good(_) | ProbeResult::Bad(Cause::DataLoss));
        let is_failed = !is_answer && !matches!(result, ProbeResult::Void);
        self.reads_fail |= action == Access::Read && is_failed;
        let probes = self.probes(action);
        let changes = probes.track.end(number, result);
        let told = changes.into_iter().map(|change| match change {
            Change::Began { from, cause } => {
                probes.blind_before = blind_time.until(from);
                EventKind::OutageBegan { canary, action, from, cause }
            }
            Change::Ended { from, to } => {
                let blind = blind_time.until(to).saturating_sub(probes.blind_before);
                let blind_ns = blind.as_nanos() as u64;
                EventKind::OutageEnded { canary, action, from, to, blind_ns }
            }
        });
        told.collect()
    }
}
