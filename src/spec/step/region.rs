//! Steps on groups that have the same data: which one takes the writes.

use super::declare::{Keys, Rule, step};
use super::shared::Context;

step! {
    /// Makes a copy take the writes, as an operator does who has lost the source: its first node is
    /// a primary from then on. Nobody is asked, and the source is not touched. Of clusters, each
    /// shard of the copy takes writes from then on, and the source refuses them as soon as it is
    /// told.
    Promote PromoteMap "a promote step" [] {}
}

step! {
    /// Hands the writes over to the group: it follows whoever takes them, which throws away what it
    /// alone has, and becomes primary when it has everything. Of clusters, each shard takes writes
    /// when everything has been carried to it.
    FailBack FailBackMap "a fail-back step" [] {}
}

impl Rule for Promote {
    fn check(map: &PromoteMap, context: &mut Context<'_>) -> Option<Promote> {
        let group = &context.group.name;
        if context.topology.source_of(group).is_none() {
            let message = format!("the group `{group}` copies no other one");
            let advice = "name a group of the topology's `sync: { to: [...] }`";
            context.errors.add(&context.step.span, message, advice);
        }
        map.filled()
    }
}

impl Rule for FailBack {
    fn check(map: &FailBackMap, context: &mut Context<'_>) -> Option<FailBack> {
        let group = &context.group.name;
        if context.topology.followers(group).len() < 2 {
            let message = format!("no other group has the data of `{group}`");
            let advice = "name a group of the topology's `sync`";
            context.errors.add(&context.step.span, message, advice);
        }
        map.filled()
    }
}
