//! What an acknowledgement is to be worth: WAIT, and primaries that refuse without replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use super::count;
use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::scenario::LoadMap;
use crate::spec::quantity::Time;
use crate::spec::scenario::{ClientKind, Load, MinReplicas, Wait};
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};

const TO_WRITE: &str = "min-replicas-to-write";
const MAX_LAG: &str = "min-replicas-max-lag";
pub(super) const WAIT: Time = Time::millis(100);

/// The load's `wait`; none if it waits for none.
pub fn wait(
    map: &LoadMap,
    client: &ClientKind,
    timeout: Duration,
    groups: &[&Group],
    errors: &mut Diagnostics,
) -> Option<Wait> {
    let At { value: wait, span } = map.wait.given()?;
    let replicas = wait.replicas.or(1);
    let why = "a wait must end before the operation does, whose `timeout` is for both";
    let range = (Time::millis(1), Time(timeout));
    let patience = wait.timeout.check_range("timeout", range, why, errors).or(WAIT).0;
    if wait.timeout.is_missing() && WAIT.0 > timeout {
        let message = format!("WAIT takes up to 100ms, and operations only {}", Time(timeout));
        errors.add(span, message, "give the wait a `timeout` of its own");
    }
    if replicas == 0 {
        return None;
    }
    if client.is_of_a_library() {
        let message = "a library's client cannot wait for replicas: WAIT is of a connection";
        errors.add(span, message, "use `client: redrill`, or leave `wait` out");
    }
    let place = wait.replicas.span().unwrap_or(span);
    groups.iter().for_each(|group| check_replicas(replicas, place, group, errors));
    Some(Wait { replicas, timeout: patience })
}

/// The load's directives, unless the group's `config` says otherwise.
pub fn min_replicas(
    map: &LoadMap,
    groups: &[&Group],
    errors: &mut Diagnostics,
) -> Option<MinReplicas> {
    let lag = map.min_replicas_max_lag.given();
    let seconds = lag.map(|at| {
        if at.value.0.subsec_nanos() != 0 {
            errors.add(&at.span, format!("`{MAX_LAG}` is in whole seconds"), "write it like 2s");
        }
        at.value.0.as_secs() as u32
    });
    let Some(At { value: to_write, span }) = map.min_replicas_to_write.given() else {
        if let Some(at) = lag {
            let message = format!("`{MAX_LAG}` means nothing without `{TO_WRITE}`");
            let advice = format!("add `{TO_WRITE}: 1`, or leave it out");
            errors.add(&at.span, message, advice);
        }
        return None;
    };
    groups.iter().for_each(|group| check_replicas(*to_write, span, group, errors));
    let directives = [(TO_WRITE, Some(*to_write)), (MAX_LAG, seconds)];
    let each = groups.iter().flat_map(|group| directives.map(|directive| (group, directive)));
    for (group, (name, value)) in each {
        let Some((value, span)) = value.zip(place(map, name)) else { continue };
        let other = group.config.get(name).filter(|other| **other != value.to_string());
        let Some(other) = other else { continue };
        let message = format!("the `config` of group `{}` has `{name}: {other}`", group.name);
        errors.add(span, message, "keep one of them");
    }
    Some(MinReplicas { to_write: *to_write, max_lag: seconds })
}

pub(super) fn check_replicas(wanted: u32, span: &Span, group: &Group, errors: &mut Diagnostics) {
    let has = group.replicas();
    if wanted > has {
        let has = count(has, "replica");
        let message = format!("a primary of group `{}` has {has}, not {wanted}", group.name);
        let advice = "that many could never have it: ask for fewer, or add `replicas` to the group";
        errors.add(span, message, advice);
    }
}

/// Puts the loads' directives into their groups; two loads of a group must not contradict each
/// other.
pub fn configure(
    loads: &[Load],
    maps: &[(At<String>, LoadMap)],
    topology: &mut Topology,
    errors: &mut Diagnostics,
) {
    let mut asked: BTreeMap<(&str, &str), (String, &str)> = BTreeMap::new();
    let each = loads.iter().flat_map(|load| load.groups.iter().map(move |group| (load, group)));
    for (load, group) in each {
        let Some(MinReplicas { to_write, max_lag }) = load.min_replicas else { continue };
        for (name, value) in [(TO_WRITE, Some(to_write)), (MAX_LAG, max_lag)] {
            let Some(value) = value.map(|value| value.to_string()) else { continue };
            let first = asked.entry((group, name)).or_insert((value.clone(), &load.name));
            if first.0 != value {
                let message =
                    format!("load `{}` of the same group asks for `{name}: {}`", first.1, first.0);
                let advice = "it is a directive of their group: give both the same";
                let map = maps.iter().find(|(at, _)| at.value == load.name).map(|(_, map)| map);
                if let Some(span) = map.and_then(|map| place(map, name)) {
                    errors.add(span, message, advice);
                }
            }
        }
    }
    for ((group, name), (value, _)) in asked {
        if let Some(group) = topology.groups.iter_mut().find(|known| known.name == group) {
            group.config.insert(name.to_owned(), value);
        }
    }
}

/// Where the load has the directive.
fn place<'m>(map: &'m LoadMap, name: &str) -> Option<&'m Span> {
    match name {
        TO_WRITE => map.min_replicas_to_write.span(),
        _ => map.min_replicas_max_lag.span(),
    }
}
