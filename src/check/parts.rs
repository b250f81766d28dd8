//! The rows of a history, and judging one that may be larger than memory.
//!
//! Keys do not concern each other, so a long history is judged in parts: each part
//! holds the keys of one span of hashes, and is small enough to be held.

use rustc_hash::FxHashMap;

use crate::model::op::{Op, OpHead};

/// Why a history could not be read: its reader's own error.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// Rows that can be read as often as needed.
///
/// They are passed on one by one and not as an iterator, so that a checker takes any history
/// (`&dyn History`). One call for each row costs nothing that the bench shows.
pub trait History: Sync {
    /// Passes the rows that are `wanted` to `hear`, from the first one, in any order.
    ///
    /// # Errors
    /// Those of the reader. The rows before the error prove nothing.
    fn each_of(
        &self,
        wanted: &dyn Fn(OpHead) -> bool,
        hear: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError>;

    /// The same of all rows.
    ///
    /// # Errors
    /// Those of the reader.
    fn each(&self, hear: &mut dyn FnMut(&Op)) -> Result<(), ReadError> {
        self.each_of(&|_| true, hear)
    }
}

impl<F> History for F
where
    F: Fn(&dyn Fn(OpHead) -> bool, &mut dyn FnMut(&Op)) -> Result<(), ReadError> + Sync,
{
    fn each_of(
        &self,
        wanted: &dyn Fn(OpHead) -> bool,
        hear: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError> {
        self(wanted, hear)
    }
}

/// Rows that are in memory.
impl History for &[Op] {
    fn each_of(
        &self,
        wanted: &dyn Fn(OpHead) -> bool,
        hear: &mut dyn FnMut(&Op),
    ) -> Result<(), ReadError> {
        self.iter().filter(|op| wanted(op.head())).for_each(hear);
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
/// `judge`, together with the part, so that it can read other rows of the same keys.
pub(super) fn in_parts<K: Kept>(
    history: &dyn History,
    limit: usize,
    mut judge: impl FnMut(Keys<K>, Part) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut parts = vec![Part::WHOLE];
    while let Some(part) = parts.pop() {
        match gather(history, part, limit)? {
            Gathered::All(keys) => judge(keys, part)?,
            Gathered::TooMany(rows) => parts.extend(part.split((rows / limit) as u64 + 1)),
        }
    }
    Ok(())
}

enum Gathered<K> {
    All(Keys<K>),
    /// The part has so many rows, and more than one key.
    TooMany(usize),
}

fn gather<K: Kept>(
    history: &dyn History,
    part: Part,
    limit: usize,
) -> Result<Gathered<K>, ReadError> {
    let mut keys = Keys::default();
    let mut rows = 0;
    let mut too_many = false;
    history.each_of(&|head| part.holds(head), &mut |op| {
        if !K::wants(op) {
            return;
        }
        rows += 1;
        if too_many {
            return;
        }
        keys.entry((op.keyspace(), op.key)).or_insert_with(K::default).keep(op);
        if rows > limit && keys.len() > 1 && part.divides() {
            too_many = true;
            keys = Keys::default();
        }
    })?;
    keys.values_mut().for_each(K::complete);
    Ok(if too_many { Gathered::TooMany(rows) } else { Gathered::All(keys) })
}

/// The keys whose hash is in the `nth` of so many equal spans of all numbers. That takes a
/// multiplication for each row, and no division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    nth: u64,
    of: u64,
}

impl Part {
    pub(super) const WHOLE: Part = Part { nth: 0, of: 1 };

    pub(super) fn holds(self, head: OpHead) -> bool {
        (u128::from(hash(head.keyspace(), head.key)) * u128::from(self.of)) >> 64
            == u128::from(self.nth)
    }

    /// Whether dividing it further can be hoped to help: what two billion parts
    /// have not told apart stays together.
    pub(super) fn divides(self) -> bool {
        self.of < 1 << 31
    }

    /// The same keys in `n` parts.
    pub(super) fn split(self, n: u64) -> impl Iterator<Item = Part> {
        (0..n).map(move |i| Part { nth: self.nth * n + i, of: self.of * n })
    }
}

/// Spreads neighbouring keys evenly: the finaliser of SplitMix64 (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014).
fn hash(load: u8, key: u64) -> u64 {
    let mut z = key.wrapping_add((load as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
