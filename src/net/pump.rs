//! One direction of one connection: reads bytes from one socket and writes them to the other,
//! when and as fast as the conditions of the wire allow.
//!
//! All bytes take the same path, so conditions may change at any moment without a byte being
//! lost or overtaken: bytes are read, get the instant at which they arrive, and wait in a
//! [`Line`] until then. If no condition delays them and nothing is under way before them, they
//! are passed on directly from the read buffer.
//!
//! While the wire is cut, nothing is read and nothing written, so the sender's buffers fill up.
//! The end of the connection is held back too: it is a packet like any other.

use std::cell::Cell;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rustix::net::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::conditions::Conditions;
use super::line::{Line, Piece};
use super::thread::Thread;
use super::wire::Counts;
use crate::log::OrUnheard;
use crate::model::{Clock, Nanos};

/// If a receiver has not taken bytes for so long, no more are read for it. (A shorter wait does
/// not matter: bytes that are not read yet are not delayed either.)
const SLOW: Duration = Duration::from_millis(20);

/// The connection is to be reset at both its ends.
#[derive(Debug)]
pub(super) struct Reset;

/// One of the two sockets of a connection.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) stream: TcpStream,
    /// It takes no more bytes: the program there is gone.
    pub(super) gone: Cell<bool>,
    /// Everything that it sent, and the end of it, has arrived at the other side.
    pub(super) heard_out: Cell<bool>,
}

impl Side {
    pub(super) fn new(stream: TcpStream) -> Side {
        Side { stream, gone: Cell::new(false), heard_out: Cell::new(false) }
    }
}

pub(super) struct Pump<'a> {
    pub(super) from: &'a Side,
    pub(super) to: &'a Side,
    pub(super) rules: watch::Receiver<Arc<Conditions>>,
    pub(super) conditions: Arc<Conditions>,
    pub(super) counts: &'a Counts,
    pub(super) rng: Xoshiro256PlusPlus,
    pub(super) clock: Clock,
    pub(super) thread: &'a Thread,
    pub(super) line: Line,
    /// The sender's end is in the line.
    pub(super) ended: bool,
    /// Nothing is read before this instant, for a trickle.
    pub(super) rests_until: Nanos,
}

/// The result of delivering all that has arrived.
enum Delivered {
    All,
    /// The receiver takes no more for now.
    Blocked,
    /// The end is delivered too.
    End,
}

impl Pump<'_> {
    /// Returns when the sender has ended and that has arrived.
    pub(super) async fn run(mut self) -> Result<(), Reset> {
        loop {
            if self.rules.has_changed().unwrap_or(false) {
                self.conditions = self.rules.borrow_and_update().clone();
            }
            if self.conditions.cut {
                changed(&mut self.rules).await;
                continue;
            }
            let blocked = match self.deliver().await? {
                Delivered::End => return Ok(()),
                Delivered::Blocked => true,
                Delivered::All => false,
            };
            self.wait_and_take(blocked).await;
        }
    }

    /// Waits until there is something to do, and reads if there is something to read.
    async fn wait_and_take(&mut self, blocked: bool) {
        let now = self.clock.now();
        let slow = blocked && self.line.due().is_some_and(|due| now.since(due) > SLOW);
        let full = self.line.size() >= self.conditions.in_flight();
        let reads = !(self.ended || full || slow);
        let reads_at = self.rests_until.max(self.conditions.room_at());
        let reads_now = reads && reads_at <= now;
        let arrives = self.line.due().filter(|_| !blocked);
        let alarm = arrives.into_iter().chain((reads && !reads_now).then_some(reads_at)).min();
        tokio::select! {
            biased;
            () = changed(&mut self.rules) => {}
            () = self.thread.timer.until(alarm.unwrap_or_default()), if alarm.is_some() => {}
            _ = self.to.stream.writable(), if blocked => {}
            _ = self.from.stream.readable(), if reads_now => {
                if self.take() {
                    // There is more. Other tasks run first.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Reads once. Returns whether there is probably more.
    fn take(&mut self) -> bool {
        let mut buffer = self.thread.buffer.borrow_mut();
        let most = self.conditions.piece().min(buffer.len());
        let read = self.from.stream.try_read(&mut buffer[..most]);
        let now = self.clock.now();
        match read {
            Ok(0) => self.end(now, if self.from.gone.get() { Piece::Reset } else { Piece::End }),
            Ok(size) => {
                self.send(&buffer[..size], now);
                if size == most {
                    return true;
                }
                // That was everything, so the next read waits for a notification.
                let nothing = || Err::<(), _>(ErrorKind::WouldBlock.into());
                self.from.stream.try_io(Interest::READABLE, nothing).or_unheard();
            }
            Err(error) if later(&error) => {}
            Err(_) => self.end(now, Piece::Reset),
        }
        false
    }

    fn end(&mut self, now: Nanos, end: Piece) {
        self.ended = true;
        let due = self.conditions.due(0, now, &mut self.rng);
        self.line.push(due, end);
    }

    fn send(&mut self, bytes: &[u8], now: Nanos) {
        if let Some(trickle) = self.conditions.trickle {
            self.rests_until = now + trickle.rest;
        }
        let mut rest = bytes;
        if self.line.is_empty() && self.conditions.are_none() {
            // An error shows again when the rest is delivered.
            let sent = self.to.stream.try_write(bytes).unwrap_or(0);
            self.counts.add_bytes(sent);
            rest = &bytes[sent..];
        }
        if !rest.is_empty() {
            let due = self.conditions.due(rest.len(), now, &mut self.rng);
            self.line.push(due, Piece::Bytes(rest.into()));
        }
    }

    /// Delivers everything that has arrived.
    async fn deliver(&mut self) -> Result<Delivered, Reset> {
        while let Some(due) = self.line.due() {
            let now = self.clock.now();
            if due > now {
                break;
            }
            match self.line.take_end(now) {
                Some(Piece::Reset) => return Err(Reset),
                Some(_) => {
                    // It fails if the other side is gone, which knows already.
                    shutdown(&self.to.stream, Shutdown::Write).or_unheard();
                    self.from.heard_out.set(true);
                    return if self.from.gone.get() { Err(Reset) } else { Ok(Delivered::End) };
                }
                None => {}
            }
            let (slices, count) = self.line.ready(now);
            match self.to.stream.try_write_vectored(&slices[..count]) {
                Ok(size) => {
                    self.counts.add_bytes(size);
                    self.line.advance(size);
                }
                Err(error) if later(&error) => return Ok(Delivered::Blocked),
                Err(_) => return Err(self.receiver_is_gone().await),
            }
        }
        Ok(Delivered::All)
    }

    /// The sender learns that the receiver is gone as it learns everything from there: through
    /// the pump of the other direction, after everything that the receiver had sent.
    async fn receiver_is_gone(&self) -> Reset {
        self.to.gone.set(true);
        if !self.to.heard_out.get() {
            pending::<()>().await;
        }
        Reset
    }
}

/// Waits until `rules` has changed, and leaves the change marked as unseen.
async fn changed(rules: &mut watch::Receiver<Arc<Conditions>>) {
    if rules.changed().await.is_err() {
        // It will never change again.
        pending::<()>().await;
    }
    rules.mark_changed();
}

fn later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
