//! Loads that are closed by their clients.

use std::time::Duration;

use redrill::model::Pacing;
use redrill::model::op::{Op, Outcome, Purpose};
use redrill::spec::scenario::Load;
use rustix::process::Signal;

use super::real::Server;
use super::support::{Left, Rig, load};

fn closed(clients: u32, think: Duration) -> Load {
    Load { clients, pacing: Pacing::Closed { think }, ..load(1.0, 0.5) }
}

/// How many were under way when one was sent, at most.
fn most_at_once(left: &Left) -> usize {
    let ops = left.of(Purpose::Load);
    let at_once = |at| ops.iter().filter(|op| op.sent <= at && op.done > at).count();
    ops.iter().step_by(7).map(|op| at_once(op.sent)).max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_sends_its_next_one_when_it_has_its_answer() {
    let server = Server::start(&[]);
    let mut rig = Rig::launch(&closed(50, Duration::ZERO), &[server.address], false).await;
    let (at, totals) = rig.run(Duration::from_millis(300)).await;
    let left = rig.finish();
    let ops = left.of(Purpose::Load);
    assert_eq!((totals.ok, ops.len() as u64), (totals.intended, totals.intended), "{totals:?}");
    assert!(ops.iter().all(|op| op.intended >= at && op.sent >= op.intended));
    assert_eq!((most_at_once(&left), totals.processes), (50, 50));
    let sampled: u64 = left.samples.iter().map(|sample| sample.intended).sum();
    assert_eq!(sampled, totals.intended);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_think_send_no_more_than_that_and_wait_while_a_server_stands() {
    let server = Server::start(&[]);
    let think = Duration::from_millis(20);
    let patient = Load { timeout: Duration::from_secs(3), ..closed(10, think) };
    let mut rig = Rig::launch(&patient, &[server.address], false).await;
    let clock = rig.clock;
    rig.runner.begin(clock.now()).unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    server.signal(Signal::STOP);
    let stopped = clock.now();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let resumed = clock.now();
    server.signal(Signal::CONT);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let totals = rig.runner.stop().await.unwrap();
    let left = rig.finish();
    assert!((50..=260).contains(&totals.ok), "{totals:?}");
    let mut of_client: Vec<Vec<&Op>> = vec![Vec::new(); 10];
    left.of(Purpose::Load).into_iter().for_each(|op| of_client[op.process as usize].push(op));
    for ops in &of_client {
        assert!(ops.windows(2).all(|two| two[1].intended == two[0].done + think), "{ops:?}");
        let meanwhile = ops.iter().filter(|op| op.sent > stopped && op.sent < resumed);
        assert!(meanwhile.count() <= 1, "{ops:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_refused_at_once_rest_before_they_ask_again() {
    let server = Server::start(&[]);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let writes = Load { reads: 0.0, ..closed(4, Duration::ZERO) };
    let mut rig = Rig::launch(&writes, &[server.address], false).await;
    let (_, totals) = rig.run(Duration::from_millis(200)).await;
    let left = rig.finish();
    assert!((8..=4 * 21).contains(&totals.fail) && totals.ok == 0, "{totals:?}");
    assert!(left.outcomes().iter().all(|(outcome, _)| matches!(outcome, Outcome::Fail(_))));
}
