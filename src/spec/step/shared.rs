//! The keys that steps share: when, in which group, to whom, and for how long.

use std::time::Duration;

use schemars::{SchemaGenerator, json_schema};

use super::owned::Owned;
use super::pace::{Method, MovesKeys, Pace};
use super::sides::{Links, Side, SidesKeys, Spot};
use super::target::{Now, Target};
use crate::model::NodeName;
use crate::spec::Capabilities;
use crate::spec::cache::CacheLoad;
use crate::spec::decode::{At, Field, Key, Object, keys};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::nearest;
use crate::spec::quantity::Time;
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};
use crate::spec::tree::{Entry, Node};
use crate::spec::yaml::Yaml;

/// A drill takes a day at most.
pub const DAY: Time = Time::secs(24 * 3600);

/// Shorter ones are over before servers and clients have noticed.
const LEAST_EVERY: Time = Time::millis(20);

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

keys! {
    /// What all steps have, besides `do`.
    StartKeys "a step" {
        /// When it starts, from the load's start.
        #[range(Time::secs(0), DAY, "a drill takes a day at most")]
        required "at" at: Time,
        /// The group in which it happens. Default: the only group.
        optional "group" group: String,
    }
}

keys! {
    TargetKeys "a step" {
        /// Which nodes: a name, or a role that they have when the step begins.
        required "target" target: Target,
    }
}

keys! {
    AnyTargetKeys "a step" {
        /// Which nodes, by their roles as it begins. Default: `all nodes`.
        optional "target" target: Target,
    }
}

keys! {
    ForKeys "a step" {
        /// How long; then it is undone. Default: until the load has ended.
        #[range(Time::millis(1), DAY,
            "a drill takes a day at most; without `for` it lasts until the load has ended")]
        optional "for" lasts: Time,
    }
}

keys! {
    FlapsKeys "a step" {
        /// Flapping: it holds in the first half of each such time, and not in the second.
        optional "every" every: Time,
    }
}

/// What a file says by the shared keys.
#[derive(Clone, Debug)]
pub struct SharedKeys {
    /// Which of them the step may have.
    has: &'static [Shared],
    /// The whole step's.
    pub span: Span,
    pub at: Field<Time>,
    pub group: Field<String>,
    pub target: Field<Target>,
    pub sides: SidesKeys,
    pub lasts: Field<Time>,
    pub every: Field<Time>,
    pub moves: MovesKeys,
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
    /// The actors of the scenario's loads; `None` if a load is wrong.
    pub actors: Option<&'a [NodeName]>,
    /// And all others who connect from an address of their own: instances of redrill's clients.
    pub connected: Option<&'a [NodeName]>,
    /// Instances that are told of changes.
    pub subscribers: Option<&'a [NodeName]>,
    /// Loads whose workload is `cache`; `None` if a load is wrong.
    pub caches: Option<&'a [CacheLoad<'a>]>,
    /// Another step of the timeline needs the relay.
    pub relayed: bool,
    pub errors: &'a mut Diagnostics,
    /// The group as the steps before will have left it.
    pub group: &'a mut Group,
    pub owned: &'a mut Owned,
    pub step: &'a SharedKeys,
    /// The target, if there is such a one.
    pub target: Option<&'a At<Target>>,
}

impl Shared {
    fn names(self) -> &'static [&'static str] {
        match self {
            Shared::Target => TargetKeys::KEYS,
            Shared::AnyTarget => AnyTargetKeys::KEYS,
            Shared::Sides => SidesKeys::KEYS,
            Shared::For => ForKeys::KEYS,
            Shared::Moves => MovesKeys::KEYS,
            Shared::Flaps => FlapsKeys::KEYS,
        }
    }

    fn schema_keys(self, generator: &mut SchemaGenerator) -> Vec<Key> {
        match self {
            Shared::Target => TargetKeys::schema_keys(generator),
            Shared::AnyTarget => AnyTargetKeys::schema_keys(generator),
            Shared::Sides => SidesKeys::schema_keys(generator),
            Shared::For => ForKeys::schema_keys(generator),
            Shared::Moves => MovesKeys::schema_keys(generator),
            Shared::Flaps => FlapsKeys::schema_keys(generator),
        }
    }
}

impl SharedKeys {
    pub fn keys(shared: &[Shared]) -> Vec<&'static str> {
        let more = shared.iter().flat_map(|shared| shared.names());
        ["at", "do", "group"].into_iter().chain(more.copied()).collect()
    }

    /// `what` the step is, for messages.
    pub fn read(
        node: &Node,
        entries: &[Entry],
        (what, has): (&str, &'static [Shared]),
        errors: &mut Diagnostics,
    ) -> SharedKeys {
        let StartKeys { at, group, span } = StartKeys::read(node, entries, what, errors);
        // Keys that the step may not have are errors already.
        let of = |shared| if has.contains(&shared) { entries } else { &[] };
        let target = match has.contains(&Shared::Target) {
            true => TargetKeys::read(node, entries, what, errors).target,
            false => AnyTargetKeys::read(node, of(Shared::AnyTarget), what, errors).target,
        };
        SharedKeys {
            has,
            span,
            at,
            group,
            target,
            sides: SidesKeys::read(node, of(Shared::Sides), what, errors),
            lasts: ForKeys::read(node, of(Shared::For), what, errors).lasts,
            every: FlapsKeys::read(node, of(Shared::Flaps), what, errors).every,
            moves: MovesKeys::read(node, of(Shared::Moves), what, errors),
        }
    }

    pub fn schema_keys(word: &str, shared: &[Shared], generator: &mut SchemaGenerator) -> Vec<Key> {
        let mut keys = StartKeys::schema_keys(generator);
        let schema = json_schema!({ "enum": [word] });
        keys.insert(1, Key { name: "do", required: true, about: &["What it does."], schema });
        keys.extend(shared.iter().flat_map(|shared| shared.schema_keys(generator)));
        keys
    }

    /// It names no group, and nothing that is a group's.
    pub fn is_of_no_group(&self) -> bool {
        let sides = self.sides.given();
        let links = !sides.is_empty() && sides.iter().all(|side| side.value.is_of_no_group());
        self.group.is_missing() && (links || self.is_on_actors())
    }

    pub fn is_on_actors(&self) -> bool {
        self.target.given().is_some_and(|at| at.value.is_of_actors())
    }

    /// Its target is one node or actor, by its name.
    pub fn is_on_one(&self) -> bool {
        matches!(self.target.given(), Some(At { value: Target::Node(_), .. }))
    }

    /// What the step is done to. What is not there is an error.
    pub fn on(&self, context: &mut Context<'_>) -> Option<On> {
        let has = |key| self.has.contains(&key);
        let (now, errors) = context.now();
        if has(Shared::Sides) {
            return self.sides.check(now, errors).map(On::Links);
        }
        if has(Shared::AnyTarget) && self.target.is_missing() {
            return Some(On::Nodes(Target::All));
        }
        if !has(Shared::Target) && !has(Shared::AnyTarget) {
            return Some(On::Group);
        }
        let at = self.target.given()?;
        errors.add_if(&at.span, now.lacks(&at.value))?;
        Some(On::Nodes(at.value.clone()))
    }

    pub fn moving(&self, errors: &mut Diagnostics) -> Option<(Method, Pace)> {
        self.has.contains(&Shared::Moves).then(|| self.moves.check(errors))
    }

    /// A step that comes and goes needs a time in which it does.
    pub fn every(&self, errors: &mut Diagnostics) -> Option<Duration> {
        let at = self.every.given()?;
        match self.lasts.given() {
            None => {
                let message = "a step that comes and goes needs `for`";
                errors.add(&at.span, message, "say how long it goes on, like `for: 10s`");
            }
            Some(lasts) => {
                let why = "it holds for half of each such time, as long as `for` says";
                let range = (LEAST_EVERY, lasts.value);
                self.every.check_range("every", range, why, errors);
            }
        }
        Some(at.value.0)
    }
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

impl<'a> Context<'a> {
    pub fn now(&mut self) -> (Now<'_>, &mut Diagnostics) {
        let (regions, actors) = (&self.topology.regions, self.actors);
        let (connected, subscribers) = (self.connected, self.subscribers);
        let (group, owned) = (&*self.group, &*self.owned);
        (Now { group, owned, regions, actors, connected, subscribers }, self.errors)
    }

    /// The load that is named. It is an error if that does not read through a cache.
    pub fn cache(&mut self, load: &Field<String>) -> Option<CacheLoad<'a>> {
        let (at, caches) = (load.given()?, self.caches?);
        let named = caches.iter().find(|load| load.name == at.value).copied();
        if named.is_none() {
            let names: Vec<&str> = caches.iter().map(|load| load.name).collect();
            let message = format!("there is no load `{}` whose workload is `cache`", at.value);
            self.errors.add(&at.span, message, nearest::advice("caches", &at.value, &names));
        }
        named
    }

    /// An error, if the processes of the load that is named are programs.
    pub fn has_no_programs(&mut self, load: &Field<String>, advice: impl Fn(&str) -> String) {
        let is_program =
            |load: &str| self.actors.is_some_and(|all| all.iter().any(|actor| actor.group == load));
        if let Some(at) = load.given().filter(|at| is_program(&at.value)) {
            let message = format!("the processes of `{}` are programs of their own", at.value);
            self.errors.add(&at.span, message, advice(&at.value));
        }
    }

    /// An error, if the target includes sentinels, to which this cannot be done. `why` follows
    /// `sentinels` in the message.
    pub fn refuse_sentinels(&mut self, why: &str, advice: &str) {
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
        self.errors.add(&at.span, message, advice);
    }

    /// Where the group is named, or the whole step.
    pub fn group_span(&self) -> &'a Span {
        self.step.group.span().unwrap_or(&self.step.span)
    }
}
