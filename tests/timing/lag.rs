//! The replication lag that is measured, against links of known latency.

use std::time::Duration;

use redrill::backend::Backend;
use redrill::cluster::bring_up;
use redrill::model::Clock;
use redrill::model::event::{EventKind, SyncPair, Teller};
use redrill::probe::{LagProber, Member, Tied, Writing};
use redrill::spec::{Options, Source, parse_topology};
use redrill::sync::shard::Shard;

use crate::common;
use crate::probing::ALONE;

const EVERY: Duration = Duration::from_millis(10);

fn topology(link: Duration) -> String {
    format!(
        "name: two\nregions: [east, west]\n\
         links: [{{ between: [east, west], latency: {}ms }}]\n\
         groups:\n  a: {{ mode: standalone, region: east }}\n  b: {{ mode: standalone, region: west }}\n\
         sync: {{ strategy: replica, from: a, to: [b] }}\n",
        link.as_millis()
    )
}

/// What is measured over such a link in four seconds, in order.
async fn lags(link: Duration) -> Vec<Duration> {
    let dir = tempfile::tempdir().unwrap();
    let backend = common::backend(dir.path());
    let topology = parse_topology(&Source::new("two.yaml", topology(link)), &Options::default());
    let topology = topology.unwrap();
    let deployment = bring_up(&backend, &topology, Some(1), &|_, _| {}).await.unwrap();
    let (teller, events) = Teller::new(Clock::start());
    let member = |group: &redrill::cluster::DeployedGroup| Member {
        group: group.spec.name.clone(),
        shards: vec![group.nodes.iter().map(|node| node.admin.clone()).collect()],
    };
    let members = deployment.groups.iter().map(member).collect();
    let pair = |from: &str, to: &str| SyncPair {
        from: from.into(),
        to: to.into(),
        link_ns: 0,
        shard: None,
    };
    let pairs = vec![pair("a", "b"), pair("b", "a")];
    let (shards, writing) = (vec![Shard::default()], Writing::One);
    let tied = Tied { pairs, shards, members, writing, sampled: vec![] };
    let prober = LagProber::launch(tied, EVERY, teller).unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    prober.stop().await.unwrap();
    backend.shutdown().await.unwrap();

    let mut lags = Vec::new();
    for event in events.try_iter() {
        let EventKind::SyncLag { pair, lags_ns, unseen_ns, .. } = event.kind else { continue };
        assert!(unseen_ns.is_empty(), "all that was written was seen: {unseen_ns:?}");
        assert!(pair == 0 || lags_ns.is_empty(), "a copy takes no writes");
        lags.extend(lags_ns.into_iter().map(Duration::from_nanos));
    }
    lags.sort_unstable();
    lags
}

/// An acknowledgement needs a moment to redrill, in which the write is on its way already.
const BACK: Duration = Duration::from_millis(1);

/// Nothing arrives sooner than the link lets it, so no lag should be below the link. One is where
/// the acknowledgement came late, so one in a hundred may be.
#[tokio::test]
async fn of_lags_one_in_a_hundred_at_most_is_below_the_link_and_the_median_is_not_far_above_it() {
    let _alone = ALONE.lock().await;
    for ms in [10, 40, 150] {
        let link = Duration::from_millis(ms);
        let lags = lags(link).await;
        assert!(lags.len() >= 300, "{} of 400 writes", lags.len());
        // A server that is not run between its two sendings acknowledges later than it replicates.
        let (least, median) = (lags[lags.len() / 100], lags[lags.len() / 2]);
        eprintln!("link {link:?}: 99 % at least {least:?}, the median {median:?}");
        assert!(least + BACK >= link, "{least:?} is less than the link's {link:?}");
        let most = link + EVERY + Duration::from_millis(5);
        assert!(median <= most, "{median:?} in the median, and the link takes {link:?}");
    }
}
