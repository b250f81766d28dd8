//! Pure functions from a history to findings.
//!
//! A checker reads the rows of a history (see [`crate::model::op::Op`]) and says
//! what they prove. It never guesses: where rows overlap in time, or an outcome is
//! unknown, every order that could have happened is allowed, and only what no order
//! explains is called wrong. The same history always gives the same findings, so a
//! stored run can be judged again.
//!
//! Two of them rest on one idea. A key of the `register` workload holds what
//! the last write left. Say that a read answered with the value of write *f*. If
//! another write *w* was acknowledged, was sent only after *f* was done, and was
//! done before the read was sent, then *w* came between them and the read should
//! not have seen *f*: the read **missed** *w*. When the read is the final one, taken
//! after everything has settled, *w* is not merely late but [lost](lost_writes).
//! An ordinary read that missed a write is [stale](stale_reads).
//!
//! The outcome of *f* matters: a write whose outcome is unknown may take effect at
//! any later time, so it is never done and nothing can be said to come after it.
//!
//! [`orders`] asks for more: whether all operations on a key have one order that explains
//! every answer ([`Linearizable`]), and what each client saw of it ([`Sessions`]).

mod counter;
mod finding;
mod history;
mod linear;
mod linearizable;
mod lost;
mod orders;
mod over_time;
mod parts;
mod queue;
mod register;
mod sessions;
mod set;
mod sides;
mod stale;
mod unexpected;

pub use counter::{Counters, counters};
pub use finding::{Example, Finding, Proof, ProofAction};
pub use history::{CountedFrom, History};
pub use linear::{Act, Call, Judged, Order, judge};
pub use linearizable::Linearizable;
pub use lost::{LostWrites, lost_writes, lost_writes_beside};
pub use orders::{Orders, orders};
pub use over_time::OverTime;
pub use queue::{Delivery, Queues, queues};
pub use sessions::Sessions;
pub use set::{Sets, sets};
pub use sides::Sides;
pub use stale::{StaleReads, stale_reads};

#[cfg(test)]
mod tests;
