//! What makes a scenario one that can be played.

use super::{acknowledged, check_name, count, expect, load, outbox, probes, timeline};
use crate::model::catalogue::{ScenarioFacts, judged};
use crate::model::step::StepKind;
use crate::model::{NodeName, Workload};
use crate::spec::Capabilities;
use crate::spec::cache::CacheLoad;
use crate::spec::decode::{At, Field, Named};
use crate::spec::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::file::scenario::{LoadMap, ProfileMap, ScenarioFile};
use crate::spec::lock::Lock;
use crate::spec::nearest;
use crate::spec::quantity::Time;
use crate::spec::scenario::{Load, Over, Scenario, planned};
use crate::spec::step::{self, StepMap};
use crate::spec::sync::DataSync;
use crate::spec::topology::{Mode, Topology};

/// A table with more columns cannot be read.
const MAX_OVER: usize = 16;

/// The scenario that `file` describes on `topology`, with the expectations of
/// `profile`. Without a topology (its own problems have been told) everything that
/// does not depend on one is checked.
pub fn check(
    file: &ScenarioFile,
    mut topology: Option<Topology>,
    profile: Option<&str>,
    capabilities: &Capabilities,
    errors: &mut Diagnostics,
) -> Option<Scenario> {
    if let Some(name) = file.name.given() {
        check_name("a scenario", name, errors);
    }
    let no_loads = Vec::new();
    let loads = file.loads.given().map_or(&no_loads, |at| &at.value.0);
    let steps = file.timeline.given().map_or(&[][..], |at| &at.value);
    let maps = loads;
    let mut loads = load::check(maps, topology.as_ref(), errors);
    if let Some(topology) = &mut topology {
        acknowledged::configure(&loads, maps, topology, errors);
        outbox::names(&loads, maps, topology, errors);
    }
    let workloads: Vec<Workload> =
        maps.iter().map(|(_, map)| map.workload.or(Workload::Register)).collect();
    let has = facts(topology.as_ref(), &workloads, maps, &loads, steps);
    let carriers = topology.iter().flat_map(Topology::placed_replicators).map(|(name, _)| name);
    let actors: Vec<NodeName> = loads.iter().flat_map(Load::actors).chain(carriers).collect();
    let own = loads.iter().flat_map(Load::own_instances);
    let connected: Vec<NodeName> = actors.iter().cloned().chain(own).collect();
    let subscribers: Vec<NodeName> = loads.iter().flat_map(Load::subscribers).collect();
    let all = (loads.len() == maps.len()).then_some([&actors[..], &connected, &subscribers]);
    let caches: Vec<CacheLoad<'_>> = loads.iter().filter_map(Load::as_cache).collect();
    let timeline = timeline::check(steps, topology.as_ref(), (all, &caches), capabilities, errors);
    // Without readable loads or steps, each expectation on them would be an error of its own.
    let is_whole = !matches!(file.loads, Field::Bad) && !matches!(file.timeline, Field::Bad);
    let mut of_expectations = Diagnostics::default();
    let expect = expectations(file, profile, (&has, maps), &mut of_expectations);
    if is_whole {
        of_expectations.into_vec().into_iter().for_each(|diagnostic| errors.push(diagnostic));
    }
    let mut reported = reported(&file.reported.or(Vec::new()), &expect, errors);
    outbox::report_what_is_late(&loads, topology.as_ref(), &expect, &mut reported);
    if let Some(topology) = topology.as_ref().filter(|_| !maps.is_empty()) {
        let is_settled = |name: &&str| {
            reported.iter().any(|reported| reported == name) || expect.iter().any(|e| e.is_on(name))
        };
        let unsettled = judged().find(|name| !is_settled(name));
        step::evictions(steps.iter().map(|at| &at.value), topology, unsettled, errors);
    }
    let over = over(&file.over, errors);
    let settle = file.settle.or(Time::secs(5)).0;
    let planned = planned(&timeline, settle);
    for ramp in loads.iter_mut().filter_map(|load| load.pacing.rate_mut()?.ramp.as_mut()) {
        ramp.over_ms = planned.as_secs_f64() * 1e3;
    }
    let scenario = Scenario {
        name: file.name.or(String::new()),
        summary: file.summary.or(String::new()),
        topology: topology?,
        loads,
        timeline,
        probe: probes::probe(&file.probe),
        settle,
        expect,
        reported,
        over,
    };
    probes::check_ways(&scenario, file, maps, errors);
    Some(scenario)
}

/// What the scenario has, as far as it decides what can be measured.
fn facts<'a>(
    topology: Option<&Topology>,
    workloads: &'a [Workload],
    maps: &[(At<String>, LoadMap)],
    loads: &[Load],
    steps: &[At<StepMap>],
) -> ScenarioFacts<'a> {
    let waits = |map: &LoadMap| map.wait.given().is_some_and(|at| at.value.replicas.or(1) > 0);
    let effects = || steps.iter().map(|step| step.value.effects());
    // Without checked loads, their errors have been reported already.
    let any_lock = |is: &dyn Fn(&Lock) -> bool| {
        loads.is_empty() || loads.iter().filter_map(|load| load.lock.as_ref()).any(is)
    };
    let first = steps.iter().map(|step| step.value.shared.at.or(Time::secs(0)).0).min();
    ScenarioFacts {
        workloads,
        waits: maps.iter().any(|(_, map)| waits(map)),
        // Without checked loads, their errors have been reported already.
        sees_redirects: loads.is_empty() || loads.iter().any(|l| !l.client.is_of_a_library()),
        steps: !steps.is_empty(),
        moves: effects().any(|effects| effects.moves_slots),
        may_fail_over: effects().any(|effects| effects.fails_over),
        // Without a checked topology, its errors have been reported already. Nodes that join may
        // be replicas.
        replicas: topology.is_none_or(|all| all.groups.iter().any(|group| group.replicas() > 0))
            || effects().any(|effects| effects.changes_members),
        active_active: loads.iter().any(|load| outbox::all_write(load, topology)),
        own_replicators: loads.iter().any(|load| load.outbox),
        near: loads.iter().any(|load| load.near),
        several_locks: any_lock(&|lock| lock.take > 1),
        fenced: any_lock(&Lock::fences),
        abandoned: any_lock(&|lock| lock.abandon > 0.0),
        guarded: loads.is_empty() || loads.iter().any(Load::is_guarded),
        shards: topology.is_none_or(|all| {
            let of = |mode: &Mode| matches!(mode, Mode::Cluster { shards, .. } if *shards > 1);
            all.groups.iter().any(|group| of(&group.mode))
        }),
        steady: loads.iter().all(|load| load.pacing.rate().is_none_or(|rate| rate.ramp.is_none())),
        scheduled: loads.is_empty() || loads.iter().any(|load| load.pacing.rate().is_some()),
        warms: steps.iter().any(|step| step.value.kind() == StepKind::Warm),
        baseline: first.is_none_or(|at| at >= expect::BASELINE),
        links: topology.is_none_or(|all| !all.links.is_empty()),
        successor: topology.is_none_or(|all| match &all.sync {
            Some(DataSync::Replica { .. } | DataSync::Standby { .. }) => true,
            Some(DataSync::ActiveActive { .. } | DataSync::External { .. }) => {
                loads.iter().any(|load| load.fallback.is_some())
            }
            None => false,
        }),
        synced: topology.is_none_or(|all| all.sync.is_some()),
    }
}

/// The profile of that name; a diagnostic, and `None`, if there is none.
pub fn profile<'f>(
    file: &'f ScenarioFile,
    name: &str,
    errors: &mut Diagnostics,
) -> Option<&'f ProfileMap> {
    let profiles = file.profiles.given().map_or(&[][..], |at| &at.value.0);
    let found = profiles.iter().find(|(key, _)| key.value == name);
    if found.is_none() && !matches!(file.profiles, Field::Bad) {
        let known: Vec<&str> = profiles.iter().map(|(key, _)| &*key.value).collect();
        let span = file.profiles.span().or(file.name.span());
        let diagnostic = Diagnostic {
            message: format!("there is no profile `{name}`"),
            span: span.cloned(),
            meant: None,
            advice: Some(nearest::advice("profiles", name, &known)),
        };
        errors.push(diagnostic);
    }
    found.map(|(_, map)| map)
}

fn expectations(
    file: &ScenarioFile,
    name: Option<&str>,
    of: (&ScenarioFacts, &[(At<String>, LoadMap)]),
    errors: &mut Diagnostics,
) -> Vec<crate::model::event::Expectation> {
    let texts = |field: &Field<Vec<At<String>>>| field.or(Vec::new());
    let base = expect::check(&texts(&file.expect), of, errors);
    let own = name.and_then(|name| profile(file, name, errors));
    match own {
        Some(own) => expect::overridden(base, expect::check(&texts(&own.expect), of, errors)),
        None => base,
    }
}

/// All measures that checkers judge.
const ALL: &str = "all";

fn reported(
    names: &[At<String>],
    expect: &[crate::model::event::Expectation],
    errors: &mut Diagnostics,
) -> Vec<String> {
    for name in names {
        let known: Vec<&str> = judged().chain([ALL]).collect();
        if !known.contains(&&*name.value) {
            let message = format!("`{}` is not the name of a finding", name.value);
            let advice = nearest::advice("words", &name.value, &known);
            errors.add(&name.span, message, advice);
        } else if expect.iter().any(|e| e.is_on(&name.value)) {
            let message = format!("`{}` has a bound in `expect`", name.value);
            let advice = "what is bounded is judged: keep the bound, or this";
            errors.add(&name.span, message, advice);
        }
    }
    if names.iter().any(|name| name.value == ALL) {
        // What is bounded is judged.
        let bounded = |name: &&str| expect.iter().any(|e| e.is_on(name));
        return judged().filter(|name| !bounded(name)).map(str::to_owned).collect();
    }
    names.iter().map(|name| name.value.clone()).collect()
}

/// The one key, with the two or more values that it is to have.
pub fn over(field: &Field<Named<Vec<At<String>>>>, errors: &mut Diagnostics) -> Option<Over> {
    let at = field.given()?;
    let [(key, values)] = &at.value.0[..] else {
        let advice = "write it like { groups.cache.config.cluster-node-timeout: [500, 1000] }";
        errors.add(&at.span, "a scenario goes over the values of one key", advice);
        return None;
    };
    if values.len() < 2 || values.len() > MAX_OVER {
        let given = count(values.len() as u32, "value");
        let message = format!("{given} cannot be set side by side");
        errors.add(&key.span, message, format!("write from 2 to {MAX_OVER}"));
        return None;
    }
    let values = values.iter().map(|value| value.value.clone()).collect();
    Some(Over { key: key.value.clone(), values })
}
