//! Keys that are there for a time only: whether they go when their time is over.
//!
//! A key's time counts from when its server set it: between the sending of that order and its answer.
//! It went between the last look that found it and the first one that did not. So each instant has a
//! sooner and a later end, and what is said of a key holds for both: where they disagree nothing is
//! said. A step that moves clocks moves the ends of keys that were there, and nobody knows where to;
//! a step that may lose writes may lose keys. Such keys are not judged.

mod figures;
mod key;

use std::collections::BTreeMap;

use crate::model::Verdict;
use crate::model::measure::count;

use super::checker::{Checked, Checker, Context};
use super::finding::{Example, Examples};
use super::parts::{self, HELD, History, Keys, ReadError};

use figures::Figures;
use key::{Key, Went};

/// Judges every key that was looked at.
pub struct Expiries;

impl Checker for Expiries {
    fn name(&self) -> &'static str {
        "expiry"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let mut of: BTreeMap<u8, Figures> = BTreeMap::new();
        let mut examples = Examples::counted_from(context.zero);
        parts::in_parts(history, HELD, |keys: Keys<Key>, _| {
            for (at, key) in keys {
                let figures = of.entry(at.0).or_default();
                for life in key.lives() {
                    let went = life.went(context);
                    figures.add(&life, went);
                    if let Went::Seen { early, .. } = went
                        && !early.is_zero()
                    {
                        let rank = u64::MAX - early.as_nanos() as u64;
                        examples.offer((rank, 0, at.0, at.1), |zero| {
                            let (gone, ends) = (zero.tell(life.gone_by), zero.tell(life.ends.0));
                            let text = format!(
                                "key {} was gone by {gone}, and its time was over at {ends} at the \
                                 soonest",
                                at.1
                            );
                            Example::new(at.0, at.1, life.gone_by, text)
                        });
                    }
                }
            }
            Ok(())
        })?;
        let (mut told, mut all) = (Checked::default(), Figures::default());
        for (load, mut figures) in of {
            let mut own = Checked::default();
            figures.told(&mut own);
            told.of_load(load, own);
            all.join(figures);
        }
        all.told(&mut told);
        let verdict = if all.early > 0 { Verdict::Fail } else { Verdict::Pass };
        let text = format!("{} keys that were gone before their time was over", count(all.early));
        told.find("expiry.early", verdict, (all.early, text), &examples);
        Ok(told)
    }
}

#[cfg(test)]
mod tests;
