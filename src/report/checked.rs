//! What the checkers say of a run's history, and what they are told of the drill besides rows:
//! its windows, its faults, and which nodes were when on a side that lost.
//!
//! When a node becomes primary of a shard, the previous primary has lost from that instant on.
//! If a cut lay between the two at that instant, it had lost since the cut's beginning: nothing
//! that it acknowledged since then could reach its successor.

use crate::check::{
    self, Checked, Context, Failures, Fault, History, ReadError, Sides, Windows, Zero,
};
use crate::load::history::Packed;
use crate::model::event::LoadInfo;
use crate::model::op::{Op, OpHead};
use crate::model::step::StepKind;
use crate::model::{KeySpan, Nanos, NodeName};

use super::error::ReportError;
use super::failover_fold::Election;
use super::keepers;
use super::record::Record;
use super::series::EVERY;
use super::step_record::StepRecord;
use super::stranded::is_stranded;

/// Which checkers are asked, the workloads of the loads decide. Sentences count from `zero`,
/// the load's start; `whole` says that no row is missing.
pub(super) fn checked(
    history: &Packed,
    record: &Record,
    (zero, whole): (Nanos, bool),
    failures: &Failures,
) -> Result<Checked, ReportError> {
    let loads = record.workloads();
    let begins = record.series.iter().map(|series| series.begins.clone()).collect();
    let context = Context {
        whole,
        many_writers: record.info.loads.iter().any(|load| !load.same_data.is_empty()),
        zero: Zero::At(zero),
        sides: sides(record),
        windows: Windows { every: EVERY, begins },
        failures: failures.clone(),
        same_data: record.info.loads.iter().map(|load| load.same_data.clone()).collect(),
        may_turn: record.info.loads.iter().map(|load| load.fallback.is_some()).collect(),
        hidden: record.lag.not_there(),
        locks: record.info.loads.iter().map(|load| load.locks).collect(),
        caches: record.info.loads.iter().map(|load| load.cache).collect(),
        keepers: keepers::keepers(record, &|load| counted(record, load)),
        faults: faults(record),
    };
    check::check(&loads, &Rows { history, record }, &context).map_err(ReportError::Check)
}

/// The rows of a run, as checkers read them.
struct Rows<'a> {
    history: &'a Packed,
    record: &'a Record,
}

impl History for Rows<'_> {
    fn rows(&self) -> usize {
        self.history.rows()
    }

    fn each_in(
        &self,
        span: KeySpan,
        wanted: &dyn Fn(OpHead) -> bool,
        on_row: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError> {
        let wanted = |head: OpHead| wanted(head) && !is_stranded(self.record, head);
        Ok(self.history.each(span, &wanted, on_row)?)
    }
}

/// What steps did, in the order in which they began. Those that were to begin at the same instant are
/// one.
fn faults(record: &Record) -> Vec<Fault> {
    let mut begun: Vec<(usize, &StepRecord)> = record.steps.iter().enumerate().collect();
    begun.retain(|(_, step)| step.began.is_some());
    begun.sort_by_key(|(_, step)| (step.info.planned_at, step.began));
    let at_once = begun.chunk_by(|(_, a), (_, b)| a.info.planned_at == b.info.planned_at);
    at_once.filter_map(fault).collect()
}

fn fault(steps: &[(usize, &StepRecord)]) -> Option<Fault> {
    let (step, first) = steps.first()?;
    let more = steps.len() - 1;
    let text = match more {
        0 => first.info.text.clone(),
        _ => format!("{}, and {more} more", first.info.text),
    };
    let from = steps.iter().filter_map(|(_, step)| step.began).min()?;
    let ends = steps.iter().map(|(_, step)| step.undone.or(step.ended));
    let until = ends.collect::<Option<Vec<Nanos>>>().and_then(|ends| ends.into_iter().max());
    let any = |is: &dyn Fn(&StepRecord) -> bool| steps.iter().any(|(_, step)| is(step));
    let loses_writes = any(&|step| step.effects().loses_writes);
    let moves_clocks = any(&|step| step.info.kind == StepKind::Clock);
    let kind = first.info.kind.clone();
    Some(Fault { step: *step, kind, text, from, until, loses_writes, moves_clocks })
}

/// An instant that never comes.
const NEVER: Nanos = Nanos(u64::MAX);

fn sides(record: &Record) -> Sides {
    let mut sides = Sides::default();
    for (load, info) in record.info.loads.iter().enumerate() {
        for (index, node) in counted(record, info).into_iter().enumerate() {
            let known = (load as u8, index as u16);
            sides.name(known, node.clone());
            for (from, to) in lost(record, &node) {
                sides.add(known, from, to);
            }
            for (from, to) in led(record, &node) {
                sides.add_lead(known, from, to);
            }
        }
    }
    sides
}

/// The nodes of a load's group, as its history numbers them.
fn counted(record: &Record, info: &LoadInfo) -> Vec<NodeName> {
    if !info.nodes.is_empty() {
        return info.nodes.clone();
    }
    // Older records do not name them: then they are the nodes from the start.
    let nodes = record.nodes.iter().map(|node| &node.name);
    nodes.filter(|name| name.group == info.group).cloned().collect()
}

/// The spans in which `node` was superseded, or cut off from its successor.
fn lost(record: &Record, node: &NodeName) -> Vec<(Nanos, Nanos)> {
    let elections = record.failovers.elections();
    let span = |one: &Election| {
        let again = elections.iter().filter(|other| other.to == *node && other.at > one.at);
        let until = again.map(|other| other.at).min().unwrap_or(NEVER);
        (cut_since(record, node, &one.to, one.at).unwrap_or(one.at), until)
    };
    elections.iter().filter(|one| one.over.contains(node)).map(span).collect()
}

/// The spans in which `node` was the primary because it had been elected.
fn led(record: &Record, node: &NodeName) -> Vec<(Nanos, Nanos)> {
    let elections = record.failovers.elections();
    let span = |one: &Election| {
        let over = elections.iter().filter(|other| other.over.contains(node) && other.at > one.at);
        (one.at, over.map(|other| other.at).min().unwrap_or(NEVER))
    };
    elections.iter().filter(|one| one.to == *node).map(span).collect()
}

/// Since when the cut at `at` had been between the two.
fn cut_since(record: &Record, a: &NodeName, b: &NodeName, at: Nanos) -> Option<Nanos> {
    let between = |step: &&StepRecord| {
        let holds = step.began.is_some_and(|began| began <= at)
            && step.undone.is_none_or(|undone| undone > at);
        holds && step.cuts(a, b)
    };
    record.steps.iter().filter(between).filter_map(|step| step.began).min()
}
