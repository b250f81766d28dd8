//! Loads on groups between which replicators carry what is written. Where these are redrill's own,
//! it has to come into the outbox, in the same step as the data.

use crate::model::event::Expectation;
use crate::model::{NodeName, Workload};
use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::scenario::LoadMap;
use crate::spec::scenario::{ClientKind, Load};
use crate::spec::source::Span;
use crate::spec::topology::{Group, Mode, Topology};

/// Whether redrill's own replicators carry what the load writes. `name` is the place of its name.
pub fn check(
    (map, name): (&LoadMap, &Span),
    (workload, client): (Workload, &ClientKind),
    groups: &[&Group],
    topology: &Topology,
    errors: &mut Diagnostics,
) -> bool {
    let all_write = |group: &Group| !topology.writers(&group.name).is_empty();
    let has_outbox = |group: &Group| topology.rule_of(&group.name).is_some();
    let is_in = |group: &&&Group| all_write(group) || has_outbox(group);
    let Some(group) = groups.iter().find(is_in) else { return false };
    let outbox = has_outbox(group);
    if !has_a_form(workload) {
        let (word, of) = (workload.word(), &group.name);
        let message = match all_write(group) {
            true => format!(
                "the workload `{word}` has no active-active form, and `{of}` is in such a `sync`"
            ),
            false => format!("no replicator carries the workload `{word}`, and `{of}` needs one"),
        };
        let advice = "use the workload `register`, `counter` or `set`, or another group";
        errors.add(map.workload.span().unwrap_or(name), message, advice);
    }
    if let (true, Some(at)) = (outbox && client.is_of_a_library(), map.client.given()) {
        let message = format!(
            "a library's client would write past the outbox of `{}`, so that nothing is carried",
            group.name
        );
        errors.add(&at.span, message, "use `client: redrill`, or another group");
    }
    outbox
}

/// The group that clients turn to when their own does not answer. It has the same data, and both
/// are of one primary, which their servers name.
pub fn fallback(
    map: &LoadMap,
    client: &ClientKind,
    groups: &[&Group],
    topology: &Topology,
    errors: &mut Diagnostics,
) -> Option<String> {
    let at = map.fallback.given()?;
    let mut wrong = |message: String, advice: &str| errors.add(&at.span, message, advice);
    let own = groups.first()?;
    let known: Vec<&Group> = topology.writers(&own.name).into_iter().skip(1).collect();
    let names: Vec<&str> = known.iter().map(|group| &*group.name).collect();
    let is_led = |group: &Group| matches!(group.mode, Mode::Standalone | Mode::Replication { .. });
    match known.iter().find(|group| group.name == at.value) {
        None if known.is_empty() => wrong(
            format!("no other group takes the writes of `{}`", own.name),
            "leave `fallback` out, or take a topology like `active-active-2r`",
        ),
        None => wrong(
            format!("`{}` does not have the data of `{}`", at.value, own.name),
            &format!("write {}", names.join(" or ")),
        ),
        Some(_) if client.is_of_a_library() => wrong(
            "a library's client knows one group".to_owned(),
            "use `client: redrill`, or leave `fallback` out",
        ),
        Some(other) if !is_led(own) || !is_led(other) => wrong(
            "clients turn to another group only between groups of mode `standalone` or \
             `replication`"
                .to_owned(),
            "leave `fallback` out",
        ),
        Some(other) => return Some(other.name.clone()),
    }
    None
}

/// Whether it means something where replicators carry what is written: there are functions that
/// write its data and the outbox in one step, and rules that say what becomes of two writes.
fn has_a_form(workload: Workload) -> bool {
    match workload {
        Workload::Register | Workload::Counter | Workload::Set => true,
        // What they promise needs one place that decides.
        Workload::Cas
        | Workload::Queue
        | Workload::Stream
        | Workload::Transfer
        | Workload::DualWrite
        | Workload::Lock
        | Workload::Cache
        | Workload::Expiry => false,
    }
}

/// Whether several groups take writes to the load's data.
pub fn all_write(load: &Load, topology: Option<&Topology>) -> bool {
    topology.is_some_and(|topology| !topology.writers(&load.groups[0]).is_empty())
}

/// A load's programs are named after it, as replicators are after their groups.
pub fn names(
    loads: &[Load],
    places: &[(At<String>, LoadMap)],
    topology: &Topology,
    errors: &mut Diagnostics,
) {
    let taken: Vec<NodeName> = topology.replicators().into_iter().map(|(name, ..)| name).collect();
    for load in loads.iter().filter(|load| taken.iter().any(|name| name.group == load.name)) {
        let place = places.iter().find(|(name, _)| name.value == load.name);
        if let Some((name, _)) = place {
            let message = format!("`{}` is the name of a replicator", load.name);
            errors.add(&name.span, message, "choose another name");
        }
    }
}

/// What one group has acknowledged, another one knows only later. So whoever shares keys across
/// groups reads what is old, and no order explains all reads: that is told, and fails no drill
/// unless it is bounded.
pub fn report_what_is_late(
    loads: &[Load],
    topology: Option<&Topology>,
    expect: &[Expectation],
    reported: &mut Vec<String>,
) {
    let is_across = |load: &&Load| {
        let other = load.keyspace.of.and_then(|of| loads.get(usize::from(of)));
        all_write(load, topology) && other.is_some_and(|other| other.groups != load.groups)
    };
    for load in loads.iter().filter(is_across) {
        let late: &[&str] = match load.workload {
            Workload::Register => &["reads.stale", "keys.not_linearizable"],
            // Totals of two groups are told twice, and lack what is on its way.
            Workload::Counter => &["counter.wrong"],
            // Sets are read at the end only, and the others have no active-active form.
            Workload::Set
            | Workload::Cas
            | Workload::Queue
            | Workload::Stream
            | Workload::Transfer
            | Workload::DualWrite
            | Workload::Lock
            | Workload::Cache
            | Workload::Expiry => &[],
        };
        for name in late {
            let is_settled = expect.iter().any(|bound| bound.is_on(name))
                || reported.iter().any(|known| known == name);
            if !is_settled {
                reported.push((*name).to_owned());
            }
        }
    }
}
