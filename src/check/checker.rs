//! The trait of checkers: rows and a context in; findings, measures and counts over time out.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::model::event::{CacheInfo, LocksInfo};
use crate::model::{Nanos, NodeName, StepKind, Verdict};

use super::finding::{Examples, Finding, Zero};
use super::hidden::Hidden;
use super::keepers::{HitsByMemory, Keepers};
use super::locks::LockFigures;
use super::parts::{History, ReadError};
use super::recovery_point::{Failures, RecoveryPoints};

/// Judges the rows of the loads whose workload it is registered for, in `check::of`.
///
/// It is pure: the same rows and the same context give the same result.
pub trait Checker: Sync {
    /// Its unique name.
    fn name(&self) -> &'static str;

    /// Whether it wants the final reads of all groups that have a load's keys. Others get those of
    /// the load's own group: what the rest holds judges nothing of theirs.
    fn compares_groups(&self) -> bool {
        false
    }

    /// # Errors
    /// Those of the history's reader.
    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError>;
}

/// What is known about a drill besides its rows.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// No row is missing. In a history that breaks off, the write of an unknown value may be
    /// among the missing rows.
    pub whole: bool,
    /// Several groups took writes to the same keys at once, and passed them on to each other. A
    /// read there may lack what was acknowledged elsewhere, but not what its own past shows.
    pub many_writers: bool,
    /// How sentences tell instants. Rows and figures count from the drill's start.
    pub zero: Zero,
    pub sides: Sides,
    pub windows: Windows,
    pub failures: Failures,
    /// For each load: the groups that have its keys, as their final reads number them. None if
    /// that is its own group alone.
    pub same_data: Vec<Vec<String>>,
    /// For each load: whether its clients turn to another group when no server of their own
    /// answers.
    pub may_turn: Vec<bool>,
    pub hidden: Hidden,
    /// For each load: the locks that it takes, if it takes some.
    pub locks: Vec<Option<LocksInfo>>,
    /// For each load: the cache that it reads and writes through, if it does.
    pub caches: Vec<Option<CacheInfo>>,
    /// The servers that keep copies.
    pub keepers: Keepers,
    /// What steps did, in the order in which they began. Those that began at once are one.
    pub faults: Vec<Fault>,
}

/// What a step did.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The index of the step, or of the first one of several.
    pub step: usize,
    pub kind: StepKind,
    /// As the scenario has it, of the first one.
    pub text: String,
    pub from: Nanos,
    /// None if it was not undone.
    pub until: Option<Nanos>,
    /// Acknowledged writes may be lost.
    pub loses_writes: bool,
    /// Servers' clocks jump, or run fast or slow.
    pub moves_clocks: bool,
}

impl Fault {
    pub(super) fn is_over_by(&self, at: Nanos) -> bool {
        self.until.is_some_and(|until| until <= at)
    }
}

impl Context {
    fn locks(&self, load: u8) -> Option<&LocksInfo> {
        self.locks.get(usize::from(load))?.as_ref()
    }

    /// How many may have a lock that bears the name of this load.
    pub(super) fn holders(&self, load: u8) -> usize {
        self.locks(load).map_or(1, |locks| locks.holders.max(1) as usize)
    }

    /// Whether a library takes those.
    pub(super) fn is_by_library(&self, load: u8) -> bool {
        self.locks(load).is_some_and(|locks| locks.by_library)
    }

    /// How long one is had at most that bears the name of this load.
    pub(super) fn lease(&self, load: u8) -> Option<Duration> {
        self.locks(load).and_then(LocksInfo::lease)
    }

    /// The same, if a session takes several.
    pub(super) fn lease_of_several(&self, load: u8) -> Option<Duration> {
        self.locks(load).and_then(LocksInfo::lease_of_several)
    }

    /// The cache of the load whose name its entities bear.
    pub(super) fn cache(&self, load: u8) -> Option<&CacheInfo> {
        self.caches.get(usize::from(load))?.as_ref()
    }

    /// The step that began last by then.
    pub(super) fn fault_before(&self, at: Nanos) -> Option<&Fault> {
        self.faults.iter().rev().find(|fault| fault.from <= at)
    }

    /// When all faults were over; none if there was none, or one never was.
    pub(super) fn healed(&self) -> Option<Nanos> {
        self.faults.iter().map(|fault| fault.until).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The group that did what a load wanted of its first one: that of the node that answered, if
    /// the client tells it. Otherwise it is the load's own, or, if its clients may turn to another
    /// one, nobody knows.
    pub(super) fn done_by(&self, load: u8, by: Option<u16>) -> Option<&str> {
        if let Some(node) = by.and_then(|node| self.sides.name_of((load, node))) {
            return Some(&node.group);
        }
        let load = usize::from(load);
        let own = self.same_data.get(load)?.first().map(String::as_str);
        own.filter(|_| self.may_turn.get(load) != Some(&true))
    }
}

/// The results of a checker, or of all of them.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    pub findings: Vec<Finding>,
    /// By the names of the catalogue. An unknown measure has no value.
    pub measures: BTreeMap<&'static str, f64>,
    /// Measures that are not known because keys could not be read: what is certain of them.
    pub at_least: BTreeMap<&'static str, f64>,
    /// How much of a measure falls into each window. Absent if that is unknown.
    pub over_time: BTreeMap<&'static str, OverTime>,
    /// By load, of those that take locks.
    pub locks: BTreeMap<u8, LockFigures>,
    /// By load, of those whose workload has measures of its own.
    pub of_loads: BTreeMap<u8, OfLoad>,
    /// By load, of those with a cache in a group: what more memory would bring.
    pub by_memory: BTreeMap<u8, HitsByMemory>,
    /// What each failure of [`Context::failures`] cost; absent if that was not looked for.
    pub recovery_points: Option<RecoveryPoints>,
}

/// What is known of the measures of one load: as the fields of [`Checked`] that are called so.
#[derive(Clone, Debug, Default)]
pub struct OfLoad {
    pub measures: BTreeMap<&'static str, f64>,
    pub at_least: BTreeMap<&'static str, f64>,
}

impl Checked {
    /// Adds what `told` says of one load.
    pub(super) fn of_load(&mut self, load: u8, told: Checked) {
        let own = self.of_loads.entry(load).or_default();
        own.measures.extend(told.measures);
        own.at_least.extend(told.at_least);
    }

    /// Adds the value of a measure, if it is known.
    pub(super) fn measure(&mut self, name: &'static str, value: Option<f64>) {
        self.measures.extend(value.map(|value| (name, value)));
    }

    /// Adds a measure that depends on a final state in which `unread` keys are missing. They may
    /// add to it, so that it is only known to be that at least; and 0 says nothing.
    pub(super) fn of_final_state(&mut self, unread: u64, name: &'static str, value: f64) {
        match unread {
            0 => _ = self.measures.insert(name, value),
            _ if value > 0.0 => _ = self.at_least.insert(name, value),
            _ => {}
        }
    }

    /// Beside a finding of something wrong: what is missing may be wrong too. (If nothing is
    /// wrong, that finding says so.)
    pub(super) fn find_unread(&mut self, name: &str, (wrong, unread): (u64, u64), text: String) {
        if wrong > 0 && unread > 0 {
            self.find(name, Verdict::Unknown, (unread, text), &Examples::default());
        }
    }

    /// Adds a finding of `count` operations, which the measure `name` counts.
    pub(super) fn find(
        &mut self,
        name: &str,
        verdict: Verdict,
        (count, text): (u64, String),
        examples: &Examples,
    ) {
        self.findings.push(Finding::counted_by(name, verdict, (count, text), examples));
    }

    pub(super) fn add(&mut self, other: Checked) {
        self.findings.extend(other.findings);
        self.measures.extend(other.measures);
        self.at_least.extend(other.at_least);
        self.over_time.extend(other.over_time);
        self.locks.extend(other.locks);
        self.by_memory.extend(other.by_memory);
        for (load, OfLoad { measures, at_least }) in other.of_loads {
            self.of_load(load, Checked { measures, at_least, ..Checked::default() });
        }
        self.recovery_points = match (self.recovery_points.take(), other.recovery_points) {
            (Some(own), Some(others)) => Some(own.and(others)),
            (own, others) => own.or(others),
        };
    }
}

/// The verdict on `wrong` operations, if `unread` keys have no final state.
pub(super) fn verdict(wrong: u64, unread: u64) -> Verdict {
    match (wrong, unread) {
        (0, 0) => Verdict::Pass,
        (0, _) => Verdict::Unknown,
        _ => Verdict::Fail,
    }
}

/// When each node was on a side that lost: by load, as each load numbers the nodes of its
/// group, and by the node's index.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    spans: HashMap<(u8, u16), Vec<(Nanos, Nanos)>>,
    leads: HashMap<(u8, u16), Vec<(Nanos, Nanos)>>,
    names: HashMap<(u8, u16), NodeName>,
}

impl Sides {
    pub fn name(&mut self, node: (u8, u16), name: NodeName) {
        self.names.insert(node, name);
    }

    /// From `from` until just before `to` the node was on a side that lost.
    pub fn add(&mut self, node: (u8, u16), from: Nanos, to: Nanos) {
        self.spans.entry(node).or_default().push((from, to));
    }

    /// From `from` until just before `to` the node was primary because it had been elected.
    pub fn add_lead(&mut self, node: (u8, u16), from: Nanos, to: Nanos) {
        self.leads.entry(node).or_default().push((from, to));
    }

    /// Whether the node was on a side that lost at `at`.
    pub(super) fn lost(&self, node: (u8, u16), at: Nanos) -> bool {
        self.spans.get(&node).is_some_and(|spans| holds(spans, at))
    }

    /// Whether the node was an elected primary at `at`.
    pub(super) fn leads(&self, node: (u8, u16), at: Nanos) -> bool {
        self.leads.get(&node).is_some_and(|spans| holds(spans, at))
    }

    pub(super) fn name_of(&self, node: (u8, u16)) -> Option<&NodeName> {
        self.names.get(&node)
    }
}

fn holds(spans: &[(Nanos, Nanos)], at: Nanos) -> bool {
    spans.iter().any(|(from, to)| (*from..*to).contains(&at))
}

/// The windows of time of the loads' series.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    /// The length of each.
    pub every: Duration,
    /// For each load, when its windows begin, in order.
    pub begins: Vec<Vec<Nanos>>,
}

/// How many were counted in each window of each load. Its size depends on the number of windows
/// only.
#[derive(Clone, Debug, Default)]
pub struct OverTime {
    windows: Windows,
    counts: Vec<Vec<u64>>,
}

impl OverTime {
    pub(super) fn new(windows: &Windows) -> OverTime {
        let counts = windows.begins.iter().map(|begins| vec![0; begins.len()]).collect();
        OverTime { windows: windows.clone(), counts }
    }

    /// What lies in no window is not counted, such as writes before the load.
    pub(super) fn count(&mut self, load: u8, at: Nanos) {
        let load = usize::from(load);
        let Some(begins) = self.windows.begins.get(load) else { return };
        let begun = begins.partition_point(|begin| *begin <= at);
        let Some(last) = begun.checked_sub(1) else { return };
        if at < begins[last] + self.windows.every {
            self.counts[load][last] += 1;
        }
    }

    /// An entry for each window of `load`.
    pub fn counts(&self, load: usize) -> &[u64] {
        self.counts.get(load).map_or(&[], |counts| counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_in_the_window_that_it_lies_in() {
        let begins = |some: &[u64]| some.iter().copied().map(Nanos).collect();
        let begins = vec![begins(&[50, 150, 350]), begins(&[55])];
        let mut found = OverTime::new(&Windows { every: Duration::from_nanos(100), begins });
        for at in [49, 50, 149, 150, 249, 250, 349, 449, 450] {
            found.count(0, Nanos(at));
        }
        found.count(1, Nanos(54));
        found.count(1, Nanos(55));
        found.count(2, Nanos(55));
        assert_eq!(found.counts(0), [2, 2, 1], "neither before, nor between, nor after");
        assert_eq!(found.counts(1), [1]);
        assert_eq!(found.counts(2), [0; 0]);
    }
}
