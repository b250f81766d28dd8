//! Real servers behind the relay.

use std::time::{Duration, Instant};

use redis::cmd;
use redrill::model::event::Role;
use redrill::model::traffic::{Class, End};
use redrill::net::{Ends, Pairs, Rule};
use redrill::node::{Node, Problem};

use super::rig::{MS, both, clients, node};
use super::servers::{Servers, Setup};

/// So many servers that know nothing of each other.
async fn alone(count: u32) -> Servers {
    let names: Vec<_> = (0..count).map(node).collect();
    Servers::start(&names, |_, _| Setup { config: Vec::new(), files: Vec::new() }).await
}

/// A server as clients see it.
fn behind_its_door(servers: &Servers) -> Node {
    servers.fabric.know("127.0.0.1".parse().unwrap(), clients());
    Node::new(node(0), servers.doors[&node(0)], "", Role::Primary)
}

async fn ping(node: &Node) -> Duration {
    let began = Instant::now();
    node.admin.ping().await.unwrap();
    began.elapsed()
}

#[tokio::test]
async fn a_ping_takes_a_round_trip() {
    let servers = alone(1).await;
    let node = behind_its_door(&servers);
    // The first has the connection to make.
    ping(&node).await;
    let near = ping(&node).await;
    let _far = servers.fabric.apply(&Rule::latency(40 * MS), both());
    tokio::time::sleep(10 * MS).await;
    let far = ping(&node).await;
    assert!(far >= 80 * MS && far < 150 * MS, "{far:?}, and without a rule {near:?}");
    servers.end().await;
}

#[tokio::test]
async fn a_cut_hangs_for_as_long_as_the_client_waits_and_heals() {
    let servers = alone(1).await;
    let node = behind_its_door(&servers);
    ping(&node).await;
    let cut = servers.fabric.apply(&Rule::cut(), both());
    let hasty = node.admin.with_timeout(200 * MS);
    for _ in 0..2 {
        // First on the open connection, then on a new one.
        let began = Instant::now();
        let error = hasty.ping().await.unwrap_err();
        assert!(!matches!(*error.problem, Problem::Refused(_)), "{error}");
        assert!(began.elapsed() >= 200 * MS, "{error}");
    }
    drop(cut);
    ping(&node).await;
    servers.end().await;
}

/// MIGRATE's connections come from no node's address.
#[tokio::test]
async fn migrate_is_told_and_cut_as_its_source() {
    let servers = alone(2).await;
    let (source, target) = (&servers.nodes[0], servers.doors[&node(1)]);
    let migrate = async |key: &str| -> Result<String, _> {
        source.admin.query::<String>(cmd("SET").arg(key).arg("x")).await.unwrap();
        let mut migrate = cmd("MIGRATE");
        migrate.arg(target.ip().to_string()).arg(target.port()).arg(key).arg(0).arg(300);
        source.admin.query(&migrate).await
    };
    assert_eq!(migrate("one").await.unwrap(), "OK");
    let flows = servers.fabric.traffic();
    let is_it = |from| move |f: &&redrill::model::traffic::Flow| f.from == End::from(node(from));
    let flow = flows.iter().find(is_it(0)).unwrap();
    assert_eq!((flow.class, flow.connections), (Class::Migration, 1), "{flows:#?}");
    assert!(flow.bytes > 0, "{flows:#?}");
    let ends = |ordinal| Ends::only([node(ordinal)]);
    let cut = servers.fabric.apply(&Rule::cut(), Pairs::one_way(ends(0), ends(1)));
    migrate("two").await.unwrap_err();
    drop(cut);
    assert_eq!(migrate("three").await.unwrap(), "OK");
    servers.end().await;
}
