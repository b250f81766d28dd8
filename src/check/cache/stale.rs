//! Whether what was served was true: not any more, not yet, or never.

use std::collections::HashMap;
use std::time::Duration;

use super::entity::{Entity, Read, Write};
use super::over::Over;
use crate::check::checker::Checked;
use crate::check::finding::{Example, Examples};
use crate::model::Nanos;
use crate::model::event::CacheInfo;
use crate::model::op::FoundIn;

/// The version that is there from the beginning.
const FIRST: u64 = 1;
/// What is read of an entity that the origin does not have.
const ABSENT: u64 = 0;

#[derive(Debug, Default)]
pub(super) struct Stale {
    /// Reads of a version that another one had replaced before they were sent.
    pub(super) stale: u64,
    pub(super) late: u64,
    resurrected: u64,
    /// A library has copies, and does not tell what it leaves in the group.
    by_library: bool,
    pub(super) impossible: u64,
    /// Copies in the memory of a process whose time was over.
    pub(super) outlived: u64,
    /// Reads of an older version than their process had read before.
    pub(super) back: u64,
    /// The longest time for which a version had been replaced when it was asked for.
    age: Duration,
}

impl Stale {
    /// Examples are of late reads, of what came back, of what cannot be, of copies that were served
    /// when their time was over, and of processes that went back in time.
    pub(super) fn add(
        &mut self,
        (at, entity): ((u8, u64), &Entity),
        cache: Option<&CacheInfo>,
        [late, resurrected, impossible, outlived, back]: &mut [Examples; 5],
        over: &mut Over<'_>,
    ) {
        let promised = cache.and_then(CacheInfo::old_for);
        let acknowledged = Acknowledged::new(&entity.writes);
        let is_absent = cache.and_then(|cache| cache.entities).is_some_and(|count| at.1 >= count);
        for read in entity.reads.iter().filter(|read| read.is_ok) {
            if let Some(why) = cannot_be(entity, read, is_absent) {
                self.impossible += 1;
                impossible.offer((read.sent.0, 0, at.0, at.1), |zero| {
                    let told = zero.tell(read.done);
                    let text =
                        format!("client {} read entity {} at {told}: {why}", read.process, at.1);
                    Example::new(at.0, at.1, read.done, text)
                });
                continue;
            }
            let version = read.version.unwrap_or(FIRST);
            let Some(newer) = entity.after(version).first() else { continue };
            if newer.at < read.sent {
                self.stale += 1;
                self.age = self.age.max(read.sent.since(newer.at));
            }
            let done = acknowledged.after(entity, version);
            if let (Some(done), Some(promised)) = (done, promised)
                && read.sent > done + promised
            {
                self.late += 1;
                over.count("cache.stale.late", read.instance.0, read.sent);
                late.offer((u64::MAX - read.sent.since(done).as_nanos() as u64, 0, at.0, at.1), |zero| {
                    let text = format!(
                        "client {} asked for entity {} at {} and got version {version} from {}; a newer \
                         one had been acknowledged at {}",
                        read.process, at.1, zero.tell(read.sent), read.from, zero.tell(done)
                    );
                    Example::new(at.0, at.1, read.done, text)
                });
            }
        }
        self.add_outlived(at, entity, outlived);
        self.add_back(at, entity, back);
        match cache.is_some_and(|cache| cache.by_library) {
            true => self.by_library = true,
            false => self.add_resurrected(at, entity, &acknowledged, resurrected),
        }
    }

    fn add_resurrected(
        &mut self,
        at: (u8, u64),
        entity: &Entity,
        acknowledged: &Acknowledged,
        examples: &mut Examples,
    ) {
        // The copy was put there after the origin's answer.
        for read in entity.reads.iter().chain(&entity.beside) {
            let (Some(version), Some((_, answered))) = (read.version, read.left()) else {
                continue;
            };
            let Some(done) = acknowledged.after(entity, version).filter(|done| *done < answered)
            else {
                continue;
            };
            self.resurrected += 1;
            examples.offer((read.sent.0, 0, at.0, at.1), |zero| {
                let text = format!(
                    "client {} put version {version} of entity {} into the group after {}; a newer one \
                     had been acknowledged at {}",
                    read.process, at.1, zero.tell(answered), zero.tell(done)
                );
                Example::new(at.0, at.1, read.done, text)
            });
        }
    }

    fn add_outlived(&mut self, at: (u8, u64), entity: &Entity, examples: &mut Examples) {
        let near =
            |read: &&Read| read.is_ok && matches!(read.from, FoundIn::Process | FoundIn::Host);
        for read in entity.reads.iter().filter(near) {
            let Some(over) = read.kept.filter(|over| *over < read.sent) else { continue };
            self.outlived += 1;
            examples.offer((read.sent.0, 0, at.0, at.1), |zero| {
                let place = if read.from == FoundIn::Host { "host" } else { "memory" };
                let text = format!(
                    "client {} read entity {} at {} from the {place} of process {}, whose copy's \
                     time was over at {}",
                    read.process,
                    at.1,
                    zero.tell(read.sent),
                    read.instance.1,
                    zero.tell(over)
                );
                Example::new(at.0, at.1, read.done, text)
            });
        }
    }

    /// Reads that overlap in time are in no order.
    fn add_back(&mut self, at: (u8, u64), entity: &Entity, examples: &mut Examples) {
        let known = |read: &&Read| read.is_ok && read.version.is_some();
        let mut ended: Vec<&Read> = entity.reads.iter().filter(known).collect();
        ended.sort_unstable_by_key(|read| read.done);
        let mut ended = ended.into_iter().peekable();
        let mut newest: HashMap<(u8, u16), (u64, Nanos)> = HashMap::new();
        for read in entity.reads.iter().filter(known) {
            while let Some(before) = ended.next_if(|before| before.done < read.sent) {
                let seen = (before.version.unwrap_or(FIRST), before.done);
                let newest = newest.entry(before.instance).or_insert(seen);
                if newest.0 < seen.0 {
                    *newest = seen;
                }
            }
            let version = read.version.unwrap_or(FIRST);
            let newer = newest.get(&read.instance).filter(|(newest, _)| *newest > version);
            let Some((newest, when)) = newer.copied() else { continue };
            self.back += 1;
            examples.offer((read.sent.0, 0, at.0, at.1), |zero| {
                let text = format!(
                    "process {} had read version {newest} of entity {} by {}, and read version \
                     {version} from {} at {}",
                    read.instance.1,
                    at.1,
                    zero.tell(when),
                    read.from,
                    zero.tell(read.sent)
                );
                Example::new(at.0, at.1, read.done, text)
            });
        }
    }

    /// Not known where nobody saw any, and not everybody tells.
    pub(super) fn resurrected(&self) -> Option<u64> {
        (self.resurrected > 0 || !self.by_library).then_some(self.resurrected)
    }

    pub(super) fn join(&mut self, other: Stale) {
        let Stale { stale, late, resurrected, by_library, impossible, outlived, back, age } = other;
        self.stale += stale;
        self.late += late;
        self.resurrected += resurrected;
        self.by_library |= by_library;
        self.impossible += impossible;
        self.outlived += outlived;
        self.back += back;
        self.age = self.age.max(age);
    }

    pub(super) fn told(&self, told: &mut Checked) {
        for (name, n) in [
            ("cache.stale", self.stale),
            ("cache.stale.late", self.late),
            ("cache.impossible", self.impossible),
            ("cache.outlived", self.outlived),
            ("cache.not_monotonic", self.back),
        ] {
            told.measure(name, Some(n as f64));
        }
        told.measure("cache.resurrected", self.resurrected().map(|n| n as f64));
        told.measure("cache.stale.age.max", Some(self.age.as_secs_f64() * 1e3));
    }
}

fn cannot_be(entity: &Entity, read: &Read, is_absent: bool) -> Option<String> {
    let Some(version) = read.version else {
        return Some("what was there is no version of it".to_owned());
    };
    match (is_absent, version) {
        (true, ABSENT) => return None,
        (true, _) => {
            return Some(format!("the origin has no such entity, and it got version {version}"));
        }
        (false, ABSENT) => return Some("it was told that there is none".to_owned()),
        (false, _) => {}
    }
    let written = entity.writes.binary_search_by_key(&version, |write| write.version);
    match written.ok().map(|at| entity.writes[at]) {
        Some(write) if write.at > read.done => {
            Some(format!("version {version} was written after that"))
        }
        None if version != FIRST => Some(format!("version {version} was never written")),
        Some(_) | None => None,
    }
}

/// For each write, in the order of versions: when the first one was acknowledged, of this and all
/// newer ones.
pub(super) struct Acknowledged(Vec<Option<Nanos>>);

impl Acknowledged {
    pub(super) fn new(writes: &[Write]) -> Acknowledged {
        let mut first = None;
        let mut all: Vec<Option<Nanos>> = writes
            .iter()
            .rev()
            .map(|write| {
                first = first.into_iter().chain(write.done).min();
                first
            })
            .collect();
        all.reverse();
        Acknowledged(all)
    }

    /// When a version newer than this one was acknowledged first.
    pub(super) fn after(&self, entity: &Entity, version: u64) -> Option<Nanos> {
        let newer = entity.after(version).len();
        self.0[self.0.len() - newer..].first().copied().flatten()
    }
}
