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
    /// Measures of other families, each of which is the sum of these counts.
    pub sums: &'static [(&'static str, &'static [&'static str])],
    /// One sentence for a person, and another one if keys are [unread](Counts::unread). `{lost}`
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
    /// Of the load whose keys are judged now.
    counts: Counts,
    of_loads: BTreeMap<u8, Counts>,
    examples: Examples,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// By the measures' words after the dot.
    of: BTreeMap<&'static str, u64>,
    /// Keys that were changed, and whose final state is not known.
    pub unread: u64,
}

impl Counts {
    fn add(&mut self, word: &'static str, count: u64) {
        *self.of.entry(word).or_default() += count;
    }

    pub fn of(&self, word: &str) -> u64 {
        self.of.get(word).copied().unwrap_or_default()
    }

    fn join(&mut self, other: &Counts) {
        other.of.iter().for_each(|(word, count)| self.add(word, *count));
        self.unread += other.unread;
    }

    /// `text` with the counts that it names.
    fn text(&self, text: &str) -> String {
        let named = text.split('{').map(|part| match part.split_once('}') {
            Some(("unread", rest)) => format!("{}{rest}", count(self.unread)),
            Some((word, rest)) => format!("{}{rest}", count(self.of(word))),
            None => part.to_owned(),
        });
        named.collect()
    }

    /// Adds up all that is wrong, and gives the verdict on it.
    pub fn verdict(&mut self, family: &str) -> Verdict {
        let bad = rows(family).filter(|(_, known)| known.better == Better::Lower);
        let wrong = bad.map(|(word, _)| self.of(word)).sum();
        self.add("wrong", wrong);
        verdict(wrong, self.unread)
    }

    fn told(&self, words: &Words, told: &mut Checked) {
        let own = rows(words.family).map(|(word, known)| (known.name, vec![word]));
        let sums = words.sums.iter().map(|(name, of)| (*name, of.to_vec()));
        for (name, of) in own.chain(sums) {
            let is_known = of.iter().all(|word| words.known.contains(word));
            let sum: u64 = of.iter().map(|word| self.of(word)).sum();
            told.of_final_state(if is_known { 0 } else { self.unread }, name, sum as f64);
        }
    }
}

impl Found {
    pub fn add(&mut self, word: &'static str, count: u64) {
        self.counts.add(word, count);
    }

    /// The final state of the key is not known, and it was changed.
    pub fn unread(&mut self) {
        self.counts.unread += 1;
    }

    /// What was counted of all loads.
    pub fn all(&self) -> Counts {
        let mut all = Counts::default();
        self.of_loads.values().for_each(|own| all.join(own));
        all
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
        for (at, key) in keys {
            checker.judge(at, &key, &mut found);
            let counts = std::mem::take(&mut found.counts);
            found.of_loads.entry(at.0).or_default().join(&counts);
        }
        Ok(())
    })?;
    Ok(found)
}

impl<C: PerKey> Checker for C {
    fn name(&self) -> &'static str {
        self.words().name
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let (found, words) = (found(self, history, context)?, self.words());
        let mut all = found.all();
        let verdict = all.verdict(words.family);
        let mut text = all.text(words.text);
        let unread = all.text(words.unread);
        if all.unread > 0 {
            text += &format!("; {unread}");
        }
        let mut told = Checked::default();
        all.told(words, &mut told);
        for (word, known) in rows(words.family).filter(|(_, known)| known.finding.is_some()) {
            let count = all.of(word);
            told.find(known.name, verdict, (count, text.clone()), &found.examples);
            told.find_unread(known.name, (count, all.unread), unread.clone());
        }
        for (load, mut counts) in found.of_loads {
            let mut own = Checked::default();
            counts.verdict(words.family);
            counts.told(words, &mut own);
            told.of_load(load, own);
        }
        told.recovery_points = found.points;
        Ok(told)
    }
}
