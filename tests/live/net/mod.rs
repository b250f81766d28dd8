//! The relay between nodes, on real sockets and real servers.

mod cluster;
mod cuts;
mod delays;
mod ends;
mod real;
mod rig;
mod servers;
mod strangers;
mod streams;
mod who;
