//! What `docs/findings/` tells is still so, and redrill names it. A test that fails here says that
//! a server or library was mended (then its page has to say so), or that redrill has gone blind.

use std::path::{Path, PathBuf};
use std::process::Command;

use redrill::backend::process::binary::ServerBinary;
use redrill::spec::topology::EngineKind;

use crate::common::{heavy_turn, need, server};
use crate::drill::place::Place;

/// Plays the finding's scenario, with other seeds up to `most` times, until `measure` breaks its
/// bound, which the verdict and its reason must say.
fn shows(finding: &str, measure: &str, server: &Path, most: u32, more: &[&str]) {
    let _turn = heavy_turn();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings");
    let scenario = folder.join(finding);
    for seed in 1..=most {
        let (place, seed) = (Place::new(), seed.to_string());
        let mut command = place.run_of(scenario.to_str().unwrap(), more);
        command.args(["--seed", &seed, "--backend", "process", "--engine-binary"]).arg(server);
        place.watch(command).end();
        place.assert_nothing_left();
        let report = place.report();
        assert_eq!(report["completed"], true, "{}", report["why"]);
        let expectations = report["expectations"].as_array().unwrap();
        let broken = expectations.iter().find(|e| e["measure"] == measure).unwrap();
        if broken["verdict"] == "fail" {
            assert_eq!(report["verdict"], "fail");
            let why = report["why"].as_array().unwrap();
            assert!(why.contains(&broken["why"]), "{why:?}");
            return;
        }
    }
    panic!("{finding} was not seen on {} in {most} drills", server.display());
}

/// The first server of this kind.
fn first(kind: EngineKind) -> Option<PathBuf> {
    let of_kind = |path: &PathBuf| ServerBinary::at(path).unwrap().kind == kind;
    let found = need::every_engine().into_iter().find(of_kind);
    if found.is_none() {
        need::skip(need::Need::Engines, "there is no server of the kind that shows it");
    }
    found
}

#[test]
#[ignore = "`just test-all`"]
fn importing_primary_returns() {
    // It came in 15 of 40 drills.
    let Some(valkey) = first(EngineKind::Valkey) else { return };
    shows("importing-primary-returns/scenario.yaml", "writes.lost", &valkey, 20, &[]);
}

#[test]
#[ignore = "`just test-all`"]
fn sentinel_failover_loses_writes() {
    shows("sentinel-failover-loses-writes/scenario.yaml", "set.lost", &server(), 1, &[]);
}

#[test]
#[ignore = "`just test-all`"]
fn empty_primary_returns() {
    shows("empty-primary-returns/scenario.yaml", "writes.lost", &server(), 1, &[]);
    shows("empty-primary-returns/sentinel.yaml", "writes.lost", &server(), 1, &[]);
}

#[test]
#[ignore = "`just test-all`"]
fn unsynced_replica_elected() {
    // On a busy machine the reshard may not be over in time.
    let Some(redis) = first(EngineKind::Redis) else { return };
    shows("unsynced-replica-elected/scenario.yaml", "writes.lost", &redis, 6, &[]);
}

#[test]
#[ignore = "`just test-all`"]
fn sentinels_find_no_good_replica() {
    let scenario = "sentinels-find-no-good-replica/scenario.yaml";
    shows(scenario, "failover.served", &server(), 1, &[]);
}

#[test]
#[ignore = "`just test-all`"]
fn redis_py_runs_out_of_nodes() {
    let Some(python) = need::python_with_redis() else { return };
    // The last release that has it.
    let library = tempfile::tempdir().unwrap();
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "-q", "install", "redis==7.1.1", "--target"]).arg(library.path());
    if !pip.status().is_ok_and(|done| done.success()) {
        return need::skip(need::Need::RedisPy, "redis-py 7.1.1 cannot be installed");
    }
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters/redis-py/adapter.py");
    let [library, python, adapter] = [library.path(), &python, &adapter].map(Path::display);
    let client = format!("[env, PYTHONPATH={library}, {python}, {adapter}]");
    let client = format!("loads.app.client={{ command: {client} }}");
    let scenario = "redis-py-runs-out-of-nodes/scenario.yaml";
    // It came in six of seven drills, less on a machine too busy for a verdict.
    shows(scenario, "load.recovered", &server(), 6, &["--set", &client]);
}

#[test]
#[ignore = "`just test-all`"]
fn publish_waits_in_a_cluster() {
    shows("publish-waits-in-a-cluster/scenario.yaml", "invalidation.p99", &server(), 2, &[]);
}

#[test]
#[ignore = "`just test-all`"]
fn redis_rs_stalls() {
    // It came in seven of eight drills.
    shows("redis-rs-stall/scenario.yaml", "load.recovered", &server(), 4, &[]);
}
