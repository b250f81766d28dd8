//! The maps of a scenario file.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::model::Workload;
use crate::spec::cache::{
    Codec, Format, Guard, Invalidate, LayerIn, Naming, Packing, Policy, Stampede, Warm, Without,
    Write,
};
use crate::spec::decode::{At, Decode, Named, expected, its_words, object, schema_of, words};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::lock::{Deadlock, LockBy, LockKind};
use crate::spec::quantity::{Asked, Bytes, PerSecond, Percent, Sizes, Time, Times, number, scalar};
use crate::spec::scenario::{By, ClientKind};
use crate::spec::step::StepMap;
use crate::spec::synonyms;
use crate::spec::tree::{Node, Value};

/// A drill takes this at most.
const DAY: Time = Time::secs(24 * 3600);

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
        #[range(Time::secs(0), DAY, "a drill takes a day at most")]
        optional "settle" settle: Time,
        /// Bounds on measures, each as `MEASURE <= VALUE`.
        optional "expect" expect: Vec<At<String>>,
        /// What checkers may find without failing the drill, as servers are known to do it:
        /// `writes.lost`, `reads.stale`, or `all`. It is in the report all the same.
        optional "reported" reported: Vec<At<String>>,
        /// A key, as for `--set`, and values for it: the scenario is played with each in turn,
        /// and all are set side by side.
        optional "over" over: Named<Vec<At<String>>>,
        /// Changes for other occasions, by name; `--profile NAME` picks one.
        optional "profiles" profiles: Named<ProfileMap>,
    }
}

object! {
    /// Clients that do operations of one workload, at a given rate whatever happens, or one after
    /// the other.
    LoadMap "a load" {
        /// What they do: `register` (the default) reads and writes single keys, `cas` compares
        /// and sets them, `counter` counts up, `set` adds elements, `queue` and `stream` put
        /// them in and take them out, `transfer` moves amounts between accounts, `dual-write`
        /// writes each value to two groups, `lock` acquires locks and gives them back, `cache` reads
        /// and writes entities of an origin through layers of copies.
        optional "workload" workload: Workload,
        /// The group that they use. Default: the only group.
        optional "group" group: String,
        /// The groups that it uses, in its order: two for `dual-write`, all servers of a `redlock`.
        /// Others use one.
        optional "groups" groups: Vec<At<String>>,
        /// The group that its clients turn to when no server of their own group answers, where
        /// both take writes. They stay there.
        optional "fallback" fallback: String,
        /// `tracking`: each instance keeps what it has read in its own memory, until a server tells
        /// that it has changed (CLIENT TRACKING in broadcast mode). Default: every read asks.
        optional "near" near: NearWord,
        /// The region that its clients are in. Default: the topology's first, if it has any.
        optional "region" region: String,
        /// `redrill` sees every redirect and error; `redis-rs` shows what an
        /// application on that library feels, and `{ command: [PROGRAM, ARGUMENT, ...] }` what
        /// one on the library behind an adapter does. Default: `redrill`.
        optional "client" client: ClientKind,
        /// How changes are made. Of a `transfer`: `multi` (MULTI and EXEC), `script` (EVAL), `watch`
        /// (WATCH), or with `pipeline` by nothing that holds them together. Of a `counter`: `incr`,
        /// `script`, `watch`, `lock`, or with `get-set` by nothing that holds GET and SET together.
        /// Default: `multi`, or `incr`.
        optional "by" by: By,
        /// What the transfers of the workload `transfer` are.
        optional "transfer" transfer: TransferMap,
        /// What locks a load takes, if its workload is `lock`: each key is a lock.
        optional "lock" lock: LockMap,
        /// What keys a load sets, and how it looks at them, if its workload is `expiry`.
        optional "expiry" expiry: ExpiryMap,
        /// The layers of a `cache`, nearest first: none to four. Default: none.
        optional "layers" layers: Named<LayerMap>,
        /// The slow source of truth behind a `cache`.
        optional "origin" origin: OriginMap,
        /// What many readers do that find no copy of the same entity of a `cache` at once: each
        /// asks the origin (`none`), one of them does under a `lock`, one of each process
        /// (`single-flight`), somebody before the copy's time is over (`early`), one of them while
        /// the others get the old copy (`stale-while-revalidate`), or whom the server lets
        /// (`lease`). Default: `none`.
        optional "stampede" stampede: Stampede,
        /// Of which entities a `cache` has copies when the load begins, of none or of all
        /// (`priority`); and which ones the step `warm` reads first: in the order of their numbers
        /// (`none`, `priority`), or those that were read most often (`frequency`), or most often
        /// lately (`predictive`). Default: `none`.
        optional "warm" warm: Warm,
        /// What keeps copies of a `cache` from being served for long after a write: their own time
        /// (`ttl`), the writer, who deletes the group's copy (`delete`), tells all processes besides
        /// (`publish`) and waits for them (`confirmed`), or the servers, who tell those who have read
        /// it (`tracking`) or all processes (`tracking-broadcast`, `keyspace`). By `versioned` nobody
        /// finds an old copy. By `tags` and `pattern` a write changes all things of a user, whose
        /// copies go by the user's tag, or by a pattern of their names. Default: `delete`.
        optional "invalidate" invalidate: Invalidate,
        /// What a write does: the origin has it, and then the copy in the group is deleted (`aside`) or
        /// replaced (`through`), or the copy is replaced, and the origin has it later (`behind`).
        /// `ahead`: as `aside`, and copies are replaced before their time is over. Default: `aside`.
        optional "write" write: Write,
        /// What keeps readers of a `cache` from waiting for a group that does not answer: nothing
        /// (`none`), or a circuit `breaker` in each process. Default: `none`.
        optional "guard" guard: Guard,
        /// What a read gets while the breaker is open: what the origin says (`origin`), what the
        /// process read last (`stale`), or an `error`. Default: `origin`.
        optional "without" without: Without,
        /// How entities of a `cache` are called in the group: by their names (`plain`), by so many
        /// bits of a hash of them (`hashed(32)`), by two numbers with nothing between them
        /// (`joined`), or with a hash tag that all of them have (`tagged`). Default: `plain`.
        optional "naming" naming: Naming,
        /// Whether readers of a `cache` look whose copy it is that they find, and take another one's
        /// for none. Default: `false`.
        optional "verify" verify: bool,
        /// How many requests of a process to the group of a cache are under way at once; the others
        /// wait, as for a connection of a pool. Default: no limit.
        #[range(1, 10_000, "each process has so many; the others wait")]
        optional "pool" pool: u32,
        /// How copies of a `cache` stand in the group: `json`, `msgpack`, `cbor`, `postcard` or
        /// `protobuf`, each also with `+lz4` or `+zstd`. Default: `json`.
        optional "format" format: Format,
        /// The share of reads of a `cache` that ask for entities that the origin does not have.
        /// Default: 0%.
        #[range(Percent(0.0), Percent(100.0), "the others ask for what is there")]
        optional "absent" absent: Percent,
        /// How long after a write an old version may be served. Default: 100ms.
        #[range(Time::millis(0), DAY, "a drill takes a day at most")]
        optional "bound" bound: Time,
        /// The load whose keys it uses. Both do the same kind of work on the same group, and
        /// are judged together. Default: keys of its own.
        optional "shares" shares: String,
        /// Application processes that the clients are dealt out to, each with its own slot map
        /// and connections. Default: 1.
        #[range(1, 1_000, "each has a slot map and connections of its own")]
        optional "instances" instances: u32,
        /// Connections of each instance to each node. With `wait`, each client has its own.
        /// Default: 1.
        #[range(1, 100, "each instance has so many to each node; one carries the requests of many clients")]
        optional "connections" connections: u32,
        /// How long making a connection may take, before it is tried again. Default: `timeout`.
        #[range(Time::millis(1), Time::secs(600), "how long a client waits for a connection")]
        optional "connect_timeout" connect_timeout: Time,
        /// How often a request is sent again that a server certainly did not carry out, within
        /// `timeout`. Default: 0.
        #[range(0, 100, "each is tried again so often; 3 is usual")]
        optional "retries" retries: u32,
        /// Operations a second, of all clients together. A ramp goes evenly from its first rate to
        /// its second one, from the load's start until it is planned to end: `500/s..5000/s`. With
        /// `max` the load is closed by its clients: each begins its next session when it has its
        /// answer.
        optional "rate" rate: Asked,
        /// How long each client of a load that is closed by its clients waits from its answer until
        /// its next session. Default: 0s.
        #[range(Time::secs(0), DAY, "a drill takes a day at most")]
        optional "think" think: Time,
        /// Logical clients. Default: 32.
        #[range(1, 100_000, "each is a logical client, not a connection; 32 is usual")]
        optional "clients" clients: u32,
        /// How many keys there are. Default: 10000; 100 unless they are registers.
        #[range(1, 100_000_000, "every key is written before the load, and read after it")]
        optional "keys" keys: u64,
        /// How keys are chosen: `uniform`, `zipf(EXPONENT)`, or as one's own accesses did,
        /// `trace(FILE)`: a key in each line, in their order, and again from the beginning when it
        /// ends. The path begins where the scenario is. Default: `uniform`.
        optional "distribution" distribution: Chosen,
        /// The share of reads; the others are writes. In a queue or stream, of operations that
        /// take out. Default: 50%; 67% of a stream, where each element is taken and dealt with; 90%
        /// of
        /// `read-write` locks.
        #[range(Percent(0.0), Percent(100.0), "the others are writes")]
        optional "reads" reads: Percent,
        /// The size of values, or a range of sizes. Default: 100B.
        optional "value" value: Sizes,
        /// How long a client waits for an answer. Default: 1s.
        #[range(Time::millis(1), Time::secs(600), "how long a client waits for an answer")]
        optional "timeout" timeout: Time,
        /// Operations past this many in flight are shed, and recorded as such.
        /// Default: as many as are due in a second at the highest rate, 10000 at least.
        #[range(1, 1_000_000, "operations past it are shed; 10000 is usual")]
        optional "max_in_flight" max_in_flight: u32,
        /// How many replicas a change must reach before it counts as done.
        optional "wait" wait: WaitMap,
        /// The group's directive of this name: primaries with fewer linked replicas refuse writes.
        optional "min-replicas-to-write" min_replicas_to_write: u32,
        /// The group's directive of this name: a replica that was silent for longer does not
        /// count. Default: the server's own, 10s.
        #[range(Time::secs(1), Time::secs(3600), "10s is usual")]
        optional "min-replicas-max-lag" min_replicas_max_lag: Time,
    }
}

object! {
    /// Transfers: an account of a bank pays, and others get what it pays.
    TransferMap "transfers" {
        /// How many of the eight accounts of a bank each changes: one pays, the others get the same
        /// amount each. Default: 2.
        #[range(2, 8, "a bank has eight accounts")]
        optional "accounts" accounts: u32,
        /// The share of transfers one of whose commands is on a key of another type, and fails.
        /// Default: 0%.
        #[range(Percent(0.0), Percent(100.0), "the others do not fail")]
        optional "failing" failing: Percent,
        /// Whether the accounts of a bank have its name as their hash tag. In a cluster they must:
        /// it puts them into one slot. Default: `true`.
        optional "tagged" tagged: bool,
    }
}

object! {
    /// Locks, and what clients do with them: they acquire one, read the account that it guards,
    /// work, write the account, and give the lock back.
    LockMap "a lock" {
        /// How it is made: `mutex` (SET NX PX), `mutex-wait` (the same, and WAIT), `fenced` (it
        /// hands out growing numbers, and accounts refuse older ones), `redlock` (a majority of
        /// several servers), `semaphore` (several holders at once), `read-write` (a writer alone,
        /// or several readers), `fair` (waiters in their order, woken up), `library` (as the
        /// library behind the load's adapter makes it). Default: `library` where the load has an
        /// adapter, or else `mutex`.
        optional "kind" kind: LockKind,
        /// The lease: a lock that is not given back is free again after so long. Default: 2s.
        #[range(Time::millis(1), Time::secs(366 * 24 * 3600), "a lock without an end is one that a dead holder has for ever")]
        optional "ttl" ttl: Time,
        /// How long a holder works with each lock, on average; from half of it to one and a half of
        /// it. Default: 5ms.
        #[range(Time::millis(0), DAY, "a drill takes a day at most")]
        optional "hold" hold: Time,
        /// How long a client tries to get a lock, or all that it takes. Default: 5s.
        #[range(Time::millis(1), DAY, "a drill takes a day at most")]
        optional "patience" patience: Time,
        /// Between two tries at most; at least half of it. Default: 10ms.
        #[range(Time::millis(1), Time::secs(60), "10ms is usual; each try asks the server")]
        optional "retry" retry: Time,
        /// How often a holder makes its lease begin anew. Default: never.
        #[range(Time::millis(1), DAY, "a third of `ttl` is usual")]
        optional "extend" extend: Time,
        /// The share of holders that never give their lock back, as if their process had died: it
        /// is free again when its lease is over. Default: 0%.
        #[range(Percent(0.0), Percent(100.0), "the others give their locks back")]
        optional "abandon" abandon: Percent,
        /// How many locks a session takes, one after the other. Default: 1.
        #[range(1, 16, "each session takes so many, one after the other; 2 is usual")]
        optional "take" take: u32,
        /// What ends deadlocks of sessions that take several locks: the clients' patience
        /// (`timeout`), a load that looks for cycles and lets the youngest session of one begin
        /// anew (`detect`), or an order in which all take their locks, so that there are none
        /// (`order`). Default: `timeout`.
        optional "deadlock" deadlock: Deadlock,
        /// On how many servers of a `redlock` a client must have got it. Default: a majority.
        optional "quorum" quorum: u32,
        /// How many have a `semaphore` at once. Default: 3.
        #[range(1, 1_000_000, "a semaphore that nobody can have is no lock")]
        optional "holders" holders: u32,
        /// How a `mutex`, `mutex-wait` or `redlock` is compared with its holder's token: by a
        /// `script`, or by a `command` of newer servers (Redis 8.4, Valkey 9.0). Default: `script`.
        optional "by" by: LockBy,
        /// The group that has the accounts, where it is another one than that of the locks.
        /// Default: the first group of the locks.
        optional "accounts" accounts: String,
    }
}

object! {
    /// Keys that are there for a time only: each is set, and looked at around its end until it is
    /// gone.
    ExpiryMap "an expiry" {
        /// How long a key is there, or from how long to how long. Default: 500ms..3s.
        optional "lives" lives: Times,
        /// Keys that would end within such a span end at one instant, its end. Default: 0ms: each at
        /// its own.
        #[range(Time::millis(0), Time::secs(3600), "keys of so long end at once")]
        optional "together" together: Time,
        /// The share of keys that are looked at. Default: 100%.
        #[range(Percent(0.0), Percent(100.0), "of the keys")]
        optional "looked" looked: Percent,
        /// The share of these that are looked at on a replica. Default: 0%.
        #[range(Percent(0.0), Percent(100.0), "the others are looked at where they were set")]
        optional "replicas" replicas: Percent,
        /// Between two looks around a key's end. Default: 5ms.
        #[range(Time::millis(1), Time::secs(1), "what is said of a key's end is no more exact")]
        optional "every" every: Time,
    }
}

object! {
    /// A layer of copies.
    LayerMap "a layer" {
        /// `process`: in the memory of each instance. `host`: in what the instances on a host have in
        /// common.
        optional "in" place: LayerIn,
        /// The group whose servers have the copies.
        optional "group" group: String,
        /// On how many hosts the instances are, in turn. Default: 1.
        #[range(1, 1000, "each has one instance at least")]
        optional "count" count: u32,
        /// The room for copies in a process or on a host, in bytes. Default: 8mb.
        #[range(Bytes(1), Bytes(1 << 40), "each of them has so much")]
        optional "capacity" capacity: Bytes,
        /// Which copies go when there is no room: `lru` or `tinylfu`. Default: `lru`.
        optional "policy" policy: Policy,
        /// How long a copy is kept. Default: 60s.
        #[range(Time::millis(1), Time::secs(364 * 24 * 3600), "a copy without an end is never right again")]
        optional "ttl" ttl: Time,
        /// By how much that may be longer or shorter, so that copies do not end at once. Default: 0%.
        #[range(Percent(0.0), Percent(99.0), "of `ttl`, to either side; 10% is usual")]
        optional "jitter" jitter: Percent,
    }
}

object! {
    /// The slow source of truth: it does one request after the other.
    OriginMap "an origin" {
        /// From beginning with a request to its answer. Default: 5ms..10ms.
        optional "latency" latency: Times,
        /// Requests a second. Default: no limit.
        #[range(PerSecond(0.001), PerSecond(1_000_000.0), "an origin that answers nobody is none")]
        optional "capacity" capacity: PerSecond,
        /// How many may wait; more are refused. Default: 1000.
        optional "queue" queue: u32,
    }
}

object! {
    /// WAIT after each change.
    WaitMap "a wait" {
        /// How many replicas; none is not to wait. Default: 1.
        optional "replicas" replicas: u32,
        /// For how long; what has reached too few by then may be lost, and its outcome is
        /// unknown. Default: 100ms.
        optional "timeout" timeout: Time,
    }
}

its_words!(Workload as "workload");

object! {
    /// An adapter: a program that carries out a load with a library of its own.
    AdapterMap "an adapter" {
        /// The program and its arguments. A name without a slash is looked up on PATH; a path
        /// begins where redrill is run.
        required "command" command: Vec<At<String>>,
    }
}

/// How an instance's memory learns of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearWord;

words!(NearWord as "a near cache" { "tracking" => NearWord });

/// A client that is one word.
struct ClientWord(ClientKind);

words!(ClientWord as "client" {
    "redrill" => ClientWord(ClientKind::Redrill),
    "redis-rs" => ClientWord(ClientKind::RedisRs),
});

impl Decode for ClientKind {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<ClientKind> {
        let map = match &node.value {
            Value::Scalar(word) => {
                let is_word = ["redrill", "redis-rs"].contains(&&*word.text) || node.is_null();
                if let (false, Some(advice)) = (is_word, synonyms::library(&word.text)) {
                    errors.add(&node.span, format!("there is no client `{}`", word.text), advice);
                    return None;
                }
                return ClientWord::decode(node, errors).map(|word| word.0);
            }
            Value::List(_) => {
                let diagnostic = expected("a client", node);
                let advice = "write `redrill`, `redis-rs`, or `{ command: [PROGRAM, ARGUMENT] }`";
                errors.push(diagnostic.advise(advice));
                return None;
            }
            Value::Map(_) => AdapterMap::decode(node, errors)?,
        };
        let At { value: command, span } = map.command.given()?;
        let command: Vec<String> = command.iter().map(|word| word.value.clone()).collect();
        if command.first().is_none_or(|program| program.is_empty()) {
            let advice = "write the program, then its arguments: `command: [python3, adapter.py]`";
            errors.add(span, "the command names no program", advice);
            return None;
        }
        Some(ClientKind::Adapter { command })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let (word, map) =
            (<ClientWord as Decode>::schema(generator), schema_of::<AdapterMap>(generator));
        json_schema!({ "oneOf": [word, map] })
    }
}

scalar!(Naming: "a naming" ["plain", "hashed(32)", "joined", "tagged"]
r"^(plain|joined|tagged|hashed\( *[0-9]+ *\))$",
|text| match text {
    "plain" => Some(Naming::Plain),
    "joined" => Some(Naming::Joined),
    "tagged" => Some(Naming::Tagged),
    _ => {
        let bits = text.strip_prefix("hashed(")?.strip_suffix(')')?;
        bits.trim().parse().ok().filter(|bits| (1..=64).contains(bits)).map(Naming::Hashed)
    }
});

scalar!(Format: "a format" ["json", "msgpack", "protobuf+zstd"]
r"^(json|msgpack|cbor|postcard|protobuf)(\+(lz4|zstd))?$",
|text| {
    let (codec, packing) = text.split_once('+').map_or((text, None), |(codec, p)| (codec, Some(p)));
    let codec = *Codec::ALL.iter().find(|known| known.word() == codec)?;
    let packing = match packing {
        None => Packing::None,
        Some(word) => {
            let mut known = [Packing::Lz4, Packing::Zstd].into_iter();
            known.find(|known| known.word() == word)?
        }
    };
    Some(Format { codec, packing })
});

/// How keys are chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Chosen {
    Uniform,
    /// By the exponent.
    Zipf(f64),
    /// As a file has them.
    Trace(String),
}

scalar!(Chosen: "a distribution" ["uniform", "zipf(0.99)", "trace(accesses.txt)"]
r"^(uniform|zipf\( *[0-9]+(\.[0-9]+)? *\)|trace\(.+\))$",
|text| {
    let within = |name: &str| {
        let within = text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?.trim();
        Some(within).filter(|within| !within.is_empty())
    };
    match text {
        "uniform" => Some(Chosen::Uniform),
        _ => match within("trace") {
            Some(file) => Some(Chosen::Trace(file.to_owned())),
            None => number(within("zipf")?).map(Chosen::Zipf),
        },
    }
});

object! {
    /// How canary keys are probed.
    ProbeMap "a probe" {
        /// The time between two probes of a shard, 1ms or more. Default: 10ms.
        #[range(Time::millis(1), Time::secs(10), "10ms is usual; downtime is exact to one such interval")]
        optional "every" every: Time,
        /// How long an answer may take. Default: 100ms.
        #[range(Time::millis(1), Time::secs(60), "100ms is usual; a later answer counts as none")]
        optional "deadline" deadline: Time,
        /// Canaries for each shard. Default: 4.
        #[range(1, 64, "the canaries of a shard take turns, until one of them fails")]
        optional "canaries" canaries: u32,
        /// What probes, and the questions for nodes' views, may ask of all servers together.
        /// Default: 2000/s; if `every` is less than 10ms, as much more.
        #[range(PerSecond(100.0), PerSecond(1_000_000.0), "2000/s is usual")]
        optional "budget" budget: PerSecond,
    }
}

object! {
    /// Changes to a scenario for one occasion.
    ProfileMap "a profile" {
        /// Expectations; each replaces the one on the same measure, or is added.
        optional "expect" expect: Vec<At<String>>,
        /// Replaces the scenario's own.
        optional "settle" settle: Time,
        /// Replaces the scenario's own.
        optional "timeline" timeline: Vec<At<StepMap>>,
        /// Replaces the scenario's own.
        optional "over" over: Named<Vec<At<String>>>,
        /// Replaces single keys of loads, by the load's name.
        optional "loads" loads: Named<LoadMap>,
    }
}

/// The name of a ready topology, or a path.
#[derive(Clone, Debug)]
pub struct TopologyName(pub String);

impl Decode for TopologyName {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<TopologyName> {
        if !matches!(node.value, Value::Scalar(_)) {
            let diagnostic = expected("a single value", node);
            errors.push(diagnostic.advise(
                "give a ready topology's name or a path; a topology of one's own is a file of its own",
            ));
            return None;
        }
        String::decode(node, errors).map(TopologyName)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        <String as Decode>::schema(generator)
    }
}
