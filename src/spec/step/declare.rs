//! How a kind of step is declared: its own keys by [`step!`], and what they mean by [`Rule`].
//!
//! From one declaration come two types: what a file says, where every value knows its place, and
//! what is played, where every default is filled in. So do the decoder, the JSON schema, and the
//! way back to YAML.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use super::pace::SlotMove;
use super::shared::{Context, Shared, SharedKeys};
use crate::model::NodeName;
use crate::spec::decode::{Key, object_schema};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::tools::Tools;
use crate::spec::tree::{Entry, Node};

/// The keys of one kind of step, besides those that steps share.
pub trait Keys: Sized {
    /// Its name in the schema: `KillMap`.
    const NAME: &str;
    /// `a kill step`
    const WHAT: &str;
    const ABOUT: &[&str];
    /// Which of the shared keys it has, besides `at`, `do` and `group`.
    const SHARED: &[Shared];
    const KEYS: &[&str];

    fn read(node: &Node, entries: &[Entry], diagnostics: &mut Vec<Diagnostic>) -> Self;

    fn schema_keys(generator: &mut SchemaGenerator) -> Vec<Key>;

    /// All keys that such a step may have.
    fn all_keys() -> Vec<&'static str> {
        [&SharedKeys::keys(Self::SHARED)[..], Self::KEYS].concat()
    }

    /// A reference to the schema of such a step.
    fn schema(word: &str, generator: &mut SchemaGenerator) -> Schema {
        let mut keys = SharedKeys::schema_keys(word, Self::SHARED, generator);
        keys.extend(Self::schema_keys(generator));
        let schema = object_schema(Self::ABOUT, keys);
        generator.definitions_mut().insert(Self::NAME.to_owned(), schema.to_value());
        Schema::new_ref(format!("#/$defs/{}", Self::NAME))
    }
}

/// What a kind of step means.
pub trait Rule: Sized {
    /// What a file says of it.
    type Map: Keys;
    /// Servers need redrill's preload library for it.
    const PRELOAD: bool = false;

    /// The step with its defaults, if it makes sense; what does not is told.
    fn check(
        map: &Self::Map,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self>;

    /// What a person should know of it, between its word and its group.
    fn amount(&self) -> String {
        String::new()
    }

    /// The same, behind whom it is done to.
    fn how(&self) -> String {
        String::new()
    }

    /// How long it takes by itself.
    fn own_time(&self) -> Option<Duration> {
        None
    }

    /// Servers that it ends have ended so long after it began.
    fn ends_servers_in(&self) -> Option<Duration> {
        None
    }

    fn needs_relay(&self) -> bool {
        Self::Map::SHARED.contains(&Shared::Sides)
    }

    /// What servers must be started with.
    fn tools(&self) -> Tools {
        Tools { preload: Self::PRELOAD, debug: false }
    }

    /// Which slots go where.
    fn slots(&self) -> Option<SlotMove> {
        None
    }

    /// The nodes that join `group`.
    fn joiners(&self, _group: &str) -> Vec<NodeName> {
        Vec::new()
    }
}

/// Declares the keys of a kind of step, see [`Keys`]. Each is `required`, `optional` or has a
/// `default`; what the rule works out besides stands behind a `;` and is not written.
macro_rules! step {
    (
        $(#[doc = $about:literal])*
        $name:ident $map:ident $what:literal [$($shared:ident),*] {
            $(
                $(#[doc = $key_about:literal])*
                $need:ident $key:literal $field:ident : $type:ty $(= $default:expr)?,
            )*
            $(; $( $(#[doc = $more_about:literal])* $more:ident : $more_type:ty, )* )?
        }
    ) => {
        /// As a file has it.
        #[derive(Clone, Debug)]
        pub struct $map {
            $( pub $field: $crate::spec::decode::Field<$type>, )*
        }

        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $key_about])* pub $field: step!(@type $need $type), )*
            $($( $(#[doc = $more_about])* pub $more: $more_type, )*)?
        }

        impl $crate::spec::step::declare::Keys for $map {
            const NAME: &str = stringify!($map);
            const WHAT: &str = $what;
            const ABOUT: &[&str] = &[$($about),*];
            const SHARED: &[$crate::spec::step::shared::Shared] =
                &[$($crate::spec::step::shared::Shared::$shared),*];
            const KEYS: &[&str] = &[$($key),*];

            #[allow(unused_variables, reason = "some steps have no keys of their own")]
            fn read(
                node: &$crate::spec::tree::Node,
                entries: &[$crate::spec::tree::Entry],
                diagnostics: &mut Vec<$crate::spec::diagnostic::Diagnostic>,
            ) -> $map {
                #[allow(unused_imports, reason = "some steps have no keys of their own")]
                use $crate::spec::decode::{field, object};
                let read = $map { $( $field: field(entries, $key, diagnostics), )* };
                $( step!(@missing $need, &read.$field, $what, $key, node, diagnostics); )*
                read
            }

            #[allow(unused_variables, reason = "some steps have no keys of their own")]
            fn schema_keys(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<$crate::spec::decode::Key> {
                vec![$( $crate::spec::decode::Key {
                    name: $key,
                    required: stringify!($need) == "required",
                    about: &[$($key_about),*],
                    schema: $crate::spec::decode::schema_of::<$type>(generator),
                } ),*]
            }
        }

        impl $map {
            /// With its defaults; `None` where a key that it needs is missing or bad.
            pub fn filled(&self) -> Option<$name> {
                Some($name {
                    $( $field: step!(@filled $need self.$field $(, $default)?), )*
                    $($( $more: Default::default(), )*)?
                })
            }
        }

        impl $name {
            /// Its own keys as they are written in a scenario.
            pub fn written(&self) -> Vec<(&'static str, String)> {
                let keys: Vec<(&'static str, Option<String>)> = vec![$(
                    ($key, $crate::spec::yaml::Yaml::yaml(&self.$field)),
                )*];
                keys.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
            }
        }
    };
    (@type required $type:ty) => { $type };
    (@type default $type:ty) => { $type };
    (@type optional $type:ty) => { Option<$type> };
    (@filled required $self:ident . $field:ident) => { $self.$field.given()?.value.clone() };
    (@filled optional $self:ident . $field:ident) => {
        $self.$field.given().map(|at| at.value.clone())
    };
    (@filled default $self:ident . $field:ident, $default:expr) => { $self.$field.or($default) };
    (@missing required, $field:expr, $what:literal, $key:literal, $node:expr, $told:expr) => {
        object!(@ required, $field, $what, $key, $node, $told)
    };
    (@missing $need:ident, $field:expr, $what:literal, $key:literal, $node:expr, $told:expr) => {};
}
pub(crate) use step;
