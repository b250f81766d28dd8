//! The rows of a history, and judging one that may be larger than memory.
//!
//! Keys do not concern each other, so a long history is judged in parts: each part
//! holds the keys of one span of hashes, and is small enough to be held.

use rustc_hash::FxHashMap;

use crate::model::KeySpan;
use crate::model::op::{Op, OpHead};

/// Why a history could not be read: its reader's own error.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// Rows that can be read as often as needed.
///
/// They are passed on one by one and not as an iterator, so that a checker takes any history
/// (`&dyn History`). One call for each row costs nothing that the bench shows.
pub trait History: Sync {
    /// How many rows there are, at most.
    fn rows(&self) -> usize;

    /// Passes the rows of the keys in `span` that are `wanted` to `on_row`, from the first one, in
    /// any order.
    ///
    /// # Errors
    /// Those of the reader. The rows before the error prove nothing.
    fn each_in(
        &self,
        span: KeySpan,
        wanted: &dyn Fn(OpHead) -> bool,
        on_row: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError>;

    /// Passes all rows that are `wanted`.
    ///
    /// # Errors
    /// Those of the reader.
    fn each_of(
        &self,
        wanted: &dyn Fn(OpHead) -> bool,
        on_row: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError> {
        self.each_in(KeySpan::WHOLE, wanted, on_row)
    }

    /// Passes all rows.
    ///
    /// # Errors
    /// Those of the reader.
    fn each(&self, on_row: &mut dyn FnMut(&Op)) -> Result<(), ReadError> {
        self.each_of(&|_| true, on_row)
    }
}

/// Rows that are in memory.
impl History for &[Op] {
    fn rows(&self) -> usize {
        self.len()
    }

    fn each_in(
        &self,
        span: KeySpan,
        wanted: &dyn Fn(OpHead) -> bool,
        on_row: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError> {
        let is_whole = span == KeySpan::WHOLE;
        let wanted = |op: &&Op| (is_whole || span.holds(op.head())) && wanted(op.head());
        self.iter().filter(wanted).for_each(on_row);
        Ok(())
    }
}

/// Rows of one pass that are held at once. A key is never divided, so a single key
/// may go beyond it.
pub(super) const HELD: usize = 500_000;

/// What a checker keeps of the rows of one key.
pub(super) trait Kept: Default {
    fn wants(op: &Op) -> bool;
    /// Takes a row that it [wants](Kept::wants).
    fn keep(&mut self, op: &Op);
    /// That were all.
    fn complete(&mut self) {}
}

/// The keys of one part of a history, by the load that they bear the name of, and number.
pub(super) type Keys<K> = FxHashMap<(u8, u64), K>;

/// Reads the history in parts of at most about `limit` rows and hands each to
/// `judge`, together with the span of its keys, so that it can read other rows of the same keys.
pub(super) fn in_parts<K: Kept>(
    history: &dyn History,
    limit: usize,
    mut judge: impl FnMut(Keys<K>, KeySpan) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    // A checker that wants every row finds at once parts that it can hold.
    let likely = history.rows().div_ceil(limit.max(1)).max(1) as u64;
    let mut spans: Vec<KeySpan> = KeySpan::WHOLE.split(likely).collect();
    while let Some(span) = spans.pop() {
        match gather(history, span, limit)? {
            Gathered::All(keys) => judge(keys, span)?,
            Gathered::TooMany(rows) => spans.extend(span.split((rows / limit) as u64 + 1)),
        }
    }
    Ok(())
}

enum Gathered<K> {
    All(Keys<K>),
    /// The span has so many rows, and more than one key.
    TooMany(usize),
}

fn gather<K: Kept>(
    history: &dyn History,
    span: KeySpan,
    limit: usize,
) -> Result<Gathered<K>, ReadError> {
    let mut keys = Keys::default();
    let mut rows = 0;
    let mut too_many = false;
    history.each_in(span, &|_| true, &mut |op| {
        if !K::wants(op) {
            return;
        }
        rows += 1;
        if too_many {
            return;
        }
        keys.entry((op.keyspace(), op.key)).or_insert_with(K::default).keep(op);
        if rows > limit && keys.len() > 1 && span.can_split() {
            too_many = true;
            keys = Keys::default();
        }
    })?;
    keys.values_mut().for_each(K::complete);
    Ok(if too_many { Gathered::TooMany(rows) } else { Gathered::All(keys) })
}

#[cfg(test)]
mod tests;
