//! Entities as bytes, and back: how copies stand in the group.
//!
//! JSON: <https://www.rfc-editor.org/rfc/rfc8259>, MessagePack: <https://msgpack.org/>, CBOR:
//! <https://www.rfc-editor.org/rfc/rfc8949>, Postcard: <https://postcard.jamesmunns.com/>, Protocol
//! Buffers: <https://protobuf.dev/>. Packed by LZ4 (<https://lz4.org/>) or Zstandard
//! (<https://www.rfc-editor.org/rfc/rfc8878>).

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io;

use prost::Message;
use zstd::bulk::{Compressor, Decompressor};

use super::data::Data;
use crate::model::Clock;
use crate::model::op::CacheOp;
use crate::spec::cache::{Codec, Format, Packing};

/// Of one process. It knows what it has done.
pub(in crate::load::cache) struct Coder {
    codec: Codec,
    packer: Packer,
    /// No copy has more bytes when it is unpacked. Foreign ones may say anything.
    most: usize,
    clock: Clock,
    coded: Cell<Coded>,
}

/// What it keeps from one copy to the next one, because it is dear to make.
enum Packer {
    None,
    Lz4,
    Zstd(Box<RefCell<(Compressor<'static>, Decompressor<'static>)>>),
}

/// Since it was last told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Coded {
    copies: u64,
    bytes: u64,
    nanos: u64,
}

impl Coder {
    /// Of entities that have `most` bytes as JSON. Errors: no memory for that.
    pub(in crate::load::cache) fn new(
        format: Format,
        most: usize,
        clock: Clock,
    ) -> io::Result<Coder> {
        let packer = match format.packing {
            Packing::None => Packer::None,
            Packing::Lz4 => Packer::Lz4,
            Packing::Zstd => {
                let both =
                    (Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?, Decompressor::new()?);
                Packer::Zstd(Box::new(RefCell::new(both)))
            }
        };
        // An entity without lines may be larger than it is to be.
        let most = most * 2 + 1_024;
        Ok(Coder { codec: format.codec, packer, most, clock, coded: Cell::default() })
    }

    pub(in crate::load::cache) fn encode(&self, data: &Data) -> Vec<u8> {
        let begun = self.clock.now();
        let bytes = self.pack(encode(self.codec, data));
        self.note(bytes.len(), self.clock.now().since(begun).as_nanos());
        bytes
    }

    /// None if these are not the bytes of an entity.
    pub(in crate::load::cache) fn decode(&self, bytes: &[u8]) -> Option<Data> {
        let begun = self.clock.now();
        let data = self.unpack(bytes).and_then(|bytes| decode(self.codec, &bytes));
        self.note(bytes.len(), self.clock.now().since(begun).as_nanos());
        data
    }

    /// What it has done since the last call, if that is anything.
    pub(in crate::load::cache) fn noted(&self) -> Option<CacheOp> {
        let Coded { copies, bytes, nanos } = self.coded.take();
        (copies > 0).then_some(CacheOp::Coded { copies, bytes, nanos })
    }

    fn note(&self, bytes: usize, nanos: u128) {
        let so_far = self.coded.get();
        self.coded.set(Coded {
            copies: so_far.copies + 1,
            bytes: so_far.bytes + bytes as u64,
            nanos: so_far.nanos + nanos as u64,
        });
    }

    fn pack(&self, bytes: Vec<u8>) -> Vec<u8> {
        match &self.packer {
            Packer::None => bytes,
            Packer::Lz4 => lz4_flex::block::compress_prepend_size(&bytes),
            Packer::Zstd(both) => {
                both.borrow_mut().0.compress(&bytes).expect("its buffer is as large as it may be")
            }
        }
    }

    fn unpack<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let unpacked = match &self.packer {
            Packer::None => return Some(Cow::Borrowed(bytes)),
            Packer::Lz4 => {
                let (size, packed) = lz4_flex::block::uncompressed_size(bytes).ok()?;
                let size = Some(size).filter(|size| *size <= self.most)?;
                lz4_flex::block::decompress(packed, size).ok()
            }
            Packer::Zstd(both) => both.borrow_mut().1.decompress(bytes, self.most).ok(),
        };
        unpacked.map(Cow::Owned)
    }
}

fn encode(codec: Codec, data: &Data) -> Vec<u8> {
    const WHY: &str = "numbers, words and lists are known to it, and memory takes all";
    match codec {
        Codec::Json => data.json(),
        Codec::MsgPack => rmp_serde::to_vec_named(data).expect(WHY),
        Codec::Cbor => {
            let mut bytes = Vec::new();
            ciborium::into_writer(data, &mut bytes).expect(WHY);
            bytes
        }
        Codec::Postcard => postcard::to_stdvec(data).expect(WHY),
        Codec::Protobuf => data.encode_to_vec(),
    }
}

fn decode(codec: Codec, bytes: &[u8]) -> Option<Data> {
    match codec {
        // Looking at all letters at once is faster than at those of each word.
        Codec::Json => serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok(),
        Codec::MsgPack => rmp_serde::from_slice(bytes).ok(),
        Codec::Cbor => ciborium::from_reader(bytes).ok(),
        Codec::Postcard => postcard::from_bytes(bytes).ok(),
        Codec::Protobuf => Data::decode(bytes).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats() -> impl Iterator<Item = Format> {
        let with = |codec| Packing::ALL.iter().map(move |&packing| Format { codec, packing });
        Codec::ALL.iter().copied().flat_map(with)
    }

    fn coder(format: Format) -> Coder {
        Coder::new(format, 2_000, Clock::start()).unwrap()
    }

    #[test]
    fn every_format_gives_back_what_it_was_given() {
        for format in formats() {
            let coder = coder(format);
            for (id, version, size) in [(1, 1, 0), (u64::MAX, u64::MAX, 1_000), (5, 77, 2_000)] {
                let data = Data::of(id, version, size);
                assert_eq!(coder.decode(&coder.encode(&data)), Some(data), "{format}");
            }
        }
    }

    #[test]
    fn bytes_that_are_torn_foreign_or_of_another_format_are_not_the_entity() {
        let data = Data::of(3, 7, 1_500);
        let whole: Vec<(Format, Vec<u8>)> =
            formats().map(|format| (format, coder(format).encode(&data))).collect();
        for (format, bytes) in &whole {
            let coder = coder(*format);
            let is_it = |bytes: &[u8]| coder.decode(bytes) == Some(data.clone());
            assert!(is_it(bytes));
            for cut in 0..bytes.len() {
                assert!(!is_it(&bytes[..cut]), "{format}, {cut} of {} bytes", bytes.len());
            }
            for (other, bytes) in whole.iter().filter(|(other, _)| other != format) {
                assert!(!is_it(bytes), "{format} takes what is {other}");
            }
            for foreign in [&[0xFF; 40][..], b"lease 7", b"", &[0xFF, 0xFF, 0xFF, 0x7F, 1, 2]] {
                assert!(!is_it(foreign), "{format}");
            }
        }
    }

    #[test]
    fn the_formats_are_of_different_size_and_what_they_do_is_counted() {
        let data = Data::of(3, 7, 2_000);
        let bytes = |text: &str| {
            let coder = coder(formats().find(|format| format.to_string() == text).unwrap());
            let bytes = coder.encode(&data).len() as u64;
            let Some(CacheOp::Coded { copies: 1, bytes: told, .. }) = coder.noted() else {
                panic!("it was one copy");
            };
            assert_eq!(told, bytes);
            assert_eq!(coder.noted(), None, "it is told once");
            bytes
        };
        let json = bytes("json");
        assert_eq!(json, 2_000);
        for smaller in ["msgpack", "cbor", "postcard", "protobuf", "json+lz4", "json+zstd"] {
            assert!(bytes(smaller) < json, "{smaller}");
        }
        assert!(bytes("postcard") < bytes("msgpack"), "it has no names");
    }
}
