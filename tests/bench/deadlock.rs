//! How soon a deadlock is found among 1,000 sessions that take turns with 10,000 locks.
//!
//! Every session has ten locks, and sessions begin to wait until one closes a cycle. That one,
//! the search of it, is timed; then all is begun anew. Rings of all lengths come up, up to one of
//! all sessions. In a drill the time from the closing to the report has the network's way in it
//! besides:
//! `lock.deadlocks.detect.p99`.

use std::time::Instant;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use redrill::load::WaitsFor;
use redrill::model::Nanos;

use crate::table::{Better, Side, Table};

const SESSIONS: u64 = 1_000;
const LOCKS: u64 = 10_000;
const CYCLES: usize = 500;
const BOUND_MS: f64 = 10.0;
const NOW: Nanos = Nanos(1);

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut ours = Side::new("load::WaitsFor");
    for run in 0..runs {
        let mut took = found(run as u64)?;
        took.sort_by(f64::total_cmp);
        ours.values.push(took[took.len() * 99 / 100]);
    }
    let what = "a deadlock among 1,000 clients and 10,000 locks: found after, p99";
    table.add(what, "ms", Better::Lower, ours, Side::bound(BOUND_MS), 1.0);
    Ok(())
}

/// What each search took that found a deadlock, in milliseconds.
fn found(seed: u64) -> Result<Vec<f64>, String> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut took = Vec::with_capacity(CYCLES);
    for cycle in 0..CYCLES {
        let mut order: Vec<u64> = (0..SESSIONS).collect();
        order.shuffle(&mut random);
        let mut graph = held();
        // Every other time all sessions are in one ring; else each waits for any other.
        for (place, session) in order.iter().enumerate() {
            let next = match cycle % 2 {
                0 => order[(place + 1) % order.len()],
                _ => order[random.random_range(0..order.len())],
            };
            if next == *session {
                continue;
            }
            let lock = next + SESSIONS * random.random_range(0..LOCKS / SESSIONS);
            let begun = Instant::now();
            let ring = graph.waits(*session, lock, NOW);
            let ms = begun.elapsed().as_secs_f64() * 1e3;
            if ring.is_some() {
                took.push(ms);
                break;
            }
        }
    }
    match took.len() * 2 > CYCLES {
        true => Ok(took),
        false => Err(format!("{} cycles of {CYCLES} closed", took.len())),
    }
}

/// Each lock is had by a session.
fn held() -> WaitsFor {
    let mut graph = WaitsFor::default();
    (0..LOCKS).for_each(|lock| graph.has(lock % SESSIONS, lock, Nanos(u64::MAX)));
    graph
}
