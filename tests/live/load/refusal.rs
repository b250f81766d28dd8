//! What a load refuses to do, and how it ends when nobody wants it any more.

use std::time::{Duration, Instant};

use redrill::load::{LoadError, LoadRunner, Lookup, Targets, history};
use redrill::model::Clock;
use redrill::model::event::Teller;
use redrill::model::op::Cause;
use redrill::spec::scenario::{ClientKind, Load};

use super::fake::{Do, Fake};
use super::support::{Rig, load};

#[tokio::test]
async fn the_stock_cluster_client_is_refused_outside_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let teller = Teller::new(Clock::start()).0;
    let history = history::create(&dir.path().join("h.zst"), teller.clone(), |_| ()).unwrap();
    let load = Load { client: ClientKind::RedisRs, ..load(1.0, 0.5) };
    let targets = Targets {
        seeds: vec!["127.0.0.1:1".parse().unwrap()],
        lookup: Lookup::Primary,
        nodes: vec![],
        from: vec![],
        told_at: vec![],
        password: None,
    };
    let targets = vec![targets];
    let error =
        LoadRunner::launch(0, &load, targets, 1, teller, history.writer(), (None, None)).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("`cache` is no cluster") && text.contains("client: redrill"), "{text}");
}

#[tokio::test]
async fn a_load_begins_once() {
    let fake = Fake::start(|_, _| Do::Say("+OK\r\n".to_owned())).await;
    let mut rig = Rig::launch(&load(100.0, 0.0), &[fake.address], true).await;
    assert!(matches!(rig.runner.stop().await, Err(LoadError::Order { .. })));
    rig.run(Duration::from_millis(50)).await;
    assert!(matches!(rig.runner.begin(rig.clock.now()), Err(LoadError::Order { .. })));
    rig.finish();
}

#[tokio::test]
async fn a_fill_of_which_nobody_knows_whether_it_happened_is_an_error() {
    let fake = Fake::start(|_, _| Do::Nothing).await;
    let mut rig = Rig::launch(&load(100.0, 0.0), &[fake.address], true).await;
    let error = rig.runner.fill().await.unwrap_err();
    assert!(matches!(error, LoadError::Fill { cause: Cause::Timeout, .. }), "{error}");
    rig.finish();
}

#[tokio::test]
async fn a_load_that_is_dropped_ends_at_once_whatever_it_was_doing() {
    let fake = Fake::start(|_, _| Do::Nothing).await;
    let load = Load { timeout: Duration::from_secs(30), ..load(1_000.0, 0.0) };
    let mut filling = Rig::launch(&load, &[fake.address], true).await;
    let fill = tokio::time::timeout(Duration::from_millis(50), filling.runner.fill()).await;
    assert!(fill.is_err(), "nothing answers");
    let mut running = Rig::launch(&load, &[fake.address], true).await;
    running.runner.begin(running.clock.now()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    drop(filling.runner);
    drop(running.runner);
    assert!(began.elapsed() < Duration::from_secs(2), "took {:?}", began.elapsed());
}
