//! The JSON schemas are those of the code, and accept the keys that the decoder
//! accepts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use redrill::spec::{Options, Source, schema};
use serde_json::Value;

use super::faults;

/// With `REDRILL_UPDATE=1` the file is written instead.
fn assert_current(name: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    let text = format!("{schema:#}\n");
    if std::env::var_os("REDRILL_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == text,
        "schemas/{name} is not what the code says: run this test with REDRILL_UPDATE=1"
    );
}

#[test]
fn the_files_are_what_the_code_says() {
    assert_current("topology.json", &schema::topology());
    assert_current("scenario.json", &schema::scenario());
}

/// For each object that a file may have: where its schema stands, and a file in
/// which it has one key too many.
const TOPOLOGY: &[(&str, &str)] = &[
    ("", "{ zzz: 1, groups: {} }"),
    ("/$defs/EngineMap", "{ groups: {}, engine: { zzz: 1 } }"),
    ("/$defs/LinkMap", "{ groups: {}, links: [{ zzz: 1 }] }"),
    ("/$defs/GroupMap", "{ groups: { a: { zzz: 1 } } }"),
    ("/$defs/SyncMap", "{ groups: {}, sync: { zzz: 1 } }"),
    ("/$defs/PlacementMap", "{ groups: { a: { placement: { zzz: 1 } } } }"),
];
const SCENARIO: &[(&str, &str)] = &[
    ("", "{ zzz: 1, loads: {} }"),
    ("/$defs/LoadMap", "{ loads: { a: { zzz: 1 } } }"),
    ("/$defs/WaitMap", "{ loads: { a: { wait: { zzz: 1 } } } }"),
    ("/$defs/TransferMap", "{ loads: { a: { transfer: { zzz: 1 } } } }"),
    ("/$defs/LockMap", "{ loads: { a: { lock: { zzz: 1 } } } }"),
    ("/$defs/LayerMap", "{ loads: { a: { layers: { l1: { zzz: 1 } } } } }"),
    ("/$defs/ExpiryMap", "{ loads: { a: { expiry: { zzz: 1 } } } }"),
    ("/$defs/OriginMap", "{ loads: { a: { origin: { zzz: 1 } } } }"),
    ("/$defs/AdapterMap", "{ loads: { a: { client: { zzz: 1 } } } }"),
    ("/$defs/ProbeMap", "{ probe: { zzz: 1 } }"),
    ("/$defs/ProfileMap", "{ profiles: { a: { zzz: 1 } } }"),
    ("/$defs/ReshardMap", "{ timeline: [{ do: reshard, zzz: 1 }] }"),
    ("/$defs/DrainMap", "{ timeline: [{ do: drain, zzz: 1 }] }"),
    ("/$defs/RebalanceMap", "{ timeline: [{ do: rebalance, zzz: 1 }] }"),
    ("/$defs/KillMap", "{ timeline: [{ do: kill, zzz: 1 }] }"),
    ("/$defs/StopMap", "{ timeline: [{ do: stop, zzz: 1 }] }"),
    ("/$defs/PauseMap", "{ timeline: [{ do: pause, zzz: 1 }] }"),
    ("/$defs/RestartMap", "{ timeline: [{ do: restart, zzz: 1 }] }"),
    ("/$defs/FailoverMap", "{ timeline: [{ do: failover, zzz: 1 }] }"),
    ("/$defs/SlowMap", "{ timeline: [{ do: slow, zzz: 1 }] }"),
    ("/$defs/MemoryPressureMap", "{ timeline: [{ do: memory-pressure, zzz: 1 }] }"),
    ("/$defs/DiskFullMap", "{ timeline: [{ do: disk-full, zzz: 1 }] }"),
    ("/$defs/SlowDiskMap", "{ timeline: [{ do: slow-disk, zzz: 1 }] }"),
    ("/$defs/SaveMap", "{ timeline: [{ do: save, zzz: 1 }] }"),
    ("/$defs/ClientKillMap", "{ timeline: [{ do: client-kill, zzz: 1 }] }"),
    ("/$defs/PromoteMap", "{ timeline: [{ do: promote, zzz: 1 }] }"),
    ("/$defs/FailBackMap", "{ timeline: [{ do: fail-back, zzz: 1 }] }"),
    ("/$defs/ClockMap", "{ timeline: [{ do: clock, zzz: 1 }] }"),
    ("/$defs/PartitionMap", "{ timeline: [{ do: partition, zzz: 1 }] }"),
    ("/$defs/LatencyMap", "{ timeline: [{ do: latency, zzz: 1 }] }"),
    ("/$defs/BandwidthMap", "{ timeline: [{ do: bandwidth, zzz: 1 }] }"),
    ("/$defs/TrickleMap", "{ timeline: [{ do: trickle, zzz: 1 }] }"),
    ("/$defs/RefuseMap", "{ timeline: [{ do: refuse, zzz: 1 }] }"),
    ("/$defs/ResetMap", "{ timeline: [{ do: reset, zzz: 1 }] }"),
    ("/$defs/AddShardMap", "{ timeline: [{ do: add-shard, zzz: 1 }] }"),
    ("/$defs/RemoveShardMap", "{ timeline: [{ do: remove-shard, zzz: 1 }] }"),
    ("/$defs/AddReplicaMap", "{ timeline: [{ do: add-replica, zzz: 1 }] }"),
    ("/$defs/RollingMap", "{ timeline: [{ do: rolling-restart, zzz: 1 }] }"),
    ("/$defs/OriginStepMap", "{ timeline: [{ do: origin, zzz: 1 }] }"),
    ("/$defs/InvalidateMap", "{ timeline: [{ do: invalidate, zzz: 1 }] }"),
    ("/$defs/FlushMap", "{ timeline: [{ do: flush, zzz: 1 }] }"),
    ("/$defs/RestartProcessesMap", "{ timeline: [{ do: restart-processes, zzz: 1 }] }"),
    ("/$defs/WarmMap", "{ timeline: [{ do: warm, zzz: 1 }] }"),
    ("/$defs/ChaosMap", "{ timeline: [{ do: chaos, zzz: 1 }] }"),
    ("/$defs/PaceMap", "{ timeline: [{ do: drain, pace: { zzz: 1 } }] }"),
];

/// The keys that the decoder says it knows, where `text` has the key `zzz`.
fn known_keys(text: &str) -> BTreeSet<String> {
    let faults = faults(&Source::new("zzz.yaml", text), &Options::default()).unwrap();
    let fault = faults.iter().find(|fault| fault.message.ends_with("no key `zzz`"));
    let advice = fault.and_then(|fault| fault.advice.clone()).expect("zzz is told");
    let (_, known) = advice.split_once("known keys: ").unwrap();
    known.split(", ").map(str::to_owned).collect()
}

/// The keys that a file without any lacks, as the decoder says.
fn required_keys(text: &str) -> BTreeSet<String> {
    let faults = faults(&Source::new("zzz.yaml", text), &Options::default()).unwrap();
    let place = faults.iter().find(|f| f.message.ends_with("no key `zzz`")).unwrap().clone();
    let (what, _) = place.message.split_once(" has no key").unwrap();
    let needs = format!("{what} needs the key `");
    let keys =
        faults.iter().filter_map(|fault| fault.message.strip_prefix(&needs)?.strip_suffix('`'));
    keys.map(str::to_owned).collect()
}

fn assert_same_keys(schema: &Value, cases: &[(&str, &str)]) {
    let objects = schema["$defs"].as_object().unwrap().iter();
    let mut untried: BTreeSet<String> = objects
        .filter(|(_, object)| object.get("properties").is_some())
        .map(|(name, _)| format!("/$defs/{name}"))
        .collect();
    for (place, text) in cases {
        untried.remove(*place);
        let object = schema.pointer(place).unwrap();
        assert_eq!(object["additionalProperties"], Value::Bool(false), "{place}");
        let properties = object["properties"].as_object().unwrap();
        assert_eq!(
            properties.keys().cloned().collect::<BTreeSet<_>>(),
            known_keys(text),
            "{place}"
        );
        // Keys that the example has are not missing.
        let present = |key: &String| text.contains(&format!("{key}:"));
        let required: BTreeSet<String> = object["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|key| key.as_str().unwrap().to_owned())
            .filter(|key| !present(key))
            .collect();
        let decoder: BTreeSet<String> = required_keys(text)
            .into_iter()
            .filter(|key| key != "rate" && key != "shards")
            .collect();
        assert_eq!(required, decoder, "{place}");
    }
    assert!(untried.is_empty(), "no file tries {untried:?}");
}

#[test]
fn schema_and_decoder_know_the_same_keys() {
    assert_same_keys(&schema::topology(), TOPOLOGY);
    assert_same_keys(&schema::scenario(), SCENARIO);
}
