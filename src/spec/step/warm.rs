//! Steps that have copies made before anybody asks for them.

use super::declare::{Keys, Rule, step};
use super::shared::Context;

step! {
    /// Makes copies of the entities of a cache that have none, as the load's `warm` says.
    Warm WarmMap "a warm step" [] {
        /// The load whose entities they are: one whose workload is `cache`.
        required "load" load: String,
        /// How many of them: those that come first. Default: all.
        #[range(1, 100_000_000, "each is read, unless it has a copy")]
        optional "keys" keys: u64,
    }
}

impl Rule for Warm {
    fn check(map: &WarmMap, context: &mut Context<'_>) -> Option<Warm> {
        context.cache(&map.load);
        let advice = |_: &str| "name a load with redrill's own client".to_owned();
        context.has_no_programs(&map.load, advice);
        map.filled()
    }

    fn amount(&self) -> String {
        match self.keys {
            Some(keys) => format!(" {keys} entities of {}", self.load),
            None => format!(" all entities of {}", self.load),
        }
    }

    fn is_of_no_group(&self) -> bool {
        true
    }
}
