//! What the operations on each register say of their order: two checks, for which the
//! history is read once.

use super::history::History;
use super::linear::Calls;
use super::linearizable::Linearizable;
use super::parts::{self, HELD, Keys};
use super::sessions::Sessions;

/// What [`orders`] found.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    pub linearizable: Linearizable,
    pub sessions: Sessions,
}

/// Steps of a search for each key. Only keys to which a value was written more than once
/// are searched, and no load of redrill's own has such; a step takes about a microsecond.
const STEPS: u64 = 300_000;

/// Judges for each key whether its operations have an order at all ([`Linearizable`]),
/// and for each process whether it saw its own writes and never went back in time
/// ([`Sessions`]).
///
/// # Errors
/// Those of the history's reader.
pub fn orders<H: History>(history: &H) -> Result<Orders, H::Error> {
    in_parts_of(history, HELD)
}

pub(super) fn in_parts_of<H: History>(history: &H, limit: usize) -> Result<Orders, H::Error> {
    let mut found = Orders::default();
    found.linearizable.count_from(history.zero());
    found.sessions.count_from(history.zero());
    parts::in_parts(history, limit, |keys: Keys<Calls>, _| {
        for ((load, key), Calls { of_clients: mut calls, last }) in keys {
            found.sessions.judge(load, key, &mut calls);
            calls.extend(last);
            found.linearizable.judge(load, key, &calls, STEPS);
        }
        Ok(())
    })?;
    Ok(found)
}
