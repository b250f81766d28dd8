//! Steps that take something of its machine's resources from a server: it can be taken, and
//! the group's servers would feel it.

use std::time::Duration;

use super::{check_range, load, ranged};
use crate::model::catalogue::judged;
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::hardship::{ClockMap, DiskFullMap, MemoryPressureMap, SlowDiskMap, SlowMap};
use crate::spec::file::step::StepMap;
use crate::spec::hardship::{Files, Hardship, evicts};
use crate::spec::quantity::{Percent, Shift, SignedPercent, Time};
use crate::spec::scenario::Target;
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};

const MAX_DELAY: Time = Time(Duration::from_secs(60));
/// In nanoseconds.
const DAY: i64 = 24 * 3600 * 1_000_000_000;
/// What a path of the append-only file may be looked for by, see the preload library.
const LONGEST_DIRECTORY: usize = 61;

/// What `step` takes from servers, if it is such a step.
pub fn check(
    step: &At<StepMap>,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Hardship> {
    match &step.value {
        StepMap::Slow(map) => slow(map, group, diagnostics),
        StepMap::MemoryPressure(map) => memory_pressure(map, group, diagnostics),
        StepMap::DiskFull(map) => disk_full(map, group, diagnostics),
        StepMap::SlowDisk(map) => slow_disk(map, group, diagnostics),
        StepMap::ClockStep(map) => clock(map, diagnostics),
        _ => None,
    }
}

fn slow(map: &SlowMap, group: &Group, diagnostics: &mut Vec<Diagnostic>) -> Option<Hardship> {
    const EITHER: &str = "write `cpu: 10%` for a share of one CPU, or `sleep: 200ms` for a server \
                          that does nothing meanwhile";
    match (&map.cpu, &map.sleep) {
        (Field::Missing, Field::Missing) => {
            let diagnostic =
                Diagnostic::new(&map.span, "a slow step needs the key `cpu` or `sleep`");
            diagnostics.push(diagnostic.advise(EITHER));
            None
        }
        (Field::Given(cpu), Field::Missing) => {
            if let Some(every) = map.every.given() {
                let diagnostic =
                    Diagnostic::new(&every.span, "`every` says how often servers sleep");
                diagnostics.push(diagnostic.advise("leave it out: `cpu` holds all the time"));
            }
            let range = (Percent(1.0), Percent(100.0));
            check_range(
                "cpu",
                &cpu.value,
                &cpu.span,
                range,
                "it is a share of one CPU",
                diagnostics,
            );
            Some(Hardship::Slow { cpu: cpu.value.0 / 100.0 })
        }
        (Field::Missing, Field::Given(sleep)) => Some(sleeping(map, sleep, group, diagnostics)),
        (Field::Given(_), Field::Given(at)) => {
            let diagnostic =
                Diagnostic::new(&at.span, "a slow step has `cpu` or `sleep`, and not both");
            diagnostics.push(diagnostic.advise(EITHER));
            None
        }
        _ => None,
    }
}

fn sleeping(
    map: &SlowMap,
    sleep: &At<Time>,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> Hardship {
    let range = (Time(Duration::from_millis(1)), MAX_DELAY);
    let why = "for longer, write `do: pause`";
    check_range("sleep", &sleep.value, &sleep.span, range, why, diagnostics);
    let every = map.every.given();
    match (every, map.lasts.given()) {
        (Some(every), _) if every.value <= sleep.value => {
            let diagnostic =
                Diagnostic::new(&every.span, "a server cannot sleep more often than it wakes up");
            diagnostics
                .push(diagnostic.advise("`every` counts from one falling asleep to the next"));
        }
        (None, Some(lasts)) => {
            let diagnostic = Diagnostic::new(&lasts.span, "one sleep ends by itself");
            diagnostics
                .push(diagnostic.advise("leave `for` out, or say `every` how long they sleep"));
        }
        _ => {}
    }
    if let Some(set @ ("no" | "NO")) = group.directive("enable-debug-command") {
        let message = format!("`{}` has `enable-debug-command: {set}`, so nobody may", group.name);
        let diagnostic = Diagnostic::new(&sleep.span, message);
        diagnostics
            .push(diagnostic.advise("take it out of the group's `config`, or write `cpu` instead"));
    }
    Hardship::Sleep { sleep: sleep.value.0, every: every.map(|every| every.value.0) }
}

fn memory_pressure(
    map: &MemoryPressureMap,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Hardship> {
    if let Some(target) = map.target.given()
        && matches!(target.value, Target::ReplicaOf(_) | Target::Replicas | Target::RandomReplica)
        && group.directive("replica-ignore-maxmemory") != Some("no")
    {
        let diagnostic = Diagnostic::new(&target.span, "replicas take no notice of `maxmemory`");
        let advice =
            "take primaries, or set the group's `config: { replica-ignore-maxmemory: no }`";
        diagnostics.push(diagnostic.advise(advice));
    }
    let share = map.maxmemory.given()?;
    let range = (Percent(1.0), Percent(1000.0));
    let why =
        "it is a share of what servers use when the step begins; below 100% they have too much";
    check_range("maxmemory", &share.value, &share.span, range, why, diagnostics);
    let policy = map.policy.given().map(|at| at.value);
    Some(Hardship::MemoryPressure { share: share.value.0 / 100.0, policy })
}

fn disk_full(
    map: &DiskFullMap,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Hardship> {
    Some(Hardship::DiskFull { files: files(&map.files, &map.span, group, diagnostics) })
}

fn slow_disk(
    map: &SlowDiskMap,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Hardship> {
    let none = Time(Duration::ZERO);
    let why = "a disk that never answers is a stalled machine: `do: pause`";
    let fsync = ranged("fsync", &map.fsync, none, (none, MAX_DELAY), why, diagnostics);
    let write = ranged("write", &map.write, none, (none, MAX_DELAY), why, diagnostics);
    let bad = matches!(map.fsync, Field::Bad) || matches!(map.write, Field::Bad);
    if fsync == none && write == none && !bad {
        let diagnostic =
            Diagnostic::new(&map.span, "a slow-disk step needs the key `fsync` or `write`");
        diagnostics
            .push(diagnostic.advise("write how much longer each takes, like `fsync: 500ms`"));
    }
    let files = files(&map.files, &map.span, group, diagnostics);
    Some(Hardship::SlowDisk { fsync: fsync.0, write: write.0, files })
}

/// The group's servers write such files.
fn files(
    field: &Field<Files>,
    span: &Span,
    group: &Group,
    diagnostics: &mut Vec<Diagnostic>,
) -> Files {
    let files = field.or(Files::AppendOnly);
    if matches!(field, Field::Bad) {
        return files;
    }
    let span = field.given().map_or(span, |at| &at.span);
    if files == Files::AppendOnly && group.directive("appendonly") != Some("yes") {
        let message = format!("servers of `{}` keep no append-only file", group.name);
        let advice = "set the group's `config: { appendonly: yes }`, or take `files: all`";
        diagnostics.push(Diagnostic::new(span, message).advise(advice));
    }
    if group.directive("appenddirname").is_some_and(|name| name.len() > LONGEST_DIRECTORY) {
        let message = format!("`{}` has an `appenddirname` that is too long for this", group.name);
        let advice = format!("take one of at most {LONGEST_DIRECTORY} characters");
        diagnostics.push(Diagnostic::new(span, message).advise(advice));
    }
    files
}

fn clock(map: &ClockMap, diagnostics: &mut Vec<Diagnostic>) -> Option<Hardship> {
    let most = Shift(365 * DAY);
    let why = "a year either way is enough for any certificate, lease or time to live";
    let jump = ranged("jump", &map.jump, Shift(0), (Shift(-most.0), most), why, diagnostics);
    let range = (SignedPercent(-90.0), SignedPercent(1000.0));
    let why = "10% makes a minute last 66 s on the server's clock, -10% makes it 54 s";
    let drift = ranged("drift", &map.drift, SignedPercent(0.0), range, why, diagnostics);
    let bad = matches!(map.jump, Field::Bad) || matches!(map.drift, Field::Bad);
    if jump == Shift(0) && drift == SignedPercent(0.0) && !bad {
        let diagnostic = Diagnostic::new(&map.span, "a clock step needs the key `jump` or `drift`");
        diagnostics.push(diagnostic.advise("write `jump: +2m`, `jump: -30s` or `drift: 10%`"));
    }
    Some(Hardship::Clock { jump: jump.0, drift: drift.0 })
}

/// Servers that are to be played on cannot have the preload library, for the reason `why`.
pub fn without_preload(steps: &[At<StepMap>], why: &str, diagnostics: &mut Vec<Diagnostic>) {
    let needs = |step: &&At<StepMap>| {
        matches!(step.value, StepMap::DiskFull(_) | StepMap::SlowDisk(_) | StepMap::ClockStep(_))
    };
    for step in steps.iter().filter(needs) {
        let diagnostic =
            Diagnostic::new(&step.span, "this step cannot be done to the servers here");
        diagnostics.push(diagnostic.advise(why));
    }
}

/// Keys that a server evicts are gone, which checkers cannot tell from lost writes: each of
/// them must be bounded or reported, so that a drill does not fail for what it asked for.
pub fn evictions(
    steps: &[At<StepMap>],
    topology: &Topology,
    is_settled: impl Fn(&str) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for step in steps {
        let StepMap::MemoryPressure(map) = &step.value else { continue };
        // What is wrong with its group has been told.
        let group = load::group(&map.group, &step.span, topology, &mut Vec::new());
        let own = map.policy.given().map(|at| (at.value.name(), &at.span));
        let set = group.and_then(|group| group.directive("maxmemory-policy"));
        let Some((policy, span)) = own.or(set.map(|policy| (policy, &step.span))) else { continue };
        let unsettled = judged().find(|name| !is_settled(name));
        if let Some(checked) = unsettled.filter(|_| evicts(policy)) {
            let message = format!(
                "with `{policy}` servers evict keys, and `{checked}` would fail the drill for it"
            );
            let advice = "checkers cannot tell an evicted key from a lost write: add `reported: \
                          [all]`, so that they are counted and not judged";
            diagnostics.push(Diagnostic::new(span, message).advise(advice));
        }
    }
}
