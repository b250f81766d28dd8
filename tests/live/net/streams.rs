//! Whatever rules come and go while bytes flow both ways, every byte arrives, once and in order.

use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use redrill::net::{Fabric, Guard, Pairs, Rule};
use redrill::spec::network::{Jitter, Trickle};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep, timeout};

use super::rig::{MS, PATIENCE, Rig, back, both, there};

/// After `wait`, one rule more, or one less.
#[derive(Clone, Debug)]
struct Change {
    wait: Duration,
    way: usize,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Apply(Rule),
    /// Of those that there are, the one with this number.
    Undo(usize),
}

fn rules() -> impl Strategy<Value = Rule> {
    let ms = |most: u32| (0..most).prop_map(|ms| ms * MS);
    let jitter = prop_oneof![
        Just(Jitter::None),
        ms(5).prop_map(Jitter::Uniform),
        ms(5).prop_map(Jitter::Normal)
    ];
    let trickle =
        (1..20_000_usize, 0..3_u32).prop_map(|(bytes, ms)| Trickle { bytes, rest: ms * MS });
    prop_oneof![
        (ms(15), jitter).prop_map(|(latency, jitter)| Rule { latency, jitter, ..Rule::default() }),
        (50_000_000..2_000_000_000_u64).prop_map(Rule::bandwidth),
        trickle.prop_map(|trickle| Rule { trickle: Some(trickle), ..Rule::default() }),
        Just(Rule::cut()),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let what = prop_oneof![rules().prop_map(What::Apply), (0..8_usize).prop_map(What::Undo)];
    let wait = (0..8_000_u64).prop_map(Duration::from_micros);
    let change = (wait, 0..3_usize, what).prop_map(|(wait, way, what)| Change { wait, way, what });
    prop::collection::vec(change, 0..24)
}

async fn play(fabric: &Fabric, changes: &[Change]) {
    let ways: [fn() -> Pairs; 3] = [there, back, both];
    let mut guards: Vec<Guard> = Vec::new();
    for change in changes {
        sleep(change.wait).await;
        match &change.what {
            What::Apply(rule) => guards.push(fabric.apply(rule, ways[change.way]())),
            What::Undo(_) if guards.is_empty() => {}
            What::Undo(number) => drop(guards.swap_remove(number % guards.len())),
        }
    }
}

fn text(seed: u64, size: usize) -> Vec<u8> {
    let mut text = vec![0; size];
    Xoshiro256PlusPlus::seed_from_u64(seed).fill_bytes(&mut text);
    text
}

/// In pieces of any size, some after a pause; then the end.
async fn say(mut to: OwnedWriteHalf, text: &[u8], seed: u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(!seed);
    let mut rest = text;
    while !rest.is_empty() {
        let most = if rng.random_bool(0.5) { 100 } else { 100_000 };
        let (piece, later) = rest.split_at(rng.random_range(1..=most).min(rest.len()));
        to.write_all(piece).await.unwrap();
        rest = later;
        if rng.random_bool(0.2) {
            sleep(MS).await;
        }
    }
    to.shutdown().await.unwrap();
}

/// At times slowly or late, so that the relay has more to give than is taken.
async fn hear(mut from: OwnedReadHalf, seed: u64) -> Vec<u8> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(!seed);
    let (mut heard, mut buffer) = (Vec::new(), vec![0; 50_000]);
    sleep(rng.random_range(0..=1) * 60 * MS).await;
    let pauses = if rng.random_bool(0.5) { 0.02 } else { 0.3 };
    loop {
        match from.read(&mut buffer).await.unwrap() {
            0 => return heard,
            size => heard.extend(&buffer[..size]),
        }
        if rng.random_bool(pauses) {
            sleep(5 * MS).await;
        }
    }
}

async fn both_ways(changes: Vec<Change>, size: usize, seed: u64) {
    let rig = Rig::seeded(seed).await;
    let (client, server) = rig.connect().await;
    for stream in [&client, &server] {
        set_socket_recv_buffer_size(stream, 128 << 10).unwrap();
    }
    let ((client_in, client_out), (server_in, server_out)) =
        (client.into_split(), server.into_split());
    let (request, answer) = (text(seed, size), text(seed + 1, size));
    let all = async {
        tokio::join!(
            play(&rig.fabric, &changes),
            say(client_out, &request, seed),
            say(server_out, &answer, seed + 1),
            hear(server_in, seed),
            hear(client_in, seed + 1),
        )
    };
    let (.., at_server, at_client) = timeout(PATIENCE, all).await.expect("all arrives");
    // Not by assert_eq, which would print megabytes.
    assert!(at_server == request, "{} of {} bytes there", at_server.len(), request.len());
    assert!(at_client == answer, "{} of {} bytes back", at_client.len(), answer.len());
    let bytes: u64 = rig.fabric.traffic().iter().map(|flow| flow.bytes).sum();
    assert_eq!(bytes, 2 * size as u64, "every byte is counted once");
}

proptest! {
    // What fails may fail by hanging, and each time costs all the patience.
    #![proptest_config(ProptestConfig {
        cases: 32, max_shrink_time: 60_000, ..ProptestConfig::default()
    })]
    #[test]
    fn no_byte_is_lost_doubled_or_overtaken(
        changes in changes(),
        size in prop_oneof![0..2_000_usize, 0..2_000_000_usize, 6_000_000..9_000_000_usize],
        seed in any::<u32>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(both_ways(changes, size, seed.into()));
    }
}
