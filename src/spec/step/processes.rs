//! Steps that are done to the processes of a load that reads through a cache. They are redrill's
//! own.

use super::declare::{Keys, Rule, step};
use super::shared::Context;

step! {
    /// All processes of an application end, and are there again at once.
    RestartProcesses RestartProcessesMap "a restart-processes step" [] {
        /// The load whose processes they are: one whose workload is `cache`.
        required "load" load: String,
    }
}

impl Rule for RestartProcesses {
    fn check(map: &RestartProcessesMap, context: &mut Context<'_>) -> Option<RestartProcesses> {
        context.cache(&map.load);
        let advice = |load: &str| format!("write `do: restart, target: {load}/actor/0`");
        context.has_no_programs(&map.load, advice);
        map.filled()
    }

    fn amount(&self) -> String {
        format!(" of {}", self.load)
    }

    fn is_of_no_group(&self) -> bool {
        true
    }
}
