//! Whether what a file says makes sense, and the checked types if it does.

mod acknowledged;
mod cache;
pub mod config;
pub mod expect;
mod expiry;
pub mod groups;
pub mod links;
pub mod load;
mod lock;
mod outbox;
mod pacing;
mod probes;
pub mod scenario;
mod sync;
pub mod timeline;
pub mod topology;

use std::fmt::Display;

use super::decode::At;
use super::diagnostic::Diagnostics;

/// The longest name, in characters; names become parts of file names and keys.
const MAX_NAME: usize = 48;

/// An error, unless `name` can be a file name and part of a key.
fn check_name(what: &str, name: &At<String>, errors: &mut Diagnostics) {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = name.value.starts_with(|c: char| c.is_ascii_lowercase())
        && name.value.chars().all(good)
        && name.value.len() <= MAX_NAME;
    if !fits {
        let message = format!("`{}` cannot be the name of {what}", name.value);
        let advice = format!(
            "use small letters, digits and dashes, a letter first, {MAX_NAME} characters at most"
        );
        errors.add(&name.span, message, advice);
    }
}

/// `1 shard`, `2 shards`.
pub fn count(n: impl Display + PartialEq<u32>, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {what}{s}")
}
