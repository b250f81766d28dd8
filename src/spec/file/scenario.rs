//! The maps of a scenario file.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::spec::decode::{
    At, Decode, Field, Misread, Named, Scalar, entries, expected, field, object, schema_of, words,
};
use crate::spec::fault::Fault;
use crate::spec::nearest;
use crate::spec::quantity::{PerSecond, Percent, Sizes, Time, number};
use crate::spec::scenario::{ClientKind, Distribution, Method, Pace};
use crate::spec::tree::{Node, Value};

object! {
    /// A scenario: a topology, loads on it, a timeline of steps, and expectations.
    ScenarioFile "a scenario" {
        /// What it is called, in small letters, digits and dashes.
        required "name" name: String,
        /// What happens in it, in a sentence.
        optional "summary" summary: String,
        /// The topology that it is played on: the name of a ready one, or a path.
        required "topology" topology: TopologyName,
        /// What clients do meanwhile, by name.
        optional "loads" loads: Named<LoadMap>,
        /// Tiny operations at fixed instants, which tell whether a slot is served.
        optional "probe" probe: ProbeMap,
        /// What happens, and when.
        optional "timeline" timeline: Vec<At<StepMap>>,
        /// How long the load goes on after the last step has ended; without steps,
        /// from its start. Default: 5s.
        optional "settle" settle: Time,
        /// Bounds on measures, each as `MEASURE <= VALUE`.
        optional "expect" expect: Vec<At<String>>,
        /// Changes for other occasions, by name; `--profile NAME` picks one.
        optional "profiles" profiles: Named<ProfileMap>,
    }
}

object! {
    /// Clients that do operations of one workload at a given rate, whatever happens.
    LoadMap "a load" {
        /// What they do. Default: `register`, reads and writes of single keys.
        optional "workload" workload: Workload,
        /// The group that they use. Default: the only group.
        optional "group" group: String,
        /// `redrill` sees every redirect and error; `redis-rs` shows what an
        /// application on that library feels. Default: `redrill`.
        optional "client" client: ClientKind,
        /// Operations a second, of all clients together.
        optional "rate" rate: PerSecond,
        /// Logical clients. Default: 32.
        optional "clients" clients: u32,
        /// How many keys there are. Default: 10000.
        optional "keys" keys: u64,
        /// How keys are chosen: `uniform`, or `zipf(EXPONENT)`. Default: `uniform`.
        optional "distribution" distribution: Distribution,
        /// The share of reads; the others are writes. Default: 50%.
        optional "reads" reads: Percent,
        /// The size of values, or a range of sizes. Default: 100B.
        optional "value" value: Sizes,
        /// How long a client waits for an answer. Default: 1s.
        optional "timeout" timeout: Time,
        /// Operations past this many in flight are shed, and recorded as such.
        /// Default: 10000.
        optional "max_in_flight" max_in_flight: u32,
    }
}

/// What a load does; one for now, and others are of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    Register,
}

words!(Workload as "workload" { "register" => Workload::Register });
words!(ClientKind as "client" {
    "redrill" => ClientKind::Redrill,
    "redis-rs" => ClientKind::RedisRs,
});

impl Scalar for Distribution {
    fn read(text: &str) -> Result<Distribution, Misread> {
        if text == "uniform" {
            return Ok(Distribution::Uniform);
        }
        text.strip_prefix("zipf(")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|exponent| number(exponent.trim()))
            .map(Distribution::Zipf)
            .ok_or_else(|| {
                let message = format!("`{text}` is not a distribution");
                Misread::new(message, "write `uniform`, or `zipf(0.99)`")
            })
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(uniform|zipf\( *[0-9]+(\.[0-9]+)? *\))$",
            "examples": ["uniform", "zipf(0.99)"],
        })
    }
}

object! {
    /// How canary keys are probed.
    ProbeMap "a probe" {
        /// The time between two probes of a canary, 1ms or more. Default: 10ms.
        optional "every" every: Time,
        /// How long an answer may take. Default: 100ms.
        optional "deadline" deadline: Time,
        /// Canaries for each shard. Default: 4.
        optional "canaries" canaries: u32,
    }
}

object! {
    /// Changes to a scenario for one occasion.
    ProfileMap "a profile" {
        /// Expectations; each replaces the one on the same measure, or is added.
        optional "expect" expect: Vec<At<String>>,
        /// Replaces the scenario's own.
        optional "settle" settle: Time,
        /// Replaces single keys of loads, by the load's name.
        optional "loads" loads: Named<LoadMap>,
    }
}

/// A step, by what it does.
#[derive(Clone, Debug)]
pub enum StepMap {
    Reshard(ReshardMap),
    Drain(DrainMap),
    Rebalance(RebalanceMap),
}

object! {
    /// Moves slots from one shard to another.
    ReshardMap "a reshard step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `reshard`
        required "do" kind: Reshard,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// The shard that gives, counted from 0.
        required "from" from: u32,
        /// The shard that takes.
        required "to" to: u32,
        /// How many slots, or what share of those that `from` owns by then.
        required "slots" slots: SlotCount,
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it (Valkey 9.0, Redis
        /// 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

object! {
    /// Moves all slots of a shard to the others, evenly.
    DrainMap "a drain step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `drain`
        required "do" kind: Drain,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// The shard that gives up its slots, counted from 0.
        required "shard" shard: u32,
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it (Valkey 9.0, Redis
        /// 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

object! {
    /// Moves slots until each shard has its share by weight.
    RebalanceMap "a rebalance step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `rebalance`
        required "do" kind: Rebalance,
        /// The cluster in which it happens. Default: the only group.
        optional "group" group: String,
        /// One weight for each shard. Default: all the same.
        optional "weights" weights: Vec<At<f64>>,
        /// How eagerly slots move. Default: `{ p99: 5ms }`.
        optional "pace" pace: Pace,
        /// `migrate` moves keys by MIGRATE, `atomic` has the servers do it (Valkey 9.0, Redis
        /// 8.4). Default: `auto`, which is atomic where the servers offer it.
        optional "method" method: Method,
    }
}

macro_rules! step_word {
    ($name:ident $word:literal) => {
        #[doc = concat!("The word `", $word, "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        words!($name as "step" { $word => $name });
    };
}
words!(Method as "method" {
    "auto" => Method::Auto,
    "migrate" => Method::Migrate,
    "atomic" => Method::Atomic,
});

step_word!(Reshard "reshard");
step_word!(Drain "drain");
step_word!(Rebalance "rebalance");

impl StepMap {
    const WORDS: &[&str] = &["reshard", "drain", "rebalance"];

    /// The keys of all steps.
    fn keys() -> Vec<&'static str> {
        let mut keys: Vec<&str> = ReshardMap::KEYS.to_vec();
        for key in [DrainMap::KEYS, RebalanceMap::KEYS].concat() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    pub fn at(&self) -> &Field<Time> {
        match self {
            StepMap::Reshard(step) => &step.at,
            StepMap::Drain(step) => &step.at,
            StepMap::Rebalance(step) => &step.at,
        }
    }

    pub fn group(&self) -> &Field<String> {
        match self {
            StepMap::Reshard(step) => &step.group,
            StepMap::Drain(step) => &step.group,
            StepMap::Rebalance(step) => &step.group,
        }
    }

    pub fn pace(&self) -> &Field<Pace> {
        match self {
            StepMap::Reshard(step) => &step.pace,
            StepMap::Drain(step) => &step.pace,
            StepMap::Rebalance(step) => &step.pace,
        }
    }

    pub fn method(&self) -> &Field<Method> {
        match self {
            StepMap::Reshard(step) => &step.method,
            StepMap::Drain(step) => &step.method,
            StepMap::Rebalance(step) => &step.method,
        }
    }
}

impl Decode for StepMap {
    fn decode(node: &Node, faults: &mut Vec<Fault>) -> Option<StepMap> {
        let Some(kind) = node.get("do") else {
            let advice = format!("say what it does: {}", StepMap::WORDS.join(", "));
            faults.push(match &node.value {
                Value::Map(_) => Fault::new(&node.span, "a step needs the key `do`").advise(advice),
                _ => expected("a step, like { at: 5s, do: drain, shard: 2 },", node),
            });
            return None;
        };
        match String::decode(kind, faults)?.as_str() {
            "reshard" => ReshardMap::decode(node, faults).map(StepMap::Reshard),
            "drain" => DrainMap::decode(node, faults).map(StepMap::Drain),
            "rebalance" => RebalanceMap::decode(node, faults).map(StepMap::Rebalance),
            other => {
                let message = format!("there is no step `{other}`");
                let advice = nearest::advice("steps", other, StepMap::WORDS);
                faults.push(Fault::new(&kind.span, message).advise(advice));
                let entries = entries(node, "a step", &StepMap::keys(), faults)?;
                // What these keys may hold is the same in every step.
                field::<Time>(entries, "at", faults);
                field::<String>(entries, "group", faults);
                field::<Pace>(entries, "pace", faults);
                field::<Method>(entries, "method", faults);
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            schema_of::<ReshardMap>(generator),
            schema_of::<DrainMap>(generator),
            schema_of::<RebalanceMap>(generator),
        ]})
    }

    fn schema_name() -> Option<&'static str> {
        Some("StepMap")
    }
}

/// How many slots a step moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlotCount {
    Slots(u32),
    /// Of what the shard owns, in percent.
    Share(f64),
}

impl Scalar for SlotCount {
    fn read(text: &str) -> Result<SlotCount, Misread> {
        let share = || Percent::read(text).map(|Percent(share)| SlotCount::Share(share));
        u32::read(text).map(SlotCount::Slots).or_else(|_| share()).map_err(|_| {
            Misread::new(
                format!("`{text}` is not a number of slots"),
                "write a number, like 1820, or a share of the shard's slots, like 33%",
            )
        })
    }

    fn schema() -> Schema {
        json_schema!({ "anyOf": [<u32 as Scalar>::schema(), <Percent as Scalar>::schema()] })
    }
}

object! {
    /// Slots move slowly enough that a shard still answers in time.
    P99Map "a pace" {
        /// The 99th percentile of a shard's own latency that is still good.
        required "p99" p99: Time,
    }
}

impl Decode for Pace {
    fn decode(node: &Node, faults: &mut Vec<Fault>) -> Option<Pace> {
        match &node.value {
            Value::Scalar(scalar) if scalar.text == "fast" => Some(Pace::Fast),
            Value::Map(_) => {
                let pace = P99Map::decode(node, faults)?;
                pace.p99.given().map(|p99| Pace::P99(p99.value.0))
            }
            _ => {
                let fault = Fault::new(&node.span, "this is not a pace");
                faults.push(fault.advise("write `fast`, or `{ p99: 5ms }`"));
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "fast" }, schema_of::<P99Map>(generator)] })
    }
}

/// The name of a ready topology, or a path.
#[derive(Clone, Debug)]
pub struct TopologyName(pub String);

impl Decode for TopologyName {
    fn decode(node: &Node, faults: &mut Vec<Fault>) -> Option<TopologyName> {
        if !matches!(node.value, Value::Scalar(_)) {
            let fault = expected("a single value", node);
            faults.push(fault.advise("give a ready topology's name or a path"));
            return None;
        }
        String::decode(node, faults).map(TopologyName)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        <String as Decode>::schema(generator)
    }
}
