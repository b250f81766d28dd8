//! The sinks that a person watches: a panel on a terminal, lines in a log.
//!
//! All that redrill itself says on standard error while a drill runs goes through
//! [`say`], so that it stands above the panel and does not tear it.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::live::State;
use super::live::log::Log;
use crate::model::Nanos;
use crate::model::event::{Event, Sink};

/// The panel is drawn anew this often.
const FRAME: Duration = Duration::from_millis(100);
/// Longer lines are harder to read.
const WIDEST: usize = 100;

/// There is one terminal, whoever writes on it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// The panel when standard error is a terminal, else lines.
pub fn progress() -> Box<dyn Sink> {
    match std::io::stderr().is_terminal() {
        true => Box::new(Panel::show()),
        false => Box::new(LogSink::default()),
    }
}

/// Prints a line on standard error, above the panel if there is one. Nobody
/// listening is no error: the drill goes on.
pub fn say(text: &str) {
    let print = || drop(writeln!(std::io::stderr(), "{text}"));
    match &*lock(&SHOWN) {
        Some(panel) => panel.suspend(print),
        None => print(),
    }
}

/// Takes the panel away, for whoever is about to end the process.
pub fn clear() {
    if let Some(panel) = lock(&SHOWN).take() {
        panel.finish_and_clear();
    }
}

/// A few lines at the bottom of a terminal, redrawn in place; it is gone when
/// the drill ends, and the summary takes its place.
struct Panel {
    seen: Arc<Mutex<Seen>>,
    /// Dropped to end the artist.
    going: Option<Sender<()>>,
    artist: Option<JoinHandle<()>>,
}

/// What is known, and what time it is on the drill's clock.
#[derive(Default)]
struct Seen {
    state: State,
    last: Option<(Nanos, Instant)>,
}

impl Seen {
    fn now(&self) -> Nanos {
        self.last.map_or(Nanos::ZERO, |(at, heard)| at + heard.elapsed())
    }
}

impl Panel {
    fn show() -> Panel {
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(None, target).with_style(only_message());
        *lock(&SHOWN) = Some(bar.clone());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (going, gone) = channel::<()>();
        let drawn = seen.clone();
        let artist = std::thread::spawn(move || {
            // A thread of its own: time passes also while nothing happens.
            while gone.recv_timeout(FRAME) == Err(RecvTimeoutError::Timeout) {
                draw(&bar, &lock(&drawn));
            }
        });
        Panel { seen, going: Some(going), artist: Some(artist) }
    }
}

fn draw(bar: &ProgressBar, seen: &Seen) {
    // One column less: in the last one some terminals wrap.
    let width = super::out::width().min(WIDEST).saturating_sub(1);
    bar.set_message(seen.state.lines(seen.now(), width).join("\n"));
}

/// A progress bar that is only its message.
fn only_message() -> ProgressStyle {
    ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Sink for Panel {
    fn hear(&mut self, event: &Event) {
        let mut seen = lock(&self.seen);
        seen.state.hear(event);
        seen.last = Some((event.at, Instant::now()));
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        drop(self.going.take());
        if let Some(artist) = self.artist.take() {
            let _ = artist.join();
        }
        clear();
    }
}

#[derive(Default)]
struct LogSink(Log);

impl Sink for LogSink {
    fn hear(&mut self, event: &Event) {
        self.0.hear(event).iter().for_each(|line| say(line));
    }
}

/// What is behind these locks is drawn, and no worse for a panic of another thread.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
