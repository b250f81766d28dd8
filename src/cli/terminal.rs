//! The sinks that a person watches: a panel on a terminal, lines in a log.
//!
//! All messages of redrill on standard error go through [`say`], which prints them above the
//! panel without breaking it, and lets nothing in them control the terminal.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::live::State;
use super::live::log::Log;
use super::live::screen::Screen;
use crate::log::OrUnheard;
use crate::model::event::{Event, Sink};
use crate::model::{Nanos, shown};

/// How often the panel is redrawn.
const FRAME: Duration = Duration::from_millis(100);
/// Longer lines are harder to read.
const WIDEST: usize = 100;

/// There is one terminal, so all writers share this.
static SCREEN: Mutex<Screen> = Mutex::new(Screen::new());

/// The panel if standard error is a terminal, else lines.
pub fn progress() -> Box<dyn Sink> {
    match std::io::stderr().is_terminal() {
        true => Box::new(Panel::show()),
        false => Box::new(LogSink::default()),
    }
}

/// Prints a line on standard error, above the panel if there is one.
pub fn say(text: &str) {
    write(&SCREEN.lock().say(&shown(text)));
}

/// Removes the panel. Call it before ending the process.
pub fn clear() {
    write(&SCREEN.lock().close());
}

/// In one write, so that no half of a frame is seen. A closed standard error is no error: the
/// drill goes on.
fn write(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).or_unheard();
}

/// Columns to be used: those of the terminal, at most [`WIDEST`]; 80 without one.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0).min(WIDEST))
}

/// Lines of the terminal; 24 without one.
pub fn height() -> usize {
    terminal_size::terminal_size().map_or(24, |(_, height)| height.0.into())
}

/// A few lines at the bottom of a terminal, redrawn in place. When the drill ends, the summary
/// replaces them.
struct Panel {
    seen: Arc<Mutex<Seen>>,
    /// Dropping it ends the drawing thread.
    going: Option<Sender<()>>,
    artist: Option<JoinHandle<()>>,
}

/// The state of the drill, and its clock.
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
        SCREEN.lock().open();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (going, gone) = channel::<()>();
        let drawn = seen.clone();
        let artist = std::thread::spawn(move || {
            // A separate thread, because time also passes while nothing happens.
            while gone.recv_timeout(FRAME) == Err(RecvTimeoutError::Timeout) {
                draw(&drawn.lock());
            }
        });
        Panel { seen, going: Some(going), artist: Some(artist) }
    }
}

fn draw(seen: &Seen) {
    // One column less: some terminals wrap in the last one.
    let width = width().saturating_sub(1);
    let mut lines = seen.state.lines(seen.now(), width);
    lines.truncate(height().saturating_sub(1));
    write(&SCREEN.lock().draw(lines));
}

impl Sink for Panel {
    fn hear(&mut self, event: &Event) {
        let mut seen = self.seen.lock();
        seen.state.hear(event);
        seen.last = Some((event.at, Instant::now()));
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        drop(self.going.take());
        if let Some(artist) = self.artist.take() {
            artist.join().or_unheard();
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
