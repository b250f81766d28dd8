//! The map of a step that draws faults.

use super::step::Chaos;
use crate::spec::chaos::{Among, Drawn};
use crate::spec::decode::{At, object, words};
use crate::spec::quantity::{Time, Times};

object! {
    /// Draws faults by the drill's seed: the same seed gives the same ones.
    ChaosMap "a chaos step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `chaos`
        required "do" kind: Chaos,
        /// The group whose nodes are hit. Default: the only group.
        optional "group" group: String,
        /// Who may be hit: `nodes`, `sentinels`, or `all` of both. Default: `nodes`.
        optional "among" among: Among,
        /// The time from one fault's beginning to the next one's. Default: 3s..8s.
        optional "every" every: Times,
        /// How long faults go on; all is healed by then.
        required "for" lasts: Time,
        /// How long a fault lasts. Default: 2s..6s.
        optional "heal" heal: Times,
        /// What is drawn from: `kill`, `stop`, `pause`, `restart`, `partition`, `reset`,
        /// `refuse`. Default: kill, pause and partition.
        optional "faults" faults: Vec<At<Drawn>>,
    }
}

words!(Among as "choice of nodes" {
    "nodes" => Among::Nodes,
    "sentinels" => Among::Sentinels,
    "all" => Among::All,
});
words!(Drawn as "fault that can be drawn" {
    "kill" => Drawn::Kill,
    "stop" => Drawn::Stop,
    "pause" => Drawn::Pause,
    "restart" => Drawn::Restart,
    "partition" => Drawn::Partition,
    "reset" => Drawn::Reset,
    "refuse" => Drawn::Refuse,
});
