//! Restarting nodes one after the other.

use std::time::Duration;

use super::quantity::Time;
use super::scenario::{Data, Target};

/// All nodes of `target` are restarted, replicas before primaries, each when the one before
/// it has passed the gate.
#[derive(Clone, Debug, PartialEq)]
pub struct RollingRestart {
    pub target: Target,
    pub data: Data,
    /// A primary gives its slots to a replica before it is restarted.
    pub hand_over: bool,
    pub gate: Gate,
    /// How long a node may take to pass the gate, and to hand over.
    pub patience: Duration,
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

impl Gate {
    /// As it is written in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Gate::Started => "started",
            Gate::Answering => "answering",
            Gate::Whole => "whole",
        }
    }
}

impl RollingRestart {
    pub const WORD: &'static str = "rolling-restart";

    /// As it is written in a scenario, without `do`.
    pub fn written(&self) -> String {
        let data = match self.data {
            Data::Kept => "kept",
            Data::Dropped => "dropped",
        };
        format!(
            "target: \"{}\", data: {data}, hand_over: {}, gate: {}, patience: {}",
            self.target,
            self.hand_over,
            self.gate.word(),
            Time(self.patience)
        )
    }

    /// As a person would say it.
    pub fn describe(&self, group: &str) -> String {
        let hand_over = if self.hand_over { ", primaries hand over" } else { "" };
        let data = if self.data == Data::Dropped { " without their data" } else { "" };
        format!(
            "{} {group}: {}{data}, one after the other{hand_over}, gate `{}`",
            RollingRestart::WORD,
            self.target,
            self.gate.word()
        )
    }
}
