//! The same scenario, as processes and in containers.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::common::assert_redis_cli_agrees;
use crate::common::need::{self, Need};
use crate::docker::engine::Engine;
use crate::drill::place::{MOVING, Place};

/// Where a drill may have none, one or several: by chance, only in containers, and only
/// where servers move slots themselves, or only where redrill does.
const OF_ANY_LENGTH: [&str; 6] =
    [".causes", ".outages", ".warnings", ".containers", ".jobs", ".pace"];

fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    found.insert(at.to_owned());
    if OF_ANY_LENGTH.iter().any(|list| at.ends_with(list)) {
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

/// The images of the releases that redrill is tried on.
const IMAGES: [&str; 4] = ["redis:7.0", "redis:8.0", "valkey/valkey:8.0", "valkey/valkey:9.1"];
/// Of one that `just test-all` asks for.
const MORE: &str = "redis:8.6";

/// Plays, lets `redis-cli` check the cluster afterwards, and gives the report's paths.
fn shape(engine: &Engine, args: &[&str]) -> BTreeSet<String> {
    let place = Place::new();
    let mut playing = place.start(MOVING, &[args, &["--keep"]].concat());
    playing.wait_for_words("The topology is up until Ctrl-C, or `redrill down ");
    let record = place.records().pop().unwrap();
    assert_redis_cli_agrees(&record.nodes[0].address, record.password().as_ref());
    let pid = playing.pid();
    let down = crate::common::run(&mut place.redrill(&["down", &record.id]));
    assert_eq!(down.code, Some(0), "{args:?}: {}", down.err);
    let ran = playing.end();
    assert_eq!(ran.code, Some(0), "{args:?}: {}{}", ran.out, ran.err);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    place.assert_nothing_left();
    let report = place.report();
    assert_eq!(report["verdict"], "pass", "{args:?}");
    let mut found = BTreeSet::new();
    paths(&report, "", &mut found);
    found
}

fn assert_all_alike(shapes: &[(String, BTreeSet<String>)]) {
    let Some((first, shape)) = shapes.first() else { return };
    assert!(shape.len() > 150, "only {} paths", shape.len());
    for (other, others) in shapes {
        let differ = shape.symmetric_difference(others);
        // Only a busy machine has these.
        let differ: Vec<_> = differ.filter(|path| !path.starts_with(".starved[]")).collect();
        assert!(differ.is_empty(), "{first} and {other}: {differ:?}");
    }
}

/// Whatever the release, and wherever it runs; and `redis-cli --cluster check` agrees with
/// each of them afterwards.
#[test]
#[ignore = "`just test-all`"]
fn reports_have_one_shape_on_every_engine_and_both_backends() {
    let Some(engine) = Engine::here() else { return };
    let there = |image: &&str| engine.wait(engine.docker().inspect_image(image)).is_ok();
    let asked: Vec<&str> = IMAGES.into_iter().chain(need::all().then_some(MORE)).collect();
    let mut images: Vec<&str> = asked.iter().copied().filter(there).collect();
    if images.len() < asked.len() {
        need::skip(Need::Engines, &format!("of {asked:?} there are only {images:?}"));
    }
    if !need::all() {
        // The oldest and the newest.
        images.drain(1..images.len() - 1);
    }
    let mut shapes = Vec::new();
    for image in images {
        let image = format!("engine.image={image}");
        let args = ["--backend", "docker", "--set", &image];
        shapes.push((image.clone(), shape(&engine, &args)));
    }
    for server in need::engines() {
        let server = server.to_str().unwrap();
        let args = ["--backend", "process", "--engine-binary", server];
        shapes.push((server.to_owned(), shape(&engine, &args)));
    }
    assert_all_alike(&shapes);
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
    for (file, text) in [("report.md", "| container | CPU |"), ("report.html", "By container")] {
        let page = std::fs::read_to_string(place.folder().join(file)).unwrap();
        assert!(page.contains(text), "{file}");
    }
}
