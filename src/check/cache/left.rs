//! Copies that a write should have emptied and that the group still has at the end, whether anybody read
//! them or not.

use super::entity::Entity;
use super::stale::Acknowledged;
use crate::check::checker::{Checked, verdict};
use crate::check::finding::{Example, Examples};
use crate::model::event::CacheInfo;
use crate::model::measure::count;

#[derive(Debug, Default)]
pub(super) struct Left {
    left: u64,
    /// Entities of which it is known what the group had, and those of which it is not.
    read: u64,
    unread: u64,
}

impl Left {
    pub(super) fn add(
        &mut self,
        at: (u8, u64),
        entity: &Entity,
        cache: Option<&CacheInfo>,
        examples: &mut Examples,
    ) {
        // A library writes its copies in a way of its own.
        let Some(promised) = cache.filter(|cache| !cache.by_library).and_then(CacheInfo::old_for)
        else {
            return;
        };
        let acknowledged = Acknowledged::new(&entity.writes);
        for read in &entity.last {
            self.read += u64::from(read.is_ok);
            self.unread += u64::from(!read.is_ok);
            let Some(version) = read.version.filter(|_| read.is_ok) else { continue };
            let done = acknowledged.after(entity, version);
            let Some(done) = done.filter(|done| read.sent > *done + promised) else { continue };
            self.left += 1;
            examples.offer((done.0, 0, at.0, at.1), |zero| {
                let text = format!(
                    "the group had version {version} of entity {} at {}; a newer one had been \
                     acknowledged at {}",
                    at.1,
                    zero.tell(read.sent),
                    zero.tell(done)
                );
                Example::new(at.0, at.1, read.done, text)
            });
        }
    }

    pub(super) fn join(&mut self, other: Left) {
        let Left { left, read, unread } = other;
        self.left += left;
        self.read += read;
        self.unread += unread;
    }

    pub(super) fn told(&self, told: &mut Checked) {
        if self.read > 0 {
            told.of_final_state(self.unread, "invalidation.left", self.left as f64);
        }
    }

    pub(super) fn find(&self, told: &mut Checked, examples: &Examples) {
        let Left { left, unread, .. } = *self;
        if self.read == 0 {
            return;
        }
        let text =
            format!("{} copies that writes should have emptied, left in the group", count(left));
        told.find("invalidation.left", verdict(left, unread), (left, text), examples);
        let text = format!("copies of {} entities could not be read at the end", count(unread));
        told.find_unread("invalidation.left", (left, unread), text);
    }
}
