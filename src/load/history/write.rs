//! Writes the history without delaying the load.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::HistoryError;
use crate::files::make;
use crate::log::OrUnheard;
use crate::model::event::{EventKind, Teller};
use crate::model::op::Op;

/// How many operations a writer collects before it hands them over.
const BATCH: usize = 512;
/// How many batches may wait for the disk: about 25 MB of memory, and ten seconds of load at
/// 25,000 operations a second.
const WAITING: usize = 512;
/// At most this much of a killed run is lost.
const FLUSH: Duration = Duration::from_millis(500);

enum Message {
    Batch(Vec<Op>),
    Finish,
}

/// Starts a history at `path`, replacing an existing file. Give each load a [`Writer`], and
/// call [`History::finish`] when all have ended. `broken` is called at once if the disk refuses a
/// write.
///
/// It fails if the file cannot be created.
pub fn create(
    path: &Path,
    teller: Teller,
    broken: impl FnOnce(&io::Error) + Send + 'static,
) -> Result<History, HistoryError> {
    let file =
        make::anew(path).map_err(|source| HistoryError::Write { path: path.to_owned(), source })?;
    write_into(file, path, teller, broken)
}

/// Starts a history in the open `file`, which messages call `path`.
pub(super) fn write_into(
    file: File,
    path: &Path,
    teller: Teller,
    broken: impl FnOnce(&io::Error) + Send + 'static,
) -> Result<History, HistoryError> {
    let failed = |source| HistoryError::Write { path: path.to_owned(), source };
    let encoder = zstd::Encoder::new(file, 1).map_err(failed)?;
    let (sender, batches) = sync_channel(WAITING);
    let output = Output { encoder, operations: 0, line: Vec::new() };
    let thread = std::thread::Builder::new()
        .name("history".into())
        .spawn(move || write_until_finished(output, &batches).inspect_err(broken))
        .map_err(failed)?;
    Ok(History { writer: Writer { sender, batch: Vec::new(), teller }, thread, path: path.into() })
}

/// A history that is being written.
#[derive(Debug)]
pub struct History {
    writer: Writer,
    thread: JoinHandle<io::Result<u64>>,
    path: PathBuf,
}

impl History {
    pub fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// Writes everything that was handed over and closes the file; how many operations. Those that a [`Writer`]
    /// hands over later are lost, so end the loads first.
    ///
    /// It fails if the disk refused a write at any time. Then the file has a correct beginning
    /// of the history.
    pub fn finish(self) -> Result<u64, HistoryError> {
        let History { writer, thread, path } = self;
        // An error means that the thread has ended already; joining it gives the reason.
        writer.sender.send(Message::Finish).or_unheard();
        drop(writer);
        let written = thread.join().map_err(|_| HistoryError::Ended)?;
        written.map_err(|source| HistoryError::Write { path, source })
    }
}

/// Takes the operations of one load and hands them over in batches. Call [`Writer::flush`] from
/// time to time; dropping it flushes too.
#[derive(Debug)]
pub struct Writer {
    sender: SyncSender<Message>,
    batch: Vec<Op>,
    teller: Teller,
}

impl Clone for Writer {
    /// Another writer to the same history. What this one has collected stays with it.
    fn clone(&self) -> Writer {
        let (sender, teller) = (self.sender.clone(), self.teller.clone());
        Writer { sender, batch: Vec::new(), teller }
    }
}

impl Writer {
    pub fn push(&mut self, op: Op) {
        self.batch.push(op);
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    /// Hands over what was collected. If the disk is so far behind that no more fits into
    /// memory, this waits and warns: the figures show a late load, but would not show a missing
    /// operation.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let Err(TrySendError::Full(message)) = self.sender.try_send(Message::Batch(batch)) else {
            // Sent, or the thread has ended: it has said so, and `finish` returns the error.
            return;
        };
        let began = Instant::now();
        self.sender.send(message).or_unheard();
        if let Some(text) = told(began.elapsed()) {
            self.teller.tell(EventKind::Warning { text });
        }
    }
}

/// The warning that the load waited for the disk; none if nobody can have felt it.
fn told(waited: Duration) -> Option<String> {
    let text = || {
        let waited = waited.as_millis();
        format!(
            "the disk cannot follow the history: the load waited {waited} ms for it, \
             and latencies around this instant are redrill's own"
        )
    };
    (waited >= Duration::from_millis(1)).then(text)
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

struct Output {
    encoder: zstd::Encoder<'static, File>,
    operations: u64,
    line: Vec<u8>,
}

impl Output {
    fn write(&mut self, batch: &[Op]) -> io::Result<()> {
        for op in batch {
            self.line.clear();
            serde_json::to_writer(&mut self.line, op)?;
            self.line.push(b'\n');
            self.encoder.write_all(&self.line)?;
        }
        self.operations += batch.len() as u64;
        Ok(())
    }
}

fn write_until_finished(mut output: Output, batches: &Receiver<Message>) -> io::Result<u64> {
    let mut flush_at = Instant::now() + FLUSH;
    loop {
        match batches.recv_timeout(flush_at.saturating_duration_since(Instant::now())) {
            Ok(Message::Batch(batch)) => output.write(&batch)?,
            Ok(Message::Finish) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if Instant::now() >= flush_at {
            output.encoder.flush()?;
            flush_at = Instant::now() + FLUSH;
        }
    }
    output.encoder.finish()?;
    Ok(output.operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_nobody_feels_is_no_warning() {
        assert_eq!(told(Duration::from_micros(900)), None);
        assert!(told(Duration::from_micros(1_900)).unwrap().contains("waited 1 ms for it"));
    }
}
