//! The relay between nodes, on real sockets and real servers.

#[path = "../common/mod.rs"]
mod common;

mod cluster;
mod cuts;
mod delays;
mod ends;
mod real;
mod rig;
mod servers;
mod streams;
mod who;
