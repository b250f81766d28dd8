//! Outside a cluster: a replication group, and the closed loop.

use std::time::Duration;

use redrill::load::saturate::{self, SaturateError, Saturation};

use super::real::{Server, wait};
use super::support::{Rig, load};

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_knows_only_a_replica_of_a_replica_finds_the_primary() {
    let follow = |server: &Server| {
        let port = server.address.port().to_string();
        let replica =
            Server::start(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
        wait("the replica is linked", || {
            replica.ask::<String>(&["INFO"]).unwrap().contains("master_link_status:up")
        });
        replica
    };
    let primary = Server::start(&[]);
    let between = follow(&primary);
    let replica = follow(&between);
    let mut rig = Rig::launch(&load(500.0, 0.5), &[replica.address], false).await;
    rig.runner.fill().await.unwrap();
    let (_, totals) = rig.run(Duration::from_millis(500)).await;
    assert_eq!(totals.ok, totals.intended, "{totals:?}");
    let left = rig.finish();
    let calls = calls(&primary, "set") + calls(&primary, "get");
    assert_eq!(calls, left.ops.len() as u64, "every operation went to the primary");
}

#[test]
fn a_closed_loop_counts_what_the_server_counts() {
    let server = Server::start(&[]);
    let closed = Saturation {
        address: server.address,
        connections: 2,
        clients: 10,
        pipeline: 4,
        time: Duration::from_millis(300),
        keys: 100,
        value: 30,
    };
    let done = saturate::run(closed, None).unwrap();
    assert!(done.operations > 100);
    assert_eq!(done.operations, calls(&server, "set"));
    assert_eq!(done.operations, done.latency.len());
    assert_eq!(server.ask::<u64>(&["DBSIZE"]).unwrap(), 100);
    assert!(done.elapsed >= closed.time && done.cpu <= done.elapsed, "{done:?}");
    assert!(!done.cpu.is_zero());
    assert!(done.latency.min() > 1_000, "no server answers in a microsecond");

    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let error = saturate::run(closed, None).unwrap_err();
    assert!(matches!(error, SaturateError::Server { .. }) && error.to_string().contains("OOM"));
}

/// How often the server has done `command` since its start.
fn calls(server: &Server, command: &str) -> u64 {
    let stats: String = server.ask(&["INFO", "commandstats"]).unwrap();
    let line = format!("cmdstat_{command}:calls=");
    let rest = stats.split(&line).nth(1).expect("the command was used");
    rest.split(',').next().and_then(|number| number.parse().ok()).expect("a number")
}
