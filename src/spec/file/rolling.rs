//! The map of a step that restarts nodes one after the other.

use super::step::Rolling;
use crate::spec::decode::{object, words};
use crate::spec::quantity::Time;
use crate::spec::rolling::Gate;
use crate::spec::scenario::{Data, Target};

object! {
    /// Restarts nodes one after the other, replicas first, as an upgrade does.
    RollingMap "a rolling-restart step" {
        /// When it starts, from the load's start.
        required "at" at: Time,
        /// `rolling-restart`
        required "do" kind: Rolling,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
        /// Which nodes, by their roles as it begins. Default: `all nodes`.
        optional "target" target: Target,
        /// `kept`, or `dropped`: they start as they were started first. Default: `kept`.
        optional "data" data: Data,
        /// Whether a primary hands over to a replica first (CLUSTER FAILOVER). Default: `false`.
        optional "hand_over" hand_over: bool,
        /// What a node must have come to before the next one's turn: `started`, `answering`, or
        /// `whole`, which is that the whole group is well. Default: `whole`.
        optional "gate" gate: Gate,
        /// How long that may take; past it the step has failed. Default: 30s.
        optional "patience" patience: Time,
    }
}

words!(Gate as "gate" {
    "started" => Gate::Started,
    "answering" => Gate::Answering,
    "whole" => Gate::Whole,
});
words!(bool as "truth value" { "true" => true, "false" => false });
