//! The order of a register to which no value was written twice, in O(n log n).
//!
//! # The idea
//!
//! Gibbons and Korach, "Testing shared memories" (SIAM J. Comput. 26(4), 1997), found that a
//! register with unique writes can be judged without a search. All reads of a value must follow
//! its write and precede the next write. So in every order the calls of one value, its
//! **cluster**, are together, and only the order of the clusters is open. Han and Mathur give an
//! overview (<https://arxiv.org/abs/2410.04581>).
//!
//! Two instants of a cluster matter: `first`, at which the first of its calls was done, and
//! `last`, at which the last of them was sent. If `first` of A is before `last` of B, a call of A
//! was over before a call of B began: A must come before B. Two clusters **conflict** if each
//! must come before the other.
//!
//! # Why pairs are enough
//!
//! Suppose that there is no order because of a cycle A₁ → A₂ → … → A₁, where each cluster must
//! come before the next. Then some pair conflicts. Let M be the cluster of the cycle with the
//! greatest `last`. Each A of the cycle has a successor S with first(A) < last(S) ≤ last(M), so
//! each A must come before M. This includes the successor of M. But M must come before its
//! successor, so these two conflict.
//!
//! If no pair conflicts, put the clusters in an order that breaks no "must", and in each cluster
//! first the write, then the reads as they were sent. A call that was done before another was
//! sent then always comes first: across clusters because of "must", among reads because they are
//! sorted. A read that was done before its write was sent is looked for separately. So the test
//! is exact.
//!
//! # What is unknown
//!
//! A write of unknown outcome is never done, and the argument needs nothing more: the `first` of
//! its cluster is that of the reads. If no call saw its value, it may never have happened and is
//! left out: another write would follow it, which does not depend on it. The initial state of the
//! key is a cluster as well, whose write was done before everything else.
//!
//! # Compare-and-set
//!
//! A compare-and-set that found *e* and left *v* ends the cluster of *e* and begins that of *v*:
//! the two are neighbours. So clusters are linked into **blocks** with a fixed order. That order
//! must break no "must". A value may be followed by one such call only, and the chain must have a
//! beginning. Blocks then relate to each other as clusters did, with the least `first` and the
//! greatest `last` of their clusters, and the argument is the same. A compare-and-set of unknown
//! outcome happened if its value was seen.
//!
//! # Two spans that conflict
//!
//! A span is the `first` and `last` of a block. Two spans conflict if
//! each has its `first` before the other's `last`. Gibbons and Korach call a span with
//! first < last a *forward zone*: two of them conflict if they overlap. One with
//! last ≤ first is a *backward zone*: two of these never conflict, and one conflicts with a
//! forward zone if it lies within it.

use std::collections::BTreeSet;

use crate::model::Nanos;

use super::call::Call;
use super::call::Writers;
use crate::model::op::RegisterOp;

/// The indices of calls that no order explains, if there are any. No two calls may write the
/// same value, and every value found must have been written.
pub(super) fn conflict(calls: &[Call], writers: &Writers) -> Option<Vec<u32>> {
    let mut zones = Zones::new(calls, writers);
    let found = match zones.join() {
        Err(few) => Some(few),
        Ok(()) => match zones.blocks() {
            Err(few) => Some(few),
            Ok(blocks) => {
                let zones_of = |block: &Block| (block.first.at, block.last.at);
                let spans: Vec<_> = blocks.iter().map(zones_of).collect();
                let size = |a: usize, b: usize| zones.length(&blocks[a], &blocks[b]);
                closest(&spans, size)
                    .map(|(a, b)| [zones.proof(&blocks[a]), zones.proof(&blocks[b])].concat())
            }
        },
    };
    found.map(|few| zones.with_what_it_rests_on(few))
}

/// An instant and its call; `None` for the instant before all others.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    at: Option<Nanos>,
    cluster: u32,
    call: u32,
}

/// The calls of one value: its writer and its readers.
#[derive(Clone, Copy, Debug, Default)]
struct Cluster {
    /// `None` for the initial state.
    writer: Option<u32>,
    /// A call found its value, or the call that wrote it certainly took effect.
    happened: bool,
    first: Edge,
    last: Edge,
    /// The cluster that a compare-and-set made from this one.
    next: Option<u32>,
}

/// Clusters in the order given by compare-and-sets.
struct Block {
    first: Edge,
    last: Edge,
    clusters: std::ops::Range<usize>,
}

struct Zones<'a> {
    calls: &'a [Call],
    writers: &'a Writers,
    /// The initial state, then the clusters by their values.
    clusters: Vec<Cluster>,
    /// All clusters that happened, block by block.
    order: Vec<u32>,
}

const BEGINNING: usize = 0;

impl<'a> Zones<'a> {
    fn new(calls: &'a [Call], writers: &'a Writers) -> Zones<'a> {
        let mut clusters = vec![Cluster { happened: true, ..Cluster::default() }];
        clusters.extend(writers.calls().map(|i| {
            let (call, cluster) = (&calls[i as usize], 0);
            let edge = |at| Edge { at: Some(at), cluster, call: i };
            let (first, last) = (edge(call.done), edge(call.sent));
            Cluster { writer: Some(i), happened: call.is_answered(), first, last, next: None }
        }));
        for (number, cluster) in clusters.iter_mut().enumerate() {
            (cluster.first.cluster, cluster.last.cluster) = (number as u32, number as u32);
        }
        Zones { calls, writers, clusters, order: Vec::new() }
    }

    fn cluster_of(&self, value: Option<u64>) -> usize {
        let place = |value| self.writers.place(value).expect("each value found is written");
        value.map_or(BEGINNING, |value| place(value) + 1)
    }

    /// Puts every read into its cluster and links the clusters of compare-and-sets.
    ///
    /// # Errors
    /// Calls that contradict each other within a cluster.
    fn join(&mut self) -> Result<(), Vec<u32>> {
        let mut links: Vec<u32> = Vec::new();
        for (i, call) in (0u32..).zip(self.calls) {
            match call.act {
                RegisterOp::Read(value) => self.read(i, call, self.cluster_of(value))?,
                RegisterOp::Cas { .. } if call.is_answered() => links.push(i),
                RegisterOp::Cas { .. } | RegisterOp::Write(_) => {}
            }
        }
        let seen = self.clusters.iter().filter(|c| c.happened).filter_map(|c| c.writer);
        links.extend(seen.filter(|i| !self.calls[*i as usize].is_answered()));
        while let Some(i) = links.pop() {
            links.extend(self.link(i)?);
        }
        Ok(())
    }

    fn read(&mut self, i: u32, call: &Call, number: usize) -> Result<(), Vec<u32>> {
        let cluster = &mut self.clusters[number];
        cluster.happened = true;
        let edge = |at| Edge { at: Some(at), cluster: number as u32, call: i };
        if cluster.first.at > Some(call.done) {
            cluster.first = edge(call.done);
        }
        if cluster.last.at < Some(call.sent) {
            cluster.last = edge(call.sent);
        }
        match cluster.writer {
            Some(writer) if call.done < self.calls[writer as usize].sent => Err(vec![writer, i]),
            _ => Ok(()),
        }
    }

    /// Links the clusters of a compare-and-set that happened. Its source cluster happened as
    /// well, even if the outcome of that write was unknown.
    fn link(&mut self, i: u32) -> Result<Option<u32>, Vec<u32>> {
        let RegisterOp::Cas { from, to } = self.calls[i as usize].act else { return Ok(None) };
        let (from, to) = (self.cluster_of(from), self.cluster_of(Some(to)));
        let cluster = &mut self.clusters[from];
        if let Some(other) = cluster.next.replace(to as u32) {
            let other = self.clusters[other as usize].writer;
            return Err(other.into_iter().chain([i]).collect());
        }
        let known = std::mem::replace(&mut cluster.happened, true);
        Ok(cluster.writer.filter(|_| !known))
    }

    /// The blocks, each in the order of its chain.
    ///
    /// # Errors
    /// Calls of a chain that contradict its order, or a chain without a beginning.
    fn blocks(&mut self) -> Result<Vec<Block>, Vec<u32>> {
        let mut follows = vec![false; self.clusters.len()];
        for cluster in &self.clusters {
            cluster.next.iter().for_each(|next| follows[*next as usize] = true);
        }
        let happened = self.clusters.iter().filter(|cluster| cluster.happened).count();
        let mut blocks = Vec::with_capacity(happened);
        for (start, follows) in follows.into_iter().enumerate() {
            if self.clusters[start].happened && !follows {
                blocks.push(self.block(start));
            }
        }
        if self.order.len() < happened {
            return Err(self.circle());
        }
        let contradiction = blocks.iter().find_map(|block| self.contradiction(block));
        contradiction.map_or(Ok(blocks), Err)
    }

    fn block(&mut self, start: usize) -> Block {
        let from = self.order.len();
        let Cluster { mut first, mut last, .. } = self.clusters[start];
        let mut next = Some(start as u32);
        while let Some(number) = next {
            let cluster = &self.clusters[number as usize];
            if cluster.first.at < first.at {
                first = cluster.first;
            }
            if cluster.last.at > last.at {
                last = cluster.last;
            }
            self.order.push(number);
            next = cluster.next;
        }
        Block { first, last, clusters: from..self.order.len() }
    }

    /// A call of a later cluster that was done before one of an earlier cluster was sent.
    fn contradiction(&self, block: &Block) -> Option<Vec<u32>> {
        let clusters = &self.order[block.clusters.clone()];
        let mut later: Option<Edge> = None;
        for number in clusters.iter().rev() {
            let cluster = &self.clusters[*number as usize];
            if let Some(later) = later.filter(|later| later.at < cluster.last.at) {
                return Some(self.between(block, cluster.last, later));
            }
            if later.is_none_or(|later| cluster.first.at < later.at) {
                later = Some(cluster.first);
            }
        }
        None
    }

    /// The calls of a chain of compare-and-sets each of which needs another one first.
    fn circle(&self) -> Vec<u32> {
        let mut left: Vec<bool> = self.clusters.iter().map(|cluster| cluster.happened).collect();
        self.order.iter().for_each(|number| left[*number as usize] = false);
        let start = left.iter().position(|left| *left).expect("not all clusters are in blocks");
        let next = |number: &usize| self.clusters[*number].next.map(|next| next as usize);
        let mut circle = vec![start];
        while let Some(number) = circle.last().and_then(next).filter(|next| *next != start) {
            circle.push(number);
        }
        circle.into_iter().filter_map(|number| self.clusters[number].writer).collect()
    }

    /// How long the conflict of two blocks takes.
    fn length(&self, a: &Block, b: &Block) -> Nanos {
        let ends = [a.first, a.last, b.first, b.last].map(|edge| edge.at.unwrap_or_default());
        let (from, to) =
            ends.iter().fold((ends[0], ends[0]), |(from, to), at| (from.min(*at), to.max(*at)));
        Nanos(to.0 - from.0)
    }

    /// The calls that define a block's zone.
    fn proof(&self, block: &Block) -> Vec<u32> {
        self.between(block, block.first, block.last)
    }

    /// The calls of two edges of a block, and the chain between them.
    fn between(&self, block: &Block, a: Edge, b: Edge) -> Vec<u32> {
        let clusters = &self.order[block.clusters.clone()];
        let place = |edge: Edge| clusters.iter().position(|number| *number == edge.cluster);
        let places = [place(a), place(b)].map(|place| place.unwrap_or_default());
        let chain = &clusters[places[0].min(places[1])..=places[0].max(places[1])];
        let writers = chain.iter().filter_map(|number| self.clusters[*number as usize].writer);
        let edges = [a, b].into_iter().filter(|edge| edge.at.is_some()).map(|edge| edge.call);
        writers.chain(edges).collect()
    }

    /// The `few`, the calls that wrote what they found, and the calls that show that unanswered
    /// ones took effect.
    fn with_what_it_rests_on(&self, few: Vec<u32>) -> Vec<u32> {
        let mut all = BTreeSet::new();
        let mut left = few;
        while let Some(i) = left.pop() {
            if !all.insert(i) {
                continue;
            }
            let call = &self.calls[i as usize];
            left.extend(
                call.found().and_then(|value| self.clusters[self.cluster_of(value)].writer),
            );
            if let Some(value) = call.written().filter(|_| !call.is_answered()) {
                left.extend(self.witness(i, value));
            }
        }
        all.into_iter().collect()
    }

    /// The call that found the `value` of the call `i`, which has no answer.
    fn witness(&self, i: u32, value: u64) -> Option<u32> {
        let cluster = &self.clusters[self.cluster_of(Some(value))];
        let reader = Some(cluster.first.call).filter(|reader| *reader != i);
        reader.or_else(|| self.clusters[cluster.next? as usize].writer)
    }
}

/// `first` and `last`; what is before all instants is `None`.
type Span = (Option<Nanos>, Option<Nanos>);

/// Of the conflicts that a sweep meets (at least one, if there is any) the one of least `size`.
fn closest(spans: &[Span], size: impl Fn(usize, usize) -> Nanos) -> Option<(usize, usize)> {
    let (mut forward, backward): (Vec<usize>, Vec<usize>) =
        (0..spans.len()).partition(|i| spans[*i].0 < spans[*i].1);
    forward.sort_unstable_by_key(|i| spans[*i]);
    let mut least: Option<(Nanos, usize, usize)> = None;
    let mut meet = |zone: usize, other: usize| {
        if spans[other].0 < spans[zone].1 {
            let found = (size(zone, other), zone, other);
            least = Some(least.map_or(found, |least| least.min(found)));
        }
    };
    let mut furthest: Option<usize> = None;
    for &zone in &forward {
        furthest.into_iter().for_each(|other| meet(other, zone));
        furthest = furthest.filter(|other| spans[*other].1 >= spans[zone].1).or(Some(zone));
    }
    // Only the last forward zone that began before it can hold it: those before have ended, or
    // else two of them conflict, and that has been met.
    for zone in backward {
        let begun = forward.partition_point(|other| spans[*other].0 < spans[zone].1);
        begun.checked_sub(1).into_iter().for_each(|last| meet(forward[last], zone));
    }
    least.map(|(_, a, b)| (a, b))
}
