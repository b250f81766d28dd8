//! How much of a history is in memory at once.

use std::collections::BTreeMap;

use super::*;
use crate::model::Nanos;
use crate::model::op::{Action, Purpose, RegisterOp};

/// The rows of one key.
#[derive(Default)]
struct Rows(usize);

impl Kept for Rows {
    fn wants(op: &Op) -> bool {
        op.action.written().is_some() || op.purpose == Purpose::Final
    }
    fn keep(&mut self, _: &Op) {
        self.0 += 1;
    }
}

fn row(action: RegisterOp, purpose: Purpose, key: u64, n: u64) -> Op {
    Op { purpose, ..Op::new(key, Action::Register(action), Nanos(n), Nanos(n + 1)) }
}

/// `rows` writes to `keys` keys in turn, and each key's final read.
fn history(rows: u64, keys: u64) -> Vec<Op> {
    let writes = (0..rows).map(|n| row(RegisterOp::Write(n), Purpose::Load, n % keys, n));
    let finals = (0..keys).map(|key| row(RegisterOp::Read(None), Purpose::Final, key, rows + key));
    writes.chain(finals).collect()
}

/// The writes and the final reads of each part, and how often each key was judged.
fn parts(rows: u64, keys: u64, limit: usize) -> (Vec<usize>, BTreeMap<u64, u32>) {
    let (mut held, mut judged) = (Vec::new(), BTreeMap::new());
    let judge = |part: Keys<Rows>, _| {
        held.push(part.values().map(|rows| rows.0).sum());
        part.keys().for_each(|(_, key)| *judged.entry(*key).or_default() += 1);
        Ok(())
    };
    in_parts(&&history(rows, keys)[..], limit, judge).unwrap();
    (held, judged)
}

#[test]
fn no_part_holds_more_than_the_limit_however_long_the_run() {
    const LIMIT: usize = 300;
    for times in [1, 10, 40] {
        let rows = times * LIMIT as u64;
        let (held, judged) = parts(rows, 3 * times, LIMIT);
        assert!(held.iter().all(|rows| *rows <= LIMIT), "{times} times: {held:?}");
        assert_eq!(held.iter().sum::<usize>() as u64, rows + 3 * times, "rows are left out");
        assert_eq!(judged.len() as u64, 3 * times);
        assert!(judged.values().all(|times| *times == 1), "{judged:?}");
    }
}

/// What its own key has can be judged only as a whole.
#[test]
fn a_key_is_not_divided() {
    let (mut held, judged) = parts(5_000, 5, 100);
    held.retain(|rows| *rows > 0);
    assert_eq!(held, [1_001; 5]);
    assert_eq!(judged.len(), 5);
}
