//! What a terminal shows of the log: `-v`, `-vv`, or the environment variable RUST_LOG.

use std::ffi::OsStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::model::printable;

/// The names of levels, from the fewest lines to the most.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// The prefix of redrill's own modules in a log.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// A part of RUST_LOG that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "RUST_LOG is ignored: `{part}` in it {why}; write a level (error, warn, info, debug or \
     trace), or parts with their levels, as in RUST_LOG=redrill::node=debug,redrill::net=info"
)]
pub struct Nonsense {
    part: String,
    why: &'static str,
}

/// The level of `redrill.log`.
pub(super) fn of_file() -> Targets {
    own(LevelFilter::DEBUG)
}

fn own(level: LevelFilter) -> Targets {
    Targets::new().with_default(LevelFilter::WARN).with_target(OWN, level)
}

/// The level of `-v` given `verbose` times, or without any `-v` that of `rust_log`.
///
/// # Errors
/// `rust_log` makes no sense.
pub fn terminal_level(verbose: u8, rust_log: Option<&OsStr>) -> Result<Targets, Nonsense> {
    Ok(match verbose {
        0 => return of_variable(rust_log.unwrap_or_default()),
        1 => own(LevelFilter::INFO),
        2 => own(LevelFilter::DEBUG),
        _ => own(LevelFilter::TRACE),
    })
}

fn of_variable(text: &OsStr) -> Result<Targets, Nonsense> {
    let text = text.to_str().ok_or_else(|| wrong(&text.to_string_lossy(), "is no text"))?;
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(part).try_fold(Targets::new(), |all, part| {
        Ok(match part? {
            (None, level) => all.with_default(level),
            (Some(target), level) => all.with_target(target, level),
        })
    })
}

/// `debug`, `redrill::net=debug`, or `redrill::net` for all of its lines.
fn part(part: &str) -> Result<(Option<&str>, LevelFilter), Nonsense> {
    match part.split_once('=') {
        None => match level(part) {
            Some(level) => Ok((None, level)),
            None if is_own(part) => Ok((Some(part), LevelFilter::TRACE)),
            None => Err(wrong(part, "is neither a level nor a part of redrill")),
        },
        Some((target, word)) => match level(word) {
            Some(level) if is_path(target) => Ok((Some(target), level)),
            Some(_) => Err(wrong(part, "does not begin with the name of a part")),
            None => Err(wrong(part, "does not end with a level")),
        },
    }
}

fn level(word: &str) -> Option<LevelFilter> {
    let known = LEVELS.iter().find(|level| level.eq_ignore_ascii_case(word))?;
    known.parse().ok()
}

fn is_own(target: &str) -> bool {
    target == OWN || target.strip_prefix(OWN).is_some_and(|rest| rest.starts_with("::"))
}

fn is_path(target: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    target.split("::").all(|name| !name.is_empty() && name.chars().all(letter))
}

fn wrong(part: &str, why: &'static str) -> Nonsense {
    Nonsense { part: printable(part), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heeded(text: &str) -> Result<String, String> {
        let targets = terminal_level(0, Some(OsStr::new(text)));
        targets.map(|targets| targets.to_string()).map_err(|nonsense| nonsense.to_string())
    }

    #[test]
    fn levels_and_parts_are_heeded() {
        let lets_pass = |text, target, level| {
            let targets = terminal_level(0, Some(OsStr::new(text))).unwrap();
            targets.would_enable(target, level)
        };
        let debug = &tracing::Level::DEBUG;
        for text in ["debug", "DEBUG", "redrill", "warn,redrill::node=debug", " trace , "] {
            assert!(lets_pass(text, "redrill::node::admin", debug), "{text}");
        }
        for text in ["", "info", "off", "redrill::net", "debug,redrill::node=info", "hyper=trace"] {
            assert!(!lets_pass(text, "redrill::node::admin", debug), "{text}");
        }
    }

    #[test]
    fn nonsense_is_told_with_what_to_write() {
        for text in [
            "loud",
            "redril=debug,,net",
            "redrill=9x",
            "=debug",
            "redrill::=info",
            "re drill=info",
            "\x1b[2J",
        ] {
            let told = heeded(text).unwrap_err();
            assert!(told.starts_with("RUST_LOG is ignored: `"), "{told}");
            assert!(told.contains("RUST_LOG=redrill::node=debug"), "{told}");
            assert!(!told.contains('\x1b'), "{told}");
        }
    }

    #[test]
    fn a_flag_goes_before_the_variable() {
        let targets = terminal_level(1, Some(OsStr::new("loud"))).unwrap();
        assert!(targets.would_enable("redrill::net", &tracing::Level::INFO));
        assert!(!targets.would_enable("redrill::net", &tracing::Level::DEBUG));
    }
}
