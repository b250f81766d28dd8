//! Hash slots, as the Redis Cluster specification defines them.
//!
//! <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ids::serde_as_text;

/// How many hash slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// The slot of `key`: CRC16 of its hash tag (the text between the first `{` and the next `}`,
/// if that is not empty), otherwise of the whole key.
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&b| b == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.iter().position(|&b| b == b'}').filter(|&n| n > 0).map(|n| &rest[..n])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS
}

/// A set of slots, kept as sorted ranges that neither overlap nor touch.
/// Written as the servers write it: `0-5460 5462 6000-6010`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SlotSet(Vec<RangeInclusive<u16>>);

impl SlotSet {
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }

    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().cloned().flatten()
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|r| r.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ranges in any order, which may overlap or touch.
    fn joined(mut ranges: Vec<RangeInclusive<u16>>) -> SlotSet {
        ranges.sort_unstable_by_key(|range| *range.start());
        let mut joined: Vec<RangeInclusive<u16>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                _ => joined.push(range),
            }
        }
        SlotSet(joined)
    }

    pub fn contains(&self, slot: u16) -> bool {
        let after = self.0.partition_point(|r| *r.start() <= slot);
        after > 0 && self.0[after - 1].contains(&slot)
    }
}

impl From<RangeInclusive<u16>> for SlotSet {
    fn from(range: RangeInclusive<u16>) -> SlotSet {
        SlotSet(vec![range])
    }
}

impl FromIterator<u16> for SlotSet {
    fn from_iter<I: IntoIterator<Item = u16>>(slots: I) -> SlotSet {
        SlotSet::joined(slots.into_iter().map(|slot| slot..=slot).collect())
    }
}

impl fmt::Display for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            match (range.start(), range.end()) {
                (a, b) if a == b => write!(f, "{space}{a}")?,
                (a, b) => write!(f, "{space}{a}-{b}")?,
            }
        }
        Ok(())
    }
}

/// Text that is not a list of slots and slot ranges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a slot or a range of slots from 0 to 16383")]
pub struct BadSlots(pub String);

impl FromStr for SlotSet {
    type Err = BadSlots;
    fn from_str(s: &str) -> Result<SlotSet, BadSlots> {
        let mut ranges = Vec::new();
        for word in s.split_whitespace() {
            let bad = || BadSlots(word.to_owned());
            let (a, b) = word.split_once('-').unwrap_or((word, word));
            let a: u16 = a.parse().map_err(|_| bad())?;
            let b: u16 = b.parse().map_err(|_| bad())?;
            if a > b || b >= SLOTS {
                return Err(bad());
            }
            ranges.push(a..=b);
        }
        Ok(SlotSet::joined(ranges))
    }
}

serde_as_text!(SlotSet);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_match_the_specification() {
        assert_eq!(slot_of(b"123456789"), 0x31C3 % SLOTS);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(
            slot_of(b"foo{}{bar}"),
            crc16::State::<crc16::XMODEM>::calculate(b"foo{}{bar}") % SLOTS
        );
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }

    #[test]
    fn sets_are_written_as_servers_write_them() {
        let set: SlotSet = "5462 0-5460 5461".parse().unwrap();
        assert_eq!(set.to_string(), "0-5462");
        assert_eq!(set.len(), 5463);
        assert!(set.contains(5462) && !set.contains(5463));
        assert!("0-16384".parse::<SlotSet>().is_err());
        let set: SlotSet = "10-20 0-3 15-30 31 5 12".parse().unwrap();
        assert_eq!(set.to_string(), "0-3 5 10-31");
        assert_eq!(set, set.iter().chain([5, 0]).collect());
        assert!("".parse::<SlotSet>().unwrap().is_empty());
    }
}
