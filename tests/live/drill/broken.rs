//! Each ready scenario fails on a server that breaks what it promises.

use std::collections::BTreeSet;
use std::time::Duration;

use redrill::spec::library;

use crate::common::heavy_turn;
use crate::common::need::{self, Need};
use crate::drill::place::Place;
use crate::drill::ready::CACHES;
use crate::drill::wrong::{self, Outcome, Wrong};

/// A drill whose outcome is known: the scenario, in less time, on servers that are wrong, and a
/// measure whose bound is broken by that.
pub struct Broken {
    pub scenario: &'static str,
    pub set: &'static [&'static str],
    pub wrong: Wrong,
    pub breaks: &'static str,
}

const fn broken(
    scenario: &'static str,
    set: &'static [&'static str],
    wrong: Wrong,
    breaks: &'static str,
) -> Broken {
    Broken { scenario, set, wrong, breaks }
}

const MOVES: &[&str] = &["timeline.0.at=1s", "timeline.0.pace=fast", "settle=3s"];
const FAILS: &[&str] = &["timeline.0.at=1s", "settle=8s"];
const SOON: &[&str] = &["timeline.0.at=1s"];

const EVICTS: Wrong = Wrong::Options("--maxmemory 4mb --maxmemory-policy allkeys-random");
/// There is room for hardly any copy.
const EVICTS_ALL: Wrong = Wrong::Options("--maxmemory 1mb --maxmemory-policy allkeys-random");
/// It looks at one key only when it evicts.
const EVICTS_ANY: Wrong = Wrong::Options("--maxmemory-samples 1");
const ELECTS_NOBODY: Wrong = Wrong::Options("--cluster-replica-no-failover yes");
const IMPATIENT: Wrong = Wrong::Options("--cluster-node-timeout 300");
const NEEDS_REPLICAS: Wrong = Wrong::Options("--min-replicas-to-write 1 --min-replicas-max-lag 1");
const PROMOTES_NOBODY: Wrong = Wrong::Options("--replica-priority 0");
const SERVES_ALONE: Wrong = Wrong::Options("--cluster-node-timeout 15000");
const REFUSES: Wrong = Wrong::OptionsOnReturn("--maxmemory 1");

const fn forgets(nodes: &'static [&'static str], after_ms: u64) -> Wrong {
    Wrong::Forgets(nodes, Duration::from_millis(after_ms))
}

/// All shards, after one of them has failed over. That is late, so that clients do not write the
/// keys again.
const ALL_FORGET: Wrong = forgets(&["cache/0/0", "cache/1/1", "cache/2/0"], 11_000);
const fn stands(for_ms: u64) -> Wrong {
    Wrong::StandsStill("cache/0/0", Duration::from_millis(for_ms))
}

const STANDS: Wrong = stands(1_700);

const EU_STANDS: Wrong = Wrong::StandsStill("eu/0/0", Duration::from_secs(5));
const EU_LOSES: Wrong = Wrong::LosesKeys("eu/0/0", Duration::from_secs(3));
const REGIONS: &[&str] = &["timeline.0.at=1s", "timeline.0.for=5s", "settle=3s"];

const COUNTED: &[&str] = &["timeline.0.for=5s"];

/// Where the one key of a stampede is.
const CACHES_LOSE: Wrong = Wrong::LosesLeases(&["cache/0/0", "cache/1/0", "cache/2/0"]);
const ALL_CACHES: &[&str] = &["cache/0/0", "cache/1/0", "cache/2/0"];
/// The servers' own JSON has numbers as floats.
const THROUGH_FLOATS: Wrong = Wrong::Rewrites(
    ALL_CACHES,
    "local head, entity = string.match(copy, '^(%d+ %d+ %d+ )(.*)$'); \
     return head .. cjson.encode(cjson.decode(entity))",
);
const CUTS_SHORT: Wrong = Wrong::Rewrites(ALL_CACHES, "return string.sub(copy, 1, -2)");
const TWO_FORMATS: &str = "over={loads.app.format: [json, protobuf+zstd]}";
const CACHES_STAND: Wrong = Wrong::StandsStill("cache/2/0", Duration::from_secs(4));
pub const TAGS_GET_LOST: Wrong = Wrong::LosesTags(&["cache/0/0", "cache/1/0", "cache/2/0"]);
const COUNTS_ANEW: Wrong = forgets(&["cache/0/0"], 3_000);
const LOCKS_FORGET: Wrong = Wrong::LosesLeases(&["locks/0/0"]);
const ALL_LOCKS_FORGET: Wrong =
    Wrong::LosesLeases(&["locks/0/0", "locks/1/0", "locks/1/1", "locks/2/0"]);
const FIVE_FORGET: Wrong = Wrong::LosesLeases(&["a/0/0", "b/0/0", "c/0/0", "d/0/0", "e/0/0"]);
const LOCKS_STAND: Wrong = Wrong::StandsStill("locks/0/0", Duration::from_millis(2_500));
/// So that somebody else wants a lock that its holder has lost.
const FEW_LOCKS: &[&str] = &["settle=5s", "loads.app.keys=10"];

pub const ALL: &[Broken] = &[
    broken("steady-state", &["settle=5s"], EVICTS, "writes.lost"),
    broken("steady-state", &["settle=5s"], STANDS, "downtime.write.max"),
    broken("cluster-reshard", MOVES, forgets(&["cache/1/0"], 1_500), "writes.lost"),
    broken("cluster-reshard", MOVES, STANDS, "downtime.write.max"),
    broken("cluster-drain", MOVES, forgets(&["cache/1/0"], 1_500), "writes.lost"),
    broken("cluster-rebalance", MOVES, forgets(&["cache/0/0"], 1_500), "writes.lost"),
    broken("cluster-rebalance", MOVES, STANDS, "downtime.write.max"),
    broken("scale-out-under-load", SOON, EVICTS, "writes.lost"),
    broken("scale-out-under-load", SOON, stands(3_000), "downtime.write.max"),
    broken("replica-kill", SOON, NEEDS_REPLICAS, "downtime.write.max"),
    broken("flapping-link", SOON, IMPATIENT, "failovers"),
    broken("minority-partition", SOON, Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("minority-partition", SOON, ELECTS_NOBODY, "failovers"),
    broken("node-failure-during-reshard", FAILS, ELECTS_NOBODY, "failovers"),
    broken("node-failure-during-reshard", FAILS, ALL_FORGET, "writes.lost.share"),
    broken("node-timeout-sweep", SWEEP, ELECTS_NOBODY, "failovers"),
    broken("primary-kill", FAILS, Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("primary-kill", FAILS, ELECTS_NOBODY, "failovers"),
    broken("primary-kill", &["settle=8s"], Wrong::Lags, "rpo"),
    broken("primary-pause", FAILS, Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("primary-pause", FAILS, ELECTS_NOBODY, "failovers"),
    broken("quorum-loss", SOON, Wrong::TakesOver, "failovers"),
    broken("quorum-loss", SOON, SERVES_ALONE, "errors.share.during"),
    broken("quorum-loss", SOON, REFUSES, "load.recovered"),
    broken("quorum-loss", SOON, forgets(EVERYBODY, 14_000), "writes.lost.share"),
    broken("rolling-restart", SOON, Wrong::EmptyWhenPromoted, "writes.lost"),
    broken("sentinel-failover", FAILS, Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("sentinel-failover", FAILS, PROMOTES_NOBODY, "failovers"),
    broken("sentinel-failover", &["settle=8s"], Wrong::Lags, "rpo"),
    broken("split-brain", &[], NEEDS_REPLICAS, "load.recovered"),
    broken("split-brain", &[], Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("standby-promotion", &[], Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("fail-back", &[], Wrong::EmptyWhenPromoted, "writes.lost"),
    broken("stretched-cluster-region-loss", &[], Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("stretched-cluster-region-loss", &[], ELECTS_NOBODY, "failovers"),
    broken("stretched-cluster-majority-loss", &[], Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("stretched-cluster-majority-loss", &[], SERVES_ALONE, "errors.share.during"),
    broken("cross-region-sync", &["settle=5s"], EU_LOSES, "sync.consistency"),
    broken("cross-region-conflicts", &["settle=5s"], EU_LOSES, "sync.consistency"),
    broken("region-partition", REGIONS, EU_LOSES, "sync.consistency"),
    broken("replicator-crash", &["settle=2s"], EU_LOSES, "sync.consistency"),
    broken("clock-skew", LINK_SOON, EU_LOSES, "sync.consistency"),
    broken("slow-link", LINK_SOON, EU_LOSES, "sync.consistency"),
    broken("asymmetric-link", LINK_SOON, EU_LOSES, "sync.consistency"),
    broken("cross-region-reads", &["settle=5s"], EU_LOSES, "reads.not_monotonic"),
    broken("cross-region-invalidation", &["settle=9s"], EU_STANDS, "reads.stale.age.max"),
    broken("region-loss", LOST_SOON, EU_LOSES, "writes.lost.share"),
    broken("region-return", LOST_SOON, EU_LOSES, "writes.lost.share"),
    broken("lock-contention", &["settle=5s"], LOCKS_FORGET, "lock.overlaps"),
    broken("lock-contention", &["settle=8s"], LOCKS_STAND, "lock.acquire.p99"),
    broken("lock-sustained", FEW_LOCKS, LOCKS_FORGET, "lock.overlaps"),
    broken("lock-sustained", &["settle=5s"], LOCKS_STAND, "latency.p99.worst"),
    broken("lock-deadlock", &["settle=5s"], LOCKS_FORGET, "lock.overlaps"),
    broken("lock-ordering", &["settle=5s"], LOCKS_FORGET, "lock.overlaps"),
    broken("lock-timeouts", FEW_LOCKS, LOCKS_FORGET, "lock.overlaps"),
    broken("lock-expiry", &["settle=5s"], LOCKS_FORGET, "lock.lease.early"),
    broken("lock-expiry", &["settle=5s"], LOCKS_STAND, "lock.lease.late.p99"),
    broken("lock-holder-pause", &[], LOCKS_FORGET, "lock.overlaps"),
    broken("lock-failover", &[], ALL_LOCKS_FORGET, "lock.overlaps"),
    broken("lock-failover", &[], ELECTS_NOBODY, "failovers"),
    broken("lock-partition", &[], ALL_LOCKS_FORGET, "lock.overlaps"),
    broken("lock-partition", &[], ELECTS_NOBODY, "failovers"),
    broken("lock-clock-jump", &[], FIVE_FORGET, "lock.overlaps"),
    broken("lock-restart-without-data", &[], FIVE_FORGET, "lock.overlaps"),
    broken("lock-reshard", &[], ALL_LOCKS_FORGET, "lock.overlaps"),
    broken("lock-comparison", &[], ALL_LOCKS_FORGET, "lock.overlaps"),
    broken("cache-aside", &["settle=5s"], EVICTS_ALL, "origin.shed"),
    broken("cache-aside", &["settle=5s"], STANDS, "cache.stale.late"),
    broken("cache-load-light", &["settle=5s"], EVICTS_ALL, "origin.saved"),
    broken("cache-load-light", &["settle=5s"], STANDS, "errors.total"),
    broken("cache-load-medium", &["settle=5s"], EVICTS_ALL, "origin.saved"),
    broken("cache-load-medium", &["settle=5s"], STANDS, "latency.p95.before"),
    broken("cache-load-heavy", &["settle=5s"], EVICTS_ALL, "origin.saved"),
    broken("cache-load-heavy", &["settle=5s"], STANDS, "latency.p95.before"),
    broken("cache-stampede", &["settle=5s"], CACHES_LOSE, "stampede.computations.max"),
    broken("cache-stampede", &["settle=5s"], CACHES_STAND, "errors.total"),
    broken("cache-stampede-many", &["settle=5s"], CACHES_LOSE, "stampede.computations.max"),
    broken("cache-stampede-many", &["settle=5s"], CACHES_STAND, "errors.total"),
    broken("cache-stampede-comparison", &["settle=4s"], EVICTS_ALL, "cache.hits"),
    broken("cache-invalidation", &["settle=5s"], STANDS, "cache.stale.late"),
    broken("cache-invalidation-comparison", &["settle=4s"], EVICTS_ALL, "cache.hits"),
    broken("cache-invalidation-race", &["settle=5s"], STANDS, "errors.total"),
    broken("cache-invalidation-tags", &[], TAGS_GET_LOST, "invalidation.left"),
    broken("cache-invalidation-tags", &[], STANDS, "cache.stale.late"),
    broken("cache-breaker", &[], EVICTS_ALL, "origin.saved"),
    broken("cache-cold-restart", &[], EVICTS_ALL, "cache.hits"),
    broken("cache-keys", &["settle=5s"], EVICTS_ALL, "cache.hits"),
    broken("cache-invalidation-cut", &[], stands(5_000), "cache.stale.age.max"),
    broken("cache-invalidation-failover", &[], ELECTS_NOBODY, "failovers"),
    broken("cache-invalidation-reshard", &[], STANDS, "errors.total"),
    broken("cache-stampede-holder", &[], CACHES_LOSE, "stampede.computations.max"),
    broken("cache-ttl-layers", &["settle=5s"], EVICTS_ALL, "origin.saved"),
    broken("cache-writes", &[], stands(3_000), "errors.share"),
    broken("cache-writes-comparison", &[], EVICTS_ALL, "cache.hits"),
    broken("cache-slow-link", &[], EVICTS_ALL, "origin.saved"),
    broken("cache-formats", &["settle=4s"], THROUGH_FLOATS, "format.broken"),
    broken("cache-formats", &["settle=5s"], CACHES_STAND, "latency.p95.before"),
    broken("cache-formats-comparison", &["settle=3s", TWO_FORMATS], CUTS_SHORT, "format.broken"),
    broken("cache-eviction", &[], EVICTS_ALL, "cache.hits"),
    broken("cache-eviction", &[], EVICTS_ANY, "eviction.accuracy"),
    broken("cache-eviction-comparison", &[], EVICTS_ALL, "cache.hits"),
    broken("cache-expiry", &[], CACHES_LOSE, "expiry.early"),
    broken("cache-expiry", &[], ELECTS_NOBODY, "failovers"),
    broken("cache-scale", &["settle=5s"], EVICTS_ALL, "cache.hits"),
    broken("cache-skew", &["settle=5s"], CACHES_STAND, "errors.share"),
    broken("cache-counters", COUNTED, COUNTS_ANEW, "counter.wrong"),
    broken("cache-counters", COUNTED, STANDS, "latency.p95.during"),
    broken("cache-counters-comparison", &[], stands(4_000), "latency.p95.during"),
    broken("cache-transactions", &["settle=5s"], COUNTS_ANEW, "transactions.torn"),
    broken("cache-transactions", &["timeline.0.at=1s"], STANDS, "latency.p95.during"),
    broken("cache-transactions-failing", &["settle=5s"], COUNTS_ANEW, "transactions.torn"),
    broken("cache-transactions-failing", &["settle=5s"], STANDS, "latency.p95.before"),
    broken("cache-warming", &[], EVICTS_ALL, "warm.gain"),
    broken("cache-warming-comparison", &[], EVICTS_ALL, "cache.hits"),
    broken("cache-restore", &[], EVICTS_ALL, "cache.hits"),
    broken("chaos", KILLS, REFUSES, "load.recovered"),
    broken("chaos", WRITES, REFUSES, "errors.share"),
    broken("chaos", KILLS, forgets(EVERYBODY, 20_000), "writes.lost.share"),
];

const LINK_SOON: &[&str] = &["timeline.0.at=1s", "timeline.0.for=4s", "settle=4s"];
const LOST_SOON: &[&str] = &["timeline.0.for=3s", "timeline.1.for=3s", "settle=3s"];
const SWEEP: &[&str] =
    &["timeline.0.at=1s", "over={groups.cache.config.cluster-node-timeout: [500, 1000]}"];
const KILLS: &[&str] = &["timeline.0.at=1s", "timeline.0.faults=[kill]"];
/// By the end of such drills a server that refuses writes refuses most of them.
const WRITES: &[&str] =
    &["timeline.0.at=1s", "timeline.0.faults=[kill]", "loads.app.reads=0%", "settle=20s"];
/// Replicas cannot, so it is tried again and again.
const EVERYBODY: &[&str] =
    &["cache/0/0", "cache/0/1", "cache/1/0", "cache/1/1", "cache/2/0", "cache/2/1"];

impl Broken {
    /// What comes of it with that seed, on servers that are wrong or on right ones.
    pub fn play(&self, place: &Place, seed: u64, wrong: Option<Wrong>) -> Outcome {
        let seed = seed.to_string();
        let set = self.set.iter().flat_map(|set| ["--set", set]);
        let args: Vec<&str> = ["--profile", "ci", "--seed", &seed].into_iter().chain(set).collect();
        wrong::play(place, self.scenario, &args, wrong)
    }

    /// What is not as it must be. If the machine was too busy to tell, it is asked once more.
    fn mistake(&self) -> Option<String> {
        let _turn = heavy_turn();
        let play = |seed| self.play(&Place::new(), seed, Some(self.wrong));
        let says = |outcome: &Outcome, words| {
            let bound = format!("`{} ", self.breaks);
            outcome.why.iter().any(|why| why.starts_with(&bound) && why.contains(words))
        };
        let is_unsure = |outcome: &Outcome| says(outcome, "the machine was too busy to tell");
        let mut outcome = play(7);
        if is_unsure(&outcome) {
            outcome = play(8);
        }
        let what = format!("{} on {:?}", self.scenario, self.wrong);
        if is_unsure(&outcome) {
            need::skip(Need::Quiet, &format!("{what}: the machine was too busy to tell, twice"));
            return None;
        }
        let is_told = outcome.verdict == "fail" && says(&outcome, "does not hold");
        (!is_told).then(|| format!("{what}: {outcome:?}"))
    }
}

fn hold(scenarios: &[&str]) {
    let mine = ALL.iter().filter(|one| scenarios.contains(&one.scenario));
    let mistakes: Vec<String> = mine.filter_map(Broken::mistake).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
#[ignore = "`just test-all`"]
fn an_empty_replica_that_takes_over_breaks_primary_kill() {
    hold(&["primary-kill"]);
}

#[test]
#[ignore = "`just test-all`"]
fn keys_that_are_lost_on_the_way_break_what_moves() {
    hold(&["steady-state", "cluster-reshard", "cluster-drain", "cluster-rebalance"]);
    hold(&["scale-out-under-load"]);
}

#[test]
#[ignore = "`just test-all`"]
fn wrong_servers_break_what_cuts_links() {
    hold(&["flapping-link", "minority-partition", "split-brain", "chaos"]);
}

#[test]
#[ignore = "`just test-all`"]
fn wrong_servers_break_what_ends_nodes() {
    hold(&["node-failure-during-reshard", "node-timeout-sweep", "primary-pause", "quorum-loss"]);
    hold(&["replica-kill", "rolling-restart", "sentinel-failover"]);
}

/// The measures that a scenario's comment says wrong servers break: each in brackets after its
/// fault, and perhaps with a word on it.
fn named(text: &str) -> BTreeSet<&str> {
    let comment = text.lines().skip_while(|line| !line.starts_with("# Breaks it:"));
    let comment = comment.take_while(|line| line.starts_with('#'));
    let measures = comment.flat_map(|line| line.split('(').skip(1));
    measures.filter_map(|rest| rest.split([',', ':', ')']).next()).collect()
}

#[test]
fn what_a_ready_scenario_says_breaks_it_is_played() {
    for ready in library::scenarios() {
        let played = ALL.iter().filter(|one| one.scenario == ready.name);
        let played: BTreeSet<&str> = played.map(|one| one.breaks).collect();
        assert!(!played.is_empty(), "nothing breaks {}", ready.name);
        assert_eq!(played, named(ready.text), "{}", ready.name);
    }
}

#[test]
#[ignore = "`just test-all`"]
fn a_standby_without_data_breaks_its_promotion() {
    hold(&["standby-promotion", "fail-back"]);
}

#[test]
#[ignore = "`just test-all`"]
fn wrong_servers_break_a_stretched_cluster_that_loses_a_region() {
    hold(&["stretched-cluster-region-loss", "stretched-cluster-majority-loss"]);
}

#[test]
#[ignore = "`just test-all`"]
fn a_region_that_loses_keys_breaks_what_regions_promise() {
    hold(&["cross-region-sync", "cross-region-conflicts", "region-partition", "replicator-crash"]);
}

#[test]
#[ignore = "`just test-all`"]
fn a_region_that_loses_keys_breaks_the_loss_of_another_one() {
    hold(&["region-loss", "region-return"]);
}

#[test]
#[ignore = "`just test-all`"]
fn a_region_that_loses_keys_breaks_what_links_do() {
    hold(&["clock-skew", "slow-link", "asymmetric-link", "cross-region-reads"]);
    hold(&["cross-region-invalidation"]);
}

#[test]
#[ignore = "`just test-all`"]
fn a_server_that_loses_locks_breaks_what_locks_promise() {
    hold(&["lock-contention", "lock-sustained"]);
    hold(&["lock-deadlock", "lock-ordering", "lock-timeouts", "lock-expiry", "lock-reshard"]);
    hold(&["lock-holder-pause", "lock-failover", "lock-partition"]);
    hold(&["lock-clock-jump", "lock-restart-without-data", "lock-comparison"]);
}

#[test]
#[ignore = "`just test-all`"]
fn a_server_that_forgets_or_stands_still_breaks_what_caches_and_counters_promise() {
    hold(&CACHES);
}
