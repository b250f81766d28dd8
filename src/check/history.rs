//! Reading a history that may be larger than memory.
//!
//! Keys do not concern each other, so a long history is judged in parts: each part
//! holds the keys of one residue of a hash, and is small enough to be held.

use crate::model::op::Op;

/// Where rows come from, as often as they are asked for.
///
/// Any closure that opens a history and hands out its rows is one.
pub trait History {
    type Error;
    /// All rows, from the first one, in any order.
    fn rows(&self) -> Result<impl Iterator<Item = Result<Op, Self::Error>>, Self::Error>;
}

impl<F, I, E> History for F
where
    F: Fn() -> Result<I, E>,
    I: IntoIterator<Item = Result<Op, E>>,
{
    type Error = E;
    fn rows(&self) -> Result<impl Iterator<Item = Result<Op, E>>, E> {
        Ok(self()?.into_iter())
    }
}

/// The keys whose hash leaves `residue` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    residue: u64,
    of: u64,
}

impl Part {
    pub(super) const WHOLE: Part = Part { residue: 0, of: 1 };

    pub(super) fn holds(self, load: u8, key: u64) -> bool {
        hash(load, key) % self.of == self.residue
    }

    /// Whether dividing it further can be hoped to help: what two billion parts
    /// have not told apart stays together.
    pub(super) fn divides(self) -> bool {
        self.of < 1 << 31
    }

    /// The same keys in `n` parts.
    pub(super) fn split(self, n: u64) -> impl Iterator<Item = Part> {
        (0..n).map(move |i| Part { residue: self.residue + i * self.of, of: self.of * n })
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
mod tests {
    use super::*;

    #[test]
    fn parts_of_parts_hold_every_key_once() {
        let parts: Vec<Part> = Part::WHOLE.split(3).flat_map(|part| part.split(4)).collect();
        assert_eq!(parts.len(), 12);
        for key in 0..1000 {
            assert_eq!(parts.iter().filter(|part| part.holds(1, key)).count(), 1);
        }
        let most = parts.iter().map(|p| (0..1000).filter(|&k| p.holds(1, k)).count()).max();
        assert!(most.unwrap() < 150, "keys are spread evenly: {most:?}");
    }
}
