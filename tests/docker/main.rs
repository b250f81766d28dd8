//! Whole drills in containers, and the bad luck that only they can have: each a clear
//! error, and nothing left in the engine.

#[path = "../common/mod.rs"]
mod common;
// A part of it is used here.
#[allow(dead_code)]
#[path = "../drill/place.rs"]
mod place;

mod absent;
mod bridge;
mod broken_off;
mod by_hand;
mod crowded;
mod cut;
mod cuts;
mod engine;
mod faults;
mod images;
mod itself;
mod limits;
#[path = "../drill/links.rs"]
mod links;
mod local;
mod parity;
mod proxy;

use std::sync::{Mutex, MutexGuard};

/// Where drills on links run.
const BACKEND: &[&str] = &["--backend", "docker"];

fn linked() -> Option<place::Place> {
    engine::Engine::here().map(|_| place::Place::new())
}

/// `redrill gc` removes what any dead redrill left in the engine, so tests that call it, and
/// one that looks at what is left before, take turns.
fn gc_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
