//! A step that changes entities behind a cache.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::declare::{Keys, Rule, step};
use super::shared::Context;
use crate::spec::cache::{CacheLoad, Chosen, THINGS};
use crate::spec::decode::{At, Decode};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::tree::{Node, Value};
use crate::spec::yaml::Yaml;

step! {
    /// Somebody changes entities in the origin at once, as a bulk job does, and empties the caches
    /// in the load's own way.
    Invalidate InvalidateMap "an invalidate step" [] {
        /// The load whose entities they are: one whose workload is `cache`.
        required "load" load: String,
        /// How many, or a list of their numbers.
        optional "keys" keys: EntityKeys,
        /// The number of a user: twelve entities are the things of one.
        optional "tag" tag: u32,
        /// Those whose names match, in which `*` and `?` stand for any letters.
        optional "pattern" pattern: String,
        /// All entities: `true`.
        optional "all" all: bool,
    }
}

/// Entities by their numbers, from 0 on.
#[derive(Clone, Debug, PartialEq)]
pub enum EntityKeys {
    First(u32),
    These(Vec<u32>),
}

impl Decode for EntityKeys {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<EntityKeys> {
        if let Value::Scalar(_) = &node.value {
            return u32::decode(node, errors).map(EntityKeys::First);
        }
        let keys = Vec::<At<u32>>::decode(node, errors)?;
        Some(EntityKeys::These(keys.into_iter().map(|key| key.value).collect()))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let one = <u32 as Decode>::schema(generator);
        json_schema!({ "anyOf": [one, Vec::<At<u32>>::schema(generator)] })
    }
}

impl Yaml for EntityKeys {
    fn yaml(&self) -> Option<String> {
        Some(match self {
            EntityKeys::First(count) => count.to_string(),
            EntityKeys::These(keys) => {
                let keys: Vec<String> = keys.iter().map(u32::to_string).collect();
                format!("[{}]", keys.join(", "))
            }
        })
    }
}

impl Rule for Invalidate {
    fn check(map: &InvalidateMap, context: &mut Context<'_>) -> Option<Invalidate> {
        let (keys, tag) = (map.keys.is_missing(), map.tag.is_missing());
        let missing = [keys, tag, map.pattern.is_missing(), map.all.is_missing()];
        if missing.iter().filter(|is_missing| !**is_missing).count() != 1 {
            let message =
                "an invalidate step needs one of the keys `keys`, `tag`, `pattern`, `all`";
            context.errors.add(&context.step.span, message, "write one of them, like `tag: 3`");
        }
        if let Some(load) = context.cache(&map.load) {
            are_there(map, load, context.errors);
        }
        if let Some(at) = map.all.given().filter(|at| !at.value) {
            let message = "`all: false` changes nothing";
            context.errors.add(&at.span, message, "write `all: true`, or another key");
        }
        map.filled()
    }

    fn amount(&self) -> String {
        let what = match self.chosen() {
            Chosen::First(count) => format!("{count} entities"),
            Chosen::These(keys) => format!("{} entities", keys.len()),
            Chosen::Tag(user) => format!("the things of user {user}"),
            Chosen::Pattern(pattern) => pattern,
            Chosen::All => "all entities".to_owned(),
        };
        format!(" {what} of {}", self.load)
    }

    fn is_of_no_group(&self) -> bool {
        true
    }
}

impl Invalidate {
    pub fn chosen(&self) -> Chosen {
        match (&self.keys, self.tag, &self.pattern) {
            (Some(EntityKeys::First(count)), ..) => Chosen::First(u64::from(*count)),
            (Some(EntityKeys::These(keys)), ..) => {
                Chosen::These(keys.iter().copied().map(u64::from).collect())
            }
            (None, Some(user), _) => Chosen::Tag(u64::from(user)),
            (None, None, Some(pattern)) => Chosen::Pattern(pattern.clone()),
            (None, None, None) => Chosen::All,
        }
    }
}

/// Errors for what the load does not have.
fn are_there(map: &InvalidateMap, load: CacheLoad<'_>, errors: &mut Diagnostics) {
    let CacheLoad { name, keyspace, entities, is_by_library } = load;
    if let Some(at) = map.load.given().filter(|_| is_by_library) {
        let message = format!("the cache of `{name}` is a library's, which has its own way");
        errors.add(&at.span, message, "name a load with `client: redrill`");
    }
    let are_there = |keys: &EntityKeys| match keys {
        EntityKeys::First(count) => (1..=entities).contains(&u64::from(*count)),
        EntityKeys::These(keys) => {
            !keys.is_empty() && keys.iter().all(|key| u64::from(*key) < entities)
        }
    };
    if let Some(at) = map.keys.given().filter(|at| !are_there(&at.value)) {
        let message = format!("`{name}` has {entities} entities, from 0 on");
        errors.add(&at.span, message, "write how many of them, or a list of their numbers");
    }
    let users = entities.div_ceil(THINGS);
    if let Some(at) = map.tag.given().filter(|at| u64::from(at.value) >= users) {
        let message =
            format!("the {entities} entities of `{name}` are the things of {users} users");
        errors.add(&at.span, message, format!("write a number from 0 to {}", users - 1));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "*?:-_".contains(c);
    let is_simple = |text: &str| text.chars().all(is_plain) && !text.contains("**");
    if let Some(at) = map.pattern.given().filter(|at| !is_simple(&at.value)) {
        let message = format!("`{}` matches no names of entities", at.value);
        errors.add(&at.span, message, format!("write it like `{keyspace}:1*`"));
    }
}
