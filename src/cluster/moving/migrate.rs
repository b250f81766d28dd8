//! MIGRATE: the command that carries keys, and what its answers mean.
//!
//! The source serialises the keys, sends them, waits for the target, and deletes its own. It
//! serves nobody meanwhile. Either end may die during this: a key may then be on both sides,
//! never on none.
//!
//! <https://redis.io/docs/latest/commands/migrate/>

use std::time::Duration;

use redis::Cmd;

use super::error::Reason;
use super::keys::Batch;
use crate::node::{Admin, Node, NodeError};

/// Whose copy counts if a key is on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBoth {
    /// The source owns the slot and serves the key as long as it has it.
    SourceWins,
    /// The target owns the slot.
    TargetWins,
}

/// How a successful MIGRATE ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// All keys that the source still had are on the target.
    All,
    /// At least one key was on the target already, and its copy there was kept.
    Busy,
}

/// Carries `batch` from the server behind `source` to `target`.
pub async fn migrate(
    source: &Admin,
    target: &Node,
    batch: &Batch,
    on_both: OnBoth,
) -> Result<Carried, Reason> {
    let patience = patience(batch.bytes);
    // Connecting, writing, and reading may each take that long.
    let admin = source.with_timeout(patience * 4);
    let error = match admin.query::<String>(&command(target, batch, on_both, patience)).await {
        // `OK`, or `NOKEY` if all keys have expired or were deleted.
        Ok(_) => return Ok(Carried::All),
        Err(error) => error,
    };
    match answer(&error) {
        Some(text) if on_both == OnBoth::TargetWins && text.contains("BUSYKEY") => {
            Ok(Carried::Busy)
        }
        Some(answer) => Err(Reason::Migrate {
            slot: batch.slot,
            from: source.node().clone(),
            to: target.name.clone(),
            answer,
        }),
        None => Err(error.into()),
    }
}

fn answer(error: &NodeError) -> Option<String> {
    error.code().map(|_| error.problem.to_string())
}

fn command(target: &Node, batch: &Batch, on_both: OnBoth, patience: Duration) -> Cmd {
    let mut cmd = redis::cmd("MIGRATE");
    // Keys go to the announced address, so that links slow them and cuts stop them as they do
    // replication.
    cmd.arg(target.announced.ip().to_string()).arg(target.announced.port());
    cmd.arg("").arg(0).arg(patience.as_millis() as u64);
    if on_both == OnBoth::SourceWins {
        cmd.arg("REPLACE");
    }
    cmd.arg("KEYS").arg(&batch.keys);
    cmd
}

/// How long the target may keep the source waiting. The source serves nobody meanwhile, so a
/// dead target must not hold it for much longer than a living one could need: a second, and for
/// big values more, at 20 MB/s.
fn patience(bytes: u64) -> Duration {
    Duration::from_millis(1_000 + bytes / 20_000)
}
