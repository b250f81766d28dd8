//! A step that leaves servers less memory than they use.

use super::declare::{Rule, step};
use super::shared::{Context, SharedKeys};
use super::target::Target;
use crate::spec::decode::{Word, word_enum};
use crate::spec::diagnostic::Diagnostic;
use crate::spec::quantity::Percent;
use crate::spec::rules::{check_range, load};
use crate::spec::topology::Topology;

step! {
    /// Sets `maxmemory` to a share of what servers use.
    MemoryPressure MemoryPressureMap "a memory-pressure step" [Target, For] {
        /// The share of what they use when it starts.
        required "maxmemory" maxmemory: Percent,
        /// `maxmemory-policy` meanwhile. Default: as it is.
        optional "policy" policy: Policy,
    }
}

/// `maxmemory-policy`, see
/// <https://redis.io/docs/latest/develop/reference/eviction/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    NoEviction,
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

word_enum!(Policy as "policy" {
    "noeviction" => Policy::NoEviction,
    "allkeys-lru" => Policy::AllKeysLru,
    "allkeys-lfu" => Policy::AllKeysLfu,
    "allkeys-random" => Policy::AllKeysRandom,
    "volatile-lru" => Policy::VolatileLru,
    "volatile-lfu" => Policy::VolatileLfu,
    "volatile-random" => Policy::VolatileRandom,
    "volatile-ttl" => Policy::VolatileTtl,
});

impl Rule for MemoryPressure {
    type Map = MemoryPressureMap;

    fn check(
        map: &MemoryPressureMap,
        context: &mut Context<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<MemoryPressure> {
        if let Some(at) = map.maxmemory.given() {
            let range = (Percent(1.0), Percent(1000.0));
            let why = "it is a share of what servers use when the step begins; below 100% they \
                       have too much";
            check_range("maxmemory", &at.value, &at.span, range, why, diagnostics);
        }
        if let Some(at) = context.target
            && matches!(at.value, Target::ReplicaOf(_) | Target::Replicas | Target::RandomReplica)
            && context.group.directive("replica-ignore-maxmemory") != Some("no")
        {
            let told = Diagnostic::new(&at.span, "replicas take no notice of `maxmemory`");
            let advice =
                "take primaries, or set the group's `config: { replica-ignore-maxmemory: no }`";
            diagnostics.push(told.advise(advice));
        }
        let advice =
            "take nodes of the group; sentinels can be slow (`cpu`), and have a wrong `clock`";
        let why = "hold no keys, and know no `maxmemory`";
        context.refuse_sentinels(why, advice, diagnostics);
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
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (step, map) in steps {
        // What is wrong with its group has been told.
        let group = load::group(&step.group, &step.span, topology, &mut Vec::new());
        let own = map.policy.given().map(|at| (at.value.word(), &at.span));
        let set = group.and_then(|group| group.directive("maxmemory-policy"));
        let Some((policy, span)) = own.or(set.map(|policy| (policy, &step.span))) else { continue };
        if let Some(checked) = unsettled.filter(|_| evicts(policy)) {
            let message = format!(
                "with `{policy}` servers evict keys, and `{checked}` would fail the drill for it"
            );
            let advice = "checkers cannot tell an evicted key from a lost write: add `reported: \
                          [all]`, so that they are counted and not judged";
            diagnostics.push(Diagnostic::new(span, message).advise(advice));
        }
    }
}

/// Whether servers with this policy evict keys of loads, which have no time to live.
pub fn evicts(policy: &str) -> bool {
    policy.to_ascii_lowercase().starts_with("allkeys-")
}
