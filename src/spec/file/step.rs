//! A step of the timeline: which map it is, by the word in `do`.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::chaos::ChaosMap;
use super::hardship::{ClockMap, DiskFullMap, MemoryPressureMap, SlowDiskMap, SlowMap};
use super::moves::{DrainMap, RebalanceMap, ReshardMap};
use super::network_step::{
    BandwidthMap, LatencyMap, PartitionMap, RefuseMap, ResetMap, Sides, TrickleMap,
};
use super::node_fault::{FailoverMap, KillMap, PauseMap, RestartMap, StopMap};
use super::rolling::RollingMap;
use super::scale::{AddReplicaMap, AddShardMap, RemoveShardMap};
use crate::spec::decode::{At, Decode, Field, entries, expected, field, schema_of, words};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::nearest;
use crate::spec::network::Via;
use crate::spec::quantity::Time;
use crate::spec::scenario::{Method, Pace};
use crate::spec::tree::{Node, Value};

/// Declares the kinds of steps: each one's word, its type, and its map.
macro_rules! steps {
    ($( $kind:ident $word:literal $map:ident, )*) => {
        $(
            #[doc = concat!("The word `", $word, "`.")]
            #[derive(Clone, Copy, Debug)]
            pub struct $kind;
            words!($kind as "step" { $word => $kind });
        )*

        /// A step, by what it does.
        #[derive(Clone, Debug)]
        pub enum StepMap {
            $( $kind($map), )*
        }

        impl StepMap {
            const WORDS: &[&str] = &[$($word),*];
            const KEYS: &[&[&str]] = &[$($map::KEYS),*];

            pub fn at(&self) -> &Field<Time> {
                match self { $( StepMap::$kind(step) => &step.at, )* }
            }

            pub fn group(&self) -> &Field<String> {
                match self { $( StepMap::$kind(step) => &step.group, )* }
            }

            /// `None` if there is no such step.
            fn of_word(word: &str, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Option<StepMap>> {
                match word {
                    $( $word => Some($map::decode(node, diagnostics).map(StepMap::$kind)), )*
                    _ => None,
                }
            }
        }

        fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
            vec![$( schema_of::<$map>(generator) ),*]
        }
    };
}

steps! {
    Reshard "reshard" ReshardMap,
    Drain "drain" DrainMap,
    Rebalance "rebalance" RebalanceMap,
    AddShard "add-shard" AddShardMap,
    RemoveShard "remove-shard" RemoveShardMap,
    AddReplica "add-replica" AddReplicaMap,
    Kill "kill" KillMap,
    Stop "stop" StopMap,
    Pause "pause" PauseMap,
    Restart "restart" RestartMap,
    Rolling "rolling-restart" RollingMap,
    Failover "failover" FailoverMap,
    Slow "slow" SlowMap,
    MemoryPressure "memory-pressure" MemoryPressureMap,
    DiskFull "disk-full" DiskFullMap,
    SlowDisk "slow-disk" SlowDiskMap,
    ClockStep "clock" ClockMap,
    Partition "partition" PartitionMap,
    LatencyStep "latency" LatencyMap,
    BandwidthStep "bandwidth" BandwidthMap,
    TrickleStep "trickle" TrickleMap,
    Refuse "refuse" RefuseMap,
    Reset "reset" ResetMap,
    Chaos "chaos" ChaosMap,
}

impl StepMap {
    /// The keys of all steps.
    fn keys() -> Vec<&'static str> {
        let mut keys: Vec<&str> = Vec::new();
        for key in StepMap::KEYS.concat() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// How a step that moves slots does it.
    pub fn moves(&self) -> Option<(&Field<Pace>, &Field<Method>)> {
        match self {
            StepMap::Reshard(step) => Some((&step.pace, &step.method)),
            StepMap::Drain(step) => Some((&step.pace, &step.method)),
            StepMap::Rebalance(step) => Some((&step.pace, &step.method)),
            StepMap::AddShard(step) => Some((&step.pace, &step.method)),
            StepMap::RemoveShard(step) => Some((&step.pace, &step.method)),
            _ => None,
        }
    }
}

impl StepMap {
    /// It changes who belongs to a cluster.
    pub fn scales(&self) -> bool {
        matches!(self, StepMap::AddShard(_) | StepMap::RemoveShard(_) | StepMap::AddReplica(_))
    }

    /// The sides of the links that a step changes, if it is such a step.
    pub fn sides(&self) -> Option<Sides<'_>> {
        match self {
            StepMap::Partition(step) => Some(step.sides()),
            StepMap::LatencyStep(step) => Some(step.sides()),
            StepMap::BandwidthStep(step) => Some(step.sides()),
            StepMap::TrickleStep(step) => Some(step.sides()),
            StepMap::Refuse(step) => Some(step.sides()),
            StepMap::Reset(step) => Some(step.sides()),
            _ => None,
        }
    }

    /// Whether it needs the relay.
    pub fn is_relayed(&self) -> bool {
        let in_kernel = |at: &At<Via>| at.value == Via::Kernel;
        match self {
            StepMap::Partition(step) => !step.via.given().is_some_and(in_kernel),
            // It draws partitions where it is not told what to draw.
            StepMap::Chaos(step) => step
                .faults
                .given()
                .is_none_or(|at| at.value.iter().any(|at| at.value.is_on_links())),
            other => other.sides().is_some(),
        }
    }

    /// It names no group, and nothing that is a group's.
    pub fn is_of_no_group(&self) -> bool {
        let of_no_group =
            |sides: Sides<'_>| sides.given().iter().all(|at| at.value.is_of_no_group());
        self.group().is_missing() && self.sides().is_some_and(of_no_group)
    }
}

impl Decode for StepMap {
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<StepMap> {
        let Some(kind) = node.get("do") else {
            let advice = format!("say what it does: {}", StepMap::WORDS.join(", "));
            diagnostics.push(match &node.value {
                Value::Map(_) => {
                    Diagnostic::new(&node.span, "a step needs the key `do`").advise(advice)
                }
                _ => expected("a step, like { at: 5s, do: drain, shard: 2 },", node),
            });
            return None;
        };
        let word = String::decode(kind, diagnostics)?;
        StepMap::of_word(&word, node, diagnostics).unwrap_or_else(|| {
            let message = format!("there is no step `{word}`");
            let advice = nearest::advice("steps", &word, StepMap::WORDS);
            diagnostics.push(Diagnostic::new(&kind.span, message).advise(advice));
            let entries = entries(node, "a step", &StepMap::keys(), diagnostics)?;
            // What these keys may hold is the same in every step.
            field::<Time>(entries, "at", diagnostics);
            field::<String>(entries, "group", diagnostics);
            field::<Pace>(entries, "pace", diagnostics);
            field::<Method>(entries, "method", diagnostics);
            None
        })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": schemas(generator) })
    }

    fn schema_name() -> Option<&'static str> {
        Some("StepMap")
    }
}
