//! The table by shard: what each stored and served, and its outages.

use std::collections::BTreeMap;

use crate::model::event::{NodeStats, Phase, Role, ShardView};
use crate::model::op::Access;
use crate::model::{Nanos, NodeName, ShardName};

use super::data::Shard;
use super::members::Members;
use super::record::Record;

/// The figures of INFO, collected for each shard.
#[derive(Debug, Default)]
pub(super) struct StatsFold {
    /// The load runs.
    running: bool,
    previous: BTreeMap<NodeName, (Nanos, NodeStats)>,
    shards: BTreeMap<ShardName, Folded>,
}

/// Sums over the times in which one node of the shard was primary at both ends.
#[derive(Clone, Copy, Debug, Default)]
struct Folded {
    seconds: f64,
    commands: u64,
    net_in: u64,
    net_out: u64,
    cpu: f64,
    first: Option<Held>,
    last: Option<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    keys: u64,
    memory: u64,
}

impl StatsFold {
    pub fn phase(&mut self, phase: Phase) {
        self.running = matches!(phase, Phase::Steps | Phase::Settle);
    }

    pub fn hear(&mut self, at: Nanos, nodes: Vec<NodeStats>, members: &Members) {
        for node in nodes {
            let Some(shard) = members.shard_of(&node.name) else { continue };
            let shard = self.shards.entry(shard).or_default();
            if node.role == Role::Primary {
                let held = Held { keys: node.keys, memory: node.memory_bytes };
                // "Before" is the last value before the load began.
                if !self.running && shard.seconds == 0.0 || shard.first.is_none() {
                    shard.first = Some(held);
                }
                shard.last = Some(held);
                if let Some((then, before)) = self.previous.get(&node.name)
                    && self.running
                    && before.role == Role::Primary
                {
                    shard.add(at.since(*then).as_secs_f64(), before, &node);
                }
            }
            self.previous.insert(node.name.clone(), (at, node));
        }
    }
}

impl Folded {
    /// Adds what a primary did between two looks. A server that was restarted in between counts
    /// from zero again, so that time is left out.
    fn add(&mut self, seconds: f64, before: &NodeStats, now: &NodeStats) {
        let (Some(commands), Some(net_in), Some(net_out)) = (
            now.commands.checked_sub(before.commands),
            now.net_in_bytes.checked_sub(before.net_in_bytes),
            now.net_out_bytes.checked_sub(before.net_out_bytes),
        ) else {
            return;
        };
        self.seconds += seconds;
        self.commands += commands;
        self.net_in += net_in;
        self.net_out += net_out;
        self.cpu += (now.cpu_seconds - before.cpu_seconds).max(0.0);
    }

    fn per_second(&self, sum: f64) -> Option<f64> {
        (self.seconds > 0.0).then(|| sum / self.seconds)
    }
}

/// The rows, by group and shard.
pub(super) fn rows(record: &Record) -> Vec<Shard> {
    let joined = record.steps.iter().flat_map(|step| &step.joined);
    let nodes = record.nodes.iter().map(|node| &node.name).chain(joined);
    let mut names: Vec<ShardName> = nodes.filter_map(NodeName::shard_name).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| row(record, &name)).collect()
}

fn row(record: &Record, name: &ShardName) -> Shard {
    let mine = |views: Option<&[ShardView]>| -> Option<ShardView> {
        views?.iter().find(|view| view.shard == name.shard).cloned()
    };
    let before = mine(record.views.before(&name.group));
    let after = mine(record.views.after(&name.group));
    let slots = |view: &Option<ShardView>| view.as_ref().map(|v| v.slots.len() as u32);
    let is_mine = |canary: usize| {
        record.canaries.get(canary).is_some_and(|c| c.group == name.group && c.shard == name.shard)
    };
    let mine_count = (0..record.canaries.len()).filter(|i| is_mine(*i)).count();
    let move_count =
        (0..record.canaries.len()).filter(|i| is_mine(*i) && record.canaries[*i].moves).count();
    let suffered = |action| (mine_count > 0).then(|| record.outages.worst(action, is_mine));
    let (write, read) = (suffered(Access::Write), suffered(Access::Read));
    let ms = |d: std::time::Duration| d.as_secs_f64() * 1e3;
    let folded = record.stats.shards.get(name).copied().unwrap_or_default();
    let (keys_after, memory_after) = held_after(record, &name.group, after.as_ref(), &folded);
    Shard {
        group: name.group.clone(),
        shard: name.shard,
        slots_before: slots(&before),
        slots_after: slots(&after),
        primary_before: before.and_then(|v| v.primary).or_else(|| born_primary(record, name)),
        primary_after: after.and_then(|v| v.primary),
        keys_before: folded.first.map(|h| h.keys),
        keys_after,
        memory_before: folded.first.map(|h| h.memory),
        memory_after,
        ops_per_s: folded.per_second(folded.commands as f64),
        net_in_per_s: folded.per_second(folded.net_in as f64),
        net_out_per_s: folded.per_second(folded.net_out as f64),
        cpu_percent: folded.per_second(folded.cpu * 100.0),
        canaries: mine_count,
        canaries_that_move: move_count,
        downtime_write_max_ms: write.map(|s| ms(s.longest)),
        downtime_write_total_ms: write.map(|s| ms(s.total)),
        downtime_read_max_ms: read.map(|s| ms(s.longest)),
        downtime_read_total_ms: read.map(|s| ms(s.total)),
    }
}

/// Keys and memory at the end. The last values of a primary stay valid as long as the shard has
/// one: a node without slots may follow another shard before it is asked again.
fn held_after(
    record: &Record,
    group: &str,
    after: Option<&ShardView>,
    folded: &Folded,
) -> (Option<u64>, Option<u64>) {
    let (keys, memory) = (folded.last.map(|h| h.keys), folded.last.map(|h| h.memory));
    let Some(after) = after else {
        // A shard that the others have forgotten has nothing.
        return if record.views.after(group).is_some() { (None, None) } else { (keys, memory) };
    };
    let memory = memory.filter(|_| after.primary.is_some());
    let owners = record.views.after(group).unwrap_or_default();
    let in_cluster = owners.iter().any(|shard| !shard.slots.is_empty());
    match in_cluster && after.slots.is_empty() {
        // Without slots there are no keys, whichever node was asked last.
        true => (Some(0), memory),
        false => (keys.filter(|_| after.primary.is_some()), memory),
    }
}

fn born_primary(record: &Record, name: &ShardName) -> Option<NodeName> {
    let primary = |n: &&crate::model::event::NodeInfo| {
        n.role == Role::Primary && n.name.shard_name().as_ref() == Some(name)
    };
    record.nodes.iter().find(primary).map(|n| n.name.clone())
}
