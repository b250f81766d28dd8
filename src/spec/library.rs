//! The ready topologies and scenarios, which are compiled into the binary.

use super::source::Source;
use super::tree;
use super::{Diagnostics, FileKind, nearest};

/// A file that comes with redrill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    pub kind: FileKind,
    /// Its name: that of the file without `.yaml`.
    pub name: &'static str,
    /// The YAML text.
    pub text: &'static str,
}

macro_rules! ready {
    ($kind:ident $folder:literal: $($name:literal)*) => {
        &[$(Ready {
            kind: FileKind::$kind,
            name: $name,
            text: include_str!(concat!("../../", $folder, "/", $name, ".yaml")),
        }),*]
    };
}

const TOPOLOGIES: &[Ready] = ready!(Topology "topologies":
    "standalone" "replication-1x2" "sentinel-1x2" "cluster-3x0" "cluster-3x1" "cluster-6x1" "cluster-10x2"
    "two-regions" "stretched-2r" "standby-2r" "active-active-2r" "active-active-3r"
    "cluster-active-active-2r" "cluster-standby-2r" "locks-1x0" "locks-1x2" "redlock-5"
    "locks-mixed" "caches" "bounded");

const SCENARIOS: &[Ready] = ready!(Scenario "scenarios":
    "cluster-reshard" "cluster-drain" "cluster-rebalance" "steady-state"
    "primary-kill" "primary-pause" "replica-kill" "quorum-loss" "rolling-restart" "chaos"
    "sentinel-failover" "scale-out-under-load" "node-timeout-sweep"
    "node-failure-during-reshard" "minority-partition" "split-brain" "flapping-link"
    "standby-promotion" "fail-back" "stretched-cluster-region-loss" "stretched-cluster-majority-loss"
    "cross-region-sync" "cross-region-conflicts" "region-partition" "replicator-crash"
    "region-loss" "region-return" "clock-skew" "slow-link" "asymmetric-link" "cross-region-reads"
    "cross-region-invalidation" "lock-contention" "lock-sustained" "lock-deadlock" "lock-ordering"
    "lock-timeouts" "lock-expiry" "lock-holder-pause" "lock-failover" "lock-partition"
    "lock-clock-jump" "lock-restart-without-data" "lock-reshard" "lock-comparison"
    "cache-aside" "cache-load-light" "cache-load-medium" "cache-load-heavy" "cache-stampede"
    "cache-stampede-comparison" "cache-stampede-many" "cache-invalidation"
    "cache-invalidation-comparison" "cache-invalidation-race" "cache-invalidation-tags"
    "cache-counters" "cache-counters-comparison" "cache-transactions" "cache-transactions-failing"
    "cache-warming" "cache-warming-comparison" "cache-restore" "cache-breaker"
    "cache-cold-restart" "cache-keys" "cache-invalidation-cut" "cache-invalidation-failover"
    "cache-invalidation-reshard" "cache-stampede-holder" "cache-ttl-layers" "cache-writes"
    "cache-writes-comparison" "cache-slow-link" "cache-formats" "cache-formats-comparison"
    "cache-eviction" "cache-eviction-comparison" "cache-expiry" "cache-scale" "cache-skew");

pub fn topologies() -> &'static [Ready] {
    TOPOLOGIES
}

pub fn scenarios() -> &'static [Ready] {
    SCENARIOS
}

/// The ready file of this kind and name.
pub fn find(kind: FileKind, name: &str) -> Option<&'static Ready> {
    of(kind).iter().find(|ready| ready.name == name)
}

/// Advice if there is none of that name: the nearest name, and all of them.
pub fn advice(kind: FileKind, name: &str) -> String {
    let names: Vec<&str> = of(kind).iter().map(|ready| ready.name).collect();
    let what = match kind {
        FileKind::Topology => "ready topologies",
        FileKind::Scenario => "ready scenarios",
    };
    nearest::advice(what, name, &names)
}

fn of(kind: FileKind) -> &'static [Ready] {
    match kind {
        FileKind::Topology => TOPOLOGIES,
        FileKind::Scenario => SCENARIOS,
    }
}

impl Ready {
    /// The file as if it had been read from its place in the repository.
    pub fn source(&self) -> Source {
        let folder = match self.kind {
            FileKind::Topology => "topologies",
            FileKind::Scenario => "scenarios",
        };
        Source::new(format!("{folder}/{}.yaml", self.name), self.text)
    }

    /// Its `summary:`.
    pub fn summary(&self) -> String {
        let root = tree::parse(&self.source(), &mut Diagnostics::default());
        match root.as_ref().and_then(|root| root.get("summary")).map(|node| &node.value) {
            Some(tree::Value::Scalar(scalar)) => scalar.text.clone(),
            _ => String::new(),
        }
    }
}
