//! A repository, as an application has one: it reads entities through layers of copies, asks the
//! slow origin for what none of them has, and tells them of what it writes.
//!
//! One operation of a load is one read or write of an entity, whatever it takes: so what a
//! repository does is written as an application would write it. The origin is redrill's own, so it
//! is known what was true when.
//!
//! - `repository`: what the load sees; `reading`: a read, layer by layer; `writing`: a write.
//! - `application`: what steps change of all of that.
//! - `origin`: the source of truth, with its latency, its capacity and its queue.
//! - `process`: what one process of the application has; `asking`: how it asks the group and the
//!   origin; `found`: what comes of that; `replies`: what servers answer.
//! - `copy`: an entity, and its copies as bytes.
//! - `layer`: where copies are: in memory, and in groups.
//! - `stampede`: what many readers do that find no copy at once.
//! - `invalidation`: what keeps copies from being served for long after a write.
//! - `warming`: copies that steps have made before anybody asks.
//! - `sweep`: all copies compared with the origin.
//! - `library`: the cache of somebody else's library, and its way to the origin.

mod application;
mod asking;
mod copy;
mod found;
mod invalidation;
mod layer;
mod library;
mod origin;
mod process;
mod reading;
mod replies;
mod repository;
mod stampede;
mod sweep;
mod warming;
mod writing;

pub use application::{Application, Applications, applications};
pub(crate) use copy::entity::last;
pub use layer::copies::time_near_hits;
pub(crate) use library::Library;
pub use origin::Origin;
pub(crate) use process::{Of, hosts};
pub(crate) use repository::Repository;
