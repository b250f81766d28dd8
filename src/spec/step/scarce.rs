//! Steps that give servers too little of the processor, or of memory.

use std::time::Duration;

use super::declare::{Keys, Rule, step};
use super::shared::{Context, SharedKeys};
use super::target::Target;
use crate::spec::Tools;
use crate::spec::decode::{At, Field, word_enum};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::quantity::{Percent, Time};
use crate::spec::rules::groups;
use crate::spec::topology::Topology;

const EITHER: &str = "write `cpu: 10%` for a share of one CPU, or `sleep: 200ms` for a server that \
                      does nothing meanwhile";

step! {
    /// Gives servers too little of the processor: a share of one CPU, or none at all for
    /// moments (DEBUG SLEEP).
    Slow SlowMap "a slow step" [Target, For] {
        /// The share of one CPU that they get.
        #[range(Percent(1.0), Percent(100.0), "it is a share of one CPU")]
        optional "cpu" cpu: Percent,
        /// For how long they do nothing.
        #[range(Time::millis(1), Time::secs(60), "for longer, write `do: pause`")]
        optional "sleep" sleep: Time,
        /// How often they sleep. Default: once.
        optional "every" every: Time,
    }
}

impl Rule for Slow {
    fn can_be_on_actors(&self) -> bool {
        self.cpu.is_some()
    }

    fn check(map: &SlowMap, context: &mut Context<'_>) -> Option<Slow> {
        match (&map.cpu, &map.sleep) {
            (Field::Missing, Field::Missing) => {
                let message = "a slow step needs the key `cpu` or `sleep`";
                context.errors.add(&context.step.span, message, EITHER);
            }
            (Field::Given(_), Field::Missing) => {
                if let Some(every) = map.every.given() {
                    let message = "`every` says how often servers sleep";
                    let advice = "leave it out: `cpu` holds all the time";
                    context.errors.add(&every.span, message, advice);
                }
            }
            (Field::Missing, Field::Given(sleep)) => check_sleep(map, sleep, context),
            (Field::Given(_), Field::Given(at)) => {
                let message = "a slow step has `cpu` or `sleep`, and not both";
                context.errors.add(&at.span, message, EITHER);
            }
            _ => {}
        }
        map.filled()
    }

    fn how(&self) -> String {
        match (self.cpu, self.sleep, self.every) {
            (Some(cpu), ..) => format!(", to {cpu} of a CPU"),
            (_, Some(sleep), None) => format!(", asleep for {sleep}"),
            (_, Some(sleep), Some(every)) => format!(", asleep for {sleep} of every {every}"),
            _ => String::new(),
        }
    }

    fn own_time(&self) -> Option<Duration> {
        // One sleep ends by itself.
        self.sleep.filter(|_| self.every.is_none()).map(|sleep| sleep.0)
    }

    fn tools(&self) -> Tools {
        Tools { preload: false, debug: self.sleep.is_some() }
    }
}

fn check_sleep(map: &SlowMap, sleep: &At<Time>, context: &mut Context<'_>) {
    match (map.every.given(), context.step.lasts.given()) {
        (Some(every), _) if every.value <= sleep.value => {
            let message = "a server cannot sleep more often than it wakes up";
            let advice = "`every` counts from one falling asleep to the next";
            context.errors.add(&every.span, message, advice);
        }
        (None, Some(lasts)) => {
            let advice = "leave `for` out, or say `every` how long they sleep";
            context.errors.add(&lasts.span, "one sleep ends by itself", advice);
        }
        _ => {}
    }
    let group = &*context.group;
    if let Some(set @ ("no" | "NO")) = group.directive("enable-debug-command") {
        let message = format!("`{}` has `enable-debug-command: {set}`, so nobody may", group.name);
        let advice = "take it out of the group's `config`, or write `cpu` instead";
        context.errors.add(&sleep.span, message, advice);
    }
    let advice = "for sentinels write `cpu` instead, or `do: pause`";
    context.refuse_sentinels("do not know DEBUG SLEEP", advice);
}

step! {
    /// Sets `maxmemory` to a share of what servers use.
    MemoryPressure MemoryPressureMap "a memory-pressure step" [Target, For] {
        /// The share of what they use when it starts.
        #[range(Percent(1.0), Percent(1000.0), "it is a share of what servers use when the step \
            begins; below 100% they have too much")]
        required "maxmemory" maxmemory: Percent,
        /// `maxmemory-policy` meanwhile. Default: as it is.
        optional "policy" policy: Policy,
    }
}

word_enum! {
    /// `maxmemory-policy`, see
    /// <https://redis.io/docs/latest/develop/reference/eviction/>.
    Policy "policy" {
        NoEviction "noeviction",
        AllKeysLru "allkeys-lru",
        AllKeysLfu "allkeys-lfu",
        AllKeysRandom "allkeys-random",
        VolatileLru "volatile-lru",
        VolatileLfu "volatile-lfu",
        VolatileRandom "volatile-random",
        VolatileTtl "volatile-ttl",
    }
}

impl Rule for MemoryPressure {
    fn check(map: &MemoryPressureMap, context: &mut Context<'_>) -> Option<MemoryPressure> {
        if let Some(at) = context.target
            && matches!(at.value, Target::ReplicaOf(_) | Target::Replicas | Target::RandomReplica)
            && context.group.directive("replica-ignore-maxmemory") != Some("no")
        {
            let advice =
                "take primaries, or set the group's `config: { replica-ignore-maxmemory: no }`";
            context.errors.add(&at.span, "replicas take no notice of `maxmemory`", advice);
        }
        let advice =
            "take nodes of the group; sentinels can be slow (`cpu`), and have a wrong `clock`";
        let why = "hold no keys, and know no `maxmemory`";
        context.refuse_sentinels(why, advice);
        map.filled()
    }

    fn how(&self) -> String {
        let policy = self.policy.map(|policy| format!(" with {}", policy.word()));
        format!(", maxmemory at {} of what is used{}", self.maxmemory, policy.unwrap_or_default())
    }
}

/// Keys that a server evicts are gone, which checkers cannot tell from lost writes. So that a
/// drill does not fail for what it asked for, no checker may be `unsettled`: neither bounded nor
/// reported.
pub fn evictions<'m>(
    steps: impl Iterator<Item = (&'m SharedKeys, &'m MemoryPressureMap)>,
    topology: &Topology,
    unsettled: Option<&str>,
    errors: &mut Diagnostics,
) {
    for (step, map) in steps {
        // Errors in its group have been reported already.
        let group = groups::group(&step.group, &step.span, topology, &mut Diagnostics::default());
        let own = map.policy.given().map(|at| (at.value.word(), &at.span));
        let set = group.and_then(|group| group.directive("maxmemory-policy"));
        let Some((policy, span)) = own.or(set.map(|policy| (policy, &step.span))) else { continue };
        if let Some(checked) = unsettled.filter(|_| evicts(policy)) {
            let message = format!(
                "with `{policy}` servers evict keys, and `{checked}` would fail the drill for it"
            );
            let advice = "checkers cannot tell an evicted key from a lost write: add `reported: \
                          [all]`, so that they are counted and not judged";
            errors.add(span, message, advice);
        }
    }
}

/// Whether servers with this policy evict keys of loads, which have no time to live.
pub fn evicts(policy: &str) -> bool {
    policy.to_ascii_lowercase().starts_with("allkeys-")
}
