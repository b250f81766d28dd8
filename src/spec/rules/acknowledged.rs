//! What an acknowledgement is to be worth: WAIT, and primaries that refuse without replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{count, ranged};
use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::scenario::LoadMap;
use crate::spec::quantity::Time;
use crate::spec::scenario::{ClientKind, Load, MinReplicas, Wait};
use crate::spec::source::Span;
use crate::spec::topology::{Group, Mode, Topology};

const TO_WRITE: &str = "min-replicas-to-write";
const MAX_LAG: &str = "min-replicas-max-lag";
const WAIT: Duration = Duration::from_millis(100);
const MAX_SECONDS: Time = Time(Duration::from_secs(3600));

/// The load's `wait`; none if it waits for none.
pub fn wait(
    map: &LoadMap,
    client: &ClientKind,
    timeout: Duration,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Wait> {
    let At { value: wait, span } = map.wait.given()?;
    let replicas = wait.replicas.or(1);
    let least = Time(Duration::from_millis(1));
    let why = "a wait must end before the operation does, whose `timeout` is for both";
    let Time(patience) =
        ranged("timeout", &wait.timeout, Time(WAIT), (least, Time(timeout)), why, diagnostics);
    if wait.timeout.is_missing() && WAIT > timeout {
        let message = format!("WAIT takes up to 100ms, and operations only {}", Time(timeout));
        diagnostics
            .push(Diagnostic::new(span, message).advise("give the wait a `timeout` of its own"));
    }
    if replicas == 0 {
        return None;
    }
    if client.is_of_a_library() {
        let message = "a library's client cannot wait for replicas: WAIT is of a connection";
        let diagnostic = Diagnostic::new(span, message);
        diagnostics.push(diagnostic.advise("use `client: redrill`, or leave `wait` out"));
    }
    let place = wait.replicas.given().map_or(span, |at| &at.span);
    check_replicas(replicas, place, group, diagnostics);
    Some(Wait { replicas, timeout: patience })
}

/// The load's directives, unless the group's `config` says otherwise.
pub fn min_replicas(
    map: &LoadMap,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<MinReplicas> {
    let lag = map.min_replicas_max_lag.given();
    let seconds = lag.map(|At { value, span }| {
        let range = (Time(Duration::from_secs(1)), MAX_SECONDS);
        super::check_range(MAX_LAG, value, span, range, "10s is usual", diagnostics);
        if value.0.subsec_nanos() != 0 {
            let diagnostic = Diagnostic::new(span, format!("`{MAX_LAG}` is in whole seconds"));
            diagnostics.push(diagnostic.advise("write it like 2s"));
        }
        value.0.as_secs() as u32
    });
    let Some(At { value: to_write, span }) = map.min_replicas_to_write.given() else {
        if let Some(at) = lag {
            let message = format!("`{MAX_LAG}` means nothing without `{TO_WRITE}`");
            let advice = format!("add `{TO_WRITE}: 1`, or leave it out");
            diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
        }
        return None;
    };
    check_replicas(*to_write, span, group, diagnostics);
    for (name, value) in [(TO_WRITE, Some(*to_write)), (MAX_LAG, seconds)] {
        let Some((value, span)) = value.zip(place(map, name)) else { continue };
        let other = group.config.get(name).filter(|other| **other != value.to_string());
        let Some(other) = other else { continue };
        let message = format!("the `config` of group `{}` has `{name}: {other}`", group.name);
        diagnostics.push(Diagnostic::new(span, message).advise("keep one of them"));
    }
    Some(MinReplicas { to_write: *to_write, max_lag: seconds })
}

fn check_replicas(wanted: u32, span: &Span, group: &Group, diagnostics: &mut Vec<Diagnostic>) {
    let has = match group.mode {
        Mode::Standalone => 0,
        Mode::Replication { replicas } | Mode::Cluster { replicas, .. } => replicas,
        Mode::Sentinel { replicas, .. } => replicas,
    };
    if wanted > has {
        let has = count(has, "replica");
        let message = format!("a primary of group `{}` has {has}, not {wanted}", group.name);
        let advice = "that many could never have it: ask for fewer, or add `replicas` to the group";
        diagnostics.push(Diagnostic::new(span, message).advise(advice));
    }
}

/// Puts the loads' directives into their groups; two loads of a group must not contradict each
/// other.
pub fn configure(
    loads: &[Load],
    maps: &[(At<String>, LoadMap)],
    topology: &mut Topology,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut asked: BTreeMap<(&str, &str), (String, &str)> = BTreeMap::new();
    for load in loads {
        let Some(MinReplicas { to_write, max_lag }) = load.min_replicas else { continue };
        for (name, value) in [(TO_WRITE, Some(to_write)), (MAX_LAG, max_lag)] {
            let Some(value) = value.map(|value| value.to_string()) else { continue };
            let first = asked.entry((&load.group, name)).or_insert((value.clone(), &load.name));
            if first.0 != value {
                let message =
                    format!("load `{}` of the same group asks for `{name}: {}`", first.1, first.0);
                let advice = "it is a directive of their group: give both the same";
                let map = maps.iter().find(|(at, _)| at.value == load.name).map(|(_, map)| map);
                let place = map.and_then(|map| place(map, name));
                diagnostics.extend(place.map(|span| Diagnostic::new(span, message).advise(advice)));
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
        TO_WRITE => map.min_replicas_to_write.given().map(|at| &at.span),
        _ => map.min_replicas_max_lag.given().map(|at| &at.span),
    }
}
