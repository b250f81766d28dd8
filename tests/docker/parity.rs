//! The same scenario, as processes and in containers.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::assert_redis_cli_agrees;
use crate::engine::Engine;
use crate::place::{MOVING, Place};

/// Where a drill may have none, one or several, and what tells which.
const BY_CHANCE: [&str; 3] = [".causes", ".outages", ".warnings"];
/// What only containers have.
const OF_CONTAINERS: &str = ".containers";

fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    found.insert(at.to_owned());
    if BY_CHANCE.iter().any(|chance| at.ends_with(chance)) || at.ends_with(OF_CONTAINERS) {
        return;
    }
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| paths(value, &format!("{at}.{key}"), found));
        }
        Value::Array(items) => items.iter().for_each(|v| paths(v, &format!("{at}[]"), found)),
        _ => {}
    }
}

fn report_on(backend: &str) -> Value {
    let place = Place::new();
    let ran = crate::common::run(&mut place.command(MOVING, &["--backend", backend]));
    assert_eq!(ran.code, Some(0), "{backend}: {}{}", ran.out, ran.err);
    let report = place.report();
    assert_eq!((&report["verdict"], &report["backend"]), (&"pass".into(), &backend.into()));
    report
}

#[test]
fn reports_have_one_shape() {
    if Engine::here().is_none() {
        return;
    }
    let [process, docker] = ["process", "docker"].map(|backend| {
        let mut found = BTreeSet::new();
        paths(&report_on(backend), "", &mut found);
        found
    });
    let differ: Vec<_> = process.symmetric_difference(&docker).collect();
    assert!(differ.is_empty(), "{differ:?}");
    assert!(process.len() > 150, "only {} paths", process.len());
}

/// CPU, memory and network, in the record and in the report.
#[test]
fn what_each_container_used_is_reported() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    // The engine tells of a container about once a second; shares need two such words.
    let long = ["--backend", "docker", "--set", "settle=5s"];
    let ran = engine.run(&place, &mut place.command(MOVING, &long));
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.lines().next().unwrap().contains(" · cluster-3x0 · docker · "), "{}", ran.out);
    let report = place.report();
    let containers = report["containers"].as_array().unwrap();
    let names: Vec<_> = containers.iter().map(|c| c["node"].as_str().unwrap()).collect();
    assert_eq!(names, ["cache/0/0", "cache/1/0", "cache/2/0"]);
    for container in containers {
        let more_than = |name: &str, least: f64| container[name].as_f64() > Some(least);
        assert!(more_than("cpu_percent", 0.0), "{container}");
        assert!(more_than("memory_max_bytes", 1e6), "{container}");
        assert!(more_than("net_in_per_s", 100.0), "{container}");
        assert!(more_than("net_out_per_s", 100.0), "{container}");
    }
    for (file, text) in [("report.md", "| Container | CPU |"), ("report.html", "By container")] {
        let page = std::fs::read_to_string(place.folder().join(file)).unwrap();
        assert!(page.contains(text), "{file}");
    }
}

#[test]
fn redis_cli_agrees_after_a_reshard_in_containers() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let mut playing = place.start(MOVING, &["--backend", "docker", "--keep"]);
    playing.wait_for_words("The topology is up until Ctrl-C, or `redrill down ");
    let record = place.records().pop().unwrap();
    assert_redis_cli_agrees(&record.nodes[0].address.to_string());
    let pid = playing.pid();
    let down = crate::common::run(&mut place.redrill(&["down", &record.id]));
    assert_eq!(down.code, Some(0), "{}", down.err);
    assert_eq!(playing.end().code, Some(0), "the drill's own verdict");
    engine.assert_nothing_of(pid, &place, std::time::Duration::ZERO);
    place.assert_nothing_left();
}
