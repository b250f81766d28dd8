//! The keys of slots that are moving, cut into batches, and MIGRATE, which carries them.
//!
//! The source serialises the keys, sends them, waits for the target, and deletes its own. It
//! serves nobody meanwhile. Either end may die during this: a key may then be on both sides,
//! never on none.
//!
//! <https://redis.io/docs/latest/commands/migrate/>

use std::collections::VecDeque;
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};

use super::progress::Reason;
use crate::node::{Admin, Node, NodeError};

/// How much one MIGRATE may carry. A larger key goes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub keys: usize,
    pub bytes: u64,
}

/// Keys of one slot for one MIGRATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub slot: u16,
    pub keys: Vec<Vec<u8>>,
    /// As MEMORY USAGE counts.
    pub bytes: u64,
}

/// Keys of one slot with their sizes. Batches are cut when they are sent, because the limits
/// change during a move.
#[derive(Debug)]
pub struct Queue {
    slot: u16,
    keys: VecDeque<(Vec<u8>, u64)>,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The next batch, of at least one key. If the keys make several batches, these are about
    /// equally large.
    pub fn next(&mut self, limits: Limits) -> Option<Batch> {
        let batches = self.keys.len().div_ceil(limits.keys.max(1)).max(1);
        let most = self.keys.len().div_ceil(batches);
        let (key, bytes) = self.keys.pop_front()?;
        let mut batch = Batch { slot: self.slot, keys: vec![key], bytes };
        while batch.keys.len() < most
            && self.keys.front().is_some_and(|(_, more)| batch.bytes + more <= limits.bytes)
            && let Some((key, more)) = self.keys.pop_front()
        {
            batch.bytes += more;
            batch.keys.push(key);
        }
        Some(batch)
    }
}

/// How many keys of each of `slots` a server has.
pub async fn count(admin: &Admin, slots: &[u16]) -> Result<Vec<u64>, NodeError> {
    if slots.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipeline = Pipeline::new();
    for slot in slots {
        pipeline.cmd("CLUSTER").arg("COUNTKEYSINSLOT").arg(slot);
    }
    admin.pipeline(&pipeline).await
}

/// The first `most` keys of `slot`, with their sizes.
pub async fn list(admin: &Admin, slot: u16, most: usize) -> Result<Queue, NodeError> {
    let mut listing = redis::cmd("CLUSTER");
    listing.arg("GETKEYSINSLOT").arg(slot).arg(most);
    let keys: Vec<Vec<u8>> = admin.query(&listing).await?;
    let mut pipeline = Pipeline::with_capacity(keys.len());
    for key in &keys {
        pipeline.cmd("MEMORY").arg("USAGE").arg(key);
    }
    let sizes = admin.replies(&pipeline).await?.into_iter().map(|reply| match reply {
        Ok(Value::Int(bytes)) => bytes.max(0) as u64,
        // The key is gone already.
        _ => 0,
    });
    Ok(Queue { slot, keys: keys.into_iter().zip(sizes).collect() })
}

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
    if let Some(password) = target.admin.password() {
        cmd.arg("AUTH").arg(password.reveal());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(keys: &[u64], limits: Limits) -> Vec<(usize, u64)> {
        let key = |(n, &bytes): (usize, &u64)| (vec![n as u8], bytes);
        let mut queue = Queue { slot: 1, keys: keys.iter().enumerate().map(key).collect() };
        std::iter::from_fn(|| queue.next(limits))
            .map(|batch| (batch.keys.len(), batch.bytes))
            .collect()
    }

    #[test]
    fn batches_keep_to_keys_and_to_bytes() {
        let limits = Limits { keys: 3, bytes: 100 };
        assert_eq!(cut(&[10; 7], limits), [(3, 30), (2, 20), (2, 20)]);
        assert_eq!(cut(&[60, 60, 30, 30], limits), [(1, 60), (2, 90), (1, 30)]);
    }

    #[test]
    fn a_big_value_goes_alone() {
        let limits = Limits { keys: 10, bytes: 100 };
        assert_eq!(cut(&[1, 5_000, 1], limits), [(1, 1), (1, 5_000), (1, 1)]);
    }
}
