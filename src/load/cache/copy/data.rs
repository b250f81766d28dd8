//! What an entity holds, as an application's does: numbers, words, a list. It follows from the entity's
//! number, its version and its size alone, so whoever reads a copy knows whether all of it is right.

use std::io;

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
        let (mut data, mut draw) = Data::bare(id, version);
        let (lines, note) = data.room(size);
        data.lines.extend((0..lines).map(|_| Drawn::next(&mut draw).line()));
        while data.note.len() < note {
            data.note.push_str(&draw.words().concat());
        }
        data.note.truncate(note);
        data
    }

    /// Whether it is the same, which is not made for that: each read of a copy asks.
    pub(in crate::load::cache) fn is(&self, id: u64, version: u64, size: usize) -> bool {
        let (bare, mut draw) = Data::bare(id, version);
        let (lines, note) = bare.room(size);
        let Data { id, version, serial, name, balance, active, lines: _, note: _ } = self;
        let own = (id, version, serial, name, balance, active);
        let is_bare =
            own == (&bare.id, &bare.version, &bare.serial, &bare.name, &bare.balance, &bare.active);
        let lines_are = |draw: &mut Draw| self.lines.iter().all(|line| Drawn::next(draw).is(line));
        let sizes = (self.lines.len(), self.note.len());
        is_bare && sizes == (lines, note) && lines_are(&mut draw) && draw.wrote(&self.note)
    }

    /// Without lines and note, and what draws those.
    fn bare(id: u64, version: u64) -> (Data, Draw) {
        let mut draw = Draw(id.rotate_left(32) ^ version);
        let data = Data {
            id,
            version,
            serial: 1 << 53 | draw.next() >> 11 | 1,
            name: draw.words().concat(),
            balance: (draw.next() % 1_000_000) as f64 / 100.0,
            active: draw.next().is_multiple_of(2),
            lines: Vec::new(),
            note: String::new(),
        };
        (data, draw)
    }

    /// How many lines and bytes of a note there is room for, beside what it has.
    fn room(&self, size: usize) -> (usize, usize) {
        let mut length = Length(0);
        serde_json::to_writer(&mut length, self).expect("numbers and letters are JSON");
        let more = size.saturating_sub(length.0);
        let lines = more / LINE;
        // There is no comma after the last one.
        (lines, more - (lines * LINE).saturating_sub(1))
    }

    pub(in crate::load::cache) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and letters are JSON")
    }
}

/// What a line has. All have the same length.
struct Drawn {
    item: u32,
    count: u32,
    price: f64,
    words: Words,
}

impl Drawn {
    fn next(draw: &mut Draw) -> Drawn {
        let (item, count) = (100_000 + draw.next() % 900_000, 1 + draw.next() % 9);
        let price = (100 + draw.next() % 900) as f64 + 0.25;
        Drawn { item: item as u32, count: count as u32, price, words: draw.words() }
    }

    fn line(self) -> Line {
        let Drawn { item, count, price, words } = self;
        Line { item, count, price, name: words.concat() }
    }

    fn is(&self, line: &Line) -> bool {
        let Line { item, count, price, name } = line;
        (item, count, price) == (&self.item, &self.count, &self.price)
            && begins(name, &self.words) == Some("")
    }
}

/// Bytes that nobody keeps.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Two, and what is between them.
type Words = [&'static str; 3];

/// What follows them in the text, if it begins with them.
fn begins<'a>(text: &'a str, words: &Words) -> Option<&'a str> {
    words.iter().try_fold(text, |rest, word| rest.strip_prefix(word))
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

    fn words(&mut self) -> Words {
        let drawn = self.next();
        let word = |bits: u64| WORDS[bits as usize % WORDS.len()];
        [word(drawn), " ", word(drawn >> 32)]
    }

    /// Whether the text is what it draws from now on. The last word may be cut.
    fn wrote(&mut self, text: &str) -> bool {
        let mut rest = text;
        while !rest.is_empty() {
            let words = self.words();
            rest = match begins(rest, &words) {
                Some(rest) => rest,
                None => return words.concat().starts_with(rest),
            };
        }
        true
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
    fn whatever_is_changed_it_is_another_one() {
        for size in [0, 150, 333, 1_024, 3_001] {
            let data = Data::of(7, 12, size);
            assert!(data.is(7, 12, size), "{size}");
            assert!(!data.is(7, 13, size) && !data.is(8, 12, size));
            assert!(!data.is(7, 12, size + 500));
            // JSON as it is, with one letter or number changed.
            let json = String::from_utf8(data.json()).unwrap();
            for at in 0..json.len() {
                let other = match json.as_bytes()[at] {
                    byte @ b'0'..=b'8' => byte + 1,
                    b'9' => b'8',
                    byte @ b'a'..=b'y' => byte + 1,
                    _ => continue,
                };
                let mut bytes = json.clone().into_bytes();
                bytes[at] = other;
                let Ok(changed) = serde_json::from_slice::<Data>(&bytes) else { continue };
                // A float has more digits than it tells.
                assert_eq!(changed.is(7, 12, size), changed == data, "{size}: {json}, at {at}");
            }
            let more = Data { note: data.note.clone() + "x", ..data.clone() };
            assert!(!more.is(7, 12, size));
        }
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
