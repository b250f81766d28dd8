//! The sinks that a person watches: a panel on a terminal, lines in a log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::event::{Event, Sink, What};

use super::live::{State, log_line};

/// The panel when standard error is a terminal, else lines.
pub fn progress() -> Box<dyn Sink> {
    if std::io::stderr().is_terminal() { Box::new(Panel::new()) } else { Box::new(Log::default()) }
}

/// Redraws at most this often.
const FRAME: Duration = Duration::from_millis(100);

/// A few lines at the bottom of a terminal, redrawn in place; it is gone when
/// the drill ends, and the summary takes its place.
struct Panel {
    state: State,
    all: MultiProgress,
    lines: Vec<ProgressBar>,
    drawn: Option<Instant>,
}

impl Panel {
    fn new() -> Panel {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Panel { state: State::default(), all, lines: Vec::new(), drawn: None }
    }

    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        for (at, text) in self.state.lines().into_iter().enumerate() {
            if at == self.lines.len() {
                self.lines.push(self.all.add(text_line()));
            }
            self.lines[at].set_message(text);
        }
    }
}

/// A progress bar that is only its message, cut at the terminal's width.
fn text_line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}");
    let line = ProgressBar::new_spinner();
    style.map_or(line.clone(), |style| line.with_style(style))
}

impl Sink for Panel {
    fn hear(&mut self, event: &Event) {
        self.state.hear(event);
        if let What::Warning { text } = &event.what {
            let _ = self.all.println(format!("warning: {text}"));
        }
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
            self.draw();
        }
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        let _ = self.all.clear();
    }
}

/// A line for each thing that happens, and one every five seconds while the
/// load runs: what a nightly job's log wants.
#[derive(Default)]
struct Log {
    state: State,
    told: Option<Instant>,
}

impl Sink for Log {
    fn hear(&mut self, event: &Event) {
        self.state.hear(event);
        let line = log_line(event, &self.state).or_else(|| {
            let due = self.told.is_none_or(|told| told.elapsed() >= Duration::from_secs(5));
            let sample = matches!(event.what, What::Sample(_));
            (sample && due)
                .then(|| format!("{:>8.3} s  {}", event.at.as_secs_f64(), self.state.load_line()))
        });
        if let Some(line) = line {
            self.told = Some(Instant::now());
            eprintln!("{line}");
        }
    }
}
