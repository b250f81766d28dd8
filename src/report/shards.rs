//! The table by shard: what each stored and served, and its outages.

use std::time::Duration;

use crate::model::event::{Canary, Role, ShardView};
use crate::model::op::Access;
use crate::model::{NodeName, ShardName};

use super::data::{ProbedFrom, Shard};
use super::record::Record;
use super::usage::{Held, UsedByShard};

/// The rows, by group and shard.
pub(super) fn rows(record: &Record) -> Vec<Shard> {
    let joined = record.steps.iter().flat_map(|step| &step.joined);
    let nodes = record.nodes.iter().map(|node| &node.name).chain(joined);
    let mut names: Vec<ShardName> = nodes.filter_map(NodeName::shard_name).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| row(record, &name)).collect()
}

/// Whether a group has several.
pub(super) fn are_several(record: &Record) -> bool {
    let mut names = record.nodes.iter().filter_map(|node| node.name.shard_name());
    let Some(first) = names.next() else { return false };
    let mut last = first;
    names.any(|name| {
        let is_another = name.group == last.group && name.shard != last.shard;
        last = name;
        is_another
    })
}

/// What the busiest shard of a group does of its group's commands or bytes, whichever is more, against
/// an even share, in percent: 100 is even. Of the most uneven group; none without a group of several
/// shards of which that is known.
pub(super) fn skew(shards: &[Shard]) -> Option<f64> {
    let of_group = |group: &[Shard]| {
        let bytes = |shard: &Shard| Some(shard.net_in_per_s? + shard.net_out_per_s?);
        let busiest = |of: &dyn Fn(&Shard) -> Option<f64>| {
            let all: Vec<f64> = group.iter().map(of).collect::<Option<_>>()?;
            let sum: f64 = all.iter().sum();
            let most = all.iter().copied().reduce(f64::max)?;
            (sum > 0.0 && all.len() > 1).then(|| most / sum * all.len() as f64 * 100.0)
        };
        busiest(&|shard: &Shard| shard.ops_per_s)
            .into_iter()
            .chain(busiest(&bytes))
            .reduce(f64::max)
    };
    let groups = shards.chunk_by(|a, b| a.group == b.group);
    groups.filter_map(of_group).reduce(f64::max)
}

fn row(record: &Record, name: &ShardName) -> Shard {
    let seen = |views: Option<&[ShardView]>| -> Option<ShardView> {
        views?.iter().find(|view| view.shard == name.shard).cloned()
    };
    let before = seen(record.views.before(&name.group));
    let after = seen(record.views.after(&name.group));
    let slots = |view: &Option<ShardView>| view.as_ref().map(|v| v.slots.len() as u32);
    let mine = canaries(record, name);
    let suffered = |action| (!mine.is_empty()).then(|| suffered(record, name, &mine, action));
    let (write, read) = (suffered(Access::Write), suffered(Access::Read));
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let UsedByShard { used, first, last } = record.stats.of(name);
    let (keys_after, memory_after) = held_after(record, &name.group, after.as_ref(), last);
    Shard {
        group: name.group.clone(),
        shard: name.shard,
        slots_before: slots(&before),
        slots_after: slots(&after),
        primary_before: before.and_then(|v| v.primary).or_else(|| born_primary(record, name)),
        primary_after: after.and_then(|v| v.primary),
        keys_before: first.map(|held| held.keys),
        keys_after,
        memory_before: first.map(|held| held.memory),
        memory_after,
        ops_per_s: used.commands(),
        net_in_per_s: used.net_in(),
        net_out_per_s: used.net_out(),
        cpu_percent: used.cpu_percent(),
        canaries: mine.len(),
        canaries_that_move: mine.iter().filter(|canary| record.canaries[**canary].moves).count(),
        probed_from: probed_from(record, &mine),
        downtime_write_max_ms: write.map(|(longest, _)| ms(longest)),
        downtime_write_total_ms: write.map(|(_, total)| ms(total)),
        downtime_read_max_ms: read.map(|(longest, _)| ms(longest)),
        downtime_read_total_ms: read.map(|(_, total)| ms(total)),
    }
}

/// The canaries in slots that were ever the shard's.
fn canaries(record: &Record, name: &ShardName) -> Vec<usize> {
    let mine = |canary: &Canary| {
        let owners = record.owners.get(&name.group);
        let ever = owners.and_then(|owners| owners.ever(canary.slot, name.shard));
        canary.group == name.group && ever.unwrap_or(canary.shard == name.shard)
    };
    (0..record.canaries.len()).filter(|i| mine(&record.canaries[*i])).collect()
}

/// The canaries in `mine` by the regions that they are probed from.
fn probed_from(record: &Record, mine: &[usize]) -> Vec<ProbedFrom> {
    let mut all: Vec<ProbedFrom> = Vec::new();
    for canary in mine.iter().map(|canary| &record.canaries[*canary]) {
        let Some(region) = record.probed_from(canary) else { continue };
        let at = all.iter().position(|known| known.region == region).unwrap_or_else(|| {
            let (canaries, canaries_that_move) = Default::default();
            let region = region.to_owned();
            all.push(ProbedFrom { region, canaries, canaries_that_move });
            all.len() - 1
        });
        all[at].canaries += 1;
        all[at].canaries_that_move += usize::from(canary.moves);
    }
    all
}

/// The longest outage of the canaries in `mine`, and the greatest sum of one. Only the time in
/// which their slots were the shard's counts.
fn suffered(
    record: &Record,
    name: &ShardName,
    mine: &[usize],
    action: Access,
) -> (Duration, Duration) {
    let owners = record.owners.get(&name.group);
    record.outages.worst_part(action, |canary, span| {
        if !mine.contains(&canary) {
            return Duration::ZERO;
        }
        let slot = record.canaries[canary].slot;
        let held = owners.and_then(|owners| owners.held(slot, name.shard, (span.from, span.to)));
        held.unwrap_or(span.length())
    })
}

/// Keys and memory at the end. The last values of a primary stay valid as long as the shard has
/// one: a node without slots may follow another shard before it is asked again.
fn held_after(
    record: &Record,
    group: &str,
    after: Option<&ShardView>,
    last: Option<Held>,
) -> (Option<u64>, Option<u64>) {
    let (keys, memory) = last.map(|held| (held.keys, held.memory)).unzip();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(group: &str, ops: f64, bytes: f64) -> Shard {
        let json = serde_json::json!({
            "group": group, "shard": 0, "slots_before": null, "slots_after": null,
            "primary_before": null, "primary_after": null, "keys_before": null, "keys_after": null,
            "memory_before": null, "memory_after": null, "ops_per_s": ops, "net_in_per_s": bytes,
            "net_out_per_s": bytes, "cpu_percent": null, "canaries": 0, "canaries_that_move": 0,
            "probed_from": [], "downtime_write_max_ms": null, "downtime_write_total_ms": null,
            "downtime_read_max_ms": null, "downtime_read_total_ms": null,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_busiest_shard_is_that_of_commands_or_bytes() {
        let even = [shard("a", 10.0, 5.0), shard("a", 10.0, 5.0)];
        assert_eq!(skew(&even), Some(100.0));
        let by_bytes = [shard("a", 10.0, 5.0), shard("a", 12.0, 15.0)];
        assert_eq!(skew(&by_bytes), Some(150.0));
        let by_commands = [shard("b", 0.0, 1.0), shard("b", 0.0, 1.0), shard("b", 9.0, 1.0)];
        assert_eq!(skew(&by_commands), Some(300.0));
        assert_eq!(skew(&[&even[..], &by_commands].concat()), Some(300.0));
        assert_eq!(skew(&even[..1]), None, "one shard has all there is");
    }
}
