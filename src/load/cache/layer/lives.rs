//! From when until when a process could answer with which copies.

use std::collections::HashMap;

use crate::load::client::Noted;
use crate::model::Nanos;
use crate::model::op::{Action, CacheOp, Ended};

/// Those of one process, or of one host.
#[derive(Debug)]
pub(in crate::load::cache) struct Lives {
    in_host: bool,
    now: HashMap<u64, Life>,
    over: Vec<Noted>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    version: u64,
    since: Nanos,
    /// Its own time is over then.
    until: Nanos,
}

impl Lives {
    pub(in crate::load::cache) fn new(in_host: bool) -> Lives {
        Lives { in_host, now: HashMap::new(), over: Vec::new() }
    }

    pub(in crate::load::cache) fn begin(
        &mut self,
        id: u64,
        version: u64,
        since: Nanos,
        until: Nanos,
    ) {
        self.end(id, Ended::Replaced, since);
        self.now.insert(id, Life { version, since, until });
    }

    /// Unless its own time was over before.
    pub(in crate::load::cache) fn end(&mut self, id: u64, ended: Ended, at: Nanos) {
        let Some(Life { version, since, until }) = self.now.remove(&id) else { return };
        let (ended, to) = if until <= at { (Ended::Expired, until) } else { (ended, at) };
        let action = Action::Cache(CacheOp::Held { version, ended, in_host: self.in_host });
        self.over.push(Noted::new(id, action, (since, to)));
    }

    /// As [`Lives::end`], of the copy of that version only.
    pub(in crate::load::cache) fn end_of(
        &mut self,
        id: u64,
        version: u64,
        ended: Ended,
        at: Nanos,
    ) {
        if self.now.get(&id).is_some_and(|life| life.version == version) {
            self.end(id, ended, at);
        }
    }

    pub(in crate::load::cache) fn end_all(&mut self, ended: Ended, at: Nanos) {
        let all: Vec<u64> = self.now.keys().copied().collect();
        all.into_iter().for_each(|id| self.end(id, ended, at));
    }

    /// Entities and versions, of those that are not over.
    pub(in crate::load::cache) fn now(&self, at: Nanos) -> Vec<(u64, u64)> {
        let now = self.now.iter().filter(|(_, life)| life.until > at);
        now.map(|(id, life)| (*id, life.version)).collect()
    }

    /// Those that are over, since the last call.
    pub(in crate::load::cache) fn take(&mut self, now: Nanos) -> Vec<Noted> {
        let expired = self.now.iter().filter(|(_, life)| life.until <= now);
        let expired: Vec<u64> = expired.map(|(id, _)| *id).collect();
        expired.into_iter().for_each(|id| self.end(id, Ended::Expired, now));
        std::mem::take(&mut self.over)
    }
}
