//! No coordinated omission: a server that stalls is seen to stall.

use std::time::Duration;

use redrill::model::op::{Op, Outcome, Purpose};
use redrill::spec::scenario::Load;
use rustix::process::Signal;

use super::real::Server;
use super::support::{Rig, load};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_of_stall_is_a_second_of_latency_and_no_operation_is_missing() {
    let server = Server::start(&[]);
    let load = Load { timeout: Duration::from_secs(3), ..load(2_000.0, 0.5) };
    let mut rig = Rig::launch(&load, &[server.address], false).await;
    let clock = rig.clock;
    let at = clock.now() + Duration::from_millis(20);
    rig.runner.begin(at).unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    server.signal(Signal::STOP);
    let stopped = clock.now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let resumed = clock.now();
    server.signal(Signal::CONT);
    tokio::time::sleep(Duration::from_millis(800)).await;
    let asked_so_far = || (clock.now().since(at).as_secs_f64() * 2_000.0) as u64;
    let at_least = asked_so_far();
    let totals = rig.runner.stop().await.unwrap();
    assert!((at_least..=asked_so_far() + 1).contains(&totals.intended), "{totals:?}");
    let left = rig.finish();

    let mut ops: Vec<&Op> = left.of(Purpose::Load);
    assert_eq!(ops.len() as u64, totals.intended);
    assert!(ops.iter().all(|op| op.outcome == Outcome::Ok));
    ops.sort_by_key(|op| op.intended);
    for (n, op) in ops.iter().enumerate() {
        assert_eq!(op.intended, at + Duration::from_micros(500 * n as u64), "operation {n}");
    }
    // Every operation meant for the stall waited until its end, and none was put off.
    let during = |op: &&&Op| op.intended > stopped && op.intended < resumed;
    let in_stall: Vec<_> = ops.iter().filter(during).collect();
    let stall = resumed.since(stopped);
    let expected = stall.as_secs_f64() * 2_000.0;
    assert!((in_stall.len() as f64 - expected).abs() <= 2.0, "{}, not {expected}", in_stall.len());
    for op in in_stall {
        assert!(op.done >= resumed, "answered by a stopped server: {op:?}");
    }
    let worst = ops.iter().map(|op| op.done.since(op.intended)).max().unwrap();
    assert!(worst >= stall - Duration::from_millis(5), "worst {worst:?} of {stall:?}");
    assert!(worst < stall + Duration::from_millis(400), "worst {worst:?} of {stall:?}");
    let seen = left.samples.iter().map(|sample| sample.max_ns).max().unwrap();
    assert_eq!(u128::from(seen), worst.as_nanos());
}
