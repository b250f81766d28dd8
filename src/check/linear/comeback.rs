//! A value that was found when it was over: what no order explains, seen without a search.
//!
//! Say that all writes of a value were done before some other write was sent, and that this one
//! was done, or was seen, before a call was sent which found the first value again. Then there is
//! no order. Stale reads are of this kind, and what a session sees of its own past. A search
//! finds them too, but it may give up before.
//!
//! If a value was written only once, it is certainly over for whatever was sent after *any* call
//! on it was done: it had been there by then.

use std::collections::HashMap;

use crate::check::register::NEVER;
use crate::model::Nanos;

use super::call::Call;

/// The writes of one value, as they were sent.
#[derive(Default)]
struct Value<'a> {
    writes: Vec<&'a Call>,
    /// The first call on it that was done, if it was written only once.
    seen: Option<&'a Call>,
}

/// Something that came between: from its sending until it was done or seen.
struct Between<'a> {
    sent: Nanos,
    done: Nanos,
    calls: [&'a Call; 2],
}

/// A few calls that have no order, as they were sent. None if there are none of this kind.
pub(super) fn comeback(calls: &[Call]) -> Option<Vec<Call>> {
    let values = values(calls);
    let between = between(&values);
    let finders = calls.iter().filter(|call| call.is_answered());
    let finders = finders.filter_map(|call| Some((call, call.found()?)));
    for (call, found) in finders {
        let (over, last) = match found {
            None => (None, None),
            Some(value) => match values.get(&value).and_then(|value| value.over(call)) {
                Some((over, last)) => (Some(over), Some(last)),
                None => continue,
            },
        };
        let next = between.partition_point(|other| Some(other.sent) <= over);
        if let Some(other) = between.get(next).filter(|other| other.done < call.sent) {
            let shown = last.into_iter().flatten().chain(other.calls).chain([call]);
            let mut few: Vec<Call> = shown.copied().collect();
            few.sort_by_key(|call| (call.sent, call.done, call.process));
            few.dedup();
            return Some(few);
        }
    }
    None
}

fn values(calls: &[Call]) -> HashMap<u64, Value<'_>> {
    let mut values: HashMap<u64, Value> = HashMap::new();
    for call in calls {
        call.written().iter().for_each(|v| values.entry(*v).or_default().writes.push(call));
    }
    values.values_mut().for_each(|value| value.writes.sort_by_key(|call| call.sent));
    for call in calls.iter().filter(|call| call.is_answered()) {
        for of in [call.found().flatten(), call.written()].into_iter().flatten() {
            let Some(value) = values.get_mut(&of).filter(|value| value.writes.len() == 1) else {
                continue;
            };
            let sooner = value.seen.is_none_or(|seen| call.done < seen.done);
            // Who found it before its write was sent proves something else.
            if sooner && value.writes[0].sent <= call.done {
                value.seen = Some(call);
            }
        }
    }
    values
}

impl<'a> Value<'a> {
    /// When it was over for whatever came later, if `call` found it, and the calls that show it.
    fn over(&self, call: &Call) -> Option<(Nanos, [&'a Call; 2])> {
        if let Some(seen) = self.seen {
            return Some((seen.done, [self.writes[0], seen]));
        }
        let before = self.writes.iter().take_while(|write| write.sent <= call.done);
        let last = before.max_by_key(|write| write.done).filter(|write| write.done != NEVER)?;
        Some((last.done, [last, last]))
    }
}

/// In the order of sending, each with the first `done` of it and all that follow.
fn between<'a>(values: &HashMap<u64, Value<'a>>) -> Vec<Between<'a>> {
    let writes = values.values().flat_map(|value| &value.writes);
    let answered = writes.filter(|write| write.is_answered());
    let answered =
        answered.map(|write| Between { sent: write.sent, done: write.done, calls: [write, write] });
    let seen = values.values().filter_map(|value| Some((value.writes[0], value.seen?)));
    let seen = seen.map(|(write, seen)| Between {
        sent: write.sent,
        done: seen.done,
        calls: [write, seen],
    });
    let mut all: Vec<Between> = answered.chain(seen).collect();
    let [mark, seen] = [0, 1].map(|i| {
        move |one: &Between| (one.calls[i].process, one.calls[i].written(), one.calls[i].found())
    });
    all.sort_by_key(|one| (one.sent, one.done, mark(one), seen(one)));
    for i in (1..all.len()).rev() {
        if all[i].done < all[i - 1].done {
            (all[i - 1].done, all[i - 1].calls) = (all[i].done, all[i].calls);
        }
    }
    all
}
