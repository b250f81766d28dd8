//! Every way in which a server can refuse, redirect, break off or be silent, and
//! what the load makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redrill::model::op::{Cause, Outcome, Purpose};
use redrill::spec::scenario::Load;

use super::fake::{Do, Fake, socket};
use super::support::{Rig, drill, load};

const TIME: Duration = Duration::from_millis(300);

fn say(text: &str) -> Do {
    Do::Say(text.to_owned())
}

fn only(left: &super::support::Left) -> Outcome {
    match left.outcomes().as_slice() {
        [(outcome, _)] => *outcome,
        several => panic!("not one kind of outcome: {several:?}"),
    }
}

#[tokio::test]
async fn refusals_are_fails_at_once_each_with_its_cause() {
    for (reply, cause) in [
        ("-CLUSTERDOWN The cluster is down\r\n", Cause::ClusterDown),
        ("-LOADING Redis is loading the dataset in memory\r\n", Cause::Loading),
        ("-READONLY You can't write against a read only replica.\r\n", Cause::ReadOnly),
        ("-MASTERDOWN Link with MASTER is down\r\n", Cause::MasterDown),
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", Cause::OutOfMemory),
        ("-ERR something else\r\n", Cause::Other),
        ("-MISCONF Redis is configured to save RDB snapshots\r\n", Cause::Misconf),
    ] {
        let fake = Fake::start(move |_, _| say(reply)).await;
        let (totals, left) = drill(&load(200.0, 0.5), fake.address, TIME).await;
        assert_eq!(only(&left), Outcome::Fail(cause), "{reply}");
        assert!(totals.fail >= 55, "{totals:?}");
        assert_eq!(totals.causes[&cause], totals.fail);
        for op in &left.ops {
            // Far less than the time-out of 500 ms, also on a machine that is busy.
            assert!(op.done.since(op.sent) < Duration::from_millis(400), "late: {op:?}");
        }
    }
}

#[tokio::test]
async fn what_was_refused_is_tried_again_as_often_as_the_load_has_it() {
    for (retries, outcome) in [(1, Outcome::Fail(Cause::Loading)), (2, Outcome::Ok)] {
        let asked = Arc::new(AtomicUsize::new(0));
        // It refuses the first two.
        let fake = Fake::start(move |_, words| match &*words[0] {
            "SET" if asked.fetch_add(1, Ordering::SeqCst) < 2 => {
                say("-LOADING Redis is loading the dataset in memory\r\n")
            }
            _ => say("+OK\r\n"),
        })
        .await;
        let load = Load { retries, max_in_flight: 1, ..load(1.0, 0.0) };
        let (_, left) = drill(&load, fake.address, Duration::from_millis(10)).await;
        assert_eq!(only(&left), outcome, "{retries} retries");
    }
}

/// A primary that is cut off from the majority serves no key, and tells the map as it was.
#[tokio::test]
async fn another_node_is_asked_when_one_says_that_the_cluster_is_down() {
    let cut_off = Fake::start(|_, _| say("-CLUSTERDOWN The cluster is down\r\n")).await;
    let elected = Fake::start(|_, _| say("+OK\r\n")).await;
    let seeds = [cut_off.address, elected.address];
    let mut rig = Rig::launch(&load(200.0, 0.0), &seeds, true).await;
    rig.run(Duration::from_secs(1)).await;
    let left = rig.finish();
    let ok = left.of(Purpose::Load).iter().filter(|op| op.outcome == Outcome::Ok).count();
    assert!(ok >= 100, "{ok} of 200 operations found the node that serves");
}

/// Other nodes hear of a new primary later than the replica which became it.
#[tokio::test]
async fn the_replica_of_an_owner_that_is_silent_is_asked_whether_it_took_its_place() {
    let [(at, owner), (there, elected), (other, witness)] =
        [socket().await, socket().await, socket().await];
    let _owner = Fake::serve_map(at, &[owner, elected], |_, _| Do::Nothing);
    let _elected = Fake::serve_map(there, &[elected], |_, _| say("+OK\r\n"));
    let _witness = Fake::serve_map(other, &[owner, elected], |_, _| Do::Nothing);
    let mut rig = Rig::launch(&load(200.0, 0.0), &[witness], true).await;
    rig.run(Duration::from_secs(2)).await;
    let left = rig.finish();
    let ok = left.of(Purpose::Load).iter().filter(|op| op.outcome == Outcome::Ok).count();
    assert!(ok >= 100, "{ok} of 400 operations found the node that serves");
}

#[tokio::test]
async fn moved_is_followed_and_counted_and_the_new_owner_gives_the_whole_map() {
    let target = Fake::start(|_, _| say("+OK\r\n")).await;
    let there = target.address;
    let fake = Fake::start(move |_, _| Do::Say(format!("-MOVED 1 {there}\r\n"))).await;
    let (totals, left) = drill(&load(200.0, 0.0), fake.address, TIME).await;
    assert_eq!(only(&left), Outcome::Ok);
    assert!(left.ops.iter().all(|op| op.redirects.moved <= 1));
    let moved: u64 = left.samples.iter().map(|sample| sample.moved).sum();
    assert_eq!(moved, totals.moved);
    assert!((1..20).contains(&moved), "{totals:?}");
}

#[tokio::test]
async fn a_storm_of_moved_is_no_storm_of_questions_for_the_map() {
    let (here, a) = socket().await;
    let (there, b) = socket().await;
    // Both say that the first one owns all, and only the second one takes anything.
    let fake = Fake::serve(here, a, move |_, _| Do::Say(format!("-MOVED 1 {b}\r\n")));
    let target = Fake::serve(there, a, |_, _| say("+OK\r\n"));
    let (totals, left) = drill(&load(1_000.0, 0.0), a, TIME).await;
    assert_eq!(only(&left), Outcome::Ok);
    assert!(totals.moved > 100, "{totals:?}");
    let asked = fake.asked.load(Ordering::SeqCst) + target.asked.load(Ordering::SeqCst);
    assert!((2..=30).contains(&asked), "asked for the map {asked} times");
}

#[tokio::test]
async fn ask_is_followed_with_asking_and_the_map_stays_as_it_was() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    // Takes a command only right after ASKING, as an importing node does.
    let target = Fake::start(move |_, words| match words[0].as_str() {
        "ASKING" => {
            counter.fetch_add(1, Ordering::SeqCst);
            say("+OK\r\n")
        }
        _ if counter.load(Ordering::SeqCst) > 0 => {
            counter.fetch_sub(1, Ordering::SeqCst);
            say("+OK\r\n")
        }
        _ => say("-MOVED 1 127.0.0.1:1\r\n"),
    })
    .await;
    let there = target.address;
    let fake = Fake::start(move |_, _| Do::Say(format!("-ASK 1 {there}\r\n"))).await;
    let (totals, left) = drill(&load(200.0, 0.0), fake.address, TIME).await;
    assert_eq!(only(&left), Outcome::Ok);
    assert!(left.ops.iter().all(|op| op.redirects.ask == 1 && op.redirects.moved == 0));
    assert_eq!(totals.ask, totals.ok);
    assert_eq!(asked.load(Ordering::SeqCst), 0, "every ASKING had its command");
}

#[tokio::test]
async fn redirects_in_a_circle_end_after_five() {
    let (here, a) = socket().await;
    let (there, b) = socket().await;
    let _a = Fake::serve(here, a, move |_, _| Do::Say(format!("-MOVED 1 {b}\r\n")));
    let _b = Fake::serve(there, a, move |_, _| Do::Say(format!("-MOVED 1 {a}\r\n")));
    let (_, left) = drill(&load(100.0, 0.0), a, TIME).await;
    assert_eq!(only(&left), Outcome::Fail(Cause::Redirects));
    // Five followed, and the sixth told.
    assert!(left.ops.iter().all(|op| op.redirects.moved == 6));
}

#[tokio::test]
async fn try_again_is_waited_out_or_times_out() {
    let count = AtomicUsize::new(0);
    let fake = Fake::start(move |_, _| match count.fetch_add(1, Ordering::SeqCst) % 4 {
        3 => say("+OK\r\n"),
        _ => say("-TRYAGAIN Multiple keys request during rehashing of slot\r\n"),
    })
    .await;
    let (totals, left) = drill(&load(20.0, 0.0), fake.address, TIME).await;
    assert_eq!(only(&left), Outcome::Ok);
    assert_eq!(totals.try_again, 3 * totals.ok);

    let fake = Fake::start(|_, _| say("-TRYAGAIN later\r\n")).await;
    let (totals, left) = drill(&load(30.0, 0.0), fake.address, TIME).await;
    assert!(totals.causes[&Cause::TryAgain] > totals.intended / 2, "{totals:?}");
    // On a machine that is busy, the last attempt may still be under way at the end.
    let timed_out = Outcome::Unknown(Cause::Timeout);
    let told = |outcome| outcome == Outcome::Fail(Cause::TryAgain) || outcome == timed_out;
    assert!(left.ops.iter().all(|op| told(op.outcome)), "{:?}", left.outcomes());
    for op in &left.ops {
        let took = op.done.since(op.sent).as_millis();
        assert!((480..1000).contains(&took), "took {took} ms of a time-out of 500: {op:?}");
    }
}

#[tokio::test]
async fn a_connection_closed_in_the_middle_of_an_answer_leaves_an_unknown() {
    let fake = Fake::start(|_, _| Do::SayAndClose("+O")).await;
    let (totals, left) = drill(&load(50.0, 0.0), fake.address, 2 * TIME).await;
    let outcomes = left.outcomes();
    let lost = |outcome| matches!(outcome, Outcome::Unknown(Cause::ConnectionLost));
    assert!(outcomes.iter().any(|&(outcome, _)| lost(outcome)), "{outcomes:?}");
    // While the connection is being made again there is none, and nothing is sent.
    let refused = |outcome| outcome == Outcome::Fail(Cause::Refused);
    assert!(outcomes.iter().all(|&(outcome, _)| lost(outcome) || refused(outcome)));
    assert!(totals.reconnects > 0, "{totals:?}");
}

#[tokio::test]
async fn silence_is_an_unknown_and_retires_the_process() {
    let fake = Fake::start(|_, _| Do::Nothing).await;
    let load = Load { timeout: Duration::from_millis(100), ..load(100.0, 0.5) };
    let (totals, left) = drill(&load, fake.address, TIME).await;
    assert_eq!(only(&left), Outcome::Unknown(Cause::Timeout));
    assert!(u64::from(totals.processes) >= totals.intended);
    for op in &left.ops {
        let took = op.done.since(op.sent).as_millis();
        assert!((99..600).contains(&took), "took {took} ms of a time-out of 100: {op:?}");
    }
}

#[tokio::test]
async fn a_silent_connection_is_given_up_for_a_new_one() {
    // As after a partition has healed: the old connection stays dead.
    let fake = Fake::start(|number, _| match number {
        0 => Do::Nothing,
        _ => say("+OK\r\n"),
    })
    .await;
    let load = Load { timeout: Duration::from_millis(150), ..load(100.0, 0.0) };
    let (totals, left) = drill(&load, fake.address, 2 * TIME).await;
    assert!(totals.unknown >= 10 && totals.ok >= 20, "{totals:?}");
    assert_eq!(totals.reconnects, 1);
    let last = left.of(Purpose::Load).into_iter().max_by_key(|op| op.intended).unwrap();
    assert_eq!(last.outcome, Outcome::Ok);
}

#[tokio::test]
async fn a_refused_connection_is_a_fail_for_nothing_was_sent() {
    let (listener, closed) = socket().await;
    drop(listener);
    let (here, address) = socket().await;
    let _fake = Fake::serve(here, closed, |_, _| say("+OK\r\n"));
    let (totals, left) = drill(&load(100.0, 0.0), address, TIME).await;
    assert_eq!(only(&left), Outcome::Fail(Cause::Refused));
    assert!(totals.fail >= 25);
}

#[tokio::test]
async fn more_than_the_limit_in_flight_is_shed_at_once() {
    let fake = Fake::start(|_, _| Do::Nothing).await;
    let load = Load { max_in_flight: 5, ..load(100.0, 0.0) };
    let (totals, left) = drill(&load, fake.address, TIME).await;
    assert_eq!((totals.unknown, totals.causes[&Cause::Timeout]), (5, 5));
    assert_eq!(totals.causes[&Cause::Shed], totals.intended - 5);
    for op in left.ops.iter().filter(|op| op.outcome == Outcome::Fail(Cause::Shed)) {
        assert_eq!(op.sent, op.done);
    }
}

#[tokio::test]
async fn a_value_that_no_load_wrote_is_not_taken_for_one() {
    let fake = Fake::start(|_, _| say("$5\r\nhello\r\n")).await;
    let (_, left) = drill(&load(100.0, 1.0), fake.address, TIME).await;
    assert_eq!(only(&left), Outcome::Fail(Cause::Other));
}
