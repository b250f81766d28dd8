//! Whole drills in containers, and the bad luck that only they can have: each a clear
//! error, and nothing left in the engine.

#[path = "../common/mod.rs"]
mod common;
// A part of it is used here.
#[allow(dead_code)]
#[path = "../drill/place.rs"]
mod place;

mod absent;
mod broken_off;
mod by_hand;
mod crowded;
mod cut;
mod engine;
mod faults;
mod images;
mod itself;
mod limits;
mod local;
mod parity;
mod proxy;

use std::sync::{Mutex, MutexGuard};

/// `redrill gc` removes what any dead redrill left in the engine, so tests that call it, and
/// one that looks at what is left before, take turns.
fn gc_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
