//! The steps of a timeline: their words, their keys, what they mean, and how they are written.
//!
//! A kind of step begins with its word and its effects in [`crate::model::step`]. A type of the
//! same name, declared by [`declare::step`], has its keys and, as a [`Rule`], its meaning. Keys
//! that several kinds have stand in [`shared`].

mod chaos;
mod clock;
mod declare;
mod disk;
mod links;
mod memory_pressure;
mod moves;
mod node;
mod owned;
mod pace;
mod rolling;
mod scale;
mod shared;
mod sides;
mod slow;
mod target;

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};

pub use chaos::{Among, Chaos, Drawn, DrawnFrom};
pub use clock::Clock;
pub use declare::Rule;
pub use disk::{DiskFull, Files, SlowDisk};
pub use links::{Bandwidth, Latency, Partition, Refuse, Reset, Trickle, Via};
pub use memory_pressure::{MemoryPressure, Policy};
pub use moves::{Drain, Rebalance, Reshard, SlotCount, Weights};
pub use node::*;
pub use owned::Owned;
pub use pace::{Method, Pace, SlotMove};
pub use rolling::{Gate, RollingRestart};
pub use scale::{AddReplica, AddShard, RemoveShard};
pub use shared::{Context, On, SharedKeys};
pub use sides::{Links, Side, Spot};
pub use slow::Slow;
pub use target::Target;

use crate::model::NodeName;
use crate::model::step::{Lasts, StepKind, all_steps};
use crate::spec::decode::{Decode, entries, expected, field};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::nearest;
use crate::spec::quantity::Time;
use crate::spec::tools::Tools;
use crate::spec::topology::Topology;
use crate::spec::tree::{Node, Value};
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
            $( $kind(<$kind as Rule>::Map), )*
        }

        /// What a step does.
        #[derive(Clone, Debug, PartialEq)]
        pub enum StepAction {
            $( $kind($kind), )*
        }

        const WORDS: &[&str] = &[$($word),*];

        impl StepMap {
            /// `None` if there is no such step.
            fn of_word(
                word: &str,
                node: &Node,
                diagnostics: &mut Vec<Diagnostic>,
            ) -> Option<Option<StepMap>> {
                match word {
                    $( $word => Some(StepMap::read::<<$kind as Rule>::Map>(
                        node, OwnKeys::$kind, diagnostics
                    )), )*
                    _ => None,
                }
            }

            pub fn kind(&self) -> StepKind {
                match &self.own { $( OwnKeys::$kind(_) => StepKind::$kind, )* }
            }

            pub fn needs_relay(&self) -> bool {
                match &self.own {
                    $( OwnKeys::$kind(map) => map.filled().is_some_and(|step| step.needs_relay()), )*
                }
            }

            /// Whether servers need redrill's preload library for it.
            pub fn needs_preload(&self) -> bool {
                match &self.own { $( OwnKeys::$kind(_) => <$kind as Rule>::PRELOAD, )* }
            }

            fn action(
                &self,
                context: &mut Context<'_>,
                diagnostics: &mut Vec<Diagnostic>,
            ) -> Option<StepAction> {
                match &self.own {
                    $( OwnKeys::$kind(map) => {
                        <$kind as Rule>::check(map, context, diagnostics).map(StepAction::$kind)
                    } )*
                }
            }

            fn what_it_shares(&self) -> &'static [shared::Shared] {
                match &self.own { $( OwnKeys::$kind(_) => <$kind as Rule>::Map::SHARED, )* }
            }

            /// The keys of all steps.
            fn all_keys() -> Vec<&'static str> {
                let mut keys: Vec<&str> = Vec::new();
                for key in [$( <$kind as Rule>::Map::all_keys() ),*].concat() {
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

            /// Its own keys as they are written in a scenario.
            fn written(&self) -> Vec<(&'static str, String)> {
                match self { $( StepAction::$kind(step) => step.written(), )* }
            }

            pub fn amount(&self) -> String {
                match self { $( StepAction::$kind(step) => step.amount(), )* }
            }

            pub fn how(&self) -> String {
                match self { $( StepAction::$kind(step) => step.how(), )* }
            }

            pub fn own_time(&self) -> Option<Duration> {
                match self { $( StepAction::$kind(step) => step.own_time(), )* }
            }

            pub fn ends_servers_in(&self) -> Option<Duration> {
                match self { $( StepAction::$kind(step) => step.ends_servers_in(), )* }
            }

            pub fn needs_relay(&self) -> bool {
                match self { $( StepAction::$kind(step) => step.needs_relay(), )* }
            }

            pub fn tools(&self) -> Tools {
                match self { $( StepAction::$kind(step) => step.tools(), )* }
            }

            /// Which slots go where.
            pub fn slots(&self) -> Option<SlotMove> {
                match self { $( StepAction::$kind(step) => step.slots(), )* }
            }

            /// The nodes that join `group`.
            pub fn joiners(&self, group: &str) -> Vec<NodeName> {
                match self { $( StepAction::$kind(step) => step.joiners(group), )* }
            }
        }

        fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
            vec![$( <$kind as Rule>::Map::schema($word, generator) ),*]
        }
    };
}
all_steps!(steps);

impl StepMap {
    fn read<K: Keys>(
        node: &Node,
        own: fn(K) -> OwnKeys,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<StepMap> {
        let entries = entries(node, K::WHAT, &K::all_keys(), diagnostics)?;
        let shared = SharedKeys::read(node, entries, (K::WHAT, K::SHARED), diagnostics);
        Some(StepMap { shared, own: own(K::read(node, entries, diagnostics)) })
    }

    /// The step, if it can be played; `context` goes on to how its group is then.
    pub fn check(
        &self,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Step> {
        let at = self.shared.begins(diagnostics);
        let lasts = self.shared.lasts(diagnostics);
        let every = self.shared.every(diagnostics);
        let shares = self.what_it_shares();
        let on = self.shared.on(shares, context.now(), diagnostics);
        if let Some(On::Nodes(_)) = on {
            context.target = context.step.target.given();
        }
        let group = context.group.name.clone();
        let moving = self.shared.moving(shares, diagnostics);
        let action = self.action(context, diagnostics);
        let (on, action) = (on?, action?);
        Some(Step { at, group, drawn: false, on, lasts, every, moving, action })
    }
}

/// Tells which of `steps` have servers evict keys while a checker is `unsettled`, see
/// [`memory_pressure::evictions`].
pub fn evictions<'m>(
    steps: impl Iterator<Item = &'m StepMap>,
    topology: &Topology,
    unsettled: Option<&str>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let steps = steps.filter_map(|step| match &step.own {
        OwnKeys::MemoryPressure(map) => Some((&step.shared, map)),
        _ => None,
    });
    memory_pressure::evictions(steps, topology, unsettled, diagnostics);
}

impl Step {
    /// How long it lasts, if that is known.
    pub fn lasts(&self) -> Option<Duration> {
        self.action.own_time().or(self.lasts)
    }

    pub fn cuts_in_kernel(&self) -> bool {
        matches!(self.action, StepAction::Partition(Partition { via: Via::Kernel, .. }))
    }

    /// It gives servers no more than a share of a CPU.
    pub fn limits_cpu(&self) -> bool {
        matches!(self.action, StepAction::Slow(Slow { cpu: Some(_), .. }))
    }

    /// Until when it holds the nodes that it is done to; `None` is until the load has ended.
    pub fn holds_until(&self) -> Option<Duration> {
        match self.action.kind().effects().lasts {
            Lasts::AtOnce => Some(self.at),
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

impl Decode for StepMap {
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<StepMap> {
        let Some(kind) = node.get("do") else {
            let advice = format!("say what it does: {}", WORDS.join(", "));
            let needs = || Diagnostic::new(&node.span, "a step needs the key `do`").advise(advice);
            diagnostics.push(match &node.value {
                Value::Map(_) => needs(),
                _ => expected("a step, like { at: 5s, do: drain, shard: 2 },", node),
            });
            return None;
        };
        let word = String::decode(kind, diagnostics)?;
        StepMap::of_word(&word, node, diagnostics).unwrap_or_else(|| {
            let message = format!("there is no step `{word}`");
            let advice = nearest::advice("steps", &word, WORDS);
            diagnostics.push(Diagnostic::new(&kind.span, message).advise(advice));
            let entries = entries(node, "a step", &StepMap::all_keys(), diagnostics)?;
            // What these keys may hold is the same in every step.
            field::<Time>(entries, "at", diagnostics);
            field::<String>(entries, "group", diagnostics);
            field::<Pace>(entries, "pace", diagnostics);
            field::<Method>(entries, "method", diagnostics);
            None
        })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": schemas(generator) })
    }

    fn schema_name() -> Option<&'static str> {
        Some("StepMap")
    }
}
