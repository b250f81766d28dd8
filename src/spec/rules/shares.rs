//! Loads that use the keys of another.

use crate::spec::decode::At;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::scenario::LoadMap;
use crate::spec::nearest;
use crate::spec::scenario::{Keyspace, Load};

/// Gives the loads that share keys those of the other.
pub fn check(
    files: &[(At<String>, LoadMap)],
    loads: &mut [Load],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let names: Vec<&str> = files.iter().map(|(name, _)| &*name.value).collect();
    let mut sharing: Vec<(usize, usize)> = Vec::new();
    for (name, map) in files {
        let Some(at) = map.shares.given() else { continue };
        let whose = files.iter().find(|(other, _)| other.value == at.value);
        let wrong =
            |message: String, advice: &str| Diagnostic::new(&at.span, message).advise(advice);
        let Some((_, shared)) = whose else {
            let advice = nearest::advice("loads", &at.value, &names);
            diagnostics.push(wrong(format!("there is no load `{}`", at.value), &advice));
            continue;
        };
        let find = |name: &str| loads.iter().position(|load| load.name == name);
        let (Some(own), Some(other)) = (find(&name.value), find(&at.value)) else { continue };
        let (a, b) = (&loads[own], &loads[other]);
        if own == other {
            let message = "a load cannot share its own keys".to_owned();
            diagnostics.push(wrong(message, "name another load, or leave `shares` out"));
        } else if let Some(root) = shared.shares.given() {
            let message = format!("the keys of `{}` are those of `{}`", at.value, root.value);
            diagnostics.push(wrong(message, &format!("write `shares: {}`", root.value)));
        } else if !a.workload.shares_keys_with(b.workload) {
            let [a, b] = [a, b].map(|load| load.workload.word());
            let message = format!("`{a}` cannot use the keys of `{b}`: they hold something else");
            diagnostics.push(wrong(message, &format!("write `workload: {b}`")));
        } else if a.group != b.group {
            let message = format!("the keys of `{}` are in the group `{}`", at.value, b.group);
            diagnostics.push(wrong(message, &format!("write `group: {}`", b.group)));
        } else if let Some(keys) = map.keys.given() {
            let message = format!("there are as many keys as `{}` has", at.value);
            diagnostics.push(Diagnostic::new(&keys.span, message).advise("leave `keys` out"));
        } else {
            sharing.push((own, other));
        }
    }
    for (own, other) in &sharing {
        loads[*own].keys = loads[*other].keys;
        let turns = 1 + sharing.iter().filter(|(_, with)| with == other).count() as u64;
        let turn = loads[*other].keyspace.turns;
        let name = loads[*other].name.clone();
        loads[*own].keyspace = Keyspace { name, of: Some(*other as u8), turn, turns };
        loads[*other].keyspace.turns += 1;
    }
}
