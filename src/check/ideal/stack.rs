//! How far down each read is in the order of last use. A cache by LRU with room for so many objects,
//! or for more, answers it.
//!
//! R. L. Mattson, J. Gecsei, D. R. Slutz, I. L. Traiger, "Evaluation techniques for storage
//! hierarchies", IBM Systems Journal 9 (1970). Each object marks the position of its last read; how
//! many marks come after one, a Fenwick tree counts (P. M. Fenwick, "A new data structure for
//! cumulative frequency tables", 1994) over words of 64 positions.

use super::positions::Positions;
use super::{Touch, objects};

const NEVER: u32 = u32::MAX;
const WORD: usize = 64;

/// Tells of each touch, by its place in the sequence, the object's depth before it: 1 is what was
/// read last. None if the object was not there, or was gone.
///
/// What is gone leaves its place free, in every cache that had it. The next object that comes from
/// below, or from nowhere, pushes others down as far as the first free place, and leaves its own.
pub fn distances(touches: &[Touch], mut hear: impl FnMut(usize, Option<u32>)) {
    let number = |touch: &Touch| match *touch {
        Touch::Read(object) | Touch::Gone(object) => object,
    };
    let mut last = vec![NEVER; objects(touches.iter().map(number))];
    let mut marks = Marks::new(touches.len());
    let mut free = Positions::new(touches.len());
    for (at, touch) in touches.iter().enumerate() {
        let last = &mut last[number(touch) as usize];
        let place = Some(*last as usize).filter(|_| *last != NEVER);
        hear(at, place.map(|place| marks.from(place)));
        match touch {
            Touch::Read(_) => {
                let above = free.last().filter(|free| place.is_none_or(|place| *free > place));
                if let Some(taken) = above.or(place) {
                    marks.remove(taken);
                    free.remove(taken);
                }
                place.filter(|_| above.is_some()).into_iter().for_each(|left| free.insert(left));
                marks.add(at);
                *last = at as u32;
            }
            Touch::Gone(_) => {
                place.into_iter().for_each(|left| free.insert(left));
                *last = NEVER;
            }
        }
    }
}

struct Marks {
    bits: Vec<u64>,
    /// Sums of words, as Fenwick has them.
    sums: Vec<u32>,
    all: u32,
}

impl Marks {
    fn new(positions: usize) -> Marks {
        let words = positions.div_ceil(WORD);
        Marks { bits: vec![0; words], sums: vec![0; words + 1], all: 0 }
    }

    fn add(&mut self, at: usize) {
        self.bits[at / WORD] |= 1 << (at % WORD);
        self.all += 1;
        self.change(at / WORD, 1);
    }

    /// How many there are from it on.
    fn from(&self, at: usize) -> u32 {
        let before = self.bits[at / WORD] & ((1 << (at % WORD)) - 1);
        self.all - self.before(at / WORD) - before.count_ones()
    }

    fn remove(&mut self, at: usize) {
        self.bits[at / WORD] &= !(1 << (at % WORD));
        self.all -= 1;
        self.change(at / WORD, -1);
    }

    fn change(&mut self, word: usize, by: i32) {
        let mut at = word + 1;
        while at < self.sums.len() {
            self.sums[at] = self.sums[at].wrapping_add_signed(by);
            at += at & at.wrapping_neg();
        }
    }

    /// In all words before this one.
    fn before(&self, word: usize) -> u32 {
        let (mut at, mut sum) = (word, 0);
        while at > 0 {
            sum += self.sums[at];
            at &= at - 1;
        }
        sum
    }
}
