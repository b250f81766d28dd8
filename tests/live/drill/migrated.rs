//! A spare replica that moves to an orphaned primary of another shard, and takes over from it.

use std::fs;

use redrill::model::event::{EventKind, View};
use serde_json::Value;

use crate::drill::failover::ms;
use crate::drill::place::{Place, assert_no_step_failed, events};

const TOPOLOGY: &str = "
name: quick
groups:
  cache: { mode: cluster, shards: 3, replicas: 2, config: { cluster-node-timeout: 1000 } }
";

/// Shard 1 loses both its replicas; servers wait 5 s past the failures until one of another
/// shard's moves. Then it loses its primary.
const SCENARIO: &str = "
name: migrated
topology: ./quick.yaml
loads: { app: { rate: 200/s, keys: 1000 } }
timeline:
  - { at: 500ms, do: kill, target: cache/1/1 }
  - { at: 500ms, do: kill, target: cache/1/2 }
  - { at: 16s, do: kill, target: primary of shard 1 }
  - { at: 24s, do: pause, target: primary of shard 1, for: 100ms }
settle: 2s
reported: [all]
";

#[test]
#[ignore = "`just test-all`"]
fn who_takes_over_a_shards_slots_belongs_to_it_wherever_it_was_born() {
    let place = Place::new();
    fs::write(place.path().join("quick.yaml"), TOPOLOGY).unwrap();
    let ran = place.play(SCENARIO, &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert_no_step_failed(&report);
    let hit = |step: usize| report["steps"][step]["nodes"].clone();
    assert_eq!(hit(2), serde_json::json!(["cache/1/0"]));
    let killed = ms(&report["steps"][2]["hits"][0]["at_ms"]);

    // By the servers' own account: who followed the primary when it was killed.
    let views = events(&place.folder()).into_iter().filter_map(|event| match event.kind {
        EventKind::View(view) => Some((event.at.0 as f64 / 1e6, view)),
        _ => None,
    });
    let views: Vec<(f64, View)> = views.collect();
    let (_, then) = views.iter().rfind(|(at, _)| *at < killed).unwrap();
    let own = |name: &str| name.starts_with("cache/1/");
    let followers = then.shards[1].replicas.iter().map(|name| name.to_string());
    let strangers: Vec<String> = followers.filter(|name| !own(name)).collect();
    let [migrant] = &strangers[..] else { panic!("one has moved: {strangers:?}") };

    assert_eq!(hit(3), serde_json::json!([migrant]), "it is the primary of shard 1 now");
    let of_shard = |row: &&Value| row["shard"] == 1;
    let failovers = report["failovers"].as_array().unwrap();
    let took = failovers.iter().filter(of_shard).find(|row| !row["to"].is_null());
    let took = took.unwrap_or_else(|| panic!("shard 1 has failed over: {failovers:?}"));
    assert_eq!((&took["from"], &took["to"]), (&"cache/1/0".into(), &migrant.as_str().into()));
    assert_eq!(took["step"], 2);
    let elsewhere = |row: &&Value| row["shard"] != 1 && !row["to"].is_null();
    assert_eq!(failovers.iter().find(elsewhere), None);
    for (number, shard) in report["shards"].as_array().unwrap().iter().enumerate() {
        assert_eq!(shard["slots_after"], shard["slots_before"], "{shard}");
        let leads = if number == 1 { migrant.clone() } else { format!("cache/{number}/0") };
        assert_eq!(shard["primary_after"], leads.as_str(), "{shard}");
        // The load writes no new keys; canaries are a handful.
        let [before, after] = ["keys_before", "keys_after"].map(|key| shard[key].as_i64().unwrap());
        assert!((0..20).contains(&(after - before)), "{shard}");
    }
    place.assert_nothing_left();
}
