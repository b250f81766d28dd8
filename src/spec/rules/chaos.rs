//! Faults can be drawn: there is time for them, and they can be done.

use std::time::Duration;

use super::{check_range, node_fault};
use crate::spec::chaos::{Among, Chaos, Drawn};
use crate::spec::decode::Field;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::chaos::ChaosMap;
use crate::spec::quantity::{Time, Times};
use crate::spec::topology::Group;

/// Faults that come faster than this are one.
const LEAST: Duration = Duration::from_millis(100);
const EVERY: Times = Times(Time(Duration::from_secs(3)), Time(Duration::from_secs(8)));
const HEAL: Times = Times(Time(Duration::from_secs(2)), Time(Duration::from_secs(6)));
const FAULTS: [Drawn; 3] = [Drawn::Kill, Drawn::Pause, Drawn::Partition];

pub fn check(map: &ChaosMap, group: &Group, diagnostics: &mut Vec<Diagnostic>) -> Option<Chaos> {
    let lasts = node_fault::lasts(&map.lasts, diagnostics)?;
    let within = |name, field: &Field<Times>, default, diagnostics: &mut Vec<Diagnostic>| {
        if let Some(at) = field.given() {
            let Times(least, most) = at.value;
            let why = "what is drawn must fit into the time that `for` gives";
            let range = (Time(LEAST), Time(lasts.max(LEAST)));
            check_range(name, &least, &at.span, range, why, diagnostics);
            if most != least {
                check_range(name, &most, &at.span, range, why, diagnostics);
            }
        }
        field.or(default)
    };
    let every = within("every", &map.every, EVERY, diagnostics);
    let heal = within("heal", &map.heal, HEAL, diagnostics);
    let (among, drawn) = (among(map, group, diagnostics), drawn(map, diagnostics));
    let at = map.at.or(Time(Duration::ZERO)).0;
    Some(Chaos { at, group: group.name.clone(), among, lasts, every, heal, faults: drawn })
}

fn among(map: &ChaosMap, group: &Group, diagnostics: &mut Vec<Diagnostic>) -> Among {
    if let Some(at) = map.among.given()
        && at.value != Among::Nodes
        && group.sentinels().is_none()
    {
        let diagnostic = Diagnostic::new(&at.span, format!("`{}` has no sentinels", group.name));
        diagnostics.push(diagnostic.advise("leave it out, or give the group mode `sentinel`"));
    }
    map.among.or(Among::Nodes)
}

fn drawn(map: &ChaosMap, diagnostics: &mut Vec<Diagnostic>) -> Vec<Drawn> {
    let Some(given) = map.faults.given() else { return FAULTS.to_vec() };
    if given.value.is_empty() {
        let diagnostic = Diagnostic::new(&given.span, "there is nothing to draw from");
        let words: Vec<&str> = Drawn::ALL.iter().map(|fault| fault.word()).collect();
        diagnostics.push(diagnostic.advise(format!("name some of {}", words.join(", "))));
    }
    let mut drawn: Vec<Drawn> = Vec::new();
    for at in &given.value {
        let word = at.value.word();
        if drawn.contains(&at.value) {
            let diagnostic = Diagnostic::new(&at.span, format!("`{word}` stands here twice"));
            diagnostics.push(diagnostic.advise("each is as likely as any other; keep one"));
        }
        drawn.push(at.value);
    }
    drawn
}
