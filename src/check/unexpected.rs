//! Values that no write can have put where a read found them.

use crate::model::{Nanos, Verdict};

use super::finding::{Example, Examples, Finding};
use super::register::{Read, Source};

/// Reads that answered with a value that was never written to their key, or only
/// by writes that the server said it did not do.
#[derive(Clone, Debug, Default)]
pub(super) struct Unexpected {
    count: u64,
    examples: Examples,
}

impl Unexpected {
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn count_from(&mut self, zero: Nanos) {
        self.examples = Examples::counted_from(zero);
    }

    pub(super) fn add(&mut self, load: u8, key: u64, read: &Read, source: Source) {
        self.count += 1;
        let value = read.value.unwrap_or_default();
        self.examples.offer((read.sent.0, value, load, key), |zero| {
            let why = match source {
                Source::Refused => "its write had been refused",
                _ => "nothing had written it there",
            };
            let text =
                format!("key {key} held value {value} at {}, but {why}", zero.tell(read.done));
            Example::new(load, key, read.done, text)
        });
    }

    /// The finding, if there is anything to tell.
    pub(super) fn finding(&self, what: &str, whole: bool) -> Option<Finding> {
        (self.count > 0).then(|| Finding {
            kind: "unexpected_values".to_owned(),
            verdict: if whole { Verdict::Fail } else { Verdict::Unknown },
            text: format!("{} {what} found a value that no write can have left", self.count),
            count: self.count,
            examples: self.examples.list(),
        })
    }
}
