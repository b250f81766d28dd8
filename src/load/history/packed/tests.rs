//! What is packed is unpacked, in whole blocks and in the last one.

use proptest::prelude::*;

use super::*;
use crate::load::history::some;

fn read(packed: &Packed) -> Vec<Op> {
    let mut ops = Vec::new();
    packed.each(KeySpan::WHOLE, &|_| true, &mut |op| ops.push(op.clone())).unwrap();
    ops
}

proptest! {
    #[test]
    fn what_is_pushed_is_read(ops in prop::collection::vec(some::op(), 0..20)) {
        let mut packed = Packed::new(&std::env::temp_dir()).unwrap();
        ops.iter().for_each(|op| packed.push(op).unwrap());
        let without = |op: &Op| Op { redirects: Redirects::default(), ..op.clone() };
        let mut expected: Vec<Op> = ops.iter().map(without).collect();
        expected.sort_by_key(|op| bucket(op.head(), BUCKETS as u64));
        prop_assert_eq!(read(&packed), expected);
    }

    #[test]
    fn bytes_that_are_no_row_do_no_harm(bytes: Vec<u8>) {
        let _ = rows(&bytes, &|_| true, &mut |_| ());
    }
}

#[test]
fn rows_that_nobody_wants_are_skipped() {
    let mut packed = Packed::new(&std::env::temp_dir()).unwrap();
    let row = |key| Op::new(key, Action::Queue(QueueOp::Open), Nanos(key), Nanos(900));
    (0..100).for_each(|key| packed.push(&row(key)).unwrap());
    let mut keys = Vec::new();
    let seventh = |head: OpHead| head.key % 30 == 7;
    packed.each(KeySpan::WHOLE, &seventh, &mut |op| keys.push(op.key)).unwrap();
    keys.sort_unstable();
    assert_eq!(keys, [7, 37, 67, 97]);
}

#[test]
fn spans_together_have_every_row_once_and_each_key_in_order_as_often_as_they_are_read() {
    const KEYS: u64 = 20_000;
    let row = |n: u64| {
        let action = Action::Register(RegisterOp::Write(n));
        Op::new(n % KEYS, action, Nanos(n * 1_000), Nanos(n * 1_000 + 77))
    };
    let mut packed = Packed::new(&std::env::temp_dir()).unwrap();
    let ops: Vec<Op> = (0..400_000).map(row).collect();
    ops.iter().for_each(|op| packed.push(op).unwrap());
    assert_eq!(packed.rows(), ops.len());
    assert!(
        packed.buckets.iter().all(|bucket| !bucket.written.is_empty()),
        "a bucket has no block"
    );
    for n in [1, 5, 256, 700] {
        let mut next: Vec<u64> = (0..KEYS).collect();
        for span in KeySpan::WHOLE.split(n) {
            let mut on_row = |op: &Op| {
                assert!(span.holds(op.head()));
                assert_eq!(*op, row(next[op.key as usize]));
                next[op.key as usize] += KEYS;
            };
            packed.each(span, &|_| true, &mut on_row).unwrap();
        }
        assert!(next.iter().all(|next| *next >= 400_000), "{n} spans: rows are missing");
    }
}
