//! A set of numbers below a bound, of which the last one is found fast: a tree of words, each bit of
//! which says whether the word below it has any.

#[derive(Debug)]
pub(super) struct Positions {
    /// The first level has a bit for each number.
    levels: Vec<Vec<u64>>,
}

/// Bits of a word.
const WORD: usize = 64;

impl Positions {
    /// None of the numbers below `bound`.
    pub(super) fn new(bound: usize) -> Positions {
        let (mut levels, mut words) = (Vec::new(), bound);
        loop {
            words = words.div_ceil(WORD).max(1);
            levels.push(vec![0; words]);
            if words == 1 {
                return Positions { levels };
            }
        }
    }

    pub(super) fn insert(&mut self, mut at: usize) {
        for level in &mut self.levels {
            let word = &mut level[at / WORD];
            let had_some = *word != 0;
            *word |= 1 << (at % WORD);
            if had_some {
                return;
            }
            at /= WORD;
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, mut at: usize) -> bool {
        if self.levels[0][at / WORD] & 1 << (at % WORD) == 0 {
            return false;
        }
        for level in &mut self.levels {
            let word = &mut level[at / WORD];
            *word &= !(1 << (at % WORD));
            if *word != 0 {
                break;
            }
            at /= WORD;
        }
        true
    }

    /// The largest one.
    pub(super) fn last(&self) -> Option<usize> {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let highest = level[at].checked_ilog2()?;
            at = at * WORD + highest as usize;
        }
        Some(at)
    }
}
