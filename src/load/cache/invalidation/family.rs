//! Entities that change together: the things of one user, as an application shows a user's data in
//! details, lists and dashboards. One transaction of the origin gives all of them a new version.

use std::ops::Range;

use crate::spec::cache::THINGS;

/// The things of the user of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::load::cache) struct Family(pub(in crate::load::cache) u64);

impl Family {
    /// That of an entity.
    pub(in crate::load::cache) fn of(entity: u64) -> Family {
        Family(entity / THINGS)
    }

    /// Of so many entities that there are.
    pub(in crate::load::cache) fn members(self, entities: u64) -> Range<u64> {
        let first = self.0.saturating_mul(THINGS).min(entities);
        first..first.saturating_add(THINGS).min(entities)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entity_is_in_its_family_and_the_last_one_may_be_small() {
        for id in 0..50 {
            assert!(Family::of(id).members(50).contains(&id));
        }
        assert_eq!(Family(4).members(50), 48..50);
        assert!(Family(5).members(50).is_empty() && Family(u64::MAX).members(50).is_empty());
    }
}
