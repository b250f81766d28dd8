//! How groups are tied together: which one has the writes, and which ones copy it.

use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::topology::SyncMap;
use crate::spec::nearest;
use crate::spec::source::Span;
use crate::spec::topology::{DataSync, Group, Mode, Strategy};

/// `groups` are the checked ones, each with the place of its name in the file.
pub fn check(
    field: &Field<SyncMap>,
    groups: &[(Span, Group)],
    errors: &mut Diagnostics,
) -> Option<DataSync> {
    let At { value: map, span } = field.given()?;
    let mut find = |name: &At<String>| group_index(name, groups, errors);
    let from = map.from.given().and_then(&mut find);
    let named = map.to.given();
    let to: Vec<(Span, usize)> = match named {
        Some(names) => {
            names.value.iter().filter_map(|n| Some((n.span.clone(), find(n)?))).collect()
        }
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
    let mut members: Vec<usize> = vec![from];
    for (place, index) in &to {
        if members.contains(index) {
            let name = &groups[*index].1.name;
            let message = format!("the group `{name}` is in `sync` twice");
            errors.add(place, message, "each group is the source, or copies it, once");
        } else {
            members.push(*index);
        }
    }
    for index in &members {
        can_replicate(&groups[*index], errors);
    }
    apart(&members, groups, errors);
    let strategy = map.strategy.or(Strategy::Replica);
    Some(DataSync { strategy, from, to: to.into_iter().map(|(_, index)| index).collect() })
}

/// One server can follow another one. A whole cluster cannot, and sentinels would tell the first
/// node of a copy to follow nobody.
fn can_replicate((place, group): &(Span, Group), errors: &mut Diagnostics) {
    let mode = match group.mode {
        Mode::Standalone | Mode::Replication { .. } => return,
        Mode::Sentinel { .. } => "sentinel",
        Mode::Cluster { .. } => "cluster",
    };
    let message = format!("a group of mode `{mode}` cannot be in `sync`: `{}` is one", group.name);
    errors.add(place, message, "use mode `standalone` or `replication`");
}

/// A copy in the same place is lost with it.
fn apart(members: &[usize], groups: &[(Span, Group)], errors: &mut Diagnostics) {
    for (n, index) in members.iter().enumerate() {
        let (place, own) = &groups[*index];
        let Some(region) = own.first_region() else { continue };
        let same = |other: &&usize| groups[**other].1.first_region() == Some(region);
        if let Some(other) = members[..n].iter().find(same) {
            let (other, name) = (&groups[*other].1.name, &own.name);
            let message = format!("`{name}` copies `{other}` in the same region");
            let advice = "put it in another region, or give the other one more `replicas`";
            errors.add(place, message, advice);
        }
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
