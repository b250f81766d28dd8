//! The keys that steps share: when, in which group, to whom, and for how long.

use std::time::Duration;

use schemars::{SchemaGenerator, json_schema};

use super::owned::Owned;
use super::pace::{self, Method, Pace};
use super::sides::{Links, Side, SidesMap, Spot};
use super::target::{Now, Target};
use crate::model::NodeName;
use crate::spec::Capabilities;
use crate::spec::decode::{At, Field, Key, field, schema_of};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Time;
use crate::spec::rules::check_range;
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};
use crate::spec::tree::{Entry, Node};
use crate::spec::yaml::Yaml;

/// A drill takes a day at most.
const DAY: Time = Time(Duration::from_secs(24 * 3600));

/// Shorter ones are over before servers and clients have noticed.
const LEAST_EVERY: Time = Time(Duration::from_millis(20));

/// A key, or several, that some kinds of steps have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// `target`, which names nodes.
    Target,
    /// The same, where no target is all nodes.
    AnyTarget,
    /// `target`, `between`, `from` and `to`, which name the two sides of links.
    Sides,
    For,
    /// `pace` and `method` of steps that move slots.
    Moves,
    /// `every`, which has what is done to links come and go.
    Flaps,
}

/// What a file says by the shared keys.
#[derive(Clone, Debug)]
pub struct SharedKeys {
    /// The whole step's.
    pub span: Span,
    pub at: Field<Time>,
    pub group: Field<String>,
    pub target: Field<Target>,
    pub sides: SidesMap,
    pub lasts: Field<Time>,
    pub every: Field<Time>,
    pub pace: Field<Pace>,
    pub method: Field<Method>,
}

/// What a step is done to.
#[derive(Clone, Debug, PartialEq)]
pub enum On {
    Group,
    Nodes(Target),
    Links(Links),
}

/// What is known when a step begins.
pub struct Context<'a> {
    pub capabilities: &'a Capabilities,
    pub topology: &'a Topology,
    /// Another step of the timeline needs the relay.
    pub relayed: bool,
    /// The group as the steps before will have left it.
    pub group: &'a mut Group,
    pub owned: &'a mut Owned,
    pub step: &'a SharedKeys,
    /// The target, if there is such a one.
    pub target: Option<&'a At<Target>>,
}

impl SharedKeys {
    pub fn keys(shared: &[Shared]) -> Vec<&'static str> {
        let more = shared.iter().flat_map(|shared| match shared {
            Shared::Target | Shared::AnyTarget => &["target"][..],
            Shared::Sides => SidesMap::KEYS,
            Shared::For => &["for"],
            Shared::Flaps => &["every"],
            Shared::Moves => &["pace", "method"],
        });
        ["at", "do", "group"].into_iter().chain(more.copied()).collect()
    }

    /// `what` the step is, for what is told.
    pub fn read(
        node: &Node,
        entries: &[Entry],
        (what, shared): (&str, &[Shared]),
        diagnostics: &mut Vec<Diagnostic>,
    ) -> SharedKeys {
        let has = |key| shared.contains(&key);
        let mut read = SharedKeys {
            span: node.span.clone(),
            at: field(entries, "at", diagnostics),
            group: field(entries, "group", diagnostics),
            target: Field::Missing,
            sides: SidesMap::default(),
            lasts: Field::Missing,
            every: Field::Missing,
            pace: Field::Missing,
            method: Field::Missing,
        };
        if has(Shared::Target) || has(Shared::AnyTarget) {
            read.target = field(entries, "target", diagnostics);
        }
        if has(Shared::Sides) {
            read.sides = SidesMap::read(entries, diagnostics);
        }
        if has(Shared::For) {
            read.lasts = field(entries, "for", diagnostics);
        }
        if has(Shared::Flaps) {
            read.every = field(entries, "every", diagnostics);
        }
        if has(Shared::Moves) {
            read.pace = field(entries, "pace", diagnostics);
            read.method = field(entries, "method", diagnostics);
        }
        let missing = [
            ("at", read.at.is_missing()),
            ("target", has(Shared::Target) && read.target.is_missing()),
        ];
        for (key, _) in missing.into_iter().filter(|(_, missing)| *missing) {
            diagnostics.push(Diagnostic::new(&node.span, format!("{what} needs the key `{key}`")));
        }
        read
    }

    pub fn schema_keys(word: &str, shared: &[Shared], generator: &mut SchemaGenerator) -> Vec<Key> {
        let key = |name, required, about, schema| Key { name, required, about, schema };
        let mut keys = vec![
            key(
                "at",
                true,
                &["When it starts, from the load's start."],
                schema_of::<Time>(generator),
            ),
            key("do", true, &["What it does."], json_schema!({ "enum": [word] })),
            key(
                "group",
                false,
                &["The group in which it happens. Default: the only group."],
                schema_of::<String>(generator),
            ),
        ];
        for shared in shared {
            match shared {
                Shared::Target => keys.push(key(
                    "target",
                    true,
                    &["Which nodes: a name, or a role that they have when the step begins."],
                    schema_of::<Target>(generator),
                )),
                Shared::AnyTarget => keys.push(key(
                    "target",
                    false,
                    &["Which nodes, by their roles as it begins. Default: `all nodes`."],
                    schema_of::<Target>(generator),
                )),
                Shared::Sides => keys.extend(SidesMap::schema_keys(generator)),
                Shared::For => keys.push(key(
                    "for",
                    false,
                    &["How long; then it is undone. Default: until the load has ended."],
                    schema_of::<Time>(generator),
                )),
                Shared::Moves => keys.extend([
                    key(
                        "pace",
                        false,
                        &["How eagerly slots move. Default: `{ p99: 5ms }`."],
                        schema_of::<Pace>(generator),
                    ),
                    key(
                        "method",
                        false,
                        &["`migrate` moves keys by MIGRATE, `atomic` has the servers do it \
                           (Valkey 9.0, Redis 8.4). Default: `auto`, which is atomic where the \
                           servers offer it."],
                        schema_of::<Method>(generator),
                    ),
                ]),
                Shared::Flaps => keys.push(key(
                    "every",
                    false,
                    &["Flapping: it holds in the first half of each such time, and not in the \
                       second."],
                    schema_of::<Time>(generator),
                )),
            }
        }
        keys
    }

    /// It names no group, and nothing that is a group's.
    pub fn is_of_no_group(&self) -> bool {
        let sides = self.sides.given();
        self.group.is_missing()
            && !sides.is_empty()
            && sides.iter().all(|side| side.value.is_of_no_group())
    }

    /// What the step is done to; what of that is not there is told.
    pub fn on(
        &self,
        shared: &[Shared],
        now: Now<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<On> {
        let has = |key| shared.contains(&key);
        if has(Shared::Sides) {
            return self.sides.check(&self.span, now, diagnostics).map(On::Links);
        }
        if has(Shared::AnyTarget) && self.target.is_missing() {
            return Some(On::Nodes(Target::All));
        }
        if !has(Shared::Target) && !has(Shared::AnyTarget) {
            return Some(On::Group);
        }
        let at = self.target.given()?;
        if let Some((message, advice)) = now.lacks(&at.value) {
            diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
            return None;
        }
        Some(On::Nodes(at.value.clone()))
    }

    pub fn moving(
        &self,
        shared: &[Shared],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<(Method, Pace)> {
        let moves = shared.contains(&Shared::Moves);
        moves.then(|| pace::check(&self.method, &self.pace, diagnostics))
    }

    pub fn begins(&self, diagnostics: &mut Vec<Diagnostic>) -> Duration {
        let why = "a drill takes a day at most";
        if let Some(at) = self.at.given() {
            let range = (Time(Duration::ZERO), DAY);
            check_range("at", &at.value, &at.span, range, why, diagnostics);
        }
        self.at.or(Time(Duration::ZERO)).0
    }

    pub fn lasts(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<Duration> {
        lasts(&self.lasts, diagnostics)
    }

    /// A step that comes and goes needs a time in which it does.
    pub fn every(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<Duration> {
        let at = self.every.given()?;
        match self.lasts.given() {
            None => {
                let told = Diagnostic::new(&at.span, "a step that comes and goes needs `for`");
                diagnostics.push(told.advise("say how long it goes on, like `for: 10s`"));
            }
            Some(lasts) => {
                let why = "it holds for half of each such time, as long as `for` says";
                let range = (LEAST_EVERY, lasts.value);
                check_range("every", &at.value, &at.span, range, why, diagnostics);
            }
        }
        Some(at.value.0)
    }
}

/// How long something lasts, if that is said.
pub fn lasts(field: &Field<Time>, diagnostics: &mut Vec<Diagnostic>) -> Option<Duration> {
    let at = field.given()?;
    let range = (Time(Duration::from_millis(1)), DAY);
    let why = "a drill takes a day at most; without `for` it lasts until the load has ended";
    check_range("for", &at.value, &at.span, range, why, diagnostics);
    Some(at.value.0)
}

impl On {
    /// As it is written in a scenario.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        match self {
            On::Group => Vec::new(),
            On::Nodes(target) => target.yaml().map(|text| ("target", text)).into_iter().collect(),
            On::Links(links) => links.written(),
        }
    }

    /// The one node that is named.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            On::Nodes(Target::Node(name)) => Some(name),
            On::Links(Links { from: Side::Spots(spots), .. }) => match &spots[..] {
                [Spot::Nodes(Target::Node(name))] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Context<'_> {
    pub fn now(&self) -> Now<'_> {
        Now { group: self.group, owned: self.owned, regions: &self.topology.regions }
    }

    /// Tells that sentinels are meant, to whom this cannot be done: `why` behind `sentinels`.
    pub fn refuse_sentinels(&self, why: &str, advice: &str, diagnostics: &mut Vec<Diagnostic>) {
        let Some((at, sentinels)) = self.target.zip(self.group.sentinels()) else { return };
        let names = (0..sentinels.count).map(|n| NodeName::sentinel(&self.group.name, n));
        let message = match &at.value {
            target if target.is_of_sentinels() => format!("sentinels {why}"),
            target @ Target::Region(region) => {
                let of = |name: &NodeName| self.topology.regions.get(self.group.region_of(name)?);
                let Some(there) = { names }.find(|name| of(name) == Some(region)) else { return };
                format!("`{target}` has {there} in it, and sentinels {why}")
            }
            _ => return,
        };
        diagnostics.push(Diagnostic::new(&at.span, message).advise(advice));
    }

    /// Where the group is named, or the whole step.
    pub fn group_span(&self) -> &Span {
        self.step.group.given().map_or(&self.step.span, |at| &at.span)
    }
}
