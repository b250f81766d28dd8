//! The steps of a timeline: their words, their keys, what they mean, and how they are written.
//!
//! A kind of step begins with its word and its effects in [`crate::model::step`]. A type of the
//! same name, declared by [`declare::step`], has its keys and, as a [`Rule`], its meaning. Keys
//! that several kinds have stand in [`shared`].

mod chaos;
mod declare;
mod entities;
mod links;
mod moves;
mod node;
mod origin;
mod owned;
mod pace;
mod preload;
mod processes;
mod region;
mod scale;
mod scarce;
mod shared;
mod sides;
mod target;
mod warm;

use std::ops::Deref;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};

pub use chaos::{Among, Chaos, Drawn, DrawnFrom};
pub use declare::{Declared, Rule};
pub use entities::{EntityKeys, Invalidate};
pub use links::{Bandwidth, Latency, Partition, Refuse, Reset, Trickle, Via};
pub use moves::{Drain, Rebalance, Reshard, SlotCount, Weights};
pub use node::*;
pub use origin::Origin;
pub use owned::Owned;
pub use pace::{Method, Pace, SlotMove};
pub use preload::{Clock, DiskFull, Files, SlowDisk};
pub use processes::RestartProcesses;
pub use region::{FailBack, Promote};
pub use scale::{AddReplica, AddShard, RemoveShard};
pub use scarce::{MemoryPressure, Policy, Slow};
pub use shared::{Context, On, SharedKeys};
pub use sides::{Links, Side, Spot};
pub use target::Target;
pub use warm::Warm;

use crate::model::step::{Effects, Lasts, StepKind, all_steps};
use crate::spec::decode::{At, Decode, entries, expected, field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::nearest;
use crate::spec::quantity::Time;
use crate::spec::topology::Topology;
use crate::spec::tree::{Entry, Node, Value};
use crate::spec::yaml::Yaml;
use declare::Keys;

/// A step of a file.
#[derive(Clone, Debug)]
pub struct StepMap {
    pub shared: SharedKeys,
    pub own: OwnKeys,
}

/// A step that can be played.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub at: Duration,
    pub group: String,
    /// It was drawn, and not written out.
    pub drawn: bool,
    pub on: On,
    /// How long, if that is said.
    pub lasts: Option<Duration>,
    /// It holds for the first half of each such time, and not for the second.
    pub every: Option<Duration>,
    /// Of a step that moves slots: how.
    pub moving: Option<(Method, Pace)>,
    pub action: StepAction,
}

macro_rules! steps {
    ($( $kind:ident $word:literal, )*) => {
        /// What a file says by the keys of one kind of step alone.
        #[derive(Clone, Debug)]
        pub enum OwnKeys {
            $( $kind(<$kind as Declared>::Map), )*
        }

        /// What a step does; [`Rule`] says what it means.
        #[derive(Clone, Debug, PartialEq)]
        pub enum StepAction {
            $( $kind($kind), )*
        }

        const WORDS: &[&str] = &[$($word),*];

        impl StepMap {
            /// `None` if a step has no such word, or the node is no map.
            fn of_word(
                word: &At<String>,
                node: &Node,
                errors: &mut Diagnostics,
            ) -> Option<StepMap> {
                match &*word.value {
                    $( $word => {
                        StepMap::read::<<$kind as Declared>::Map>(node, OwnKeys::$kind, errors)
                    } )*
                    _ => StepMap::unknown(word, node, errors),
                }
            }

            pub fn kind(&self) -> StepKind {
                match &self.own { $( OwnKeys::$kind(_) => StepKind::$kind, )* }
            }

            /// The step with its defaults, unchecked.
            fn filled(&self) -> Option<StepAction> {
                match &self.own {
                    $( OwnKeys::$kind(map) => map.filled().map(StepAction::$kind), )*
                }
            }

            fn action(&self, context: &mut Context<'_>) -> Option<StepAction> {
                match &self.own {
                    $( OwnKeys::$kind(map) => $kind::check(map, context).map(StepAction::$kind), )*
                }
            }

            /// The keys of all steps.
            fn all_keys() -> Vec<&'static str> {
                let mut keys: Vec<&str> = Vec::new();
                for key in [$( <$kind as Declared>::Map::all_keys() ),*].concat() {
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                keys
            }
        }

        impl StepAction {
            pub fn kind(&self) -> StepKind {
                match self { $( StepAction::$kind(_) => StepKind::$kind, )* }
            }
        }

        impl Deref for StepAction {
            type Target = dyn Rule;

            fn deref(&self) -> &(dyn Rule + 'static) {
                match self { $( StepAction::$kind(step) => step, )* }
            }
        }

        fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
            vec![$( <$kind as Declared>::Map::schema($word, generator) ),*]
        }
    };
}
all_steps!(steps);

impl StepMap {
    fn read<K: Keys>(
        node: &Node,
        own: fn(K) -> OwnKeys,
        errors: &mut Diagnostics,
    ) -> Option<StepMap> {
        let entries = entries(node, K::WHAT, &K::all_keys(), errors)?;
        let shared = SharedKeys::read(node, entries, (K::WHAT, K::SHARED), errors);
        Some(StepMap { shared, own: own(K::read(node, entries, K::WHAT, errors)) })
    }

    /// Adds what is wrong with a step of which not even the kind is known.
    fn unknown(word: &At<String>, node: &Node, errors: &mut Diagnostics) -> Option<StepMap> {
        let advice = nearest::advice("steps", &word.value, WORDS);
        errors.add(&word.span, format!("there is no step `{}`", word.value), advice);
        let entries = entries(node, "a step", &StepMap::all_keys(), errors)?;
        // What these keys may hold is the same in every step.
        field::<Time>(entries, "at", errors);
        field::<String>(entries, "group", errors);
        field::<Pace>(entries, "pace", errors);
        field::<Method>(entries, "method", errors);
        None
    }

    pub fn needs_relay(&self) -> bool {
        self.filled().is_some_and(|step| step.needs_relay())
    }

    /// Whether servers need redrill's preload library for it.
    pub fn needs_preload(&self) -> bool {
        self.filled().is_some_and(|step| step.tools().preload)
    }

    /// It names no group, and nothing that is a group's.
    pub fn is_of_no_group(&self) -> bool {
        let is_free = || self.filled().is_some_and(|step| step.is_of_no_group());
        self.shared.is_of_no_group() || (self.shared.group.is_missing() && is_free())
    }

    /// What it may do to its targets.
    pub fn effects(&self) -> Effects {
        match self.shared.is_on_actors() {
            true => self.kind().effects().on_actors(),
            false => self.kind().effects(),
        }
    }

    /// The step, if it can be played; `context` goes on to how its group is then.
    pub fn check(&self, context: &mut Context<'_>) -> Option<Step> {
        let at = self.shared.at.or(Time::secs(0)).0;
        let every = self.shared.every(context.errors);
        let lasts = self.shared.lasts.given().map(|at| at.value.0);
        if self.filled().is_some_and(|step| step.can_be_on_instances()) && self.shared.is_on_one() {
            context.actors = context.connected;
        }
        let on = self.shared.on(context);
        if let Some(On::Nodes(_)) = on {
            context.target = context.step.target.given();
        }
        if let Some(at) = context.target.filter(|at| at.value.is_of_actors())
            && !self.filled()?.can_be_on_actors()
        {
            let advice = "`kill`, `stop`, `restart`, `pause`, and `slow` with `cpu`, can be";
            let message = format!("a step `{}` cannot be done to actors", self.kind());
            context.errors.add(&at.span, message, advice);
            return None;
        }
        let group = context.group.name.clone();
        let moving = self.shared.moving(context.errors);
        let action = self.action(context);
        let (on, action) = (on?, action?);
        Some(Step { at, group, drawn: false, on, lasts, every, moving, action })
    }
}

/// Tells which of `steps` have servers evict keys while a checker is `unsettled`, see
/// [`scarce::evictions`].
pub fn evictions<'m>(
    steps: impl Iterator<Item = &'m StepMap>,
    topology: &Topology,
    unsettled: Option<&str>,
    errors: &mut Diagnostics,
) {
    let steps = steps.filter_map(|step| match &step.own {
        OwnKeys::MemoryPressure(map) => Some((&step.shared, map)),
        _ => None,
    });
    scarce::evictions(steps, topology, unsettled, errors);
}

impl Step {
    /// How long it lasts, if that is known.
    pub fn lasts(&self) -> Option<Duration> {
        self.action.own_time().or(self.lasts)
    }

    pub fn cuts_in_kernel(&self) -> bool {
        matches!(self.action, StepAction::Partition(Partition { via: Via::Kernel, .. }))
    }

    /// Its targets are actors, and no servers.
    pub fn is_on_actors(&self) -> bool {
        matches!(&self.on, On::Nodes(target) if target.is_of_actors())
    }

    /// It gives servers no more than a share of a CPU.
    pub fn limits_cpu(&self) -> bool {
        matches!(self.action, StepAction::Slow(Slow { cpu: Some(_), .. }))
    }

    /// Until when it holds the nodes that it is done to; `None` is until the load has ended.
    pub fn holds_until(&self) -> Option<Duration> {
        match self.action.kind().effects().lasts {
            // One that is repeated goes on for its time.
            Lasts::AtOnce => Some(self.at + self.lasts.unwrap_or_default()),
            Lasts::UntilUndone | Lasts::WhileAtWork => self.lasts().map(|lasts| self.at + lasts),
        }
    }

    /// As it is written in a scenario.
    pub fn written(&self) -> String {
        let kind = self.action.kind();
        let mut keys = vec![
            ("at", Time(self.at).to_string()),
            ("group", self.group.clone()),
            ("do", kind.word().to_owned()),
        ];
        keys.extend(self.on.written());
        keys.extend(self.action.written());
        if let Some((method, pace)) = self.moving {
            keys.extend(method.yaml().map(|text| ("method", text)));
            // A method that takes no pace is written without one.
            keys.extend(
                pace.yaml().filter(|_| method != Method::Atomic).map(|text| ("pace", text)),
            );
        }
        let times = [("for", self.lasts), ("every", self.every)];
        keys.extend(
            times.into_iter().filter_map(|(key, time)| Some((key, Time(time?).to_string()))),
        );
        let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        format!("{{ {} }}", keys.join(", "))
    }

    /// As a person would say it.
    pub fn describe(&self) -> String {
        let Step { group, on, action, .. } = self;
        let chaos = if self.drawn { "chaos: " } else { "" };
        let group = match on {
            On::Links(links) if links.is_of_no_group() => String::new(),
            _ if action.is_of_no_group() => String::new(),
            _ if self.is_on_actors() => String::new(),
            _ => format!(" {group}"),
        };
        let on = match on {
            On::Group => String::new(),
            On::Nodes(target) => format!(": {target}"),
            On::Links(links) => format!(": {links}"),
        };
        let every = self.every.map(|every| format!(", half of every {},", Time(every)));
        let lasts = self.lasts.map(|lasts| format!(" for {}", Time(lasts)));
        format!(
            "{chaos}{}{}{group}{on}{}{}{}",
            action.kind(),
            action.amount(),
            action.how(),
            every.unwrap_or_default(),
            lasts.unwrap_or_default()
        )
    }
}

/// The word and the keys of a step that is written as `kill: { at: 5s }`.
fn nested(entries: &[Entry]) -> Option<(&str, String)> {
    let [entry] = entries else { return None };
    let word = WORDS.iter().find(|word| **word == entry.key)?;
    let keys = match &entry.value.value {
        Value::Map(keys) => keys.iter().filter_map(|key| match &key.value.value {
            Value::Scalar(value) => Some(format!(", {}: {}", key.key, value.text)),
            _ => None,
        }),
        _ => return Some((word, ", at: 5s".to_owned())),
    };
    Some((word, keys.collect()))
}

impl Decode for StepMap {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<StepMap> {
        let Some(kind) = node.get("do") else {
            let mut advice = format!("say what it does: {}", WORDS.join(", "));
            match &node.value {
                Value::Map(entries) if nested(entries).is_some() => {
                    let (word, keys) = nested(entries).unwrap_or_default();
                    advice = format!("write the step in `do`: `{{ do: {word}{keys} }}`");
                    errors.add(&node.span, "a step needs the key `do`", advice);
                }
                Value::Map(_) => errors.add(&node.span, "a step needs the key `do`", advice),
                _ => errors.push(expected("a step, like { at: 5s, do: drain, shard: 2 },", node)),
            }
            return None;
        };
        StepMap::of_word(&At::decode(kind, errors)?, node, errors)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": schemas(generator) })
    }

    fn schema_name() -> Option<&'static str> {
        Some("StepMap")
    }
}
