//! A span of keys: all keys whose hash lies in one of several equal spans of numbers.
//!
//! Keys do not concern each other, so a history can be stored, read and judged span by span. A
//! load's name and a key's number identify a key.

use super::op::OpHead;

/// The `nth` of `count` equal spans of all hashes. To find whether a key is in it takes a
/// multiplication and no division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpan {
    nth: u64,
    count: u64,
}

impl KeySpan {
    pub const WHOLE: KeySpan = KeySpan { nth: 0, count: 1 };

    pub fn holds(self, head: OpHead) -> bool {
        (u128::from(hash(head)) * u128::from(self.count)) >> 64 == u128::from(self.nth)
    }

    /// Whether to split it further may help: keys that two billion spans do not separate stay
    /// together.
    pub fn can_split(self) -> bool {
        self.count < 1 << 31
    }

    /// The same keys in `n` spans.
    pub fn split(self, n: u64) -> impl Iterator<Item = KeySpan> {
        (0..n).map(move |i| KeySpan { nth: self.nth * n + i, count: self.count * n })
    }

    /// Which of `buckets` spans of all keys have keys of this one, and for each whether this span
    /// has all of its keys.
    pub fn buckets(self, buckets: u64) -> impl Iterator<Item = (u64, bool)> {
        let [nth, count, buckets] = [self.nth, self.count, buckets].map(u128::from);
        // A bucket of hashes begins at bucket / buckets, this span at nth / count.
        let first = nth * buckets / count;
        let end = ((nth + 1) * buckets).div_ceil(count);
        (first..end).map(move |bucket| {
            let is_whole =
                bucket * count >= nth * buckets && (bucket + 1) * count <= (nth + 1) * buckets;
            (bucket as u64, is_whole)
        })
    }
}

/// Which of `buckets` equal spans holds the key.
pub fn bucket(head: OpHead, buckets: u64) -> u64 {
    ((u128::from(hash(head)) * u128::from(buckets)) >> 64) as u64
}

/// Spreads neighbouring keys evenly: the finaliser of SplitMix64 (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014).
fn hash(head: OpHead) -> u64 {
    let load = u64::from(head.keyspace()) + 1;
    let mut z = head.key.wrapping_add(load.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(key: u64) -> OpHead {
        OpHead { load: 1, shares: None, key }
    }

    #[test]
    fn spans_of_spans_hold_every_key_once() {
        let spans: Vec<KeySpan> = KeySpan::WHOLE.split(3).flat_map(|span| span.split(4)).collect();
        assert_eq!(spans.len(), 12);
        for key in 0..1000 {
            assert_eq!(spans.iter().filter(|span| span.holds(head(key))).count(), 1);
        }
        let most = spans.iter().map(|s| (0..1000).filter(|&k| s.holds(head(k))).count()).max();
        assert!(most.unwrap() < 150, "keys are spread evenly: {most:?}");
    }

    #[test]
    fn the_buckets_of_a_span_have_all_its_keys_and_whole_ones_no_others() {
        for (n, buckets) in [(1, 256), (3, 256), (256, 256), (1000, 256), (7, 5)] {
            for span in KeySpan::WHOLE.split(n) {
                let own: Vec<(u64, bool)> = span.buckets(buckets).collect();
                for key in 0..2000 {
                    let at = bucket(head(key), buckets);
                    match own.iter().find(|(one, _)| *one == at) {
                        Some((_, true)) => assert!(span.holds(head(key)), "{span:?} {key}"),
                        Some((_, false)) => {}
                        None => assert!(!span.holds(head(key)), "{span:?} {key}"),
                    }
                }
            }
        }
    }
}
