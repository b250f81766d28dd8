//! The table by shard: what each stored and served, and its outages.

use crate::model::event::{Role, ShardView};
use crate::model::op::Access;
use crate::model::{NodeName, ShardName};

use super::data::Shard;
use super::record::Record;
use super::stats::Folded;

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
    let folded = record.stats.of(name);
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
