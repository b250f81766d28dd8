//! What makes a scenario one that can be played.

use std::time::Duration;

use super::{acknowledged, check_name, check_summary, count, expect, load, ranged, timeline};
use crate::model::Workload;
use crate::model::catalogue::{ScenarioFacts, judged};
use crate::spec::Capabilities;
use crate::spec::decode::{At, Field, Named};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::scenario::{LoadMap, ProbeMap, ProfileMap, ScenarioFile};
use crate::spec::nearest;
use crate::spec::quantity::Time;
use crate::spec::scenario::{Load, Over, Probe, Scenario};
use crate::spec::step::{self, StepMap};
use crate::spec::topology::Topology;

/// More columns nobody reads.
const MAX_OVER: usize = 16;
const MAX_CANARIES: u32 = 64;
const MAX_SETTLE: Duration = Duration::from_secs(24 * 3600);

/// The scenario that `file` describes on `topology`, with the expectations of
/// `profile`. Without a topology (its own problems have been told) everything that
/// does not depend on one is checked.
pub fn check(
    file: &ScenarioFile,
    mut topology: Option<Topology>,
    profile: Option<&str>,
    capabilities: &Capabilities,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Scenario> {
    if let Some(name) = file.name.given() {
        check_name("a scenario", name, diagnostics);
    }
    check_summary(&file.summary, diagnostics);
    let no_loads = Vec::new();
    let loads = file.loads.given().map_or(&no_loads, |at| &at.value.0);
    let steps = file.timeline.given().map_or(&[][..], |at| &at.value);
    let maps = loads;
    let loads = load::check(maps, topology.as_ref(), diagnostics);
    if let Some(topology) = &mut topology {
        acknowledged::configure(&loads, maps, topology, diagnostics);
    }
    let workloads: Vec<Workload> =
        maps.iter().map(|(_, map)| map.workload.or(Workload::Register)).collect();
    let has = facts(&workloads, maps, &loads, steps);
    let timeline = timeline::check(steps, topology.as_ref(), capabilities, diagnostics);
    let expect = expectations(file, profile, &has, diagnostics);
    let reported = reported(&file.reported.or(Vec::new()), &expect, diagnostics);
    if let Some(topology) = topology.as_ref().filter(|_| !maps.is_empty()) {
        let is_settled = |name: &&str| {
            reported.iter().any(|reported| reported == name)
                || expect.iter().any(|e| e.measure == **name)
        };
        let unsettled = judged().find(|name| !is_settled(name));
        step::evictions(steps.iter().map(|at| &at.value), topology, unsettled, diagnostics);
    }
    let over = over(&file.over, diagnostics);
    let most = Time(MAX_SETTLE);
    let why = "a drill takes a day at most";
    let default = Time(Duration::from_secs(5));
    let settle =
        ranged("settle", &file.settle, default, (Time(Duration::ZERO), most), why, diagnostics);
    let probe = probe(&file.probe, diagnostics);
    Some(Scenario {
        name: file.name.or(String::new()),
        summary: file.summary.or(String::new()),
        topology: topology?,
        loads,
        timeline,
        probe,
        settle: settle.0,
        expect,
        reported,
        over,
    })
}

/// What the scenario has, as far as it decides what can be measured.
fn facts<'a>(
    workloads: &'a [Workload],
    maps: &[(At<String>, LoadMap)],
    loads: &[Load],
    steps: &[At<StepMap>],
) -> ScenarioFacts<'a> {
    let waits = |map: &LoadMap| map.wait.given().is_some_and(|at| at.value.replicas.or(1) > 0);
    let effects = || steps.iter().map(|step| step.value.kind().effects());
    let first = steps.iter().map(|step| step.value.shared.at.or(Time(Duration::ZERO)).0).min();
    ScenarioFacts {
        workloads,
        waits: maps.iter().any(|(_, map)| waits(map)),
        // What is wrong with loads has been told.
        sees_redirects: loads.is_empty() || loads.iter().any(|l| !l.client.is_of_a_library()),
        steps: !steps.is_empty(),
        moves: effects().any(|effects| effects.moves_slots),
        may_fail_over: effects().any(|effects| effects.fails_over),
        baseline: first.is_none_or(|at| at >= expect::BASELINE),
    }
}

/// The profile of that name; a diagnostic, and `None`, if there is none.
pub fn profile<'f>(
    file: &'f ScenarioFile,
    name: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<&'f ProfileMap> {
    let profiles = file.profiles.given().map_or(&[][..], |at| &at.value.0);
    let found = profiles.iter().find(|(key, _)| key.value == name);
    if found.is_none() && !matches!(file.profiles, Field::Bad) {
        let known: Vec<&str> = profiles.iter().map(|(key, _)| &*key.value).collect();
        let span =
            file.profiles.given().map(|at| &at.span).or(file.name.given().map(|at| &at.span));
        let diagnostic = Diagnostic {
            message: format!("there is no profile `{name}`"),
            span: span.cloned(),
            advice: Some(nearest::advice("profiles", name, &known)),
        };
        diagnostics.push(diagnostic);
    }
    found.map(|(_, map)| map)
}

fn expectations(
    file: &ScenarioFile,
    name: Option<&str>,
    has: &ScenarioFacts,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<crate::model::event::Expectation> {
    let texts = |field: &Field<Vec<At<String>>>| field.or(Vec::new());
    let base = expect::check(&texts(&file.expect), has, diagnostics);
    let own = name.and_then(|name| profile(file, name, diagnostics));
    match own {
        Some(own) => expect::overridden(base, expect::check(&texts(&own.expect), has, diagnostics)),
        None => base,
    }
}

/// All measures that checkers judge.
const ALL: &str = "all";

fn reported(
    names: &[At<String>],
    expect: &[crate::model::event::Expectation],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<String> {
    for name in names {
        let known: Vec<&str> = judged().chain([ALL]).collect();
        if !known.contains(&&*name.value) {
            let message = format!("`{}` is nothing that a checker finds", name.value);
            let advice = nearest::advice("words", &name.value, &known);
            diagnostics.push(Diagnostic::new(&name.span, message).advise(advice));
        } else if expect.iter().any(|e| e.measure == name.value) {
            let message = format!("`{}` has a bound in `expect`", name.value);
            let advice = "what is bounded is judged: keep the bound, or this";
            diagnostics.push(Diagnostic::new(&name.span, message).advise(advice));
        }
    }
    if names.iter().any(|name| name.value == ALL) {
        // What is bounded is judged.
        let bounded = |name: &&str| expect.iter().any(|e| e.measure == *name);
        return judged().filter(|name| !bounded(name)).map(str::to_owned).collect();
    }
    names.iter().map(|name| name.value.clone()).collect()
}

/// The one key, with the two or more values that it is to have.
pub fn over(
    field: &Field<Named<Vec<At<String>>>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Over> {
    let at = field.given()?;
    let [(key, values)] = &at.value.0[..] else {
        let diagnostic = Diagnostic::new(&at.span, "a scenario goes over the values of one key");
        let advice = "write it like { groups.cache.config.cluster-node-timeout: [500, 1000] }";
        diagnostics.push(diagnostic.advise(advice));
        return None;
    };
    if values.len() < 2 || values.len() > MAX_OVER {
        let given = count(values.len() as u32, "value");
        let diagnostic = Diagnostic::new(&key.span, format!("{given} cannot be set side by side"));
        diagnostics.push(diagnostic.advise(format!("write from 2 to {MAX_OVER}")));
    }
    let values = values.iter().map(|value| value.value.clone()).collect();
    Some(Over { key: key.value.clone(), values })
}

fn probe(field: &Field<ProbeMap>, diagnostics: &mut Vec<Diagnostic>) -> Probe {
    let (every, deadline) = (Time(Duration::from_millis(10)), Time(Duration::from_millis(100)));
    let mut probe = Probe { every: every.0, deadline: deadline.0, canaries: 4 };
    let Some(At { value: map, .. }) = field.given() else { return probe };
    let least = Time(Duration::from_millis(1));
    let most = Time(Duration::from_secs(10));
    let why = "10ms is usual; downtime is exact to one such interval";
    probe.every = ranged("every", &map.every, every, (least, most), why, diagnostics).0;
    let most = Time(Duration::from_secs(60));
    let why = "100ms is usual; a later answer counts as none";
    probe.deadline = ranged("deadline", &map.deadline, deadline, (least, most), why, diagnostics).0;
    let why = "each is written and read at every interval";
    probe.canaries = ranged("canaries", &map.canaries, 4, (1, MAX_CANARIES), why, diagnostics);
    probe
}
