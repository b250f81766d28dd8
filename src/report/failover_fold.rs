//! Collects the nodes' reports of failovers into one row for each failover.

use std::time::Duration;

use crate::model::event::FailoverPhase;
use crate::model::{Nanos, NodeName, ShardName};

use super::step_record::StepRecord;

/// A canary's first failed probe may have been sent so long before the fault took effect.
const BEFORE: Duration = Duration::from_millis(200);
/// The node that learns of the new primary last may give up its role so long after all others
/// name the new one, and a probe may meet that.
const AFTER: Duration = Duration::from_millis(500);
/// A node that is back has heard of all others after this time: links are made again ten times
/// a second, and each node pings others at least once a second.
const UNHEARD: Duration = Duration::from_secs(2);

/// Everything that was reported, in order.
#[derive(Debug, Default)]
pub(super) struct FailoverFold {
    injected: Vec<Injected>,
    pub open: Vec<OpenFailover>,
    elections: Vec<Election>,
}

/// A node became primary of a shard.
#[derive(Debug)]
pub(super) struct Election {
    pub to: NodeName,
    /// When that was seen.
    pub at: Nanos,
    /// The other nodes that belonged to the shard then.
    pub over: Vec<NodeName>,
}

#[derive(Debug)]
pub(super) struct Injected {
    pub at: Nanos,
    pub step: usize,
    nodes: Vec<NodeName>,
    /// The shards that they belonged to then.
    shards: Vec<ShardName>,
    /// The nodes that a cut separates them from.
    against: Vec<NodeName>,
}

impl Injected {
    fn hits(&self, node: &Option<NodeName>) -> bool {
        node.as_ref().is_some_and(|node| self.nodes.contains(node))
    }
}

/// One failover, as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct OpenFailover {
    pub shard: ShardName,
    pub began: Nanos,
    pub from: Option<NodeName>,
    pub to: Option<NodeName>,
    /// The first node that suspected the primary.
    by: Option<NodeName>,
    at: [Option<Nanos>; 5],
}

impl OpenFailover {
    pub fn at(&self, phase: FailoverPhase) -> Option<Nanos> {
        self.at[phase as usize]
    }

    /// The last instant at which it moved towards a new primary.
    pub fn turned(&self) -> Nanos {
        let phases = [FailoverPhase::Elected, FailoverPhase::Agreed, FailoverPhase::Suspected];
        phases.iter().find_map(|phase| self.at(*phase)).unwrap_or(self.began)
    }

    /// Only nodes that were cut off or paused at that time, or until just before, have
    /// suspected the primary.
    pub fn is_a_mistake(&self, steps: &[StepRecord]) -> bool {
        let at = self.at(FailoverPhase::Suspected).unwrap_or(self.began);
        let held = |step: &StepRecord, node: &Option<NodeName>| {
            node.as_ref().is_some_and(|node| step.held(node, at, UNHEARD))
        };
        let behind = |step: &StepRecord| held(step, &self.by) && !held(step, &self.from);
        !self.went_on() && steps.iter().any(behind)
    }

    /// There was more than a suspicion.
    fn went_on(&self) -> bool {
        [FailoverPhase::Agreed, FailoverPhase::Elected]
            .iter()
            .any(|phase| self.at(*phase).is_some())
    }
}

impl FailoverFold {
    /// A fault hit `nodes`; a cut lies between them and those of `against`.
    pub fn injected(
        &mut self,
        at: Nanos,
        step: usize,
        (nodes, shards): (Vec<NodeName>, Vec<ShardName>),
        against: Vec<NodeName>,
    ) {
        let one = Injected { at, step, nodes, shards, against };
        // The primary was suspected before, and the suspicion is still open. From now on it
        // belongs to this fault.
        let under_way = self.open.iter_mut().filter(|row| !row.went_on() && one.hits(&row.from));
        for row in under_way {
            row.began = at;
            row.at[FailoverPhase::Suspected as usize] = Some(at);
        }
        self.injected.push(one);
    }

    /// `members` are all nodes that belonged to the shard then.
    pub fn hear(
        &mut self,
        at: Nanos,
        (shard, members): (ShardName, Vec<NodeName>),
        phase: FailoverPhase,
        (node, by): (NodeName, NodeName),
    ) {
        // Once all name a new primary, everything that follows belongs to the next failover,
        // except the first linked replica.
        let goes_on = |row: &OpenFailover| {
            let same = row.shard == shard;
            let over = row.at(FailoverPhase::Propagated).is_some();
            same && (phase == FailoverPhase::Redundant || !over)
        };
        let index = self.open.iter().rposition(goes_on).unwrap_or_else(|| {
            let (from, to, by, times) = (None, None, None, [None; 5]);
            self.open.push(OpenFailover { shard, began: at, from, to, by, at: times });
            self.open.len() - 1
        });
        let row = &mut self.open[index];
        match phase {
            // A node that suspects the old primary only after the election has not heard of the new
            // one: after a takeover, one on the other side of a cut.
            FailoverPhase::Suspected | FailoverPhase::Agreed
                if row.at(FailoverPhase::Elected).is_some() =>
            {
                row.from = row.from.take().or(Some(node));
                return;
            }
            FailoverPhase::Suspected => {
                // The primary had been trusted again, so this is a new suspicion.
                (row.began, row.at) = (at, [None; 5]);
                (row.from, row.by) = (Some(node), Some(by));
            }
            FailoverPhase::Agreed => row.from = Some(node),
            FailoverPhase::Elected => {
                let over = members.into_iter().filter(|other| *other != node).collect();
                self.elections.push(Election { to: node.clone(), at, over });
                row.to = Some(node);
            }
            FailoverPhase::Propagated => row.to = Some(node),
            FailoverPhase::Redundant => {}
        }
        row.at[phase as usize] = Some(at);
    }

    /// The elected nodes, in order.
    pub fn elections(&self) -> &[Election] {
        &self.elections
    }

    /// The next fault after `at` that hit the old or the new primary, or any node of the shard
    /// once all named the new one.
    fn next(&self, row: &OpenFailover, at: Nanos) -> Option<Nanos> {
        let over = |one: &Injected| row.at(FailoverPhase::Propagated).is_some_and(|at| one.at > at);
        let ends = |one: &&Injected| {
            one.hits(&row.from) || one.hits(&row.to) || over(one) && one.shards.contains(&row.shard)
        };
        let later = self.injected.iter().filter(|one| one.at > at);
        later.filter(ends).map(|one| one.at).min()
    }

    /// Outages of the failover that began at `at` begin before this: before `end`, before
    /// another fault, and before the next failover.
    pub fn until(&self, row: &OpenFailover, at: Nanos, end: Nanos) -> Nanos {
        let next = self.next(row, at).map_or(end, |next| next - BEFORE);
        row.at(FailoverPhase::Propagated).map_or(next, |over| next.min(over + AFTER))
    }

    /// What concerns the failover that began at `at` was seen until then: `end`, or before that
    /// another fault or the next failover.
    pub fn seen_until(&self, row: &OpenFailover, at: Nanos, end: Nanos) -> Nanos {
        self.next(row, at).map_or(end, |next| next.min(end))
    }

    /// The fault that led to it: the last one before it that hit the old primary. If none did,
    /// the last one that cut it off from others or hit another node of the shard. But if it was
    /// only suspected, a busy machine may be the cause.
    pub fn cause(&self, row: &OpenFailover) -> Option<&Injected> {
        let before = || self.injected.iter().filter(|one| one.at <= row.began);
        let on_it = before().filter(|one| one.hits(&row.from)).max_by_key(|one| one.at);
        let near = |one: &&Injected| {
            let cut = row.from.as_ref().is_some_and(|from| one.against.contains(from));
            cut || one.shards.contains(&row.shard)
        };
        let went_on = row.from.is_none() || row.went_on();
        on_it.or_else(|| before().filter(|_| went_on).filter(near).max_by_key(|one| one.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StepKind;
    use crate::model::event::StepInfo;
    use crate::report::data::Hit;

    fn node(ordinal: u32) -> NodeName {
        NodeName::new("c", 1, ordinal)
    }

    /// The primary is suspected at 20 and its replica elected at 40; `faults` are added.
    fn told(faults: &[(u64, usize, u32)]) -> FailoverFold {
        let mut told = FailoverFold::default();
        let phases = [
            (20, FailoverPhase::Suspected, 0),
            (30, FailoverPhase::Agreed, 0),
            (40, FailoverPhase::Elected, 1),
        ];
        for at in 0..50 {
            for (_, step, ordinal) in faults.iter().filter(|fault| fault.0 == at) {
                let node = node(*ordinal);
                let shard = node.shard_name().unwrap();
                told.injected(Nanos(at), *step, (vec![node], vec![shard]), vec![]);
            }
            for (_, phase, ordinal) in phases.iter().filter(|phase| phase.0 == at) {
                let by = NodeName::new("c", 0, 0);
                let shard = (node(0).shard_name().unwrap(), vec![node(0), node(1)]);
                told.hear(Nanos(at), shard, *phase, (node(*ordinal), by));
            }
        }
        told
    }

    fn cause(faults: &[(u64, usize, u32)]) -> Option<(usize, Nanos)> {
        let told = told(faults);
        assert_eq!(told.open.len(), 1);
        told.cause(&told.open[0]).map(|one| (one.step, told.open[0].began))
    }

    #[test]
    fn a_failover_is_of_the_fault_that_hit_the_old_primary() {
        let (kill, of_replica) = ((10, 0, 0), (15, 1, 1));
        assert_eq!(cause(&[kill]), Some((0, Nanos(20))));
        assert_eq!(cause(&[kill, of_replica]), Some((0, Nanos(20))), "not the one after it");
        assert_eq!(cause(&[of_replica]), Some((1, Nanos(20))), "for want of another");
        let later = (25, 2, 0);
        assert_eq!(cause(&[of_replica, later]), Some((2, Nanos(25))), "it was suspected before");
        assert_eq!(cause(&[kill, (35, 2, 0)]), Some((0, Nanos(20))), "it had failed by then");
        assert_eq!(cause(&[]), None);
    }

    #[test]
    fn an_election_stands_though_a_node_misses_the_old_primary_after_it() {
        let mut told = FailoverFold::default();
        let (shard, by) = (node(0).shard_name().unwrap(), NodeName::new("c", 0, 0));
        told.injected(Nanos(10), 0, (vec![node(0)], vec![shard.clone()]), vec![]);
        use FailoverPhase::*;
        for (at, phase, ordinal) in [(20, Elected, 1), (30, Suspected, 0), (31, Agreed, 0)] {
            let shard = (shard.clone(), vec![node(0), node(1)]);
            told.hear(Nanos(at), shard, phase, (node(ordinal), by.clone()));
        }
        let [row] = &told.open[..] else { panic!("{:?}", told.open) };
        assert_eq!([Elected, Suspected, Agreed].map(|p| row.at(p)), [Some(Nanos(20)), None, None]);
        assert_eq!((&row.from, &row.to), (&Some(node(0)), &Some(node(1))));
        assert_eq!(told.cause(row).map(|one| one.at), Some(Nanos(10)), "what hit the old one");
    }

    #[test]
    fn what_is_done_to_others_does_not_end_a_failovers_time() {
        let told = told(&[(10, 0, 0), (25, 1, 2), (45, 2, 1)]);
        assert_eq!(told.next(&told.open[0], Nanos(10)), Some(Nanos(45)), "the new primary");
    }

    #[test]
    fn what_begins_when_all_have_known_for_a_while_is_not_of_the_failover() {
        let until = |told: &FailoverFold| told.until(&told.open[0], Nanos(20), second(30));
        let mut told = told(&[(10, 0, 0), (25, 1, 2)]);
        assert_eq!(until(&told), second(30), "not all know of it");
        let shard = node(0).shard_name().unwrap();
        let by = NodeName::new("c", 0, 0);
        let all = (shard.clone(), vec![node(0), node(1)]);
        told.hear(second(3), all, FailoverPhase::Propagated, (node(1), by));
        assert_eq!(until(&told), second(3) + AFTER);
        let far = NodeName::new("c", 0, 0);
        told.injected(
            second(3) + BEFORE,
            2,
            (vec![far.clone()], vec![far.shard_name().unwrap()]),
            vec![],
        );
        assert_eq!(until(&told), second(3) + AFTER, "of another shard");
        told.injected(second(3) + BEFORE, 3, (vec![node(2)], vec![shard]), vec![]);
        assert_eq!(until(&told), second(3), "it may hand over to who was no part of this");
    }

    /// A step that hit `node` in second 10 and was undone at `undone`.
    fn step(kind: &str, node: NodeName, undone: Option<u64>) -> StepRecord {
        let (group, text) = (node.group.clone(), kind.to_owned());
        let (kind, planned_at) = (StepKind::parse(kind), Nanos(0));
        let info = StepInfo { kind, group, on_actors: false, text, planned_at };
        let mut step = StepRecord::new(info);
        step.hits = vec![Hit { node, at_ms: 10e3, undone_ms: undone.map(|s| s as f64 * 1e3) }];
        step.ended = Some(second(11));
        step
    }

    fn second(s: u64) -> Nanos {
        Nanos(s * 1_000_000_000)
    }

    #[test]
    fn who_is_cut_off_or_just_back_is_no_witness() {
        let teller = NodeName::new("c", 0, 0);
        let is_a_mistake = |at: u64, steps: &[StepRecord]| {
            let mut told = FailoverFold::default();
            let shard = (node(0).shard_name().unwrap(), vec![node(0), node(1)]);
            let by = (node(0), teller.clone());
            told.hear(second(at), shard, FailoverPhase::Suspected, by);
            told.open[0].is_a_mistake(steps)
        };
        let cut = step("partition", teller.clone(), Some(15));
        assert!(is_a_mistake(12, std::slice::from_ref(&cut)), "it is cut off");
        assert!(is_a_mistake(16, std::slice::from_ref(&cut)), "it has just come back");
        assert!(!is_a_mistake(19, std::slice::from_ref(&cut)), "it has been back for long");
        assert!(!is_a_mistake(9, std::slice::from_ref(&cut)), "that was before");
        let for_good = step("kill", teller.clone(), None);
        assert!(is_a_mistake(60, &[cut.clone(), for_good]));
        let promoted = step("failover", teller.clone(), None);
        assert!(!is_a_mistake(60, &[promoted]), "nothing of it is left");
        let reset = step("reset", teller.clone(), None);
        assert!(!is_a_mistake(60, &[reset]), "nor of this");
        assert!(!is_a_mistake(12, &[step("kill", node(1), Some(15))]), "another node");
        let mut both = cut;
        both.hits.extend(step("partition", node(0), Some(15)).hits);
        assert!(!is_a_mistake(12, &[both]), "the primary as well");
    }
}
