//! What redrill did, line by line: `redrill.log` in the run folder, and the terminal.
//!
//! All parts log with the macros of `tracing`. The logging thread formats a line, and another
//! thread writes it (see [`outlet`]), so no drill waits for a disk or a terminal. Instants are
//! those of the drill's clock, with all nine digits in the file: a line of `events.jsonl` with
//! `"at":12345678901` belongs beside `12.345678901`.

mod discard;
mod level;
mod outlet;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{FmtSpan, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use self::outlet::{Bounded, Outlet};
use crate::files::make;
use crate::model::{Clock, printable};

pub use self::discard::{OrLogged, OrUnheard};
pub use self::level::{Nonsense, terminal_level};

/// The log's name in the run folder.
pub const FILE: &str = "redrill.log";
/// The largest size of a log.
const MOST_BYTES: usize = 16 << 20;

// There is one terminal, and a process plays one drill at a time.
static TERMINAL: Mutex<Option<Outlet>> = Mutex::new(None);
static DRILL: Mutex<Option<Outlet>> = Mutex::new(None);
static CLOCK: Mutex<Option<Clock>> = Mutex::new(None);

/// Collects the lines of all parts until it is dropped. Dropping waits until the last line is
/// written.
#[must_use = "lines are heard only while this lives"]
pub struct Listening(());

/// Collects the lines of all parts from now on. `say` prints the lines that `level` lets pass
/// on the terminal.
///
/// # Errors
/// The machine gives no thread, or this process collects lines already.
pub fn listen(level: Targets, say: fn(&str)) -> io::Result<Listening> {
    *CLOCK.lock() = Some(Clock::start());
    *TERMINAL.lock() = Some(Outlet::start(move |line| say(line.trim_end()))?);
    tracing::subscriber::set_global_default(subscriber(level)).map_err(io::Error::other)?;
    Ok(Listening(()))
}

/// Makes each event a line for the drill's log and one for the terminal.
fn subscriber(level: Targets) -> impl Subscriber + Send + Sync {
    let file = layer().with_ansi(false).with_span_events(FmtSpan::CLOSE);
    let file = file.with_timer(Exact).with_writer(To(&DRILL)).with_filter(level::of_file());
    let terminal = layer().with_ansi(false).with_span_events(FmtSpan::CLOSE);
    let terminal = terminal.with_timer(Short).with_writer(To(&TERMINAL)).with_filter(level);
    Registry::default().with(file).with(terminal)
}

impl Drop for Listening {
    fn drop(&mut self) {
        end(&TERMINAL);
    }
}

/// The log of one drill, until it is dropped.
#[must_use = "the log ends when this is dropped"]
pub struct DrillLog {
    path: PathBuf,
    trouble: Arc<Mutex<Option<io::Error>>>,
}

impl DrillLog {
    /// Begins the log in `folder`, with the instants of `clock`.
    pub fn begin(folder: &Path, clock: Clock) -> DrillLog {
        let (path, trouble) = (folder.join(FILE), Arc::default());
        let mut file = Bounded::new(make::anew(&path), MOST_BYTES, Arc::clone(&trouble));
        match Outlet::start(move |line| file.line(line)) {
            Ok(outlet) => *DRILL.lock() = Some(outlet),
            Err(error) => *trouble.lock() = Some(error),
        }
        *CLOCK.lock() = Some(clock);
        DrillLog { path, trouble }
    }

    /// Why the log breaks off; `None` if it does not.
    pub fn trouble(&self) -> Option<String> {
        let error = self.trouble.lock().take()?;
        Some(format!("the log {} breaks off: {error}", self.path.display()))
    }
}

impl Drop for DrillLog {
    fn drop(&mut self) {
        end(&DRILL);
    }
}

fn end(outlet: &Mutex<Option<Outlet>>) {
    // Outside the lock, so that nobody who logs meanwhile has to wait.
    let outlet = outlet.lock().take();
    if let Some(outlet) = outlet {
        outlet.finish();
    }
}

/// The outlet of a layer's lines, if there is one.
struct To(&'static Mutex<Option<Outlet>>);

impl<'a> MakeWriter<'a> for To {
    type Writer = &'a To;

    fn make_writer(&'a self) -> &'a To {
        self
    }
}

impl io::Write for &To {
    /// Takes a whole line, as layers write them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(outlet) = &*self.0.lock() {
            outlet.line(printable(String::from_utf8_lossy(line).trim_end()) + "\n");
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Exact;
struct Short;

impl FormatTime for Exact {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        let at = now();
        write!(to, "{:>4}.{:09}", at.as_secs(), at.subsec_nanos())
    }
}

impl FormatTime for Short {
    /// The instant in the form of the drill's events.
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        write!(to, "{:>8.3} s ", now().as_secs_f64())
    }
}

fn now() -> Duration {
    CLOCK.lock().map_or(Duration::ZERO, |clock| clock.now().elapsed())
}

#[cfg(test)]
mod tests {

    use tracing::{debug, info_span, trace, warn};

    use super::*;

    /// One test for both, because a process has one log at a time.
    #[test]
    fn a_drill_has_its_lines_in_a_file_and_loses_them_on_a_full_disk() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        tracing::subscriber::with_default(subscriber(Targets::new()), || {
            warn!("before it begins");
            let log = DrillLog::begin(dir.path(), clock);
            info_span!("step", n = 1).in_scope(|| debug!(node = "cache/0/0", "asked\x1b[2J\nno"));
            trace!("too much");
            debug!(target: "hyper", "of no interest");
            assert_eq!(log.trouble(), None);
            drop(log);
            warn!("after its end");
        });
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        let (at, asked) = lines[0].trim_start().split_once(' ').unwrap();
        assert!(asked.starts_with("DEBUG step{n=1}: redrill::log::tests: asked"), "{text}");
        assert!(asked.ends_with("node=\"cache/0/0\"") && !text.contains('\x1b'), "{text}");
        let at: f64 = at.parse().unwrap();
        assert!(at > 0.0 && at < clock.now().as_secs_f64(), "{text}");
        assert!(lines[1].contains("step{n=1}: redrill::log::tests: close time.busy="), "{text}");

        let full = tempfile::tempdir().unwrap();
        // Where a folder is no log can begin.
        std::fs::create_dir(full.path().join(FILE)).unwrap();
        tracing::subscriber::with_default(subscriber(Targets::new()), || {
            let log = DrillLog::begin(full.path(), clock);
            warn!("into the void");
            end(&DRILL);
            let trouble = log.trouble().unwrap();
            assert!(trouble.contains("redrill.log breaks off: "), "{trouble}");
        });
    }
}
