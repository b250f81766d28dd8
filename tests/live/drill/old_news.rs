//! Nodes that were cut off while a shard's primary was replaced tell old news when they are back.

use std::fs;

use redrill::model::event::{EventKind, FailoverPhase};

use crate::common::heavy_turn;
use crate::drill::place::{Place, events};

const DRILLS: u64 = 20;

const TOPOLOGY: &str = "
name: three-each
groups:
  cache: { mode: cluster, shards: 3, replicas: 2, config: { cluster-node-timeout: 5000 } }
";
/// A replica and a replica of another shard see nothing of the failover.
const SCENARIO: &str = "
name: old-news
topology: ./three-each.yaml
loads: { app: { rate: 200/s, keys: 1000, instances: 4 } }
timeline:
  - { at: 500ms, do: partition, between: [cache/0/2 + cache/1/2, other nodes], for: 2500ms }
  - { at: 1s, do: failover, target: cache/0/1 }
settle: 3s
reported: [all]
";

#[test]
#[ignore = "`just test-all`"]
fn who_was_elected_is_told_once() {
    let _turn = heavy_turn();
    for seed in 1..=DRILLS {
        let place = Place::new();
        fs::write(place.path().join("three-each.yaml"), TOPOLOGY).unwrap();
        let ran = place.play(SCENARIO, &["--seed", &seed.to_string(), "--backend", "process"]);
        let elected = events(&place.folder()).into_iter().filter_map(|event| match event.kind {
            EventKind::Failover { shard, phase: FailoverPhase::Elected, node, .. } => {
                Some((shard, node.to_string()))
            }
            _ => None,
        });
        let elected: Vec<_> = elected.collect();
        assert_eq!(elected, [(0, "cache/0/1".to_owned())], "{}{}", ran.out, ran.err);
        place.assert_nothing_left();
    }
}
