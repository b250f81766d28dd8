//! Checkers that judge each key by itself, and count what they find by the measures of a family,
//! such as `set.lost`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::catalogue::{Better, CATALOGUE, Known};
use crate::model::measure::count;
use crate::model::{Nanos, Verdict};

use super::checker::{Checked, Checker, Context, verdict};
use super::finding::{Example, Examples, Zero};
use super::parts::{self, HELD, History, Kept, Keys, ReadError};
use super::recovery_point::RecoveryPoints;

/// What such a checker is called, and what it says.
pub(super) struct Words {
    pub name: &'static str,
    /// The word before the dot in the names of its measures. One of them is `wrong`: the sum of
    /// all that are better the lower they are.
    pub family: &'static str,
    /// The measures that are known whether the final state could be read or not.
    pub known: &'static [&'static str],
    /// One sentence for a person, and another one if keys are [unread](Found::unread). `{lost}`
    /// stands for the count of that word.
    pub text: &'static str,
    pub unread: &'static str,
}

/// Such a checker. Rows of actions that its [`Kept`] does not want are ignored.
pub(super) trait PerKey: Sync {
    type Key: Kept;

    fn words(&self) -> &'static Words;

    /// Adds what it finds on the key `at`, of the load that it bears the name of.
    fn judge(&self, at: (u8, u64), key: &Self::Key, found: &mut Found);
}

/// What was found on all keys so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub context: Arc<Context>,
    /// What each failure cost, if the checker knows.
    pub points: Option<RecoveryPoints>,
    /// By the measures' words after the dot.
    counts: BTreeMap<&'static str, u64>,
    /// Keys that were changed, and whose final state is not known.
    pub unread: u64,
    examples: Examples,
}

impl Found {
    pub fn add(&mut self, word: &'static str, count: u64) {
        *self.counts.entry(word).or_default() += count;
    }

    pub fn of(&self, word: &str) -> u64 {
        self.counts.get(word).copied().unwrap_or_default()
    }

    /// `text` with the counts that it names.
    fn told(&self, text: &str) -> String {
        let named = text.split('{').map(|part| match part.split_once('}') {
            Some(("unread", rest)) => format!("{}{rest}", count(self.unread)),
            Some((word, rest)) => format!("{}{rest}", count(self.of(word))),
            None => part.to_owned(),
        });
        named.collect()
    }

    /// Offers an example, at the instant of an answer. Those of the lowest rank are shown.
    pub fn show(
        &mut self,
        (load, key): (u8, u64),
        rank: (u64, u64),
        at: Nanos,
        text: impl FnOnce(Zero) -> String,
    ) {
        let rank = (rank.0, rank.1, load, key);
        self.examples.offer(rank, |zero| Example::new(load, key, at, text(zero)));
    }
}

/// The rows of a family, each with its word.
fn rows(family: &str) -> impl Iterator<Item = (&'static str, &'static Known)> {
    let word = move |known: &'static Known| known.name.strip_prefix(family)?.strip_prefix('.');
    CATALOGUE.iter().filter_map(move |known| Some((word(known)?, known)))
}

pub(super) fn found<C: PerKey>(
    checker: &C,
    history: &dyn History,
    context: &Context,
) -> Result<Found, ReadError> {
    let (examples, context) = (Examples::counted_from(context.zero), Arc::new(context.clone()));
    let mut found = Found { examples, context, ..Found::default() };
    parts::in_parts(history, HELD, |keys: Keys<C::Key>, _| {
        keys.iter().for_each(|(at, key)| checker.judge(*at, key, &mut found));
        Ok(())
    })?;
    Ok(found)
}

/// Adds up all that is wrong, and gives the verdict on it.
pub(super) fn verdict_on<C: PerKey>(checker: &C, found: &mut Found) -> Verdict {
    let bad = rows(checker.words().family).filter(|(_, known)| known.better == Better::Lower);
    let wrong = bad.map(|(word, _)| found.of(word)).sum();
    found.add("wrong", wrong);
    verdict(wrong, found.unread)
}

impl<C: PerKey> Checker for C {
    fn name(&self) -> &'static str {
        self.words().name
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let (mut found, words) = (found(self, history, context)?, self.words());
        let verdict = verdict_on(self, &mut found);
        let mut text = found.told(words.text);
        let unread = found.told(words.unread);
        if found.unread > 0 {
            text += &format!("; {unread}");
        }
        let mut told = Checked::default();
        for (word, known) in rows(words.family) {
            let count = found.of(word);
            let missing = if words.known.contains(&word) { 0 } else { found.unread };
            told.of_final_state(missing, known.name, count as f64);
            if known.finding.is_some() {
                told.find(known.name, verdict, (count, text.clone()), &found.examples);
                told.find_unread(known.name, (count, found.unread), unread.clone());
            }
        }
        told.recovery_points = found.points;
        Ok(told)
    }
}
