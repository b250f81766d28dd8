//! A queue of lines, and the thread that writes them.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use super::discard::OrUnheard;
use parking_lot::Mutex;

/// How many lines may wait to be written. If there are more, the newest are lost.
const QUEUE: usize = 8192;
/// How long the end of a log is waited for, so that a dead disk or a stopped terminal delays
/// nobody.
const PATIENCE: Duration = Duration::from_secs(1);

/// Accepts lines and never blocks.
pub(super) struct Outlet {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
    ended: Receiver<()>,
}

impl Outlet {
    /// `write` gets each line, with its line end, on a separate thread.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub(super) fn start(mut write: impl FnMut(&str) + Send + 'static) -> io::Result<Outlet> {
        let (lines, queue) = sync_channel::<String>(QUEUE);
        let (end, ended) = channel::<()>();
        let lost = Arc::new(AtomicU64::new(0));
        let missing = lost.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            let _until_all_is_written = end;
            for line in queue {
                write(&line);
                match missing.swap(0, Ordering::Relaxed) {
                    0 => {}
                    lost => write(&format!("{lost} lines are missing: they came too fast\n")),
                }
            }
        })?;
        Ok(Outlet { lines, lost, ended })
    }

    pub(super) fn line(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Accepts no more lines, and waits until all are written, for at most a second.
    pub(super) fn finish(self) {
        drop(self.lines);
        self.ended.recv_timeout(PATIENCE).or_unheard();
    }
}

/// A file that accepts so many bytes and no more.
pub(super) struct Bounded {
    /// `None` when no more is written.
    file: Option<File>,
    left: usize,
    last: String,
    trouble: Arc<Mutex<Option<io::Error>>>,
}

impl Bounded {
    /// The error of a file that cannot be written goes to `trouble`.
    pub(super) fn new(
        file: io::Result<File>,
        most: usize,
        trouble: Arc<Mutex<Option<io::Error>>>,
    ) -> Bounded {
        let last = format!("the log ends here: it has the {most} bytes that it may have\n");
        let left = most.saturating_sub(last.len());
        let mut bounded = Bounded { file: None, left, last, trouble };
        match file {
            Ok(file) => bounded.file = Some(file),
            Err(error) => *bounded.trouble.lock() = Some(error),
        }
        bounded
    }

    pub(super) fn line(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        let room = self.left.checked_sub(line.len());
        let written = file.write_all(room.map_or(&*self.last, |_| line).as_bytes());
        self.left = room.unwrap_or(0);
        if room.is_none() || written.is_err() {
            self.file = None;
        }
        if let Err(error) = written {
            *self.trouble.lock() = Some(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_file_has_its_bound_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let trouble = Arc::default();
        let mut log = Bounded::new(File::create(&path), 200, Arc::clone(&trouble));
        for n in 0..100 {
            log.line(&format!("line {n}\n"));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() <= 200, "{text}");
        assert!(text.starts_with("line 0\nline 1\n"), "{text}");
        assert!(text.ends_with("the log ends here: it has the 200 bytes that it may have\n"));
        assert_eq!(text.matches("ends here").count(), 1, "{text}");
        assert!(trouble.lock().is_none());
    }

    #[test]
    fn a_full_disk_is_told_and_loses_lines_only() {
        let trouble = Arc::default();
        let full = OpenOptions::new().write(true).open("/dev/full");
        let mut log = Bounded::new(full, 1 << 20, Arc::clone(&trouble));
        log.line("one\n");
        log.line("two\n");
        let error = trouble.lock().take().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn whoever_writes_slowly_holds_up_nobody() {
        let (go_on, held) = mpsc::channel::<()>();
        let (told, heard) = mpsc::channel();
        let outlet = Outlet::start(move |line| {
            let _error_once_all_may_be_written = held.recv();
            told.send(line.to_owned()).unwrap();
        })
        .unwrap();
        for n in 0..QUEUE + 100 {
            outlet.line(format!("{n}\n"));
        }
        drop(go_on);
        outlet.finish();
        let lines: Vec<String> = heard.iter().collect();
        assert_eq!(lines[0], "0\n");
        let missing = lines
            .iter()
            .find_map(|line| line.strip_suffix(" lines are missing: they came too fast\n"));
        let missing: usize = missing.unwrap().parse().unwrap();
        assert!((99..=100).contains(&missing), "{missing}");
        assert_eq!(lines.len() - 1, QUEUE + 100 - missing);
    }
}
