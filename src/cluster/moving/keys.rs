//! The keys of slots that are on their way, cut into batches.

use std::collections::VecDeque;

use redis::{Pipeline, Value};

use crate::node::{Admin, NodeError};

/// How much one MIGRATE may carry. A key of more bytes goes alone.
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

/// Keys in the order of their slots; batches are cut when they are due, because
/// limits change on the way.
#[derive(Debug, Default)]
pub struct Queue {
    keys: VecDeque<(u16, Vec<u8>, u64)>,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The next batch: at least one key, all of one slot.
    pub fn next(&mut self, limits: Limits) -> Option<Batch> {
        let (slot, key, bytes) = self.keys.pop_front()?;
        let mut batch = Batch { slot, keys: vec![key], bytes };
        while batch.keys.len() < limits.keys {
            match self.keys.front() {
                Some((slot, _, more))
                    if *slot == batch.slot && batch.bytes + more <= limits.bytes =>
                {
                    batch.bytes += more;
                    batch.keys.extend(self.keys.pop_front().map(|(_, key, _)| key));
                }
                _ => break,
            }
        }
        Some(batch)
    }
}

/// How many keys each of `slots` has on a server.
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
        // It went away meanwhile.
        _ => 0,
    });
    Ok(Queue { keys: keys.into_iter().zip(sizes).map(|(key, bytes)| (slot, key, bytes)).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(keys: &[(u16, u64)], limits: Limits) -> Vec<(u16, usize, u64)> {
        let key = |(n, &(slot, bytes)): (usize, &(u16, u64))| (slot, vec![n as u8], bytes);
        let mut queue = Queue { keys: keys.iter().enumerate().map(key).collect() };
        std::iter::from_fn(|| queue.next(limits))
            .map(|batch| (batch.slot, batch.keys.len(), batch.bytes))
            .collect()
    }

    #[test]
    fn batches_keep_to_one_slot_to_keys_and_to_bytes() {
        let limits = Limits { keys: 3, bytes: 100 };
        let keys = [(1, 10), (1, 10), (1, 10), (1, 10), (2, 60), (2, 60), (3, 1)];
        assert_eq!(cut(&keys, limits), [(1, 3, 30), (1, 1, 10), (2, 1, 60), (2, 1, 60), (3, 1, 1)]);
    }

    #[test]
    fn a_big_value_goes_alone() {
        let limits = Limits { keys: 10, bytes: 100 };
        assert_eq!(
            cut(&[(1, 1), (1, 5_000), (1, 1)], limits),
            [(1, 1, 1), (1, 1, 5_000), (1, 1, 1)]
        );
    }
}
