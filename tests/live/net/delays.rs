//! Latency and bandwidth are what rules say. Nothing is ever early; how late it may be leaves
//! room for a machine that does other things too, as the bench says how exact it is.

use std::time::{Duration, Instant};

use redrill::net::{Ends, Rule};
use redrill::spec::network::{Jitter, Trickle};
use redrill::spec::topology::Link;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::rig::{MS, Rig, back, both, clients, hears, node, passes, there};

async fn crossing(from: &mut TcpStream, to: &mut TcpStream) -> Duration {
    let began = Instant::now();
    passes("ping", from, to).await;
    began.elapsed()
}

#[tokio::test]
async fn latencies_add_up_and_each_guard_takes_its_own_away() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let one = rig.fabric.apply(&Rule::latency(40 * MS), there());
    let other = rig.fabric.apply(&Rule::latency(30 * MS), both());
    sleep(10 * MS).await;
    let took = crossing(&mut client, &mut server).await;
    assert!(took >= 70 * MS && took < 140 * MS, "{took:?}");
    let took = crossing(&mut server, &mut client).await;
    assert!(took >= 30 * MS && took < 70 * MS, "{took:?}");
    one.undo();
    one.undo();
    sleep(10 * MS).await;
    let took = crossing(&mut client, &mut server).await;
    assert!(took >= 30 * MS && took < 70 * MS, "{took:?}");
    drop((one, other));
    sleep(10 * MS).await;
    assert!(crossing(&mut client, &mut server).await < 30 * MS);
}

#[tokio::test]
async fn a_new_connection_waits_for_its_handshake() {
    let rig = Rig::new().await;
    let _there = rig.fabric.apply(&Rule::latency(40 * MS), there());
    let _back = rig.fabric.apply(&Rule::latency(20 * MS), back());
    let began = Instant::now();
    let (mut client, mut server) = rig.connect().await;
    let handshake = began.elapsed();
    assert!(handshake >= 60 * MS && handshake < 150 * MS, "{handshake:?}");
    passes("PING", &mut client, &mut server).await;
    passes("PONG", &mut server, &mut client).await;
    let answer = began.elapsed();
    assert!(answer >= 120 * MS && answer < 250 * MS, "{answer:?}");
}

#[tokio::test]
async fn jitter_is_around_the_latency() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let rule = Rule { jitter: Jitter::Uniform(20 * MS), ..Rule::latency(20 * MS) };
    let _far = rig.fabric.apply(&rule, there());
    sleep(10 * MS).await;
    let mut all = Vec::new();
    for _ in 0..60 {
        all.push(crossing(&mut client, &mut server).await);
    }
    all.sort();
    assert!(all[5] < 12 * MS && all[30] > 10 * MS && all[55] > 30 * MS, "{all:?}");
}

/// Sends `size` bytes and says how long it took until the last had arrived.
async fn carry(client: &mut TcpStream, server: &mut TcpStream, size: usize) -> Duration {
    let (bytes, mut heard) = (vec![7; size], vec![0; size]);
    let began = Instant::now();
    let (sent, read) = tokio::join!(client.write_all(&bytes), server.read_exact(&mut heard));
    sent.and(read.map(drop)).unwrap();
    assert!(heard == bytes);
    began.elapsed()
}

#[tokio::test]
async fn a_far_link_carries_much() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let _far = rig.fabric.apply(&Rule::latency(200 * MS), both());
    sleep(10 * MS).await;
    // Were no more under way than the kernel's buffers hold, this took seconds.
    let took = carry(&mut client, &mut server, 60 << 20).await;
    assert!(took >= 200 * MS && took < 1500 * MS, "{took:?}");
}

#[tokio::test]
async fn the_lowest_bandwidth_wins_and_all_connections_share_it() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let (mut second, mut its_server) = rig.connect().await;
    let _narrow = rig.fabric.apply(&Rule::bandwidth(80_000_000), there());
    let _narrower = rig.fabric.apply(&Rule::bandwidth(40_000_000), both());
    sleep(10 * MS).await;
    // 5 MB a second.
    let (size, began) = (1_250_000, Instant::now());
    let (one, other) = tokio::join!(
        carry(&mut client, &mut server, size),
        carry(&mut second, &mut its_server, size)
    );
    let (first, last) = (one.min(other), began.elapsed());
    assert!(last >= 495 * MS && last < 700 * MS, "{last:?}");
    assert!(first > 350 * MS, "they take turns: {first:?}");
    // The other direction has a bandwidth of its own.
    let (one, other) = tokio::join!(
        carry(&mut client, &mut server, size),
        carry(&mut its_server, &mut second, size)
    );
    assert!(one.max(other) < 350 * MS, "{one:?} {other:?}");
}

#[tokio::test]
async fn a_trickle_gives_few_bytes_at_a_time() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let trickle = Some(Trickle { bytes: 3, rest: 20 * MS });
    let slow = rig.fabric.apply(&Rule { trickle, ..Rule::default() }, there());
    sleep(10 * MS).await;
    let began = Instant::now();
    client.write_all(b"0123456789abcdefghijklmnopqrstuvwxyz").await.unwrap();
    assert_eq!(hears(&mut server, 9).await, "012345678");
    assert!(began.elapsed() >= 40 * MS && began.elapsed() < 120 * MS, "{:?}", began.elapsed());
    // What has not trickled yet goes on at once.
    drop(slow);
    let began = Instant::now();
    assert_eq!(hears(&mut server, 27).await, "9abcdefghijklmnopqrstuvwxyz");
    assert!(began.elapsed() < 40 * MS, "{:?}", began.elapsed());
}

#[tokio::test]
async fn links_of_a_topology_hold_as_long_as_the_relay() {
    let rig = Rig::new().await;
    let (mut client, mut server) = rig.connect().await;
    let link = Link { from: 0, to: 1, latency: 50 * MS, jitter: Jitter::None, bandwidth: None };
    let region = |number| match number {
        0 => Ends::only([clients()]),
        _ => Ends::only([node(0)]),
    };
    rig.fabric.links(&[link], region);
    sleep(10 * MS).await;
    let took = crossing(&mut client, &mut server).await;
    assert!(took >= 50 * MS && took < 100 * MS, "{took:?}");
    assert!(crossing(&mut server, &mut client).await < 50 * MS);
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_is_felt_by_its_sender() {
    let rig = Rig::new().await;
    let (mut client, _server) = rig.connect().await;
    let _far = rig.fabric.apply(&Rule::latency(5 * MS), there());
    sleep(10 * MS).await;
    let piece = vec![7; 100_000];
    // The kernel's own buffers hold some megabytes, and the relay could hold 64.
    for _ in 0..500 {
        if timeout(200 * MS, client.write_all(&piece)).await.is_err() {
            return;
        }
        sleep(MS).await;
    }
    panic!("50 MB went to somebody who reads nothing");
}
