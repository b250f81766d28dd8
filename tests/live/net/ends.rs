//! How connections come to their end: as they would without a relay, or by a rule.

use std::net::TcpListener;

use redrill::model::traffic::Class;
use redrill::net::{Channel, Door, Fabric, NetError, Rule};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use super::rig::{
    MS, PATIENCE, Rig, back, both, clients, ends, hears, is_silent, node, passes, there, turns_away,
};
use crate::common::until;

#[tokio::test]
async fn one_side_may_end_while_the_other_goes_on() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    client.write_all(b"all").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(hears(&mut server, 3).await, "all");
    ends(&mut server).await.unwrap();
    passes("answer", &mut server, &mut client).await;
    drop(server);
    ends(&mut client).await.unwrap();
}

#[tokio::test]
async fn a_reset_is_a_reset_at_the_other_end_too() {
    let rig = Rig::new().await;
    for latency in [0, 20] {
        let _far = rig.fabric.apply(&Rule::latency(latency * MS), both());
        let (mut client, mut server) = rig.connect().await;
        passes("hello", &mut client, &mut server).await;
        server.set_zero_linger().unwrap();
        drop(server);
        assert!(ends(&mut client).await.is_err(), "at {latency} ms");
    }
}

/// As a server does that has too many clients.
#[tokio::test]
async fn last_words_are_heard_whatever_is_said_to_who_has_gone() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    passes("hello", &mut client, &mut server).await;
    let _far = rig.fabric.apply(&Rule::latency(100 * MS), back());
    sleep(10 * MS).await;
    server.write_all(b"bye").await.unwrap();
    drop(server);
    for _ in 0..3 {
        // The second is refused: nobody is there.
        client.write_all(b"another").await.unwrap();
        sleep(10 * MS).await;
    }
    assert_eq!(hears(&mut client, 3).await, "bye");
    // The reset comes with the end, and may show as either.
    let _ = ends(&mut client).await;
}

#[tokio::test]
async fn a_server_that_died_resets_who_comes() {
    let rig = Rig::new().await;
    let (mut client, server) = rig.connect().await;
    let Rig { fabric, door, server: listener } = rig;
    drop((listener, server));
    ends(&mut client).await.unwrap();
    assert!(turns_away(door).await);
    assert_eq!(fabric.trouble(), None, "that is the server's, not the machine's");
}

#[tokio::test]
async fn a_link_that_refuses_resets_new_connections_and_leaves_the_others() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let refusing = rig.fabric.apply(&Rule::refuse(1.0), there());
    assert!(turns_away(rig.door).await);
    assert!(rig.nobody_comes().await);
    passes("still here", &mut client, &mut server).await;
    drop(refusing);
    rig.connect().await;
    let flow = rig.flow(clients(), node(0), Class::Client).await;
    assert_eq!((flow.connections, flow.resets), (2, 1));
}

#[tokio::test]
async fn all_that_is_open_is_reset_at_both_ends() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    passes("hello", &mut client, &mut server).await;
    assert_eq!(rig.fabric.reset(&back(), 1.0), 0, "the node opened none");
    assert_eq!(rig.fabric.reset(&there(), 1.0), 1);
    assert!(ends(&mut client).await.is_err() && ends(&mut server).await.is_err());
    assert_eq!(rig.flow(clients(), node(0), Class::Client).await.resets, 1);
    // What hangs in a cut is open too.
    let _cut = rig.fabric.apply(&Rule::cut(), there());
    let mut hanging = rig.dial().await;
    assert!(is_silent(&hanging).await);
    assert_eq!(rig.fabric.reset(&there(), 1.0), 1);
    assert!(ends(&mut hanging).await.is_err());
}

#[tokio::test]
async fn the_same_seed_resets_the_same_connections() {
    let hit = async |seed| {
        let rig = Rig::seeded(seed).await;
        let mut open = Vec::new();
        for _ in 0..40 {
            open.push(rig.connect().await);
        }
        let count = rig.fabric.reset(&there(), 0.5);
        sleep(50 * MS).await;
        let mut hit = Vec::new();
        for (client, _server) in &open {
            hit.push(!is_open(client));
        }
        assert_eq!(hit.iter().filter(|hit| **hit).count(), count);
        hit
    };
    let (one, again, other) = (hit(7).await, hit(7).await, hit(8).await);
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert!((8..=32).contains(&one.iter().filter(|hit| **hit).count()), "{one:?}");
}

fn is_open(stream: &tokio::net::TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock)
}

/// Threads of this process that relay.
fn relays() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    tasks.filter_map(|task| name(task).ok()).filter(|name| name.trim() == "relay").count()
}

#[tokio::test]
async fn nothing_outlives_the_relay() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let cut = rig.fabric.apply(&Rule::cut(), both());
    let mut hanging = rig.dial().await;
    sleep(20 * MS).await;
    let (door, before) = (rig.door, relays());
    drop(rig.fabric);
    // Other tests have relays of their own, which come and go.
    assert!(until(PATIENCE, || relays() < before), "its thread is left");
    for stream in [&mut client, &mut server, &mut hanging] {
        // An end or a reset, as there was something unread or not.
        let _ = ends(stream).await;
    }
    TcpListener::bind(door).expect("nobody listens there any more");
    // A guard that comes late is harmless.
    cut.undo();
}

#[test]
fn a_door_is_at_one_address_and_at_no_other() {
    let fabric = Fabric::start(0, None).unwrap();
    let door = |at: &str| Door {
        at: at.parse().unwrap(),
        to: "127.0.0.1:1".parse().unwrap(),
        node: node(0),
        channel: Channel::Client,
    };
    for everywhere in ["0.0.0.0:0", "[::]:0"] {
        let refused = fabric.open(door(everywhere));
        assert!(matches!(refused, Err(NetError::Everywhere { .. })), "{everywhere}: {refused:?}");
    }
    for one in ["127.0.0.1:0", "127.50.9.1:0", "[::1]:0"] {
        let at = fabric.open(door(one)).unwrap();
        assert_eq!(at.ip(), door(one).at.ip());
        let again = fabric.open(door(&at.to_string())).unwrap_err().to_string();
        assert!(again.contains(&at.to_string()) && again.contains("cache/0/0"), "{again}");
    }
}
