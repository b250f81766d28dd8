//! What the record says of one step.

use std::time::Duration;

use crate::model::event::{Moved, StepInfo};
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
    pub undone: Option<Nanos>,
    pub joined: Vec<NodeName>,
    pub left: Vec<NodeName>,
    pub moved: Moved,
    pub method: Option<String>,
    pub jobs: Vec<Job>,
    pub error: Option<String>,
}

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
            undone: None,
            joined: Vec::new(),
            left: Vec::new(),
            moved: Moved::default(),
            method: None,
            jobs: Vec::new(),
            error: None,
        }
    }

    /// From this turn on it holds all nodes again that it held before, or none.
    pub fn hear_turn(&mut self, holds: bool, at: Nanos) {
        let at_ms = millis(at);
        if !holds {
            let open = self.hits.iter_mut().filter(|hit| hit.undone_ms.is_none());
            open.for_each(|hit| hit.undone_ms = Some(at_ms));
            return;
        }
        let mut nodes: Vec<NodeName> = self.hits.iter().map(|hit| hit.node.clone()).collect();
        nodes.sort();
        nodes.dedup();
        let again = |node| Hit { node, at_ms, undone_ms: None };
        self.hits.extend(nodes.into_iter().map(again));
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
        self.info.kind.effects()
    }

    /// Its end, if nothing of it is left then. Older records do not report that such a step was
    /// undone.
    fn ended_at_once(&self) -> Option<Nanos> {
        self.ended.filter(|_| self.effects().lasts == Lasts::AtOnce)
    }

    /// When its effect was over and all nodes agreed again; `None` if that never happened.
    pub fn over(&self, steps: &[StepRecord]) -> Option<Nanos> {
        let undone = self.undone.or(self.ended_at_once())?;
        // What happens after the next step began belongs to that step.
        let next = steps.iter().filter_map(|step| step.began).filter(|began| *began > undone).min();
        let agreed = self.view_converged.filter(|at| next.is_none_or(|next| *at < next));
        Some(agreed.map_or(undone, |agreed| agreed.max(undone)))
    }
}
