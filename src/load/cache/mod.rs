//! A repository, as an application has one: it reads entities through layers of copies, asks the
//! slow origin for what none of them has, and tells them of what it writes.
//!
//! One operation of a load is one read or write of an entity, whatever it takes: so what a
//! repository does is written as an application would write it. The origin is redrill's own, so it
//! is known what was true when.
//!
//! - `application`: what steps change of all of that.
//! - `origin`: the source of truth, with its latency, its capacity and its queue.
//! - `entity`: an entity, and its copies as bytes; `data`: what it holds; `coder`: in which format.
//! - `change`, `put`: what a writer leaves in the group.
//! - `versioned`, `tags`, `pattern`: ways to invalidate by more than an entity's name; `family`:
//!   entities that change together.
//! - `copies`: a layer in the memory of a process, or of a host.
//! - `process`: what one process of the application has; `behind`: how it asks the group and the
//!   origin; `found`: what comes of that.
//! - `replies`: what servers answer.
//! - `repository`: reading and writing through the layers.
//! - `lock`, `flight`, `early`, `lease`, `refresh`: what many readers do that find no copy at once.
//! - `news`, `confirmations`: what processes tell each other of writes.
//! - `bulk`: what somebody changes past the users; `sweep`: all copies compared with the origin.
//! - `servers`, `guard`: how a process asks the servers of a group; a circuit breaker before them.
//! - `near_group`: a layer in a group that stands before the farthest one.
//! - `wanted`, `warming`: copies that steps have made before anybody asks.
//! - `library`: the cache of somebody else's library, and its way to the origin; `looks`: reads that
//!   watch it; `watched`: what is known of its copies from that.
//! - `lives`: from when until when a process could answer with which copies.

mod application;
mod behind;
mod bulk;
mod change;
mod coder;
mod confirmations;
mod copies;
mod data;
mod early;
mod entity;
mod family;
mod flight;
mod found;
mod guard;
mod lease;
mod library;
mod lives;
mod lock;
mod looks;
mod near_group;
mod news;
mod origin;
mod pattern;
mod process;
mod put;
mod refresh;
mod replies;
mod repository;
mod servers;
mod sweep;
mod tags;
mod versioned;
mod wanted;
mod warming;
mod watched;

pub use application::{Application, Applications, applications};
pub use copies::time_near_hits;
pub(crate) use entity::last;
pub(crate) use library::Library;
pub use origin::Origin;
pub(crate) use process::{Of, hosts};
pub(crate) use repository::Repository;
