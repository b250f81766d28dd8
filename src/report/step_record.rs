//! What the record says of one step.

use std::time::Duration;

use crate::model::event::{Moved, PaceKept, StepInfo};
use crate::model::step::{Effects, Lasts};
use crate::model::{Nanos, NodeName};

use super::data::{Hit, Job, JobPhase, millis};

#[derive(Clone, Debug)]
pub(super) struct StepRecord {
    pub info: StepInfo,
    pub began: Option<Nanos>,
    pub ended: Option<Nanos>,
    pub view_converged: Option<Nanos>,
    pub converged: Option<Nanos>,
    pub hits: Vec<Hit>,
    /// The nodes at the other ends of the links that it changed.
    pub against: Vec<NodeName>,
    /// Since when it acts on all its nodes, if that was told.
    pub in_force: Option<Nanos>,
    pub undone: Option<Nanos>,
    pub joined: Vec<NodeName>,
    pub left: Vec<NodeName>,
    pub notes: Vec<String>,
    pub moved: Moved,
    pub method: Option<String>,
    pub pace: Option<PaceKept>,
    pub jobs: Vec<Job>,
    pub error: Option<String>,
    /// When it was tried to undo it after the load, in vain.
    pub not_undone: Option<Nanos>,
    /// The error may be that redrill did not see something in time.
    pub doubtful: bool,
    /// The error is of redrill, or of what runs the servers.
    pub own: bool,
    /// Why nobody can tell whether it is the servers' fault.
    pub unsure: Option<String>,
}

/// Of a step that redrill could not do.
pub const NOT_THE_SERVERS: &str =
    "that is no fault of the servers: look at what runs them, and run it again";

impl StepRecord {
    pub fn new(info: StepInfo) -> StepRecord {
        StepRecord {
            info,
            began: None,
            ended: None,
            view_converged: None,
            converged: None,
            hits: Vec::new(),
            against: Vec::new(),
            in_force: None,
            undone: None,
            joined: Vec::new(),
            left: Vec::new(),
            notes: Vec::new(),
            moved: Moved::default(),
            method: None,
            pace: None,
            jobs: Vec::new(),
            error: None,
            not_undone: None,
            doubtful: false,
            own: false,
            unsure: None,
        }
    }

    pub fn inject(&mut self, nodes: Vec<NodeName>, against: Vec<NodeName>, at: Nanos) {
        self.against.extend(against);
        self.hit(nodes, at);
    }

    /// On all its nodes if none are named.
    pub fn undo(&mut self, nodes: &[NodeName], at: Nanos) {
        self.undone = Some(at);
        self.let_go(nodes, at);
    }

    /// From this turn on it holds all nodes again that it held before, or none.
    pub fn turn(&mut self, holds: bool, at: Nanos) {
        if !holds {
            return self.let_go(&[], at);
        }
        let mut nodes: Vec<NodeName> = self.hits.iter().map(|hit| hit.node.clone()).collect();
        nodes.sort();
        nodes.dedup();
        self.hit(nodes, at);
    }

    fn hit(&mut self, nodes: Vec<NodeName>, at: Nanos) {
        let hit = |node| Hit { node, at_ms: millis(at), undone_ms: None };
        self.hits.extend(nodes.into_iter().map(hit));
    }

    fn let_go(&mut self, nodes: &[NodeName], at: Nanos) {
        let is_meant = |hit: &&mut Hit| nodes.is_empty() || nodes.contains(&hit.node);
        let open = self.hits.iter_mut().filter(|hit| hit.undone_ms.is_none());
        open.filter(is_meant).for_each(|hit| hit.undone_ms = Some(millis(at)));
    }

    /// Whether it cuts, or has cut, the two nodes off from each other.
    pub fn cuts(&self, a: &NodeName, b: &NodeName) -> bool {
        let one = |node: &NodeName| self.hits.iter().any(|hit| hit.node == *node);
        let other = |node: &NodeName| self.against.contains(node);
        self.effects().cuts_links && (one(a) && other(b) || one(b) && other(a))
    }

    /// Whether it still acted on `node` at `at`, or was undone at most `grace` before.
    pub fn held(&self, node: &NodeName, at: Nanos, grace: Duration) -> bool {
        let ended = self.ended_at_once().map(millis);
        self.hits.iter().filter(|hit| hit.node == *node).any(|hit| {
            let over = hit.undone_ms.or(ended);
            hit.at_ms <= millis(at) && over.is_none_or(|over| over >= millis(at - grace))
        })
    }

    pub fn hear_job(&mut self, (from, to): (u32, u32), state: String, at: Nanos) {
        let known = self.jobs.iter().position(|job| (job.from, job.to) == (from, to));
        let index = known.unwrap_or_else(|| {
            self.jobs.push(Job { from, to, phases: Vec::new() });
            self.jobs.len() - 1
        });
        self.jobs[index].phases.push(JobPhase { state, at_ms: millis(at) });
    }

    pub fn effects(&self) -> Effects {
        self.info.effects()
    }

    /// Its end, if nothing of it is left then. Older records do not report that such a step was
    /// undone.
    fn ended_at_once(&self) -> Option<Nanos> {
        self.ended.filter(|_| self.effects().lasts == Lasts::AtOnce)
    }
}
