//! Whole drills in containers, and the bad luck that only they can have: each a clear
//! error, and nothing left in the engine.

mod absent;
mod bridge;
mod broken_off;
mod by_hand;
mod crashed;
mod crowded;
mod cut;
mod cuts;
mod engine;
mod faults;
mod images;
mod itself;
mod limits;
// The same tests as with processes.
#[allow(clippy::duplicate_mod)]
#[path = "../drill/links.rs"]
mod links;
mod local;
mod parity;
mod password;
mod proxy;

use crate::common::need;
use crate::drill::place::Place;

/// Where drills on links run.
const BACKEND: &[&str] = &["--backend", "docker"];

fn linked() -> Option<Place> {
    engine::Engine::here().map(|_| Place::new())
}

/// For what goes the same way with processes, once a link has been found to be where it should.
fn linked_alike() -> Option<Place> {
    if need::all() { linked() } else { None }
}
