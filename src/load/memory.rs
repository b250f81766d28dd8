//! What the clients of a load remember, as those of an application would: what a key held
//! when it was last seen, and which elements of streams are still to be dealt with.

use std::collections::{HashMap, VecDeque};

use super::client::ReplyValue;
use super::workload::Plan;
use crate::model::Workload;
use crate::model::op::{Action, Op, Outcome};

#[derive(Debug, Default)]
pub(crate) struct Memory {
    workload: Workload,
    /// What each register held.
    seen: HashMap<u64, Option<u64>>,
    /// Elements that came out of streams: key, id, value.
    undealt: VecDeque<(u64, String, u64)>,
}

impl Memory {
    pub(crate) fn new(workload: Workload) -> Memory {
        Memory { workload, ..Memory::default() }
    }

    /// `plan` with what only clients can know: a compare-and-set expects what was seen last, and
    /// what came out of a stream is dealt with before the next comes out.
    pub(crate) fn complete(&mut self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        match (self.workload, plan.action) {
            (Workload::Cas, Action::Cas) => {
                plan.expected = self.seen.get(&plan.key).copied().flatten();
            }
            (Workload::Stream, Action::Pop) => {
                if let Some((key, entry, value)) = self.undealt.pop_front() {
                    let (entry, value) = (Some(entry), Some(value));
                    plan = Plan { action: Action::Ack, key, value, entry, ..plan };
                }
            }
            _ => {}
        }
        plan
    }

    pub(crate) fn learn(&mut self, op: &Op, told: &ReplyValue) {
        if op.outcome != Outcome::Ok {
            return;
        }
        match (self.workload, told) {
            (Workload::Cas, _) => _ = self.seen.insert(op.key, op.value),
            (Workload::Stream, ReplyValue::Entries(entries)) => {
                let of_key = |(id, value): &(String, u64)| (op.key, id.clone(), *value);
                self.undealt.extend(entries.iter().map(of_key));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::op::{Cause, Purpose, Redirects};

    fn ended(plan: &Plan, outcome: Outcome) -> Op {
        Op {
            load: 0,
            process: 0,
            purpose: Purpose::Load,
            action: plan.action,
            key: plan.key,
            value: plan.value,
            expected: plan.expected,
            members: Box::default(),
            by: None,
            intended: Nanos(0),
            sent: Nanos(0),
            done: Nanos(1),
            outcome,
            redirects: Redirects::default(),
        }
    }

    #[test]
    fn a_compare_and_set_expects_what_was_seen_last_and_nothing_that_may_not_be() {
        let mut memory = Memory::new(Workload::Cas);
        let cas = |value| Plan { value: Some(value), ..Plan::bare(Action::Cas, 3) };
        assert_eq!(memory.complete(&cas(7)).expected, None, "nothing was seen yet");
        memory.learn(&ended(&cas(7), Outcome::Ok), &ReplyValue::Done);
        assert_eq!(memory.complete(&cas(8)).expected, Some(7));
        memory.learn(&ended(&cas(8), Outcome::Unknown(Cause::Timeout)), &ReplyValue::Done);
        assert_eq!(memory.complete(&cas(9)).expected, Some(7), "8 may not be there");
        let found = Plan { value: Some(8), ..Plan::bare(Action::Read, 3) };
        memory.learn(&ended(&found, Outcome::Ok), &ReplyValue::Instead(Some(8)));
        assert_eq!(memory.complete(&cas(9)).expected, Some(8), "it is");
        assert_eq!(memory.complete(&Plan::bare(Action::Cas, 4)).expected, None, "another key");
    }

    #[test]
    fn what_came_out_of_a_stream_is_dealt_with_once_before_the_next_comes_out() {
        let mut memory = Memory::new(Workload::Stream);
        let pop = Plan::bare(Action::Pop, 3);
        assert_eq!(memory.complete(&pop), pop);
        let told = ReplyValue::Entries(vec![("7-0".to_owned(), 12)]);
        memory.learn(&ended(&pop, Outcome::Ok), &told);
        let ack = memory.complete(&Plan::bare(Action::Pop, 5));
        let entry = Some("7-0".to_owned());
        assert_eq!(ack, Plan { value: Some(12), entry, ..Plan::bare(Action::Ack, 3) });
        assert_eq!(memory.complete(&pop), pop, "once");
        memory.learn(&ended(&pop, Outcome::Unknown(Cause::Timeout)), &ReplyValue::Done);
        assert_eq!(memory.complete(&pop), pop, "nobody knows what came out");
    }
}
