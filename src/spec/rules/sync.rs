//! How groups are tied together: which one has the writes and which ones copy it, or that each
//! has them.

use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::topology::SyncMap;
use crate::spec::nearest;
use crate::spec::source::Span;
use crate::spec::sync::{DataSync, Strategy, SyncRule, replicator};
use crate::spec::topology::{Group, Link, Mode};

/// The checked groups, each with the place of its name in the file, and what joins them.
pub struct Around<'a> {
    pub groups: &'a [(Span, Group)],
    pub regions: &'a [String],
    pub links: &'a [Link],
}

pub fn check(
    field: &Field<SyncMap>,
    around: &Around<'_>,
    errors: &mut Diagnostics,
) -> Option<DataSync> {
    let At { value: map, span } = field.given()?;
    // Of a word that is none, the other keys say what was meant.
    let meant = match map {
        _ if !map.command.is_missing() => Strategy::External,
        _ if !map.between.is_missing() || !map.rule.is_missing() => Strategy::ActiveActive,
        _ => Strategy::Replica,
    };
    let strategy = map.strategy.or(meant);
    refuse_keys(map, strategy, errors);
    let sync = match strategy {
        Strategy::Replica => replica(map, span, around, errors)?,
        Strategy::ActiveActive => DataSync::ActiveActive {
            rule: map.rule.or(SyncRule::Lww),
            between: between(map, strategy, span, around, errors),
        },
        Strategy::External => DataSync::External {
            between: between(map, strategy, span, around, errors),
            command: command(map, errors),
        },
    };
    distinct_names(&sync, span, around.groups, errors);
    Some(sync)
}

/// The program of an external replicator, with its arguments.
fn command(map: &SyncMap, errors: &mut Diagnostics) -> Option<Vec<String>> {
    let At { value: words, span } = map.command.given()?;
    if words.first().is_none_or(|program| program.value.is_empty()) {
        let advice = "write the program, then its arguments: `command: [python3, replicator.py]`; \
                      leave it out if the groups carry what is written by themselves";
        errors.add(span, "the command names no program", advice);
    }
    Some(words.iter().map(|word| word.value.clone()).collect())
}

/// Keys that mean nothing with the strategy.
fn refuse_keys(map: &SyncMap, strategy: Strategy, errors: &mut Diagnostics) {
    use Strategy::{ActiveActive, External, Replica};
    let keys = [
        ("from", map.from.span(), &[Replica][..]),
        ("to", map.to.span(), &[Replica]),
        ("between", map.between.span(), &[ActiveActive, External]),
        ("rule", map.rule.span(), &[ActiveActive]),
        ("command", map.command.span(), &[External]),
    ];
    for (key, span, of) in keys {
        let Some(span) = span.filter(|_| !of.contains(&strategy)) else { continue };
        let message = format!("the strategy `{strategy}` has no `{key}`");
        errors.add(span, message, format!("leave it out, or use strategy `{}`", of[0]));
    }
}

fn replica(
    map: &SyncMap,
    span: &Span,
    around: &Around<'_>,
    errors: &mut Diagnostics,
) -> Option<DataSync> {
    let groups = around.groups;
    if map.from.is_missing() {
        let message = "the strategy `replica` needs the key `from`";
        errors.add(span, message, "name the group that takes the writes at first");
    }
    let from = map.from.given().and_then(|name| group_index(name, groups, errors));
    let to = match map.to.given() {
        Some(names) => named(&names.value, groups, errors),
        None => {
            let others = (0..groups.len()).filter(|index| Some(*index) != from);
            others.map(|index| (groups[index].0.clone(), index)).collect()
        }
    };
    let from = from?;
    if to.is_empty() && !matches!(map.to, Field::Bad) {
        let message = "there is no group that copies another one";
        errors.add(span, message, "add one in another region, or leave `sync` out");
    }
    let members = once(Some(from), &to, groups, errors);
    members.iter().for_each(|index| can_be_tied(&groups[*index], Strategy::Replica, errors));
    apart(&members, around, errors);
    let to = to.into_iter().map(|(_, index)| index).collect();
    let has_clusters = members.iter().any(|index| groups[*index].1.is_cluster());
    if has_clusters {
        alike(&members, groups, errors);
        in_a_region(&members, groups, errors);
    }
    linked(&members, span, around, errors);
    Some(match has_clusters {
        true => DataSync::Standby { from, to },
        false => DataSync::Replica { from, to },
    })
}

/// The groups that all take writes.
fn between(
    map: &SyncMap,
    strategy: Strategy,
    span: &Span,
    around: &Around<'_>,
    errors: &mut Diagnostics,
) -> Vec<usize> {
    let groups = around.groups;
    let between = match map.between.given() {
        Some(names) => named(&names.value, groups, errors),
        None => (0..groups.len()).map(|index| (groups[index].0.clone(), index)).collect(),
    };
    let members = once(None, &between, groups, errors);
    // A group that was not found has been told already.
    let all_found = map.between.given().is_none_or(|names| names.value.len() == between.len());
    if members.len() < 2 && all_found {
        let message = format!("`{strategy}` is between two groups at least");
        errors.add(map.between.span().unwrap_or(span), message, "add one in another region");
    }
    members.iter().for_each(|index| can_be_tied(&groups[*index], strategy, errors));
    if strategy == Strategy::ActiveActive {
        alike(&members, groups, errors);
    }
    in_a_region(&members, groups, errors);
    apart(&members, around, errors);
    linked(&members, span, around, errors);
    members
}

/// The groups that are named and found, with the places of their names.
fn named(
    names: &[At<String>],
    groups: &[(Span, Group)],
    errors: &mut Diagnostics,
) -> Vec<(Span, usize)> {
    let find = |name: &At<String>| Some((name.span.clone(), group_index(name, groups, errors)?));
    names.iter().filter_map(find).collect()
}

/// Each group once, `first` before all others.
fn once(
    first: Option<usize>,
    others: &[(Span, usize)],
    groups: &[(Span, Group)],
    errors: &mut Diagnostics,
) -> Vec<usize> {
    let mut members: Vec<usize> = first.into_iter().collect();
    for (place, index) in others {
        if members.contains(index) {
            let name = &groups[*index].1.name;
            let message = format!("the group `{name}` is in `sync` twice");
            let advice = match first {
                Some(_) => "each group is the source, or copies it, once",
                None => "name each group once",
            };
            errors.add(place, message, advice);
        } else {
            members.push(*index);
        }
    }
    members
}

/// One server can follow another one, and has all keys of its group. What is carried between
/// clusters redrill's own replicators carry, for somebody else's one mark says nothing of many
/// shards. Sentinels would tell the first node of a copy to follow nobody.
fn can_be_tied((place, group): &(Span, Group), strategy: Strategy, errors: &mut Diagnostics) {
    let (mode, advice) = match group.mode {
        Mode::Standalone | Mode::Replication { .. } => return,
        Mode::Cluster { .. } if strategy != Strategy::External => return,
        Mode::Cluster { .. } => (
            "cluster",
            "use mode `standalone` or `replication`; only the strategies `active-active` and \
             `replica` are for clusters too",
        ),
        Mode::Sentinel { .. } => ("sentinel", "use mode `standalone` or `replication`"),
    };
    let message = format!(
        "a group of mode `{mode}` cannot be in a `sync` of strategy `{strategy}`: `{}` is one",
        group.name
    );
    errors.add(place, message, advice);
}

/// Replicators carry from a shard to the one that has the same slots.
fn alike(members: &[usize], groups: &[(Span, Group)], errors: &mut Diagnostics) {
    let Some((first, others)) = members.split_first() else { return };
    let first = &groups[*first].1;
    for (place, group) in others.iter().map(|index| &groups[*index]) {
        let told = |group: &Group| match group.is_cluster() {
            true => format!("a cluster of {} shards", group.shards()),
            false => "no cluster".to_owned(),
        };
        let [one, other] = [first, group].map(told);
        if one != other {
            let message = format!("`{}` is {one}, and `{}` is {other}", first.name, group.name);
            let advice = "replicators carry shard by shard: all groups are clusters with the same \
                          number of `shards`, or none is a cluster";
            errors.add(place, message, advice);
        }
    }
}

fn in_a_region(members: &[usize], groups: &[(Span, Group)], errors: &mut Diagnostics) {
    for (place, group) in members.iter().map(|index| &groups[*index]) {
        if group.first_region().is_none() {
            let message = format!("the group `{}` is in `sync`, and in no region", group.name);
            errors.add(place, message, "add `regions`, and give each group one of its own");
        }
    }
}

/// What is in the same place is lost at the same time.
fn apart(members: &[usize], around: &Around<'_>, errors: &mut Diagnostics) {
    let groups = around.groups;
    for (n, index) in members.iter().enumerate() {
        let (place, own) = &groups[*index];
        let Some(region) = own.first_region() else { continue };
        let same = |other: &&usize| groups[**other].1.first_region() == Some(region);
        if let Some(other) = members[..n].iter().find(same) {
            let (other, name) = (&groups[*other].1.name, &own.name);
            let message = format!("`{name}` has the data of `{other}` in the same region");
            let advice = "put it in another region, or give the other one more `replicas`";
            errors.add(place, message, advice);
        }
    }
}

/// Data are in two regions because of the distance. Regions that nobody has put apart are a
/// mistake.
fn linked(members: &[usize], span: &Span, around: &Around<'_>, errors: &mut Diagnostics) {
    let Around { groups, regions, links } = around;
    let region = |index: &usize| groups[*index].1.first_region();
    let places: Vec<usize> = members.iter().filter_map(region).collect();
    for (n, to) in places.iter().enumerate() {
        for from in places[..n].iter().filter(|from| *from != to) {
            let has = |a, b| links.iter().any(|link| (link.from, link.to) == (a, b));
            if !has(*from, *to) || !has(*to, *from) {
                let (a, b) = (&regions[*from], &regions[*to]);
                let message =
                    format!("there is no link between `{a}` and `{b}`, in both directions");
                let advice = format!("add `{{ between: [{a}, {b}], latency: 40ms }}` to `links`");
                errors.add(span, message, advice);
            }
        }
    }
}

/// `a-to-b` and `c` make the same name as `a` and `b-to-c`.
fn distinct_names(
    sync: &DataSync,
    span: &Span,
    groups: &[(Span, Group)],
    errors: &mut Diagnostics,
) {
    let name = |index: usize| &*groups[index].1.name;
    let mut names = Vec::new();
    for (from, to) in sync.pairs() {
        let own = replicator(name(from), name(to), 0);
        if names.contains(&own) {
            let message = format!("two replicators would be called `{own}`");
            errors.add(span, message, "give groups names without `-to-`");
        }
        names.push(own);
    }
}

/// The index of the group that is named.
fn group_index(
    name: &At<String>,
    groups: &[(Span, Group)],
    errors: &mut Diagnostics,
) -> Option<usize> {
    let found = groups.iter().position(|(_, group)| group.name == name.value);
    if found.is_none() {
        let known: Vec<&str> = groups.iter().map(|(_, group)| &*group.name).collect();
        let message = format!("there is no group `{}`", name.value);
        errors.add(&name.span, message, nearest::advice("groups", &name.value, &known));
    }
    found
}
