//! Measures: named numbers with a unit.

use serde::{Deserialize, Serialize};

use super::workload::Workload;

/// What a measure's number counts. Times in reports are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    #[serde(rename = "ms")]
    Millis,
    Count,
    #[serde(rename = "/s")]
    PerSecond,
    #[serde(rename = "%")]
    Percent,
    Bytes,
    #[serde(rename = "bytes/s")]
    BytesPerSecond,
}

impl Unit {
    /// As report.json has it: `ms`, `count`, `/s`.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Millis => "ms",
            Unit::Count => "count",
            Unit::PerSecond => "/s",
            Unit::Percent => "%",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes/s",
        }
    }

    /// `value` as a person would write it: `412 ms`, `3,904/s`, `4.1 %`, `64.0 MB`.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Millis if value >= 10_000.0 => format!("{:.1} s", value / 1e3),
            Unit::Millis if value >= 100.0 => format!("{} ms", thousands(value)),
            Unit::Millis if value >= 10.0 => format!("{value:.1} ms"),
            Unit::Millis if value == 0.0 => "0 ms".to_owned(),
            Unit::Millis => format!("{value:.2} ms"),
            Unit::Count => thousands(value),
            Unit::PerSecond => format!("{}/s", thousands(value)),
            Unit::Percent if value.abs() < 0.05 => "0.0 %".to_owned(),
            Unit::Percent if value.abs() >= 1_000.0 => format!("{} %", thousands(value)),
            Unit::Percent => format!("{value:.1} %"),
            Unit::Bytes => bytes(value),
            Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        }
    }
}

/// `12345.6` as `12,346`.
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("-{text}") } else { text }
}

fn bytes(value: f64) -> String {
    let scaled =
        [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")].into_iter().find(|(k, _)| value.abs() >= *k);
    match scaled {
        Some((k, name)) => format!("{:.1} {name}", value / k),
        None => format!("{value:.0} B"),
    }
}

/// One figure of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Measure {
    /// `None` where the drill could not tell it (it ended too early, say).
    pub value: Option<f64>,
    pub unit: Unit,
}

impl Measure {
    pub fn new(value: f64, unit: Unit) -> Measure {
        Measure { value: Some(value), unit }
    }

    pub fn show(&self) -> String {
        self.value.map_or_else(|| "unknown".to_owned(), |value| self.unit.show(value))
    }
}

/// What a scenario must have for a measure to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    Load,
    /// At least one step in the timeline.
    Step,
    /// A load, and at least one step for it to have a `during` and an `after`.
    LoadAndStep,
    /// At least one step that moves slots.
    Reshard,
    /// At least one step that does something to nodes.
    Failover,
    /// A load on registers: `register` or `cas`.
    Registers,
    /// The same, and a step that does something to nodes.
    RegistersAndFault,
    /// A load of this workload.
    Workload(Workload),
    /// A load that waits for replicas.
    Wait,
}

/// An entry of the catalogue: what can be expected, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub name: &'static str,
    pub unit: Unit,
    pub needs: Needs,
    pub about: &'static str,
}

/// Every measure that redrill knows. `docs/measures.md` tells each at length.
pub const CATALOGUE: &[Known] = {
    use super::Workload as W;
    use Needs::*;
    use Unit::*;
    const fn known(name: &'static str, unit: Unit, needs: Needs, about: &'static str) -> Known {
        Known { name, unit, needs, about }
    }
    &[
        known(
            "ready.time",
            Millis,
            Nothing,
            "from nothing to a topology that is ready: all nodes agree, replicas linked",
        ),
        known("downtime.write.max", Millis, Nothing, "the longest outage of any canary for writes"),
        known(
            "downtime.write.total",
            Millis,
            Nothing,
            "all write outages of the worst canary together",
        ),
        known("downtime.read.max", Millis, Nothing, "the longest outage of any canary for reads"),
        known(
            "downtime.read.total",
            Millis,
            Nothing,
            "all read outages of the worst canary together",
        ),
        known("writes.acknowledged", Count, Registers, "writes that a server acknowledged"),
        known(
            "writes.lost",
            Count,
            Registers,
            "acknowledged writes that the final state contradicts",
        ),
        known(
            "writes.lost.wrong_side",
            Count,
            RegistersAndFault,
            "lost writes that were acknowledged on a side that lost",
        ),
        known(
            "writes.under_replicated",
            Count,
            Wait,
            "changes that had reached too few replicas when their wait was over",
        ),
        known(
            "rpo",
            Millis,
            RegistersAndFault,
            "how long before the next fault the oldest lost write had been acknowledged",
        ),
        known(
            "reads.stale",
            Count,
            Registers,
            "reads that missed a write acknowledged before they began",
        ),
        known(
            "reads.stale.age.max",
            Millis,
            Registers,
            "the oldest stale read: how long ago what it missed had been acknowledged",
        ),
        known(
            "reads.own_missed",
            Count,
            Registers,
            "reads that missed a write that the same client had made before",
        ),
        known(
            "reads.not_monotonic",
            Count,
            Registers,
            "reads of something older than the same client had read before",
        ),
        known(
            "keys.not_linearizable",
            Count,
            Registers,
            "keys whose operations no single order explains",
        ),
        known(
            "counter.acknowledged",
            Count,
            Needs::Workload(W::Counter),
            "increments that a server acknowledged",
        ),
        known(
            "counter.wrong",
            Count,
            Needs::Workload(W::Counter),
            "all that is wrong with counters: the next four together",
        ),
        known(
            "counter.lost",
            Count,
            Needs::Workload(W::Counter),
            "acknowledged increments that final totals lack",
        ),
        known(
            "counter.surplus",
            Count,
            Needs::Workload(W::Counter),
            "by how much final totals are above all that can have been counted",
        ),
        known(
            "counter.repeated",
            Count,
            Needs::Workload(W::Counter),
            "increments that came to a total to which another one had come",
        ),
        known(
            "counter.impossible",
            Count,
            Needs::Workload(W::Counter),
            "totals told during the load that nothing explains",
        ),
        known(
            "set.acknowledged",
            Count,
            Needs::Workload(W::Set),
            "elements whose adding a server acknowledged",
        ),
        known(
            "set.wrong",
            Count,
            Needs::Workload(W::Set),
            "all that is wrong with sets: the next three together",
        ),
        known(
            "set.lost",
            Count,
            Needs::Workload(W::Set),
            "acknowledged elements that are not there at the end",
        ),
        known(
            "set.unexpected",
            Count,
            Needs::Workload(W::Set),
            "elements at the end that nobody can have added",
        ),
        known(
            "set.duplicated",
            Count,
            Needs::Workload(W::Set),
            "elements that stand there more than once",
        ),
        known(
            "set.recovered",
            Count,
            Needs::Workload(W::Set),
            "elements of which nobody knew whether they had been added, and that are there",
        ),
        known(
            "queue.acknowledged",
            Count,
            Needs::Workload(W::Queue),
            "elements that a server acknowledged to have put in",
        ),
        known(
            "queue.wrong",
            Count,
            Needs::Workload(W::Queue),
            "all that is wrong with queues: lost, unexpected, delivered again",
        ),
        known(
            "queue.lost",
            Count,
            Needs::Workload(W::Queue),
            "acknowledged elements that never came out",
        ),
        known(
            "queue.unexpected",
            Count,
            Needs::Workload(W::Queue),
            "elements that came out and that nobody can have put in",
        ),
        known(
            "queue.repeated",
            Count,
            Needs::Workload(W::Queue),
            "deliveries of an element beyond its first",
        ),
        known(
            "queue.recovered",
            Count,
            Needs::Workload(W::Queue),
            "elements of which nobody knew whether they had gone in, and that came out",
        ),
        known(
            "stream.acknowledged",
            Count,
            Needs::Workload(W::Stream),
            "elements that a server acknowledged to have put in",
        ),
        known(
            "stream.wrong",
            Count,
            Needs::Workload(W::Stream),
            "all that is wrong with streams: lost, unexpected, delivered after an XACK",
        ),
        known(
            "stream.lost",
            Count,
            Needs::Workload(W::Stream),
            "acknowledged elements that never came out",
        ),
        known(
            "stream.unexpected",
            Count,
            Needs::Workload(W::Stream),
            "elements that came out and that nobody can have put in",
        ),
        known(
            "stream.repeated",
            Count,
            Needs::Workload(W::Stream),
            "deliveries of an element beyond its first",
        ),
        known(
            "stream.after_ack",
            Count,
            Needs::Workload(W::Stream),
            "deliveries sent after the element had been dealt with (XACK)",
        ),
        known(
            "stream.recovered",
            Count,
            Needs::Workload(W::Stream),
            "elements of which nobody knew whether they had gone in, and that came out",
        ),
        known("latency.p50.before", Millis, Load, "median latency before the first step"),
        known(
            "latency.p50.during",
            Millis,
            LoadAndStep,
            "median latency from the first step's start until convergence",
        ),
        known("latency.p50.after", Millis, LoadAndStep, "median latency after convergence"),
        known(
            "latency.p99.before",
            Millis,
            Load,
            "99th percentile of latency before the first step",
        ),
        known(
            "latency.p99.during",
            Millis,
            LoadAndStep,
            "99th percentile from the first step's start until convergence",
        ),
        known("latency.p99.after", Millis, LoadAndStep, "99th percentile after convergence"),
        known(
            "latency.p99.worst",
            Millis,
            Load,
            "the highest 99th percentile of any 1 s window during the steps",
        ),
        known(
            "latency.p99.degradation",
            Percent,
            LoadAndStep,
            "the worst 1 s window's p99 during the steps, over the p99 before them",
        ),
        known("latency.max.during", Millis, LoadAndStep, "the slowest operation during the steps"),
        known(
            "throughput.before",
            PerSecond,
            Load,
            "operations answered a second before the first step",
        ),
        known(
            "throughput.during",
            PerSecond,
            LoadAndStep,
            "operations answered a second during the steps",
        ),
        known(
            "throughput.after",
            PerSecond,
            LoadAndStep,
            "operations answered a second after convergence",
        ),
        known(
            "throughput.degradation",
            Percent,
            LoadAndStep,
            "how far the worst 1 s window's throughput fell below the one before the steps",
        ),
        known("schedule.held", Percent, Load, "operations sent, of those the schedule asked for"),
        known(
            "schedule.late.p99",
            Millis,
            Load,
            "99th percentile of how late redrill itself was to send an operation",
        ),
        known("errors.total", Count, Load, "operations that did not end ok"),
        known("errors.fail", Count, Load, "operations that the server certainly did not do"),
        known("errors.unknown", Count, Load, "operations that may or may not have been done"),
        known("errors.share", Percent, Load, "operations that did not end ok, of all"),
        known("redirects.moved", Count, Load, "MOVED answers that clients followed"),
        known("redirects.ask", Count, Load, "ASK answers that clients followed"),
        known("redirects.tryagain", Count, Load, "TRYAGAIN answers that clients waited out"),
        known(
            "convergence.view",
            Millis,
            Step,
            "from a step's start until all nodes agree on owners and roles, the longest",
        ),
        known(
            "convergence",
            Millis,
            Step,
            "until all nodes agree on owners and roles and every replica's link is up",
        ),
        known(
            "failover.detect",
            Millis,
            Failover,
            "from the fault until a node or a sentinel suspects the primary (PFAIL), the longest",
        ),
        known(
            "failover.agree",
            Millis,
            Failover,
            "from then until a majority does, or a quorum of sentinels (FAIL)",
        ),
        known("failover.elect", Millis, Failover, "from then until a replica is elected"),
        known(
            "failover.propagate",
            Millis,
            Failover,
            "from the election until all live nodes name the new primary",
        ),
        known(
            "failover.reconnect",
            Millis,
            Failover,
            "from the election until a write to the shard succeeds",
        ),
        known("failover.served", Millis, Failover, "from the fault until a write succeeds"),
        known(
            "failover.redundant",
            Millis,
            Failover,
            "from the fault until the shard has a linked replica again",
        ),
        known("reshard.duration", Millis, Reshard, "time that moving slots took"),
        known("reshard.slots", Count, Reshard, "slots moved"),
        known("reshard.slots.rate", PerSecond, Reshard, "slots moved a second"),
        known("reshard.keys", Count, Reshard, "keys moved"),
        known("reshard.keys.rate", PerSecond, Reshard, "keys moved a second"),
        known(
            "servers.waited.max",
            Percent,
            Nothing,
            "the most of a second that a server stood ready with no processor free for it",
        ),
        known("redrill.cpu", Percent, Nothing, "redrill's own share of one core, on average"),
        known("redrill.memory.max", Bytes, Nothing, "redrill's own resident memory at its highest"),
    ]
};

/// The catalogue's entry for `name`.
pub fn known(name: &str) -> Option<&'static Known> {
    CATALOGUE.iter().find(|known| known.name == name)
}
