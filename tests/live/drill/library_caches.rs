//! Caches of libraries, drilled for real; and the adapter that the document shows, which is right as
//! long as it is alone.

use std::fs;
use std::path::{Path, PathBuf};

use redrill::backend::process::binary::{ServerBinary, on_path};
use redrill::spec::topology::EngineKind;
use serde_json::Value;

use crate::common::{heavy_turn, need, run};
use crate::drill::place::Place;
use crate::drill::ready::measure;

/// Plays the adapter in so many processes, with a step.
fn play(instances: u32, step: &str) -> Option<Value> {
    let Some(python) = on_path("python3") else {
        need::skip(need::Need::RedisPy, "there is no python3 on PATH");
        return None;
    };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adapters.md");
    let page = fs::read_to_string(page).unwrap();
    let code = page.split("```python\n").find(|code| code.contains("own-memory")).unwrap();
    let place = Place::new();
    let file = place.path().join("adapter.py");
    fs::write(&file, code.split("```").next().unwrap()).unwrap();
    let text = format!(
        "name: own-memory\ntopology: standalone\nloads:\n  app:\n    workload: cache\n    \
         client: {{ command: [{}, {}] }}\n    rate: 300/s\n    clients: 30\n    \
         instances: {instances}\n    keys: 20\n    reads: 90%\n    \
         layers: {{ l1: {{ in: process, ttl: 60s }}, l2: {{ group: cache, ttl: 60s }} }}\n    \
         origin: {{ latency: 5ms }}\n    bound: 100ms\n    warm: priority\ntimeline: [{step}]\n\
         settle: 3s\nreported: [all]\n",
        python.display(),
        file.display()
    );
    let ran = place.play(&text, &[]);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    let report = place.report();
    place.assert_nothing_left();
    assert_eq!(report["loads"][0]["adapter"]["name"], "own-memory");
    assert_eq!(measure(&report, "cache.impossible"), 0.0, "{}", report["findings"]);
    Some(report)
}

#[test]
fn a_library_that_has_all_copies_itself_is_right() {
    let Some(report) = play(1, "") else { return };
    assert!(measure(&report, "cache.hits.near") > 50.0, "{}", report["measures"]);
    assert!(measure(&report, "origin.worst") > 10.0, "what was written is asked for again");
    assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
    assert_eq!(measure(&report, "errors.total"), 0.0, "{}", report["why"]);
}

#[test]
fn a_library_that_tells_nobody_is_found_out_where_it_is_not_alone() {
    let Some(report) = play(3, "") else { return };
    assert!(measure(&report, "cache.stale.late") > 50.0, "{}", report["measures"]);
}

/// What the origin refuses, the order that asked for it fails.
#[test]
fn an_origin_that_fails_is_told_to_the_library() {
    let step = "{ at: 1s, do: origin, load: app, failing: 100%, for: 500ms }";
    let Some(report) = play(1, step) else { return };
    assert!(measure(&report, "errors.fail") > 10.0, "{}", report["measures"]);
    assert_eq!(measure(&report, "errors.unknown"), 0.0, "{}", report["why"]);
    assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
}

/// What a library does with entities that several processes read and write.
const CALM: &str = "
name: calm
topology: standalone
loads:
  app:
    workload: cache
    rate: 200/s
    clients: 6
    instances: 3
    keys: 20
    reads: 90%
    layers: { l1: { in: process, ttl: 60s }, l2: { group: cache, ttl: 60s } }
    origin: { latency: 5ms }
    bound: 500ms
    warm: priority
settle: 3s
reported: [all]
";

/// Plays a scenario with that adapter, on that server if it is given.
fn played(scenario: &str, command: &[&str], server: Option<&Path>) -> (Place, Value) {
    let words: Vec<String> = command.iter().map(|word| format!("'{word}'")).collect();
    let by = format!("loads.app.client={{ command: [{}] }}", words.join(", "));
    let server = server.map(|server| ["--engine-binary", server.to_str().unwrap()]);
    let args = [&["--set", &by][..], server.as_ref().map_or(&[], |server| &server[..])].concat();
    let place = Place::new();
    let ran = place.play(scenario, &args);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
    let report = place.report();
    (place, report)
}

fn adapter(name: &str) -> String {
    format!("{}/adapters/{name}/adapter.py", env!("CARGO_MANIFEST_DIR"))
}

/// It kept copies near, and those went when somebody wrote.
fn assert_told(report: &Value, library: &str) {
    assert_eq!(report["loads"][0]["adapter"]["name"], library);
    assert!(measure(report, "cache.hits.near") > 30.0, "{}", report["measures"]);
    assert_eq!(measure(report, "cache.impossible"), 0.0, "{}", report["findings"]);
    assert!(measure(report, "invalidation.reached") > 95.0, "{}", report["measures"]);
    assert!(measure(report, "invalidation.p99") < 500.0, "{}", report["measures"]);
    assert!(measure(report, "invalidation.cascade") < 500.0, "{}", report["measures"]);
}

#[test]
fn cachetools_hears_of_writes() {
    let Some(python) = need::python_with_cachetools() else { return };
    let command = [python.to_str().unwrap(), &adapter("cachetools")];
    let (_, report) = played(CALM, &command, None);
    assert_told(&report, "cachetools");
    assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
    assert_eq!(measure(&report, "errors.total"), 0.0, "{}", report["loads"]);
}

#[test]
#[ignore = "`just test-all`"]
fn cashews_hears_of_writes_by_resp2_and_of_none_by_resp3() {
    let Some(python) = need::python_with_cashews() else { return };
    let (python, adapter) = (python.to_str().unwrap(), adapter("cashews"));
    let (_, report) = played(CALM, &[python, &adapter], None);
    assert_told(&report, "cashews");
    assert_eq!(measure(&report, "cache.stale.late"), 0.0, "{}", report["findings"]);
    // What users of both libraries' defaults get.
    let (_, report) = played(CALM, &[python, &adapter, "--protocol", "3"], None);
    assert!(measure(&report, "cache.stale.late") > 20.0, "{}", report["measures"]);
    // Its own writes drive copies out.
    assert!(measure(&report, "invalidation.reached") < 90.0, "{}", report["measures"]);
    assert!(measure(&report, "invalidation.max") > 500.0, "{}", report["measures"]);
}

/// A server on which redis-py has a cache, or one on which it has none.
fn server_for_redis_py(has_cache: bool) -> Option<PathBuf> {
    let fits = |path: &PathBuf| {
        let ServerBinary { kind, version, .. } = ServerBinary::at(path).unwrap();
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let release = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        (kind == EngineKind::Redis && release >= (7, 4)) == has_cache
    };
    let found = need::every_engine().into_iter().find(fits);
    if found.is_none() {
        need::skip(need::Need::Engines, "there is no such server");
    }
    found
}

#[test]
#[ignore = "`just test-all`"]
fn redis_py_hears_of_writes_and_says_which_servers_it_refuses() {
    let Some(python) = need::python_with_redis_cache() else { return };
    // Its threads wait for each other when they are not run.
    let _turn = heavy_turn();
    let command = [python.to_str().unwrap(), &adapter("redis-py-cache")];
    if let Some(server) = server_for_redis_py(true) {
        assert_told(&played(CALM, &command, Some(&server)).1, "redis-py-cache");
    }
    let Some(server) = server_for_redis_py(false) else { return };
    let by = format!("loads.app.client={{ command: ['{}', '{}'] }}", command[0], command[1]);
    let place = Place::new();
    let ran = place.play(CALM, &["--set", &by, "--engine-binary", server.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    let why = "load `app`: the adapter could not connect: Refused: redis-py has a cache with Redis \
               7.4 and newer only, and this is ";
    assert!(ran.err.contains(why), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
}

#[test]
#[ignore = "`just test-all`"]
fn cache_aio_hears_of_writes() {
    let Some(adapter) = need::cache_aio() else { return };
    let (_, report) = played(CALM, &[adapter.to_str().unwrap()], None);
    assert_told(&report, "cache-aio");
}

/// What the document says how one's own is drilled: alone it is right, and with others it is not.
#[test]
#[ignore = "`just test-all`"]
fn the_documents_commands_do_what_it_says() {
    let Some(python) = on_path("python3") else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/adapters.md")).unwrap();
    let commands: Vec<&str> =
        page.lines().filter(|line| line.starts_with("redrill run docs/findings/caches")).collect();
    let code = page.split("```python\n").find(|code| code.contains("own-memory")).unwrap();
    let late: Vec<f64> = commands
        .iter()
        .map(|command| {
            let place = Place::new();
            let file = place.path().join("own-memory.py");
            fs::write(&file, code.split("```").next().unwrap()).unwrap();
            let command = command.replace("own-memory.py", file.to_str().unwrap());
            let command = command.replace("python3", python.to_str().unwrap());
            let words: Vec<&str> = command.split('\'').collect();
            let [head, client, tail] = words[..] else { panic!("{command}") };
            let words = head.split_whitespace().skip(2).chain([client]);
            let words: Vec<&str> = words.chain(tail.split_whitespace()).collect();
            let mut drill = place.run_of(words[0], &words[1..]);
            let ran = run(drill.current_dir(root));
            assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
            place.assert_nothing_left();
            measure(&place.report(), "cache.stale.late")
        })
        .collect();
    let [alone, with_others] = late[..] else { panic!("{commands:?}") };
    assert_eq!(alone, 0.0);
    assert!(with_others > 50.0, "{with_others}");
}
