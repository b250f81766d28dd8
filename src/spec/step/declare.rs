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
use crate::spec::Tools;
use crate::spec::decode::{Object, object_schema};

/// The keys of one kind of step, besides those that steps share.
pub trait Keys: Object {
    type Step;
    /// Which of the shared keys it has, besides `at`, `do` and `group`.
    const SHARED: &[Shared];

    /// The step with its defaults; `None` where a key that it needs is missing or bad.
    fn filled(&self) -> Option<Self::Step>;

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

/// What [`step!`] knows of a step that can be played.
pub trait Declared {
    /// What a file says of it.
    type Map: Keys<Step = Self>
    where
        Self: Sized;

    fn shared(&self) -> &'static [Shared];

    /// Its own keys as they are written in a scenario.
    fn written(&self) -> Vec<(&'static str, String)>;
}

/// What a kind of step means.
pub trait Rule: Declared {
    /// The step, if it makes sense; what does not is added to the errors.
    fn check(map: &Self::Map, _: &mut Context<'_>) -> Option<Self>
    where
        Self: Sized,
    {
        map.filled()
    }

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
        self.shared().contains(&Shared::Sides)
    }

    /// What servers must be started with.
    fn tools(&self) -> Tools {
        Tools::default()
    }

    /// Whether it can be done to actors too, which are programs and no servers.
    fn can_be_on_actors(&self) -> bool {
        false
    }

    /// Whether it can be done to an instance of redrill's own clients too, which is no program.
    fn can_be_on_instances(&self) -> bool {
        false
    }

    /// Whether it is done to nothing that a group has.
    fn is_of_no_group(&self) -> bool {
        false
    }

    /// Which slots go where.
    fn slots(&self) -> Option<SlotMove> {
        None
    }

    /// The shard that leaves, with all its nodes.
    fn leaves(&self) -> Option<u32> {
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
                $(#[range($($range:tt)*)])?
                $need:ident $key:literal $field:ident : $type:ty $(= $default:expr)?,
            )*
            $(; $( $(#[doc = $more_about:literal])* $more:ident : $more_type:ty, )* )?
        }
    ) => {
        $crate::spec::decode::keys! {
            $(#[doc = $about])*
            $map $what { $(
                $(#[doc = $key_about])*
                $(#[range($($range)*)])?
                $need $key $field: $type,
            )* }
        }

        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $key_about])* pub $field: step!(@type $need $type), )*
            $($( $(#[doc = $more_about])* pub $more: $more_type, )*)?
        }

        impl $crate::spec::step::declare::Keys for $map {
            type Step = $name;
            const SHARED: &[$crate::spec::step::shared::Shared] =
                &[$($crate::spec::step::shared::Shared::$shared),*];

            fn filled(&self) -> Option<$name> {
                Some($name {
                    $( $field: step!(@filled $need self.$field $(, $default)?), )*
                    $($( $more: Default::default(), )*)?
                })
            }
        }

        impl $crate::spec::step::declare::Declared for $name {
            type Map = $map;

            fn shared(&self) -> &'static [$crate::spec::step::shared::Shared] {
                <$map as $crate::spec::step::declare::Keys>::SHARED
            }

            fn written(&self) -> Vec<(&'static str, String)> {
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
}
pub(crate) use step;
