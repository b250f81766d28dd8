//! The maps of a topology file.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::spec::decode::{At, Decode, Misread, Named, Scalar, object, schema_of, word_enum};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::network::Jitter;
use crate::spec::quantity::{Bandwidth, Bytes, Time};
use crate::spec::sync::{Strategy, SyncRule};
use crate::spec::topology::{Auth, EngineKind};
use crate::spec::tree::{Node, Value};

/// The longest latency one way: past it, every time-out of a cluster has passed.
pub const MAX_LATENCY: Time = Time::secs(60);

object! {
    /// A topology: regions, links between them, and groups of Redis nodes.
    TopologyFile "a topology" {
        /// Its name, in small letters, digits and dashes.
        required "name" name: String,
        /// A description in one sentence.
        optional "summary" summary: String,
        /// Which server to run. Default: whichever is found on PATH.
        optional "engine" engine: EngineMap,
        /// What servers ask of whoever connects: `password`, one that is drawn for each drill, or
        /// `none`, for tools that know of none. Default: `password`.
        optional "auth" auth: Auth,
        /// Names of places. Each group is in one, or spread over several.
        optional "regions" regions: Vec<At<String>>,
        /// What the network between regions is like. Regions without a link between
        /// them are joined with nothing added.
        optional "links" links: Vec<At<LinkMap>>,
        /// Redis deployments, by name.
        required "groups" groups: Named<GroupMap>,
        /// Which groups have the same data, and how what is written comes to all of them.
        optional "sync" sync: SyncMap,
    }
}

object! {
    /// Groups that have the same data.
    SyncMap "a sync" {
        /// `replica`: the first node of each copy replicates the source, and the copy's other nodes
        /// replicate that node. `active-active`: each group takes writes, and redrill's own
        /// replicators carry them to the others. `external`: the same with somebody else's.
        required "strategy" strategy: Strategy,
        /// Of strategy `replica`: the group that takes the writes at first.
        optional "from" from: String,
        /// The groups that copy it. Default: all others.
        optional "to" to: Vec<At<String>>,
        /// Of strategies `active-active` and `external`: the groups that take writes. Default: all.
        optional "between" between: Vec<At<String>>,
        /// Of strategy `active-active`: what is done where two of them have written to one key.
        /// `naive`: what arrives last stays, so that groups come to differ. `lww`: the last writer
        /// wins. `crdt`: counters add up, sets are joined, and registers keep both values. Default:
        /// `lww`.
        optional "rule" rule: SyncRule,
        /// Of strategy `external`: the program that carries what is written in one group to another
        /// one, and its arguments, in which `{source}` and `{target}` are addresses. It is started
        /// for each direction of each pair. A name without a slash is looked up on PATH; a path
        /// begins where redrill is run. Default: none, the groups do that by themselves.
        optional "command" command: Vec<At<String>>,
    }
}

object! {
    /// Which server to run.
    EngineMap "an engine" {
        /// `redis` or `valkey`: redrill runs no other. Default: either.
        optional "kind" kind: EngineKind,
        /// The server to run as a process: a path from this file, or a name on PATH.
        optional "binary" binary: String,
        /// The image to run in containers.
        optional "image" image: String,
    }
}

object! {
    /// The network between two regions: `between` for both directions, `from` and
    /// `to` for one.
    LinkMap "a link" {
        /// Two regions; the link is the same in both directions.
        optional "between" between: Vec<At<String>>,
        /// The region where a one-way link starts.
        optional "from" from: String,
        /// The region where a one-way link ends.
        optional "to" to: String,
        /// How long a packet takes one way.
        #[range(Time::secs(0), MAX_LATENCY, "no cluster works over a longer link")]
        required "latency" latency: Time,
        /// How far a packet's latency may differ: by `5ms` at most, all values equally
        /// likely, or `normal(5ms)`, the standard deviation. Default: 0.
        optional "jitter" jitter: Jitter,
        /// How much the link carries. Default: unlimited.
        optional "bandwidth" bandwidth: Bandwidth,
    }
}

object! {
    /// One Redis deployment.
    GroupMap "a group" {
        /// How its nodes work together.
        required "mode" mode: ModeWord,
        /// Primaries that share the slots, in mode `cluster`: 3 or more.
        optional "shards" shards: u32,
        /// Replicas of each primary. Default: 1; 0 in a cluster.
        optional "replicas" replicas: u32,
        /// Sentinels, in mode `sentinel`. Default: 3.
        #[range(1, 15, "sentinels vote; 3 or 5 are usual")]
        optional "sentinels" sentinels: u32,
        /// Sentinels that must agree that the primary is down. Default: a majority.
        optional "quorum" quorum: u32,
        /// How long a server may be silent before a sentinel considers it down
        /// (down-after-milliseconds), in mode `sentinel`. Default: 30s.
        #[range(Time::millis(100), Time::secs(3600), "sentinels look ten times a second")]
        optional "down_after" down_after: Time,
        /// How long a failover may take before another sentinel tries (failover-timeout), in
        /// mode `sentinel`. Default: 3m.
        #[range(Time::millis(100), Time::secs(3600), "sentinels look ten times a second")]
        optional "failover_timeout" failover_timeout: Time,
        /// Replicas that switch to a new primary at a time (parallel-syncs), in mode `sentinel`.
        /// Default: 1.
        #[range(1, 10, "a replica that turns to a new primary answers nobody meanwhile")]
        optional "parallel_syncs" parallel_syncs: u32,
        /// The region of all its nodes.
        optional "region" region: String,
        /// A region for its primaries and one for its replicas, instead of `region`.
        optional "placement" placement: PlacementMap,
        /// Directives of redis.conf, passed on unchanged.
        optional "config" config: Named<At<Directive>>,
        /// The port of every node; each has an address of its own. Default: a free one.
        optional "port" port: u16,
        /// Processors that each node may have, in containers: `0.5` is half the time of one.
        /// Default: all there are.
        optional "cpus" cpus: f64,
        /// Memory that each node may have, in containers. Default: all there is.
        optional "memory" memory: Bytes,
    }
}

word_enum! {
    /// A mode by its name.
    ModeWord "mode" {
        Standalone "standalone",
        Replication "replication",
        Sentinel "sentinel",
        Cluster "cluster",
    }
}

/// The value of a directive, passed on as it is written.
#[derive(Clone, Debug)]
pub struct Directive(pub String);

impl Scalar for Directive {
    fn read(text: &str) -> Result<Directive, Misread> {
        Ok(Directive(text.to_owned()))
    }

    fn schema() -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

/// One region, or several.
#[derive(Clone, Debug)]
pub struct Regions(pub Vec<At<String>>);

impl Decode for Regions {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<Regions> {
        match &node.value {
            Value::List(_) => Decode::decode(node, errors).map(Regions),
            _ => At::decode(node, errors).map(|region| Regions(vec![region])),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let [one, several] =
            [schema_of::<String>(generator), schema_of::<Vec<At<String>>>(generator)];
        json_schema!({ "oneOf": [one, several] })
    }
}

object! {
    /// A group stretched over regions.
    PlacementMap "a placement" {
        /// The region of the first primaries, or a list of regions that shards get in turn.
        required "primaries" primaries: Regions,
        /// The same of the first replicas. Each further replica of a shard is in the next region.
        required "replicas" replicas: Regions,
        /// The regions of the sentinels, assigned in turn. Default: that of the primaries.
        optional "sentinels" sentinels: Vec<At<String>>,
    }
}
