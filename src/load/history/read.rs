//! Reads a history, also one that is cut off.

use std::fs::File;
use std::io::{self, BufReader, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::HistoryError;
use super::order::InOrder;
use super::{fast, old};
use crate::files::read as bounded;
use crate::model::Workload;
use crate::model::op::Op;

/// Operations of a batch, and how many batches are parsed before they are asked for.
const BATCH: usize = 4_096;
const BATCHES_AHEAD: usize = 4;

/// Opens the history at `path`. It fails if the file cannot be opened.
pub fn read(path: &Path) -> Result<Reader, HistoryError> {
    let failed = |source| HistoryError::Read { path: path.to_owned(), source };
    let file = bounded::open_inside(path).map_err(failed)?;
    // The file does not even have the head of a finished history.
    let length = file.metadata().map_err(failed)?.len();
    let decoder = zstd::Decoder::new(file).map_err(failed)?;
    Ok(Reader {
        loads: Vec::new(),
        lines: BufReader::with_capacity(1 << 16, decoder),
        path: path.to_owned(),
        line: Vec::new(),
        number: 0,
        length,
        cut: length == 0,
        ended: false,
    })
}

/// The operations of a history, in the order in which they were recorded. Its memory use does
/// not depend on the length of the history.
pub struct Reader {
    loads: Vec<Workload>,
    lines: BufReader<zstd::Decoder<'static, BufReader<File>>>,
    path: PathBuf,
    line: Vec<u8>,
    number: u64,
    /// Bytes of the file.
    length: u64,
    cut: bool,
    ended: bool,
}

impl Reader {
    /// What each load does: an old history does not say what its reads are of.
    pub fn of_loads(self, loads: &[Workload]) -> Reader {
        Reader { loads: loads.to_vec(), ..self }
    }

    /// The operation in `self.line`, as it is written today or was before.
    fn parse(&self) -> serde_json::Result<Op> {
        if let Some(op) = fast::op(&self.line) {
            return Ok(op);
        }
        let today = serde_json::from_slice(&self.line);
        today.or_else(|error| old::op(&self.line, &self.loads).map_err(|_| error))
    }

    /// Passes all operations to `hear`, in batches, each with the share of the file that has
    /// been read by then. Those of several loads come in the order in which they ended. Another
    /// thread parses the next ones meanwhile. Returns whether the file is [cut off](Self::was_cut).
    ///
    /// # Errors
    /// Those of the reader, and of `hear`.
    pub fn in_batches(
        self,
        mut hear: impl FnMut(&[Op], f64) -> Result<(), HistoryError>,
    ) -> Result<bool, HistoryError> {
        let (send, batches) = sync_channel(BATCHES_AHEAD);
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let loads = self.loads.len();
                let mut rows = InOrder::new(self, loads);
                loop {
                    let batch: Result<Vec<Op>, _> = rows.by_ref().take(BATCH).collect();
                    let is_last = batch.as_ref().map_or(true, |ops| ops.len() < BATCH);
                    let heard = send.send((batch, rows.source().share_read()));
                    if is_last || heard.is_err() {
                        return rows.source().was_cut();
                    }
                }
            });
            // If nobody listens any more, the thread ends.
            for (batch, share) in batches {
                hear(&batch?, share)?;
            }
            Ok(reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    fn share_read(&self) -> f64 {
        let mut file: &File = self.lines.get_ref().get_ref().get_ref();
        file.stream_position().unwrap_or(0) as f64 / self.length.max(1) as f64
    }

    /// Whether the file is cut off, as that of a killed run is. Known once the last operation
    /// has been read.
    pub fn was_cut(&self) -> bool {
        self.cut
    }

    /// Reads the next whole line into `self.line`; false at the end.
    fn next_line(&mut self) -> io::Result<bool> {
        match bounded::line(&mut self.lines, &mut self.line, bounded::LINE) {
            Ok(0) => return Ok(false),
            Ok(_) if self.line.ends_with(b"\n") => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        self.cut = true;
        Ok(false)
    }
}

impl Iterator for Reader {
    type Item = Result<Op, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let parsed = match self.next_line() {
            Ok(true) => {
                self.number += 1;
                self.parse().map_err(|source| HistoryError::Line {
                    path: self.path.clone(),
                    line: self.number,
                    source,
                })
            }
            Ok(false) => {
                self.ended = true;
                return None;
            }
            Err(source) => Err(HistoryError::Read { path: self.path.clone(), source }),
        };
        self.ended = parsed.is_err();
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::create;
    use super::super::write::write_into;
    use super::*;
    use crate::model::event::Teller;
    use crate::model::op::{Action, RegisterOp};
    use crate::model::{Clock, Nanos};

    fn op(n: u64) -> Op {
        let key = n.wrapping_mul(0x9E37_79B9) % 1000;
        let action = Action::Register(RegisterOp::Write(n));
        let op = Op::new(key, action, Nanos(n * 1000 + 10), Nanos(n * 1000 + 200));
        Op { process: n as u32 % 7, intended: Nanos(n * 1000), ..op }
    }

    #[test]
    fn what_was_written_is_read_back_from_several_writers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl.zst");
        let history = create(&path, Teller::new(Clock::start()).0, |_| ()).unwrap();
        let threads = [0, 1].map(|part| {
            let mut writer = history.writer();
            std::thread::spawn(move || (0..10_000).for_each(|n| writer.push(op(n * 2 + part))))
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(history.finish().unwrap(), 20_000);
        let mut reader = read(&path).unwrap();
        let mut ops: Vec<Op> = reader.by_ref().map(Result::unwrap).collect();
        assert!(!reader.was_cut());
        ops.sort_by_key(|op| op.action.written());
        assert_eq!(ops, (0..20_000).map(op).collect::<Vec<_>>());
    }

    #[test]
    fn batches_have_every_operation_once_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl.zst");
        let history = create(&path, Teller::new(Clock::start()).0, |_| {}).unwrap();
        let mut writer = history.writer();
        (0..30_000).for_each(|n| writer.push(op(n)));
        drop(writer);
        history.finish().unwrap();
        let (mut ops, mut shares) = (Vec::new(), Vec::new());
        let cut = read(&path).unwrap().in_batches(|batch, share| {
            ops.extend_from_slice(batch);
            shares.push(share);
            Ok(())
        });
        assert!(!cut.unwrap());
        assert_eq!(ops, (0..30_000).map(op).collect::<Vec<_>>());
        assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");
        // Who does not want to hear more ends it.
        let full = || HistoryError::Ended;
        assert!(read(&path).unwrap().in_batches(|_, _| Err(full())).is_err());
    }

    #[test]
    fn a_history_cut_off_anywhere_gives_its_beginning_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl.zst");
        let history = create(&path, Teller::new(Clock::start()).0, |_| ()).unwrap();
        let mut writer = history.writer();
        (0..30_000).for_each(|n| writer.push(op(n)));
        drop(writer);
        history.finish().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for part in [0, 1, 3, 7, 9] {
            std::fs::write(&path, &whole[..whole.len() * part / 10]).unwrap();
            let mut reader = read(&path).unwrap();
            let ops: Vec<Op> = reader.by_ref().map(Result::unwrap).collect();
            assert!(reader.was_cut());
            assert_eq!(ops, (0..ops.len() as u64).map(op).collect::<Vec<_>>());
            assert!(part < 5 || !ops.is_empty(), "{part}/10 of the file gave nothing");
        }
    }

    #[test]
    fn a_history_can_be_read_while_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl.zst");
        let history = create(&path, Teller::new(Clock::start()).0, |_| ()).unwrap();
        let mut writer = history.writer();
        (0..100).for_each(|n| writer.push(op(n)));
        writer.flush();
        std::thread::sleep(Duration::from_millis(1200));
        let mut reader = read(&path).unwrap();
        assert_eq!(reader.by_ref().map(Result::unwrap).count(), 100);
        assert!(reader.was_cut());
        drop(writer);
        history.finish().unwrap();
    }

    #[test]
    fn a_disk_that_refuses_is_told_at_once_and_an_error_at_the_end() {
        let (tell, told) = mpsc::channel();
        let broken = move |error: &io::Error| tell.send(error.to_string()).unwrap();
        // A Linux device that is always full.
        let teller = Teller::new(Clock::start()).0;
        let path = Path::new("/dev/full");
        let full = File::options().write(true).open(path).unwrap();
        let history = write_into(full, path, teller, broken).unwrap();
        let mut writer = history.writer();
        (0..200_000).for_each(|n| writer.push(op(n)));
        drop(writer);
        assert!(told.recv().unwrap().contains("No space left"));
        let error = history.finish().unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
    }

    #[test]
    fn a_line_that_is_no_operation_is_told_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl.zst");
        let text = serde_json::to_string(&op(1)).unwrap() + "\n{}\n";
        std::fs::write(&path, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
        let results: Vec<_> = read(&path).unwrap().collect();
        assert!(results[0].is_ok() && results.len() == 2);
        let error = results[1].as_ref().unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
