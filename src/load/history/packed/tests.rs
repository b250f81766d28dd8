//! What is packed is unpacked, in whole blocks and in the last one.

use proptest::prelude::*;

use super::*;
use crate::load::history::some;

fn read(packed: &Packed) -> Vec<Op> {
    let mut ops = Vec::new();
    packed.each(&|_| true, &mut |op| ops.push(op.clone())).unwrap();
    ops
}

proptest! {
    #[test]
    fn what_is_pushed_is_read(ops in prop::collection::vec(some::op(), 0..20)) {
        let mut packed = Packed::new(&std::env::temp_dir()).unwrap();
        ops.iter().for_each(|op| packed.push(op).unwrap());
        let without = |op: &Op| Op { redirects: Redirects::default(), ..op.clone() };
        prop_assert_eq!(read(&packed), ops.iter().map(without).collect::<Vec<_>>());
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
    packed.each(&|head| head.key % 30 == 7, &mut |op| keys.push(op.key)).unwrap();
    assert_eq!(keys, [7, 37, 67, 97]);
}

#[test]
fn many_blocks_are_read_as_often_as_needed() {
    let row = |n: u64| {
        let action = Action::Register(RegisterOp::Write(n));
        Op::new(n % 9, action, Nanos(n * 1_000), Nanos(n * 1_000 + 77))
    };
    let mut packed = Packed::new(&std::env::temp_dir()).unwrap();
    let ops: Vec<Op> = (0..50_000).map(row).collect();
    ops.iter().for_each(|op| packed.push(op).unwrap());
    assert!(packed.ends.len() > 1, "{} blocks", packed.ends.len());
    assert!(read(&packed) == ops && read(&packed) == ops);
}
