//! Bytes under way in one direction of a connection, in the order in which they were sent.
//!
//! Each piece has the instant at which it is due. No piece arrives before the piece sent before
//! it, because TCP would hold it back.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::model::Nanos;

/// How many pieces the kernel gets at once.
pub(super) const TOGETHER: usize = 32;
/// The memory for a piece besides its bytes, so that many tiny pieces cannot fill the memory.
const OVERHEAD: usize = 64;

#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Box<[u8]>),
    /// The sender has ended its side.
    End,
    /// The sender's side is gone.
    Reset,
}

#[derive(Debug, Default)]
pub(super) struct Line {
    pieces: VecDeque<(Nanos, Piece)>,
    /// How many bytes of the first piece have arrived.
    arrived: usize,
    size: usize,
}

impl Line {
    /// Sends a piece that arrives at `due`, or with the one before it.
    pub(super) fn push(&mut self, due: Nanos, piece: Piece) {
        self.size += piece.size();
        self.pieces.push_back((due, piece));
    }

    /// When the first piece arrives.
    pub(super) fn due(&self) -> Option<Nanos> {
        self.pieces.front().map(|(due, _)| *due)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The memory for all this, in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The bytes that have arrived at `now`: up to `TOGETHER` pieces, and up to an end.
    pub(super) fn ready(&self, now: Nanos) -> ([IoSlice<'_>; TOGETHER], usize) {
        let mut slices = [IoSlice::new(&[]); TOGETHER];
        let mut count = 0;
        let due = self.pieces.iter().take_while(|(due, _)| *due <= now);
        for (slice, (_, piece)) in slices.iter_mut().zip(due) {
            let Piece::Bytes(bytes) = piece else { break };
            let skip = if count == 0 { self.arrived } else { 0 };
            *slice = IoSlice::new(&bytes[skip..]);
            count += 1;
        }
        (slices, count)
    }

    /// The first `bytes` of all bytes are delivered.
    pub(super) fn advance(&mut self, bytes: usize) {
        let mut left = bytes;
        while let Some((_, Piece::Bytes(first))) = self.pieces.front() {
            let rest = first.len() - self.arrived;
            if left < rest {
                self.arrived += left;
                return;
            }
            left -= rest;
            self.arrived = 0;
            self.pop();
        }
    }

    /// Removes the end if it comes first and has arrived at `now`.
    pub(super) fn take_end(&mut self, now: Nanos) -> Option<Piece> {
        match self.pieces.front() {
            Some((due, Piece::End | Piece::Reset)) if *due <= now => self.pop(),
            _ => None,
        }
    }

    fn pop(&mut self) -> Option<Piece> {
        let (_, piece) = self.pieces.pop_front()?;
        self.size -= piece.size();
        Some(piece)
    }
}

impl Piece {
    fn size(&self) -> usize {
        match self {
            Piece::Bytes(bytes) => bytes.len() + OVERHEAD,
            Piece::End | Piece::Reset => OVERHEAD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Piece {
        Piece::Bytes(text.as_bytes().into())
    }

    fn ready(line: &Line, now: u64) -> String {
        let (slices, count) = line.ready(Nanos(now));
        slices[..count].iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
    }

    #[test]
    fn nothing_overtakes() {
        let mut line = Line::default();
        line.push(Nanos(50), bytes("one"));
        line.push(Nanos(10), bytes("two"));
        line.push(Nanos(60), bytes("three"));
        assert_eq!(line.due(), Some(Nanos(50)));
        assert_eq!(ready(&line, 49), "");
        assert_eq!(ready(&line, 50), "onetwo");
        line.advance(4);
        assert_eq!(ready(&line, 60), "wothree");
        line.advance(2);
        assert_eq!(ready(&line, 60), "three");
        line.advance(5);
        assert!(line.is_empty() && line.size() == 0);
    }

    #[test]
    fn an_end_comes_after_all_bytes() {
        let mut line = Line::default();
        line.push(Nanos(10), bytes("last"));
        line.push(Nanos(20), Piece::End);
        assert!(line.take_end(Nanos(30)).is_none());
        assert_eq!(ready(&line, 30), "last");
        line.advance(4);
        assert!(line.take_end(Nanos(19)).is_none());
        assert!(matches!(line.take_end(Nanos(20)), Some(Piece::End)));
        assert!(line.is_empty());
    }
}
