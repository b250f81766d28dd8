//! A step that restarts nodes one after the other.

use std::time::Duration;

use super::declare::{Rule, step};
use super::node::Data;
use super::shared::Context;
use crate::spec::decode::{At, Word, word_enum};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Time;
use crate::spec::rules::ranged;

const PATIENCE: Time = Time(Duration::from_secs(30));

step! {
    /// Restarts nodes one after the other, replicas first, as an upgrade does: each when the one
    /// before it has passed the gate.
    RollingRestart RollingMap "a rolling-restart step" [AnyTarget] {
        /// `kept`, or `dropped`: they start as they were started first. Default: `kept`.
        default "data" data: Data = Data::Kept,
        /// Whether a primary hands over to a replica first (CLUSTER FAILOVER). Default: `false`.
        default "hand_over" hand_over: bool = false,
        /// What a node must have come to before the next one's turn: `started`, `answering`, or
        /// `whole`, which is that the whole group is well. Default: `whole`.
        default "gate" gate: Gate = Gate::Whole,
        /// How long that may take, and a handover; past it the step has failed. Default: 30s.
        default "patience" patience: Time = PATIENCE,
    }
}

/// What a restarted node must have come to before the next one's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Its process runs.
    Started,
    /// It answers, its data is loaded, and a replica's link is up.
    Answering,
    /// The whole group is: all nodes answer and agree, nobody is taken for failed.
    Whole,
}

word_enum!(Gate as "gate" {
    "started" => Gate::Started,
    "answering" => Gate::Answering,
    "whole" => Gate::Whole,
});

impl Rule for RollingRestart {
    type Map = RollingMap;

    fn check(
        map: &RollingMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<RollingRestart> {
        if let Some(At { value: true, span }) = map.hand_over.given()
            && !context.owned.has_replicas()
        {
            let message = format!("`{}` has no replicas to hand over to", context.group.name);
            let told = Diagnostic::new(span, message);
            diagnostics.push(told.advise("give it some, or leave `hand_over` out"));
        }
        let range = (Time(Duration::from_millis(100)), Time(Duration::from_secs(24 * 3600)));
        let why = "a node that never comes back ends the step after so long";
        ranged("patience", &map.patience, PATIENCE, range, why, diagnostics);
        map.filled()
    }

    fn how(&self) -> String {
        let hand_over = if self.hand_over { ", primaries hand over" } else { "" };
        let data = if self.data == Data::Dropped { " without their data" } else { "" };
        let gate = self.gate.word();
        format!("{data}, one after the other{hand_over}, gate `{gate}`")
    }
}
