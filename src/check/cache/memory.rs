//! What the memory of the group was worth: its hits against those of the best choice of what to keep,
//! which keys its servers evicted, and what more or less memory would bring.
//!
//! Only reads that came to the group count. A copy that expired, was deleted or was lost with a
//! server could not have been found in a memory of any size: the next one is another object.

use super::entity::{Entity, Put, Read};
use super::misses::{Miss, Why};
use crate::check::checker::{Checked, Context};
use crate::check::ideal::{Order, Touch, belady, distances, held, most_of_sizes};
use crate::check::keepers::{HitsByMemory, Room};
use crate::model::Nanos;
use crate::model::event::CacheInfo;
use crate::model::op::FoundIn;

/// Points of the drawing between two of the table.
const STEPS: u32 = 4;

/// Of all loads together those of the worst one are told: their groups have nothing in common.
pub(super) fn worst(told: &mut Checked, own: &Checked) {
    for name in ["cache.efficiency", "eviction.accuracy"] {
        let both = [&told.measures, &own.measures].map(|of| of.get(name).copied());
        told.measure(name, both.into_iter().flatten().reduce(f64::min));
    }
}

/// What an event was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// A copy that no reader of the load had asked for, such as before the load.
    Left,
    Hit,
    /// The copy had been evicted. It is an eviction of its own if this is the first read to see it.
    Evicted {
        first: bool,
    },
    Miss,
    /// The server had taken no copy of what another reader had asked the origin for.
    Refused,
    /// The copy ended by itself, or was deleted.
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    at: Nanos,
    object: u32,
    what: What,
    /// When the copy's own time ends.
    ends: Nanos,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    events: Vec<Event>,
    /// Of the objects, in bytes.
    sizes: Vec<u32>,
    /// Objects that were not there at the end though nothing but an eviction explains that.
    absent: Vec<u32>,
}

impl Memory {
    /// `misses` are those of the entity, in the order of its reads; `puts` the copies that were left.
    pub(super) fn add(
        &mut self,
        (load, id): (u8, u64),
        entity: &Entity,
        (puts, misses): (&[Put], &[Miss<'_>]),
        context: &Context,
    ) {
        let Some(copies) = context.cache(load).and_then(|cache| cache.copies) else { return };
        let size = CacheInfo::size_of(copies, id) as u32;
        let mut seen: Vec<(Nanos, What, Option<Why>, &Read)> = Vec::new();
        let left = entity.warmed.iter().chain(&entity.beside).filter(|read| read.left().is_some());
        seen.extend(left.map(|read| (read.done, What::Left, None, read)));
        let hits = entity.reads.iter().filter(|read| read.is_ok && read.from == FoundIn::Group);
        seen.extend(hits.map(|read| (read.done, What::Hit, None, read)));
        let mut evicted = vec![false; puts.len()];
        for miss in misses {
            let what = match miss.why {
                Why::Evicted | Why::EvictedOrLost => {
                    let known = miss.put.map(|put| std::mem::replace(&mut evicted[put], true));
                    What::Evicted { first: known == Some(false) }
                }
                Why::Cold | Why::Expired | Why::Invalidated | Why::Lost | Why::Unknown => {
                    What::Miss
                }
            };
            seen.push((miss.read.done, what, Some(miss.why), miss.read));
        }
        seen.sort_by_key(|(at, ..)| *at);
        let mut now: Option<Event> = None;
        // When the origin last said what the group took no copy of.
        let mut refused: Option<Nanos> = None;
        for (at, what, why, read) in seen {
            let since = |from: Nanos| entity.writes.partition_point(|write| write.at < from);
            let is_true = |from: Nanos| since(from) == since(at);
            let what = match what {
                What::Miss if refused.is_some_and(is_true) => What::Refused,
                what => what,
            };
            let asked = read.asked.filter(|_| read.from == FoundIn::Origin && read.kept.is_none());
            refused = match what {
                What::Left | What::Hit => None,
                _ => asked.map(|(from, _)| from).or(refused),
            };
            let is_new = match what {
                What::Left | What::Miss => true,
                What::Hit | What::Evicted { .. } | What::Refused | What::Gone => now.is_none(),
            };
            if is_new {
                self.end(now, entity, (at, why));
            }
            let new = self.sizes.len() as u32;
            let object = now.filter(|_| !is_new).map_or(new, |now| now.object);
            if object == new {
                self.sizes.push(size);
            }
            let ends = read.kept.or(now.map(|now| now.ends)).unwrap_or(at);
            let event = Event { at, object, what, ends };
            self.events.push(event);
            now = Some(event);
        }
        self.add_absent(now, entity, (load, puts), context);
    }

    /// The copy that was there before a new one is gone: when its time was over, or with a write.
    fn end(&mut self, last: Option<Event>, entity: &Entity, (at, why): (Nanos, Option<Why>)) {
        let Some(last) = last else { return };
        let written = entity.writes.partition_point(|write| write.at <= at);
        let written = written.checked_sub(1).map(|newest| entity.writes[newest].at);
        let gone = match why {
            Some(Why::Invalidated) => written.unwrap_or(at),
            Some(Why::Expired) => last.ends,
            _ => at,
        };
        // It was there when it was last seen, and is not when the new one comes.
        let gone = gone.clamp(last.at, at);
        self.events.push(Event { at: gone, what: What::Gone, ..last });
    }

    fn add_absent(
        &mut self,
        last: Option<Event>,
        entity: &Entity,
        (load, puts): (u8, &[Put]),
        context: &Context,
    ) {
        let (Some(last), Some((sent, by)), Some(put)) = (last, entity.absent(), puts.last()) else {
            return;
        };
        let is_deleted = entity.writes.last().is_some_and(|write| write.at >= put.asked);
        if is_deleted || last.ends.max(put.kept) <= sent || put.done > sent {
            return;
        }
        let let_go = context.keepers.let_go(load, [put.by, by], (put.done, sent));
        if let_go.evicted && !let_go.lost {
            self.absent.push(last.object);
        }
    }

    /// What one load's servers made of their room.
    pub(super) fn told(&mut self, room: Room, told: &mut Checked) -> Option<HitsByMemory> {
        self.events.sort_by_key(|event| event.at);
        let is_read = |what: What| match what {
            What::Hit | What::Evicted { .. } | What::Miss | What::Refused => true,
            What::Left | What::Gone => false,
        };
        let reads = self.events.iter().filter(|event| is_read(event.what)).count();
        if reads == 0 {
            return None;
        }
        let hits = self.events.iter().filter(|event| event.what == What::Hit).count() as u64;
        // A server that takes no copy may also have been down.
        let refused = || self.events.iter().any(|event| event.what == What::Refused);
        let was_full = room.evicted > 0 || room.limited && refused();
        let most = if was_full { self.most_hits(room) } else { hits };
        let efficiency = (most > 0).then(|| hits as f64 / most as f64 * 100.0);
        told.measure("cache.efficiency", efficiency);
        if !room.alone {
            return None;
        }
        told.measure("eviction.accuracy", self.accuracy(room));
        Some(self.by_memory(room, reads))
    }

    /// Those of the best choice, in as much memory as there was.
    fn most_hits(&self, room: Room) -> u64 {
        let came = self.events.iter().filter(|event| event.what != What::Gone);
        let objects: Vec<u32> = came.map(|event| event.object).collect();
        let is_one_size = self.sizes.windows(2).all(|both| both[0] == both[1]);
        // Servers tell how much they have once a second: it may have been more for a moment.
        match is_one_size {
            true => belady(&objects, room.keys.max(self.surely_held(|_| 1)) as usize),
            false => {
                let held = self.surely_held(|object| i64::from(self.sizes[object as usize]));
                most_of_sizes(&objects, &self.sizes, room.bytes.max(held))
            }
        }
    }

    /// The most that was there at once, as hits prove: from one read of a copy to the next hit.
    fn surely_held(&self, weight: impl Fn(u32) -> i64) -> u64 {
        let mut last: Vec<Option<usize>> = vec![None; self.sizes.len()];
        let mut changes = vec![0_i64; self.events.len() + 1];
        for (at, event) in self.events.iter().enumerate() {
            let before = last[event.object as usize].replace(at);
            if let (What::Hit, Some(before)) = (event.what, before) {
                changes[before + 1] += weight(event.object);
                changes[at + 1] -= weight(event.object);
            }
        }
        let sums = changes.iter().scan(0, |sum, change| {
            *sum += change;
            Some(*sum)
        });
        sums.max().unwrap_or(0).max(0) as u64
    }

    /// Evicted copies that a cache of that size, which evicts by the exact order, would not hold
    /// either when they were missed, in percent.
    fn accuracy(&self, room: Room) -> Option<f64> {
        let order = room.order.filter(|_| room.evicted > 0)?;
        let capacity = room.keys as usize;
        let (mut touches, ends) = self.touches();
        touches.extend(self.absent.iter().map(|object| Touch::Gone(*object)));
        let holds = match order {
            Order::Lru => {
                let mut holds = vec![false; touches.len()];
                distances(&touches, |at, depth| {
                    holds[at] = depth.is_some_and(|depth| depth as usize <= capacity);
                });
                holds
            }
            Order::Lfu | Order::Ttl => held(&touches, &ends, capacity, order),
        };
        let is_eviction = |event: &Event| event.what == What::Evicted { first: true };
        let evicted = self.events.iter().map(is_eviction).chain(self.absent.iter().map(|_| true));
        let held: Vec<bool> =
            evicted.zip(holds).filter(|(is, _)| *is).map(|(_, held)| held).collect();
        let right = held.iter().filter(|held| !**held).count();
        (!held.is_empty()).then(|| right as f64 / held.len() as f64 * 100.0)
    }

    fn touches(&self) -> (Vec<Touch>, Vec<u64>) {
        let touch = |event: &Event| match event.what {
            What::Gone => Touch::Gone(event.object),
            What::Left | What::Hit | What::Evicted { .. } | What::Miss | What::Refused => {
                Touch::Read(event.object)
            }
        };
        let ends = self.events.iter().map(|event| event.ends.0);
        (self.events.iter().map(touch).collect(), ends.collect())
    }

    fn by_memory(&self, room: Room, reads: usize) -> HitsByMemory {
        let mut depths: Vec<u32> = Vec::new();
        distances(&self.touches().0, |at, depth| {
            let counts = match self.events[at].what {
                What::Hit | What::Evicted { .. } | What::Refused => true,
                What::Left | What::Miss | What::Gone => false,
            };
            depths.extend(depth.filter(|_| counts));
        });
        depths.sort_unstable();
        let point = |share: f64| {
            let keys = room.keys as f64 * share / 100.0;
            let hits = depths.partition_point(|depth| f64::from(*depth) <= keys);
            (share, hits as f64 / reads as f64 * 100.0)
        };
        let between = |pair: &[f64]| {
            let (from, ratio) = (pair[0], pair[1] / pair[0]);
            (0..STEPS).map(move |step| from * ratio.powf(f64::from(step) / f64::from(STEPS)))
        };
        let shares = HitsByMemory::SHARES;
        let shares = shares.windows(2).flat_map(between).chain(shares.last().copied());
        HitsByMemory { keys: room.keys, points: shares.map(point).collect() }
    }
}
