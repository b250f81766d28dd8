//! Whole drills by the whole binary on real servers: those that go well, and those
//! that meet bad luck.

#[path = "../common/mod.rs"]
mod common;

mod failover;
mod interrupted;
mod kept;
mod kinds;
mod killed;
mod lacking;
mod links;
mod output;
mod place;
mod ready;
mod refused;
mod said;
