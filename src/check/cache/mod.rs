//! Caches: what they spare, and whether what they serve is right.
//!
//! The origin is redrill's own, so it is known what was true when: each write has a version and the
//! instant from which the origin had it. What overlaps in time accuses nobody: a read is late only
//! if it was sent after the promised time, counted from the acknowledgement of a newer write.

mod breakers;
mod entity;
mod figures;
mod formats;
mod invalidated;
mod left;
mod memory;
mod misses;
mod names;
mod origin;
mod over;
mod recovery;
mod stale;
mod stampede;
mod swept;
mod warming;

use std::collections::BTreeMap;

use crate::model::Verdict;
use crate::model::measure::count;

use super::checker::{Checked, Checker, Context};
use super::finding::Examples;
use super::parts::{self, HELD, History, Keys, ReadError};

use entity::Entity;
use figures::Figures;
use over::Over;

/// Judges every entity.
pub struct Caches;

impl Checker for Caches {
    fn name(&self) -> &'static str {
        "caches"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        let mut of: BTreeMap<u8, Figures> = BTreeMap::new();
        let mut over = Over::new(&context.windows);
        let mut broken = Examples::counted_from(context.zero);
        let mut examples = [(); 5].map(|()| Examples::counted_from(context.zero));
        let mut left = Examples::counted_from(context.zero);
        parts::in_parts(history, HELD, |entities: Keys<Entity>, _| {
            for (at, entity) in entities {
                let figures = of.entry(at.0).or_default();
                figures.reads.add(&entity, &mut over);
                figures.stale.add((at, &entity), context.cache(at.0), &mut examples, &mut over);
                figures.stampedes.add(&entity);
                figures.invalidations.add(&entity, context.cache(at.0));
                let (puts, misses) = misses::of(&entity, at.0, context);
                figures.misses.add(&misses, &mut over);
                figures.memory.add(at, &entity, (&puts, &misses), context);
                figures.breakers.add(&entity, context);
                figures.recovery.add(&entity, context);
                figures.origin.add(&entity, context);
                figures.names.add(&entity);
                figures.formats.add(at, &entity, &mut broken);
                figures.warmings.add(&entity);
                figures.left.add(at, &entity, context.cache(at.0), &mut left);
                figures.sweeps.add(&entity);
            }
            Ok(())
        })?;
        let (mut told, mut all) = (Checked::default(), Figures::default());
        told.over_time.extend(over.all);
        for (load, mut figures) in of {
            let mut own = Checked::default();
            figures.told(&mut own);
            if let Some(room) = context.keepers.room(load) {
                let by_memory = figures.memory.told(room, &mut own);
                told.by_memory.extend(by_memory.map(|hits| (load, hits)));
            }
            memory::worst(&mut told, &own);
            told.of_load(load, own);
            all.join(figures);
        }
        all.told(&mut told);
        all.left.find(&mut told, &left);
        let stale = &all.stale;
        let [late, resurrected, impossible, outlived, back] = &examples;
        for (name, n, text, examples) in [
            (
                "cache.stale.late",
                Some(stale.late),
                "reads of old versions, later than promised",
                late,
            ),
            (
                "cache.resurrected",
                stale.resurrected(),
                "old versions put into the group after a newer write had been acknowledged",
                resurrected,
            ),
            (
                "cache.impossible",
                Some(stale.impossible),
                "reads of what the origin never had, or not yet",
                impossible,
            ),
            (
                "cache.outlived",
                Some(stale.outlived),
                "copies in the memory of a process, served when their time was over",
                outlived,
            ),
            (
                "cache.not_monotonic",
                Some(stale.back),
                "reads that found an older version than one that their process had read before",
                back,
            ),
            (
                "format.broken",
                Some(all.formats.broken),
                "times something was found in the place of a copy that is not what was written",
                &broken,
            ),
        ] {
            let Some(n) = n else { continue };
            let verdict = if n > 0 { Verdict::Fail } else { Verdict::Pass };
            told.find(name, verdict, (n, format!("{} {text}", count(n))), examples);
        }
        Ok(told)
    }
}

#[cfg(test)]
mod plainly;
#[cfg(test)]
mod tests;
