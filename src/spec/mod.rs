//! From YAML files to checked topologies and scenarios. Every error points at its line.
//!
//! A file goes through three stages. Each continues after an error, so that all errors are
//! reported at once:
//!
//! 1. [`tree`]: YAML text to values that know their place in the text;
//! 2. [`file`]: values to the maps that a file may have, which also give the JSON [`schema`];
//! 3. [`rules`], and [`step`] for steps: whether the maps make sense; the result is a
//!    [`Topology`] or a [`Scenario`] with every default filled in.
//!
//! Nothing here reads files: callers pass [`Source`]s.

mod capabilities;
pub mod compose;
pub(crate) mod decode;
pub mod diagnostic;
pub mod file;
pub mod library;
pub mod cache;
pub mod expiry;
pub mod lock;
pub mod nearest;
pub mod network;
mod options;
pub mod quantity;
pub mod rules;
pub mod scenario;
pub mod schema;
pub mod set;
pub mod source;
pub mod step;
pub mod sync;
mod synonyms;
pub mod topology;
pub mod trace;
pub mod tree;
pub mod write;
mod yaml;

pub use capabilities::{Ability, Capabilities, Lack, Tools};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use options::{Options, Purpose};
pub use scenario::Scenario;
pub use source::Source;
pub use topology::Topology;

use decode::{At, Decode, Field, Named, Object};
use file::scenario::ScenarioFile;
use file::topology::TopologyFile;
use set::Setting;
use tree::{Node, Value};

/// Keys that only a topology has.
pub const TOPOLOGY_KEYS: &[&str] = &["engine", "auth", "regions", "links", "groups", "sync"];

/// Keys that only a scenario has.
const SCENARIO_KEYS: &[&str] =
    &["topology", "loads", "probe", "timeline", "settle", "expect", "over", "profiles"];

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Topology,
    Scenario,
}

/// Finds the topology that a scenario names.
pub type Resolve<'r> = &'r dyn Fn(&str) -> Result<Source, Diagnostic>;

/// The kind of `source`, by its keys.
pub fn kind_of(source: &Source) -> Result<FileKind, Diagnostics> {
    let mut errors = Diagnostics::default();
    let kind = tree::parse(source, &mut errors).and_then(|root| {
        let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
        match (has(&["groups"]), has(SCENARIO_KEYS), has(TOPOLOGY_KEYS)) {
            (true, _, _) => Some(FileKind::Topology),
            (_, true, _) => Some(FileKind::Scenario),
            (_, _, true) => Some(FileKind::Topology),
            _ => {
                let message = "this is neither a topology nor a scenario";
                let advice = "a topology has `groups:`, a scenario has `topology:`";
                errors.add(&root.span, message, advice);
                None
            }
        }
    });
    // Duplicate keys are reported when the file is parsed in full.
    match kind {
        Some(kind) => Ok(kind),
        None => errors.unless_empty(None),
    }
}

/// The kind of `source` if its keys leave no doubt, even if it has other errors.
pub fn plain_kind_of(source: &Source) -> Option<FileKind> {
    let root = tree::parse(source, &mut Diagnostics::default())?;
    let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
    match (has(SCENARIO_KEYS), has(TOPOLOGY_KEYS)) {
        (true, false) => Some(FileKind::Scenario),
        (false, true) => Some(FileKind::Topology),
        _ => None,
    }
}

/// Whether `source` is a topology, right or wrong: it has groups, and no key that a topology has
/// not.
pub fn looks_like_topology(source: &Source) -> bool {
    let root = tree::parse(source, &mut Diagnostics::default());
    match root.map(|root| root.value) {
        Some(Value::Map(entries)) => {
            let known = |key: &str| TopologyFile::KEYS.contains(&key);
            entries.iter().all(|entry| known(&entry.key))
                && entries.iter().any(|entry| entry.key == "groups")
        }
        _ => false,
    }
}

/// The names of the profiles of `source`, even if it has errors.
pub fn profile_names(source: &Source) -> Vec<String> {
    let root = tree::parse(source, &mut Diagnostics::default());
    match root.as_ref().and_then(|root| root.get("profiles")).map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
        _ => Vec::new(),
    }
}

/// The topology that `source` describes.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_topology(source: &Source, options: &Options) -> Result<Topology, Diagnostics> {
    let mut errors = Diagnostics::default();
    let settings = settings(options, &mut errors);
    let topology = topology_of(source, &settings, options, &mut errors);
    errors.unless_empty(topology)
}

/// The scenario that `source` describes, with its topology, which `resolve` finds by name or
/// path.
///
/// # Errors
/// Everything that is wrong with it, and with its topology.
pub fn parse_scenario(
    source: &Source,
    resolve: Resolve,
    options: &Options,
) -> Result<Scenario, Diagnostics> {
    let mut errors = Diagnostics::default();
    let scenario = scenario_of(source, resolve, options, &mut errors);
    errors.unless_empty(scenario)
}

fn settings(options: &Options, errors: &mut Diagnostics) -> Vec<Setting> {
    options.set.iter().filter_map(|text| Setting::parse(text, errors)).collect()
}

fn topology_of(
    source: &Source,
    settings: &[Setting],
    options: &Options,
    errors: &mut Diagnostics,
) -> Option<Topology> {
    let before = errors.len();
    let mut root = tree::parse(source, errors)?;
    settings.iter().for_each(|setting| setting.apply(&mut root, errors));
    let file = TopologyFile::decode(&root, errors)?;
    let topology = rules::topology::check(source, &file, options, errors)?;
    // With a wrong topology, the scenario's rules would report its errors again, in words that
    // mislead.
    (errors.len() == before).then_some(topology)
}

fn scenario_of(
    source: &Source,
    resolve: Resolve,
    options: &Options,
    errors: &mut Diagnostics,
) -> Option<Scenario> {
    let known = [ScenarioFile::KEYS, TOPOLOGY_KEYS].concat();
    let mut settings = settings(options, errors);
    let paths = paths(source, options);
    settings.retain(|setting| setting.is_known(&known, &paths, errors));
    let (of_topology, own): (Vec<Setting>, Vec<Setting>) =
        settings.into_iter().partition(|setting| TOPOLOGY_KEYS.contains(&setting.root()));
    let mut root = tree::parse(source, errors)?;
    // A `--set` may change a load that only the profile has.
    let profile = options.profile.as_deref();
    let changes = profile.map(|name| profile_changes(&root, name, &mut Diagnostics::default()));
    let added = changes.iter().flatten().filter(|change| change.is_whole_load());
    added.chain(&own).for_each(|setting| setting.apply(&mut root, errors));
    let file = ScenarioFile::decode(&root, errors)?;

    let topology = match (&options.topology, file.topology.given()) {
        (Some(source), _) => Some(source.clone()),
        (None, Some(name)) => resolve(&name.value.0)
            .map_err(|fault| errors.push(Diagnostic { span: Some(name.span.clone()), ..fault }))
            .ok(),
        (None, None) => None,
    };
    let topology = topology.and_then(|source| topology_of(&source, &of_topology, options, errors));

    let profiles = file.profiles.given().map_or(&[][..], |at| &at.value.0);
    let check = |profile: Option<&str>, errors: &mut Diagnostics| {
        let (topology, capabilities) = (topology.clone(), &options.capabilities);
        let changed = profile.map(|name| with_profile(&root, &file, name, &own, errors));
        let file = if let Some(changed) = &changed { changed.as_ref()? } else { &file };
        rules::scenario::check(file, topology, profile, capabilities, errors)
    };
    if options.purpose == Purpose::Check {
        for (name, _) in profiles {
            check(Some(&name.value), errors);
        }
    }
    if let Err(Lack { why, .. }) = &options.capabilities.preload {
        let steps = file.timeline.given().map_or(&[][..], |at| &at.value);
        for step in steps.iter().filter(|step| step.value.needs_preload()) {
            errors.add(&step.span, "this step cannot be done to the servers here", why);
        }
    }
    if let Some(over) = overs(&file, options, errors) {
        for (at, setting) in over.settings().into_iter().enumerate() {
            let mut each = options.clone();
            each.set.push(setting.clone());
            each.purpose = Purpose::Run;
            let mut found = Diagnostics::default();
            scenario_of(source, resolve, &each, &mut found);
            for diagnostic in found.into_vec() {
                let diagnostic = at_over(diagnostic, &file.over, at, &setting);
                // An error that the scenario has with every value was reported already.
                if errors.iter().all(|known| *known != diagnostic) {
                    errors.push(diagnostic);
                }
            }
        }
    }
    check(options.profile.as_deref(), errors)
}

/// The paths that a `--set` of a scenario can change: those that its file has, without profiles,
/// and all keys of its loads.
fn paths(source: &Source, options: &Options) -> Vec<String> {
    if options.set.is_empty() {
        return Vec::new();
    }
    let root = tree::parse(source, &mut Diagnostics::default());
    let Some(root) = root else { return Vec::new() };
    let mut paths = set::paths(&root);
    paths.retain(|path| !path.starts_with("profiles.") && !path.starts_with("expect."));
    let loads = root.get("loads").map(|loads| &loads.value);
    let loads = if let Some(Value::Map(loads)) = loads { &loads[..] } else { &[] };
    for load in loads {
        let keys = file::scenario::LoadMap::KEYS.iter();
        let keys = keys.map(|key| format!("loads.{}.{key}", load.key));
        let new: Vec<String> = keys.filter(|key| !paths.contains(key)).collect();
        paths.extend(new);
    }
    paths
}

/// The settings of the scenario's `over`, if each value is to be checked. Empty if anything
/// else is wrong, so that no error is reported many times.
fn overs(file: &ScenarioFile, options: &Options, errors: &Diagnostics) -> Option<scenario::Over> {
    let due = options.purpose == Purpose::Check && options.profile.is_none() && errors.is_empty();
    let checked = due.then(|| rules::scenario::over(&file.over, &mut Diagnostics::default()));
    checked.flatten()
}

/// The same diagnostic. If it is in `setting`, it points at the key of `over`, or at its value
/// numbered `at`.
fn at_over(
    fault: Diagnostic,
    over: &Field<Named<Vec<At<String>>>>,
    at: usize,
    setting: &str,
) -> Diagnostic {
    let of_setting = fault.span.as_ref().filter(|span| span.source.text() == setting);
    let Some((span, over)) = of_setting.zip(over.given()) else { return fault };
    let Some((key, values)) = over.value.0.first() else { return fault };
    let place = match values.get(at) {
        Some(value) if span.start > key.value.len() => &value.span,
        _ => &key.span,
    };
    Diagnostic { span: Some(place.clone()), ..fault }
}

/// The file of `root` as its profile `name` changes it. `--set` overrides the profile.
fn with_profile(
    root: &Node,
    file: &ScenarioFile,
    name: &str,
    settings: &[Setting],
    errors: &mut Diagnostics,
) -> Option<ScenarioFile> {
    rules::scenario::profile(file, name, errors)?;
    let mut root = root.clone();
    for change in profile_changes(&root, name, errors) {
        change.apply(&mut root, errors);
    }
    settings.iter().for_each(|setting| setting.apply(&mut root, errors));
    ScenarioFile::decode(&root, errors)
}

/// What the profile changes besides expectations: `settle`, the timeline, and single keys of
/// existing loads. A load with a `workload` may be a new one; without it, its name is misspelt.
fn profile_changes(root: &Node, name: &str, errors: &mut Diagnostics) -> Vec<Setting> {
    let profile = root.get("profiles").and_then(|profiles| profiles.get(name));
    let mut changes = Vec::new();
    for key in ["settle", "timeline", "over"] {
        if let Some(value) = profile.and_then(|profile| profile.get(key)) {
            changes.push(Setting::new(&[(key, &value.span)], value.clone()));
        }
    }
    let entries = |node: Option<&Node>| match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.clone(),
        _ => Vec::new(),
    };
    let known = entries(root.get("loads"));
    for load in entries(profile.and_then(|profile| profile.get("loads"))) {
        let is_known = known.iter().any(|entry| entry.key == load.key);
        if !is_known && load.value.get("workload").is_some() {
            let path = [("loads", &load.key_span), (&load.key, &load.key_span)];
            changes.push(Setting::new(&path, load.value));
            continue;
        }
        if !is_known {
            let names: Vec<&str> = known.iter().map(|entry| &*entry.key).collect();
            let message =
                format!("the profile `{name}` changes a load `{}` that is not there", load.key);
            let advice = nearest::advice("loads", &load.key, &names);
            errors.add(&load.key_span, message, advice);
            continue;
        }
        for field in entries(Some(&load.value)) {
            let path = [
                ("loads", &load.key_span),
                (&load.key, &load.key_span),
                (&field.key, &field.key_span),
            ];
            changes.push(Setting::new(&path, field.value));
        }
    }
    changes
}
