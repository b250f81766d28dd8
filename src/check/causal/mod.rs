//! Causal consistency: does every read find what its own past asks for?
//!
//! Where several groups take writes to the same keys and pass them on to each other, a read may
//! lack what was acknowledged elsewhere, and two sessions may see two writes in different orders.
//! But what comes before an operation in causal order ([`graph`]) it has to respect. Bouajjani,
//! Enea, Guerraoui and Hamza, "On verifying causal consistency" (2017), show that a history in
//! which no value is written twice is **causally consistent** (CC) exactly if it has none of
//! these:
//!
//! - a read of a value that nobody wrote (thin-air read),
//! - a circle in causal order,
//! - a read of the value of a write, although another write to the key lies between the two in
//!   causal order,
//! - a read of no key, although a write to it comes before it in causal order.
//!
//! It **converges** besides (CCv) exactly if there is no circle when conflicts are added
//! ([`conflicts`]): the writes to a key have one order that explains what all sessions found, as
//! where the last writer wins.
//!
//! - [`gather`]: which rows count, and what a session is.
//! - [`order`]: orders of all operations, and circles.
//! - [`sweep`]: what each operation knows, in one pass with small clocks.
//! - [`conflicts`]: what contradicts an order; [`judge`]: orders are tried until nothing does.
//! - [`path`]: the few operations that prove a violation; [`evidence`], [`tell`]: words for them.

mod conflicts;
mod evidence;
mod gather;
mod graph;
mod judge;
mod lists;
mod order;
mod path;
mod sweep;
mod tell;

use super::checker::{Checked, Checker, Context};
use super::parts::{History, ReadError};

use sweep::Limits;

/// The clocks of one pass take at most 128 MB, and all passes together some ten seconds.
const LIMITS: Limits = Limits { numbers: 32_000_000, steps: 4_000_000_000 };

/// Judges registers that several groups write to. It says nothing of others: there a lost write
/// would be told a second time.
pub struct Causality;

impl Checker for Causality {
    fn name(&self) -> &'static str {
        "causality"
    }

    fn check(&self, history: &dyn History, context: &Context) -> Result<Checked, ReadError> {
        match context.many_writers {
            true => Ok(tell::told(gather::graph(history)?, LIMITS, context)),
            false => Ok(Checked::default()),
        }
    }
}

#[cfg(test)]
mod tests;
