//! How long it took until another group took the writes of one that failed.
//!
//! Of groups with the same data, one takes the writes of a load. If a fault hits it, and the next
//! write of such a load that is sent after the fault and succeeds is answered by a node of another
//! group, that group has taken over. The group itself may still answer until the fault is in force on
//! all its nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Nanos;
use crate::model::op::{Op, Outcome, Purpose};
use crate::model::step::Lasts;

use super::record::Record;

/// A group that a load wrote to in this time before a fault took its writes.
const LATELY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Takeovers(Vec<Loss>);

/// A fault on a group that others have the data of.
#[derive(Debug)]
struct Loss {
    group: String,
    /// When it began to hit the group.
    from: Nanos,
    /// Since when it was in force on all nodes; if that was not told, when it began to hit the
    /// last one.
    to: Nanos,
    /// Of each load.
    writes: BTreeMap<u8, Writes>,
}

/// The writes of a load around a fault, by the instants of their answers.
#[derive(Debug, Default)]
struct Writes {
    /// The last ones before it that the group answered, and that others did.
    own: Option<Nanos>,
    others: Option<Nanos>,
    /// The first answer after it, and what it says of the group.
    next: Option<(Nanos, After)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum After {
    /// Nobody has taken a write.
    Nothing,
    /// The group itself has.
    Same,
    /// Another one has, at that instant.
    Other(Nanos),
}

impl Takeovers {
    pub fn new(record: &Record) -> Takeovers {
        let held = |lasts| lasts == Lasts::UntilUndone;
        let steps = record.steps.iter();
        let faults = steps.filter(|s| s.effects().fails_over && held(s.effects().lasts));
        let mut losses = Vec::new();
        for fault in faults {
            for group in record.lag.groups() {
                let hits = fault.hits.iter().filter(|hit| hit.node.group == group);
                let mut at: Vec<f64> = hits.map(|hit| hit.at_ms).collect();
                at.sort_by(f64::total_cmp);
                let (Some(first), Some(last)) = (at.first(), at.last()) else { continue };
                let [from, to] = [*first, *last].map(|ms| Nanos((ms * 1e6) as u64));
                losses.push(Loss::new(group, from, fault.in_force.unwrap_or(to).max(to)));
            }
        }
        Takeovers(losses)
    }

    /// Takes each operation. Their order makes no difference.
    pub fn add(&mut self, op: &Op, record: &Record) {
        let done = op.purpose == Purpose::Load && op.outcome == Outcome::Ok && op.action.changed();
        let by = op.by.filter(|_| done && !self.0.is_empty() && op.group == 0);
        let load = record.info.loads.get(usize::from(op.load));
        let node = by.and_then(|by| load?.nodes.get(usize::from(by)));
        let Some(node) = node.filter(|node| record.lag.groups().any(|group| group == node.group))
        else {
            return;
        };
        self.0.iter_mut().for_each(|loss| loss.hear(op, loss.group == node.group));
    }

    /// The longest, in milliseconds; and how long the group that nobody had replaced by the load's
    /// end had been missed by then.
    pub fn longest(&self, end: Nanos) -> (Option<f64>, Option<f64>) {
        let ms = |loss: &Loss, until: Nanos| until.since(loss.from).as_secs_f64() * 1e3;
        let real = || self.0.iter().filter(|loss| loss.had_the_writes());
        let took = real().filter_map(|loss| match loss.after() {
            After::Other(at) => Some(ms(loss, at)),
            After::Nothing | After::Same => None,
        });
        let missed = real().filter(|loss| loss.after() == After::Nothing).map(|loss| ms(loss, end));
        (took.reduce(f64::max), missed.reduce(f64::max))
    }
}

impl Loss {
    fn new(group: &str, from: Nanos, to: Nanos) -> Loss {
        Loss { group: group.to_owned(), from, to, writes: BTreeMap::new() }
    }

    fn hear(&mut self, op: &Op, own: bool) {
        let writes = self.writes.entry(op.load).or_default();
        if op.sent < self.from {
            // What another group answers after the fault was sent to the one that is gone.
            match own {
                true => writes.own = writes.own.max(Some(op.done)),
                false if op.done < self.from => writes.others = writes.others.max(Some(op.done)),
                false => {}
            }
            return;
        }
        let after = if own { After::Same } else { After::Other(op.done) };
        if !own || op.sent >= self.to {
            let next = (op.done, after);
            writes.next = Some(writes.next.map_or(next, |first| first.min(next)));
        }
    }

    /// What came of it: the first answer to a load whose writes the group had.
    fn after(&self) -> After {
        let had = self.writes.values().filter(|writes| self.had(writes));
        had.filter_map(|writes| writes.next).min().map_or(After::Nothing, |(_, after)| after)
    }

    fn had_the_writes(&self) -> bool {
        self.writes.values().any(|writes| self.had(writes))
    }

    /// It alone took these writes until the fault.
    fn had(&self, writes: &Writes) -> bool {
        let lately = |at: Option<Nanos>| at.is_some_and(|at| at + LATELY >= self.from);
        lately(writes.own) && !lately(writes.others)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::NodeName;
    use crate::model::event::{LoadInfo, StepInfo, SyncPair};
    use crate::model::op::{Action, RegisterOp};
    use crate::model::step::StepKind;
    use crate::report::step_record::StepRecord;

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    fn loss() -> Loss {
        Loss::new("us", at(5_000), at(5_010))
    }

    /// What comes of writes, each by the group itself or not, with the milliseconds of its sending
    /// and its answer.
    fn longest(writes: &[(bool, u64, u64)]) -> (Option<f64>, Option<f64>) {
        let mut takeovers = Takeovers(vec![loss()]);
        for &(own, sent, done) in writes {
            let write = Action::Register(RegisterOp::Write(1));
            takeovers.0[0].hear(&Op::new(1, write, at(sent), at(done)), own);
        }
        takeovers.longest(at(20_000))
    }

    #[test]
    fn a_group_is_replaced_by_the_next_write_that_another_one_answers() {
        let before = (true, 4_990, 4_991);
        assert_eq!(longest(&[before, (false, 8_000, 8_100)]), (Some(3_100.0), None));
        assert_eq!(
            longest(&[before, (true, 5_005, 5_300), (false, 8_000, 8_100)]).0,
            Some(3_100.0)
        );
        assert_eq!(longest(&[before]), (None, Some(15_000.0)), "nobody took over");
        let same = [before, (true, 6_000, 6_001), (false, 8_000, 8_100)];
        assert_eq!(longest(&same), (None, None), "it went on");
        let both = [before, (false, 4_990, 4_995), (false, 6_000, 6_001)];
        assert_eq!(longest(&both), (None, None), "the other one had writes before");
        assert_eq!(longest(&[(false, 8_000, 8_100)]), (None, None), "it had none");
        let early = [before, (false, 5_005, 5_006)];
        assert_eq!(longest(&early), (Some(6.0), None), "its first node was gone already");
    }

    /// A server answers until it is dead, which is a little after a step began to kill it.
    #[test]
    fn a_group_goes_on_if_it_answers_once_the_fault_is_in_force() {
        let name = |group| NodeName::new(group, 0, 0);
        let info = StepInfo {
            kind: StepKind::parse("kill"),
            group: "us".to_owned(),
            on_actors: false,
            text: "kill".to_owned(),
            planned_at: at(5_000),
        };
        let took = |in_force: Option<u64>| {
            let mut step = StepRecord::new(info.clone());
            step.inject(vec![name("us")], vec![], at(5_000));
            step.in_force = in_force.map(at);
            let mut record = Record { steps: vec![step], ..Record::default() };
            let pair = |from: &str, to: &str| SyncPair {
                from: from.to_owned(),
                to: to.to_owned(),
                link_ns: 0,
                shard: None,
            };
            record.lag.pairs(vec![pair("us", "eu"), pair("eu", "us")]);
            let load = json!({ "name": "app", "group": "us", "rate": 1e3, "clients": 1,
                "keys": 1, "nodes": [name("us"), name("eu")], "text": "" });
            record.info.loads = vec![serde_json::from_value::<LoadInfo>(load).unwrap()];
            let mut takeovers = Takeovers::new(&record);
            for (by, sent) in [(0, 4_990), (0, 5_002), (1, 8_000)] {
                let write = Action::Register(RegisterOp::Write(1));
                let op = Op::new(1, write, at(sent), at(sent + 1));
                takeovers.add(&Op { by: Some(by), outcome: Outcome::Ok, ..op }, &record);
            }
            takeovers.longest(at(20_000)).0
        };
        assert_eq!(took(Some(5_003)), Some(3_001.0));
        assert_eq!(took(Some(5_001)), None, "it went on");
        assert_eq!(took(None), None, "an older record");
    }

    #[test]
    fn writes_of_loads_that_always_went_elsewhere_are_no_takeover() {
        let mut takeovers = Takeovers(vec![loss()]);
        let add = |takeovers: &mut Takeovers, load, own, (sent, done)| {
            let write = Action::Register(RegisterOp::Write(1));
            let op = Op { load, ..Op::new(1, write, at(sent), at(done)) };
            takeovers.0[0].hear(&op, own);
        };
        add(&mut takeovers, 0, true, (4_990, 4_991));
        add(&mut takeovers, 1, false, (4_990, 4_991));
        add(&mut takeovers, 1, false, (5_020, 5_021));
        add(&mut takeovers, 0, false, (5_400, 5_450));
        assert_eq!(takeovers.longest(at(20_000)), (Some(450.0), None));
        // In the file one load may stand behind another one that ended later.
        add(&mut takeovers, 2, false, (5_300, 5_310));
        add(&mut takeovers, 2, true, (4_980, 4_981));
        assert_eq!(takeovers.longest(at(20_000)), (Some(310.0), None));
        add(&mut takeovers, 0, false, (4_999, 5_450));
        assert_eq!(takeovers.longest(at(20_000)).0, Some(310.0), "it was under way");
    }
}
