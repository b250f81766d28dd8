//! What an entity holds, as an application's does: numbers, words, a list. It follows from the entity's
//! number, its version and its size alone, so whoever reads a copy knows whether all of it is right.

use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Serialize, Deserialize, prost::Message)]
pub(in crate::load::cache) struct Data {
    #[prost(uint64, tag = "1")]
    pub(in crate::load::cache) id: u64,
    #[prost(uint64, tag = "2")]
    pub(in crate::load::cache) version: u64,
    /// Odd and beyond 2^53: who reads numbers as floats reads another one.
    #[prost(uint64, tag = "3")]
    serial: u64,
    #[prost(string, tag = "4")]
    name: String,
    #[prost(double, tag = "5")]
    balance: f64,
    #[prost(bool, tag = "6")]
    active: bool,
    #[prost(message, repeated, tag = "7")]
    lines: Vec<Line>,
    #[prost(string, tag = "8")]
    note: String,
}

#[derive(Clone, PartialEq, Serialize, Deserialize, prost::Message)]
struct Line {
    #[prost(uint32, tag = "1")]
    item: u32,
    #[prost(uint32, tag = "2")]
    count: u32,
    #[prost(double, tag = "3")]
    price: f64,
    #[prost(string, tag = "4")]
    name: String,
}

/// Each line takes so many bytes as JSON, and a comma before the next one.
const LINE: usize = r#"{"item":100000,"count":1,"price":100.25,"name":"walnut velvet"},"#.len();

const WORDS: [&str; 16] = [
    "walnut", "velvet", "copper", "canvas", "marble", "silver", "cotton", "bamboo", "hammer",
    "window", "bottle", "pillow", "basket", "candle", "mirror", "carpet",
];

impl Data {
    /// In `size` bytes as JSON, or in what it takes without lines if that is more.
    pub(in crate::load::cache) fn of(id: u64, version: u64, size: usize) -> Data {
        let mut draw = Draw(id.rotate_left(32) ^ version);
        let mut data = Data {
            id,
            version,
            serial: 1 << 53 | draw.next() >> 11 | 1,
            name: draw.words(),
            balance: (draw.next() % 1_000_000) as f64 / 100.0,
            active: draw.next().is_multiple_of(2),
            lines: Vec::new(),
            note: String::new(),
        };
        let more = size.saturating_sub(data.json().len());
        let lines = more / LINE;
        // There is no comma after the last one.
        let note = more - (lines * LINE).saturating_sub(1);
        data.lines.extend((0..lines).map(|_| Line::drawn(&mut draw)));
        while data.note.len() < note {
            data.note.push_str(&draw.words());
        }
        data.note.truncate(note);
        data
    }

    pub(in crate::load::cache) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and letters are JSON")
    }
}

impl Line {
    /// All have the same length.
    fn drawn(draw: &mut Draw) -> Line {
        let (item, count) = (100_000 + draw.next() % 900_000, 1 + draw.next() % 9);
        let price = (100 + draw.next() % 900) as f64 + 0.25;
        Line { item: item as u32, count: count as u32, price, name: draw.words() }
    }
}

/// A generator that begins at once: SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// Two of them.
    fn words(&mut self) -> String {
        let drawn = self.next();
        let word = |bits: u64| WORDS[bits as usize % WORDS.len()];
        [word(drawn), " ", word(drawn >> 32)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_large_as_it_is_to_be() {
        for size in (200..500).chain([1_024, 10_240, 100_000]) {
            for (id, version) in [(0, 1), (7, 12), (123_456, 99_999)] {
                assert_eq!(Data::of(id, version, size).json().len(), size, "{id} {version}");
            }
        }
        assert!(Data::of(1, 1, 3).json().len() > 3, "it is whole");
    }

    #[test]
    fn each_version_of_each_has_its_own() {
        let data = Data::of(3, 7, 500);
        assert_eq!(data, Data::of(3, 7, 500));
        for other in [Data::of(3, 8, 500), Data::of(4, 7, 500)] {
            assert_ne!(data, Data { id: 3, version: 7, ..other });
        }
        for id in 0..1_000 {
            let serial = Data::of(id, 1, 0).serial;
            assert_ne!(serial as f64 as u64, serial, "a float would do");
        }
    }
}
