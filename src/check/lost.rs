//! Lost writes: acknowledged, and contradicted by the final state.

use crate::model::{Nanos, Verdict};

use super::finding::{Example, Examples, Finding};
use super::history::History;
use super::over_time::OverTime;
use super::parts::{self, HELD, Keys};
use super::register::{Key, Read, Source, Write};
use super::sides::Sides;
use super::unexpected::Unexpected;

/// What [`lost_writes`] found.
#[derive(Clone, Debug, Default)]
pub struct LostWrites {
    /// Acknowledged writes in the whole history, those before the load included.
    pub acknowledged: u64,
    pub lost: u64,
    /// Lost writes that were acknowledged on a side that lost.
    pub wrong_side: u64,
    /// Lost writes of which it is not known who acknowledged them.
    pub unplaced: u64,
    /// When the oldest lost write was acknowledged.
    pub oldest: Option<Nanos>,
    /// Lost writes by the windows in which they were acknowledged.
    pub over_time: OverTime,
    /// Keys with acknowledged writes whose final state could not be read.
    pub unknown_keys: u64,
    /// Keys that ended with a value that no write can have put there.
    pub unexpected: u64,
    examples: Examples,
    strange: Unexpected,
}

/// Counts the acknowledged writes that the final state contradicts.
///
/// The final state is the last answered read of purpose `Final` of each key. Its
/// value is that of a write *f* (or of none: the key is gone). Every acknowledged
/// write that was sent after *f* was done, and was done before the final read was
/// sent, is lost. If the outcome of *f* is unknown, nothing is: *f* may have taken
/// effect last.
///
/// The count has no false alarms. It can miss a loss: a lost write that a later
/// write to the same key covered leaves no trace in the final state.
///
/// # Errors
/// Those of the history's reader.
pub fn lost_writes<H: History>(history: &H) -> Result<LostWrites, H::Error> {
    in_parts_of(history, HELD)
}

/// The same, and which of them were acknowledged on a side that lost, and how many in each
/// window of `over_time`.
///
/// # Errors
/// Those of the history's reader.
pub fn lost_writes_beside<H: History>(
    history: &H,
    sides: &Sides,
    over_time: OverTime,
) -> Result<LostWrites, H::Error> {
    judged(history, HELD, sides, over_time)
}

pub(super) fn in_parts_of<H: History>(history: &H, limit: usize) -> Result<LostWrites, H::Error> {
    judged(history, limit, &Sides::default(), OverTime::default())
}

fn judged<H: History>(
    history: &H,
    limit: usize,
    sides: &Sides,
    over_time: OverTime,
) -> Result<LostWrites, H::Error> {
    let examples = Examples::counted_from(history.zero());
    let mut found = LostWrites { examples, over_time, ..LostWrites::default() };
    found.strange.count_from(history.zero());
    parts::in_parts(history, limit, |keys: Keys<Key>, _| {
        for ((load, number), key) in &keys {
            found.judge(*load, *number, key, sides);
        }
        Ok(())
    })?;
    found.unexpected = found.strange.count();
    Ok(found)
}

impl LostWrites {
    fn judge(&mut self, load: u8, number: u64, key: &Key, sides: &Sides) {
        let acknowledged = key.acknowledged() as u64;
        self.acknowledged += acknowledged;
        let Some(last) = &key.last else {
            self.unknown_keys += u64::from(acknowledged > 0);
            return;
        };
        let source = key.source(last);
        if matches!(source, Source::Refused | Source::Nowhere) {
            self.strange.add(load, number, last, source);
        }
        for write in key.following(source).filter(|w| w.done < last.sent) {
            self.lose((load, number), write, last, sides);
        }
    }

    fn lose(&mut self, (load, key): (u8, u64), write: &Write, last: &Read, sides: &Sides) {
        let node = write.by.map(|by| (load, by));
        let wrong_side = node.is_some_and(|node| sides.lost(node, write.done));
        self.lost += 1;
        self.wrong_side += u64::from(wrong_side);
        self.unplaced += u64::from(node.is_none());
        self.over_time.count(load, write.done);
        self.oldest = Some(self.oldest.map_or(write.done, |oldest| oldest.min(write.done)));
        self.examples.offer((write.done.0, write.value, load, key), |zero| {
            let end = match last.value {
                Some(value) => format!("ended with the older value {value}"),
                None => "was gone at the end".to_owned(),
            };
            let by = node.and_then(|node| sides.name_of(node));
            let by = by.map_or(String::new(), |name| format!(" by {name}"));
            let side = if wrong_side { ", which had lost or was about to" } else { "" };
            let text = format!(
                "key {key} {end}: value {}, sent at {} and acknowledged at {}{by}{side}, is lost",
                write.value,
                zero.tell(write.sent),
                zero.tell(write.done)
            );
            Example::new(load, key, write.done, text)
        });
    }

    pub fn verdict(&self) -> Verdict {
        match (self.lost, self.unknown_keys) {
            (0, 0) => Verdict::Pass,
            (0, _) => Verdict::Unknown,
            _ => Verdict::Fail,
        }
    }

    /// The findings. `whole` says that the history is complete: in one that was cut
    /// off, the write of a strange value may be among the missing rows.
    pub fn findings(&self, whole: bool) -> Vec<Finding> {
        let mut of = format!("{} of {} acknowledged writes lost", self.lost, self.acknowledged);
        if self.wrong_side > 0 {
            of += &format!(", {} of them acknowledged on a side that lost", self.wrong_side);
        }
        let unread = |keys| format!("the final state of {keys} keys could not be read");
        let text = match (self.lost, self.unknown_keys) {
            (_, 0) => of,
            (0, keys) => format!("lost writes are not known: {}", unread(keys)),
            (_, keys) => format!("{of}; {}", unread(keys)),
        };
        let lost = Finding {
            kind: "lost_writes".to_owned(),
            verdict: self.verdict(),
            text,
            count: self.lost,
            examples: self.examples.list(),
        };
        std::iter::once(lost).chain(self.strange.finding("final reads", whole)).collect()
    }
}
