//! Each ready scenario fails on a server that breaks what it promises.

use std::collections::BTreeSet;
use std::time::Duration;

use redrill::spec::library;

use crate::common::heavy_turn;
use crate::drill::place::Place;
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
const ELECTS_NOBODY: Wrong = Wrong::Options("--cluster-replica-no-failover yes");
const IMPATIENT: Wrong = Wrong::Options("--cluster-node-timeout 300");
const NEEDS_REPLICAS: Wrong = Wrong::Options("--min-replicas-to-write 1 --min-replicas-max-lag 1");
const PROMOTES_NOBODY: Wrong = Wrong::Options("--replica-priority 0");
const SERVES_ALONE: Wrong = Wrong::Options("--cluster-node-timeout 15000");
const REFUSES: Wrong = Wrong::OptionsOnReturn("--maxmemory 1");

const fn forgets(node: &'static str, after_ms: u64) -> Wrong {
    Wrong::Forgets(node, Duration::from_millis(after_ms))
}

const STANDS: Wrong = Wrong::StandsStill("cache/0/0", Duration::from_millis(1_700));

pub const ALL: &[Broken] = &[
    broken("steady-state", &["settle=5s"], EVICTS, "writes.lost"),
    broken("steady-state", &["settle=5s"], STANDS, "downtime.write.max"),
    broken("cluster-reshard", MOVES, forgets("cache/1/0", 1_500), "writes.lost"),
    broken("cluster-drain", MOVES, forgets("cache/1/0", 1_500), "writes.lost"),
    broken("cluster-rebalance", MOVES, forgets("cache/0/0", 1_500), "writes.lost"),
    broken("scale-out-under-load", SOON, EVICTS, "writes.lost"),
    broken("replica-kill", SOON, NEEDS_REPLICAS, "downtime.write.max"),
    broken("flapping-link", SOON, IMPATIENT, "failovers"),
    broken("minority-partition", SOON, Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("minority-partition", SOON, ELECTS_NOBODY, "failovers"),
    broken("node-failure-during-reshard", FAILS, ELECTS_NOBODY, "failovers"),
    broken("node-timeout-sweep", SWEEP, ELECTS_NOBODY, "failovers"),
    broken("primary-kill", FAILS, Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("primary-kill", FAILS, ELECTS_NOBODY, "failovers"),
    broken("primary-pause", FAILS, Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("quorum-loss", SOON, Wrong::TakesOver, "failovers"),
    broken("quorum-loss", SOON, SERVES_ALONE, "errors.share.during"),
    broken("rolling-restart", SOON, Wrong::EmptyWhenPromoted, "writes.lost"),
    broken("sentinel-failover", FAILS, Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("sentinel-failover", FAILS, PROMOTES_NOBODY, "failovers"),
    broken("split-brain", &[], Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("standby-promotion", &[], Wrong::EmptyWhenPromoted, "writes.lost.share"),
    broken("chaos", KILLS, REFUSES, "load.recovered"),
];

const SWEEP: &[&str] =
    &["timeline.0.at=1s", "over={groups.cache.config.cluster-node-timeout: [500, 1000]}"];
const KILLS: &[&str] = &["timeline.0.at=1s", "timeline.0.faults=[kill]"];

impl Broken {
    /// What comes of it with that seed, on servers that are wrong or on right ones.
    pub fn play(&self, place: &Place, seed: u64, wrong: Option<Wrong>) -> Outcome {
        let seed = seed.to_string();
        let set = self.set.iter().flat_map(|set| ["--set", set]);
        let args: Vec<&str> = ["--profile", "ci", "--seed", &seed].into_iter().chain(set).collect();
        wrong::play(place, self.scenario, &args, wrong)
    }

    /// What is not as it must be.
    fn mistake(&self) -> Option<String> {
        let _turn = heavy_turn();
        let outcome = self.play(&Place::new(), 7, Some(self.wrong));
        let bound = format!("`{} ", self.breaks);
        // On a machine that is too busy, nobody can tell whether it holds.
        let broken = ["does not hold", "the machine was too busy to tell"];
        let is_broken = |why: &String| broken.iter().any(|words| why.contains(words));
        let is_told = outcome.why.iter().any(|why| why.starts_with(&bound) && is_broken(why));
        (outcome.verdict == "pass" || !is_told)
            .then(|| format!("{} on {:?}: {outcome:?}", self.scenario, self.wrong))
    }
}

fn hold(scenarios: &[&str]) {
    let mine = ALL.iter().filter(|one| scenarios.contains(&one.scenario));
    let mistakes: Vec<String> = mine.filter_map(Broken::mistake).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
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

#[test]
fn every_ready_scenario_can_fail() {
    let played: BTreeSet<&str> = ALL.iter().map(|one| one.scenario).collect();
    let ready: BTreeSet<&str> = library::scenarios().iter().map(|ready| ready.name).collect();
    assert_eq!(played, ready);
}

#[test]
#[ignore = "`just test-all`"]
fn a_standby_without_data_breaks_its_promotion() {
    hold(&["standby-promotion"]);
}
