//! Lost writes: acknowledged, and contradicted by the final state.

use crate::model::Verdict;
use crate::model::measure::count;

use super::checker::{Checked, Checker, Context, OverTime, verdict};
use super::finding::{Example, Examples};
use super::parts::{self, HELD, History, Keys, ReadError};
use super::recovery_point::RecoveryPoints;
use super::register::{Key, Read, Source, Unexpected, Write};

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
pub struct LostWrites;

impl Checker for LostWrites {
    fn name(&self) -> &'static str {
        "lost writes"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        Ok(Found::read(history, HELD, context)?.told(context))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Acknowledged writes in the whole history, those before the load included.
    pub acknowledged: u64,
    pub lost: u64,
    /// Lost writes that were acknowledged on a side that lost.
    pub wrong_side: u64,
    /// Lost writes of which it is not known who acknowledged them.
    unplaced: u64,
    pub recovery_points: RecoveryPoints,
    /// Lost writes by the windows in which they were acknowledged.
    pub over_time: OverTime,
    /// Keys with acknowledged writes whose final state could not be read.
    pub unread: u64,
    examples: Examples,
    /// Keys that ended with a value that no write can have put there.
    pub unexpected: Unexpected,
}

impl Found {
    pub fn read(
        history: &dyn History,
        limit: usize,
        context: &Context,
    ) -> Result<Found, ReadError> {
        let mut found = Found {
            over_time: OverTime::new(&context.windows),
            examples: Examples::counted_from(context.zero),
            unexpected: Unexpected::counted_from(context.zero),
            recovery_points: RecoveryPoints::new(&context.failures),
            ..Found::default()
        };
        parts::in_parts(history, limit, |keys: Keys<Key>, _| {
            for ((load, number), key) in &keys {
                found.judge(*load, *number, key, context);
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn judge(&mut self, load: u8, number: u64, key: &Key, context: &Context) {
        let acknowledged = key.acknowledged() as u64;
        self.acknowledged += acknowledged;
        let Some(last) = &key.last else {
            if acknowledged > 0 {
                self.unread += 1;
                self.recovery_points.unread();
            }
            return;
        };
        let source = key.source(last);
        if matches!(source, Source::Refused | Source::Nowhere) {
            self.unexpected.add(load, number, last, source);
        }
        if let Source::Since(done) = source {
            self.recovery_points.survived(&context.failures, (load, number), done);
        }
        for write in key.following(source).filter(|w| w.done < last.sent) {
            self.lose((load, number), write, last, context);
        }
    }

    fn lose(&mut self, (load, key): (u8, u64), write: &Write, last: &Read, context: &Context) {
        let Context { sides, failures, .. } = context;
        let node = write.by.map(|by| (write.load, by));
        let wrong_side = node.map(|node| sides.lost(node, write.done));
        let times = (write.sent, write.done);
        self.recovery_points.lost(failures, (load, key), (times, wrong_side));
        let wrong_side = wrong_side == Some(true);
        self.lost += 1;
        self.wrong_side += u64::from(wrong_side);
        self.unplaced += u64::from(node.is_none());
        self.over_time.count(write.load, write.done);
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
        verdict(self.lost, self.unread)
    }

    pub fn told(self, context: &Context) -> Checked {
        let (lost, acknowledged) = (count(self.lost), count(self.acknowledged));
        let mut text = format!("{lost} of {acknowledged} acknowledged writes lost");
        if self.wrong_side > 0 {
            let wrong_side = count(self.wrong_side);
            text += &format!(", {wrong_side} of them acknowledged on a side that lost");
        }
        let unread = format!("the final state of {} keys could not be read", count(self.unread));
        let text = match (self.lost, self.unread) {
            (_, 0) => text,
            (0, _) => format!("lost writes are not known: {unread}"),
            _ => format!("at least {text}"),
        };
        let mut told = Checked::default();
        told.find("writes.lost", self.verdict(), (self.lost, text), &self.examples);
        told.findings.extend(self.unexpected.finding("final reads", context.whole));
        told.measure("writes.acknowledged", Some(self.acknowledged as f64));
        told.find_unread("writes.lost", (self.lost, self.unread), unread);
        told.of_final_state(self.unread, "writes.lost", self.lost as f64);
        if self.unplaced == 0 {
            told.of_final_state(self.unread, "writes.lost.wrong_side", self.wrong_side as f64);
        }
        if self.acknowledged > 0 {
            let share = self.lost as f64 / self.acknowledged as f64 * 100.0;
            told.of_final_state(self.unread, "writes.lost.share", share);
        }
        told.recovery_points = Some(self.recovery_points);
        // Where keys could not be read, a count of nothing lost proves nothing.
        if self.lost > 0 || self.unread == 0 {
            told.over_time.insert("writes.lost", self.over_time);
        }
        told
    }
}
