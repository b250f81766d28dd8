//! The maps of steps that do something to nodes.

use schemars::{Schema, json_schema};

use super::step::{Failover, Kill, Pause, Restart, Stop};
use crate::model::NodeName;
use crate::spec::decode::{Misread, Scalar, object, words};
use crate::spec::quantity::Time;
use crate::spec::scenario::{Data, Force, Target};

/// The forms in which a target is written.
const FORMS: &str = "write a node's name like cache/1/0, `primary of shard 1`, `a replica of \
                     shard 1`, `all nodes`, `region eu-west`, `all primaries`, `all replicas`, `a minority of primaries`, \
                     `a majority of primaries`, `random primary` or `random replica`; of \
                     sentinels cache/sentinel/0, `all sentinels`, `a minority of sentinels`, \
                     `a majority of sentinels` or `random sentinel`";

object! {
    /// Ends servers at once (SIGKILL), as a power cut would.
    KillMap "a kill step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `kill`
        required "do" kind: Kill,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// How long they are gone; then they start again with their data. Default: until the
        /// load has ended.
        optional "for" lasts: Time,
    }
}

object! {
    /// Asks servers to end (SIGTERM), as a deployment does.
    StopMap "a stop step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `stop`
        required "do" kind: Stop,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// How long they are gone; then they start again with their data. Default: until the
        /// load has ended.
        optional "for" lasts: Time,
    }
}

object! {
    /// Keeps servers from running (SIGSTOP); their connections stay open.
    PauseMap "a pause step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `pause`
        required "do" kind: Pause,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// How long; then they go on. Default: until the load has ended.
        optional "for" lasts: Time,
    }
}

object! {
    /// Stops servers and starts them again at once.
    RestartMap "a restart step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `restart`
        required "do" kind: Restart,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes: a name, or a role as it is by then.
        required "target" target: Target,
        /// `kept`, or `dropped`: they start as they were started first. Default: `kept`.
        optional "data" data: Data,
    }
}

object! {
    /// Tells a replica to become the primary of its shard, or a sentinel to fail over.
    FailoverMap "a failover step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `failover`
        required "do" kind: Failover,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// The replica: a name, or a role as it is by then. In mode `sentinel` the sentinel
        /// that is told.
        required "target" target: Target,
        /// `none` agrees with the primary on the handover, `force` does not wait for it,
        /// `takeover` asks nobody. Default: `none`.
        optional "force" force: Force,
    }
}

words!(Data as "data" { "kept" => Data::Kept, "dropped" => Data::Dropped });
words!(Force as "force" {
    "none" => Force::None,
    "force" => Force::Force,
    "takeover" => Force::Takeover,
});

impl Scalar for Target {
    fn read(text: &str) -> Result<Target, Misread> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let shard = |number: &str| number.parse().ok();
        let target = match words[..] {
            ["all", "nodes"] => Some(Target::All),
            ["region", region] => Some(Target::Region(region.to_owned())),
            ["all", "primaries"] => Some(Target::Primaries),
            ["all", "replicas"] => Some(Target::Replicas),
            ["a", "minority", "of", "primaries"] => Some(Target::MinorityOfPrimaries),
            ["a", "majority", "of", "primaries"] => Some(Target::MajorityOfPrimaries),
            ["random", "primary"] => Some(Target::RandomPrimary),
            ["random", "replica"] => Some(Target::RandomReplica),
            ["all", "sentinels"] => Some(Target::Sentinels),
            ["a", "minority", "of", "sentinels"] => Some(Target::MinorityOfSentinels),
            ["a", "majority", "of", "sentinels"] => Some(Target::MajorityOfSentinels),
            ["random", "sentinel"] => Some(Target::RandomSentinel),
            ["primary", "of", "shard", n] => shard(n).map(Target::PrimaryOf),
            ["a", "replica", "of", "shard", n] => shard(n).map(Target::ReplicaOf),
            [name] => name.parse::<NodeName>().ok().map(Target::Node),
            _ => None,
        };
        target.ok_or_else(|| Misread::new(format!("`{text}` names no node"), FORMS))
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "examples": [
                "cache/1/0", "primary of shard 1", "a replica of shard 1", "all nodes", "region eu-west", "all primaries",
                "all replicas", "a minority of primaries", "a majority of primaries",
                "random primary", "random replica", "cache/sentinel/0", "all sentinels",
                "a minority of sentinels", "a majority of sentinels", "random sentinel",
            ],
        })
    }
}
