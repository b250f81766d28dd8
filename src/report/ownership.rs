//! Keeps a few of the many slot views of a drill.

use crate::model::Nanos;
use crate::model::event::{ShardView, View};

use super::data::millis;
use super::data::{Moment, Owned, Ownership};

/// How many views are kept while a step runs. If there are more, every second one is dropped.
const KEPT: usize = 64;
/// How many of those are shown.
const SHOWN: usize = 4;

/// The views of all groups.
#[derive(Debug, Default)]
pub(super) struct Views {
    groups: Vec<GroupViews>,
}

#[derive(Debug)]
struct GroupViews {
    group: String,
    /// The last one before any step began.
    before: Option<(Nanos, View)>,
    during: Vec<(Nanos, View)>,
    last: (Nanos, View),
    /// One view in so many is kept.
    stride: u64,
    heard: u64,
}

impl Views {
    pub fn hear(&mut self, at: Nanos, view: View, begun: bool) {
        let known = self.groups.iter().position(|known| known.group == view.group);
        let group = match known {
            Some(i) => &mut self.groups[i],
            None => {
                self.groups.push(GroupViews {
                    group: view.group.clone(),
                    before: None,
                    during: Vec::new(),
                    last: (at, view.clone()),
                    stride: 1,
                    heard: 0,
                });
                let last = self.groups.len() - 1;
                &mut self.groups[last]
            }
        };
        group.hear(at, view, begun);
    }

    /// The shards of `group` before any step, or when they were seen first.
    pub fn before(&self, group: &str) -> Option<&[ShardView]> {
        self.of(group).map(|g| &*g.before.as_ref().unwrap_or(&g.last).1.shards)
    }

    /// The shards of `group` when last seen.
    pub fn after(&self, group: &str) -> Option<&[ShardView]> {
        self.of(group).map(|g| &*g.last.1.shards)
    }

    fn of(&self, group: &str) -> Option<&GroupViews> {
        self.groups.iter().find(|known| known.group == group)
    }

    /// A few views of each group that has slots.
    pub fn shown(&self) -> Vec<Ownership> {
        self.groups.iter().filter(|g| g.has_slots()).flat_map(GroupViews::shown).collect()
    }
}

impl GroupViews {
    fn hear(&mut self, at: Nanos, view: View, begun: bool) {
        if !begun {
            self.before = Some((at, view.clone()));
        } else if self.heard.is_multiple_of(self.stride) {
            self.during.push((at, view.clone()));
            if self.during.len() > KEPT {
                let mut index = 0;
                self.during.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.stride *= 2;
            }
        }
        self.heard += u64::from(begun);
        self.last = (at, view);
    }

    fn has_slots(&self) -> bool {
        self.last.1.shards.iter().any(|shard| !shard.slots.is_empty())
    }

    fn shown(&self) -> Vec<Ownership> {
        let mut shown: Vec<Ownership> = Vec::new();
        let mut push = |(at, view): &(Nanos, View), moment| {
            let shards: Vec<Owned> = view
                .shards
                .iter()
                .map(|s| Owned { shard: s.shard, slots: s.slots.clone() })
                .collect();
            let group = view.group.clone();
            shown.push(Ownership {
                group,
                at_ms: millis(*at),
                moment,
                agreed: view.agreed,
                shards,
            });
        };
        if let Some(before) = &self.before {
            push(before, Moment::Before);
        }
        // The last of `during` equals `after`.
        let between = self.during.len().saturating_sub(1);
        let count = between.min(SHOWN);
        for i in 1..=count {
            push(&self.during[i * between / (count + 1)], Moment::During);
        }
        if !self.during.is_empty() {
            push(&self.last, Moment::After);
        }
        shown
    }
}
