//! Whether what a file says makes sense, and the checked types if it does.

mod acknowledged;
pub mod config;
mod down;
pub mod expect;
pub mod links;
pub mod load;
mod shares;
pub mod scenario;
mod sentinels;
pub mod timeline;
pub mod topology;

use std::fmt::Display;

use super::decode::{At, Field};
use super::diagnostic::Diagnostic;
use super::source::Span;

/// The longest name, in characters; names become parts of file names and keys.
const MAX_NAME: usize = 48;

/// A fault, unless `name` can be a file name and part of a key.
fn check_name(what: &str, name: &At<String>, diagnostics: &mut Vec<Diagnostic>) {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = name.value.starts_with(|c: char| c.is_ascii_lowercase())
        && name.value.chars().all(good)
        && name.value.len() <= MAX_NAME;
    if !fits {
        let message = format!("`{}` cannot be the name of {what}", name.value);
        let advice = format!(
            "use small letters, digits and dashes, a letter first, {MAX_NAME} characters at most"
        );
        diagnostics.push(Diagnostic::new(&name.span, message).advise(advice));
    }
}

/// A fault, unless the summary can be shown on one line of any terminal and page.
fn check_summary(summary: &Field<String>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(at) = summary.given() else { return };
    // Folded text ends with the end of its line.
    if let Some(c) = at.value.trim_end().chars().find(|c| c.is_control() && *c != '\n') {
        let message = format!("the summary holds the control character U+{:04X}", c as u32);
        diagnostics.push(Diagnostic::new(&at.span, message).advise("write it as plain text"));
    }
}

/// A fault, unless `least <= value <= most`. `why` says what the bound is for.
pub fn check_range<T: PartialOrd + Display>(
    what: &str,
    value: &T,
    span: &Span,
    (least, most): (T, T),
    why: &str,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if *value < least || *value > most {
        let message = format!("{what} is {value}, but must be from {least} to {most}");
        diagnostics.push(Diagnostic::new(span, message).advise(why));
    }
}

/// The value of `field`, checked as [`check_range`] does; `default` without one.
pub fn ranged<T: PartialOrd + Display + Clone>(
    what: &str,
    field: &Field<T>,
    default: T,
    range: (T, T),
    why: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> T {
    if let Some(at) = field.given() {
        check_range(what, &at.value, &at.span, range, why, diagnostics);
    }
    field.or(default)
}

/// `1 shard`, `2 shards`.
pub fn count(n: impl Display + PartialEq<u32>, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {what}{s}")
}
