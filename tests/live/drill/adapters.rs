//! Loads that a program carries out: the adapters that come with redrill, the one that its
//! document shows, and one that dies.

use std::fs;
use std::path::Path;

use redrill::backend::process::binary::on_path;
use redrill::model::op::{Op, Outcome, Purpose};
use serde_json::Value;

use crate::common::{need, run};
use crate::drill::place::{BRIEF, Place, assert_no_step_failed};

/// Half a second of a load on a cluster whose primary dies.
const KILLED: &str = "
name: killed
topology: cluster-3x1
loads: { app: { rate: 400/s, clients: 8, keys: 300, timeout: 500ms } }
timeline: [{ at: 1s, do: kill, target: primary of shard 1 }]
settle: 7s
reported: [all]
";

const WATCHED: &str = "
name: watched
topology: sentinel-1x2
loads: { app: { rate: 400/s, clients: 8, keys: 300, timeout: 500ms } }
timeline: [{ at: 1s, do: kill, target: cache/0/0 }]
settle: 7s
reported: [all]
";

fn by(command: &[&str]) -> String {
    let words: Vec<String> = command.iter().map(|word| format!("'{word}'")).collect();
    format!("loads.app.client={{ command: [{}] }}", words.join(", "))
}

/// Plays the scenario with that adapter; what its report says of the load.
fn played(scenario: &str, command: &[&str]) -> (Place, Value) {
    let place = Place::new();
    let ran = place.play(scenario, &["--set", &by(command)]);
    assert!(matches!(ran.code, Some(0..=2)), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
    let load = place.report()["loads"][0].clone();
    (place, load)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Every operation was answered well, by a library of that name.
fn assert_carried_out(load: &Value, name: &str) {
    assert_eq!(load["adapter"]["name"], name);
    assert!(number(&load["figures"]["operations"]) > 80.0, "{load}");
    assert_eq!(load["figures"]["operations"], load["figures"]["answered"], "{load}");
    assert!(number(&load["adapter"]["noop_p50_ms"]) > 0.0, "{load}");
}

#[test]
fn the_adapter_of_the_document_works() {
    let Some(python) = on_path("python3") else {
        return need::skip(need::Need::RedisPy, "there is no python3 on PATH");
    };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adapters.md");
    let page = fs::read_to_string(page).unwrap();
    let code = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 32, "{lines} lines are too many for thirty");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("adapter.py");
    fs::write(&file, code).unwrap();
    let (place, load) = played(BRIEF, &[python.to_str().unwrap(), file.to_str().unwrap()]);
    assert_carried_out(&load, "thirty-lines");
    assert_eq!(place.report()["verdict"], "pass", "{}", place.report()["why"]);
}

/// What a library felt of a primary that died, as the report has it beside redrill's own.
fn assert_outage(place: &Place, load: &Value, shard: u64) {
    let silences = load["instances"][0]["silences"].as_array().unwrap();
    let of_shard = silences.iter().find(|silence| silence["shard"] == shard).unwrap();
    let own = &place.report()["measures"]["downtime.write.max"]["value"];
    let (felt, own) = (number(&of_shard["duration_ms"]), number(own));
    // Its first and last operations are not at the instants of probes.
    assert!(felt > own - 300.0 && own > 500.0, "{felt} ms is less than {own} ms: {load}");
    // A library may never come back; where it did, it was after the election.
    if !of_shard["to_ms"].is_null() {
        assert!(number(&of_shard["reconnect_ms"]) >= 0.0, "{load}");
    }
    let errors = load["adapter"]["errors"].as_object().unwrap();
    let told: u64 = errors.values().map(|count| count.as_u64().unwrap()).sum();
    let library = load["met"]["causes"]["library"].as_u64().unwrap_or_default();
    let late = load["adapter"]["late"].as_u64().unwrap();
    assert!(told >= library && told <= library + late, "{told} of {library} and {late}: {load}");
    let ran = run(&mut place.redrill(&["report", place.folder().to_str().unwrap()]));
    assert!(ran.out.contains("Library silent for"), "{}", ran.out);
}

#[test]
fn the_redis_crates_adapter_feels_a_failover() {
    let redrill = env!("CARGO_BIN_EXE_redrill");
    let (place, load) = played(KILLED, &[redrill, "adapter"]);
    assert_eq!(load["adapter"]["name"], "redis-rs");
    assert_outage(&place, &load, 1);
}

#[test]
#[ignore = "`just test-all`"]
fn redis_py_feels_a_failover_of_a_cluster_and_one_by_sentinels() {
    let Some(python) = need::python_with_redis() else { return };
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters/redis-py/adapter.py");
    let command = [python.to_str().unwrap(), adapter.to_str().unwrap()];
    let (place, load) = played(KILLED, &command);
    assert_outage(&place, &load, 1);
    assert_eq!(load["adapter"]["name"], "redis-py");
    let (place, load) = played(WATCHED, &command);
    assert_outage(&place, &load, 0);
}

#[test]
fn redis_py_carries_out_every_workload_that_the_protocol_has() {
    let Some(python) = need::python_with_redis() else { return };
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters/redis-py/adapter.py");
    let command = [python.to_str().unwrap(), adapter.to_str().unwrap(), "--retries", "0"];
    for workload in ["register", "cas", "counter", "set", "queue"] {
        let reads = if workload == "set" { "" } else { "reads: 50%," };
        // However busy the machine is, all is answered in time.
        let load = format!("app: {{ workload: {workload}, timeout: 20s, {reads}");
        let scenario = BRIEF.replace("expect: [writes.lost == 0, errors.total == 0]", "");
        let (place, load) = played(&scenario.replace("app: {", &load), &command);
        assert_carried_out(&load, "redis-py");
        assert_eq!(place.report()["verdict"], "pass", "{workload}: {}", place.report()["why"]);
    }
}

#[test]
fn an_adapter_that_dies_in_the_drill_is_a_counted_outcome_and_a_warning() {
    let script = r#"echo "{\"protocol\":1,\"name\":\"mortal\",\"version\":\"1\",\"does\":[\"get\",\"set\"]}"
        while read -r line; do id=${line#*\"id\":}; id=${id%%,*}
        case $line in
        *connect*|*noop*) echo "{\"id\":$id,\"ok\":null}" ;;
        *do*) n=$((n + 1)); [ $n -lt 20 ] || { echo "out of luck" >&2; exit 9; }
              echo "{\"id\":$id,\"unknown\":\"LuckError\"}" ;;
        esac; done"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mortal.sh");
    fs::write(&file, script).unwrap();
    let scenario = BRIEF.replace("expect: [writes.lost == 0, errors.total == 0]", "");
    let (place, load) = played(&scenario, &["sh", file.to_str().unwrap()]);
    assert_eq!(load["adapter"]["errors"]["LuckError"], 19, "{load}");
    let causes = &load["met"]["causes"];
    assert_eq!(causes["library"], 19, "{load}");
    assert!(number(&causes["refused"]) > 20.0, "{load}");
    assert!(number(&causes["connection_lost"]) >= 1.0, "{load}");
    let report = place.report();
    let warnings = report["warnings"].as_array().unwrap().iter();
    let told: Vec<&str> = warnings.filter_map(|warning| warning["text"].as_str()).collect();
    let told: Vec<&&str> = told.iter().filter(|text| text.contains("adapter")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("(exit status: 9)") && told[0].contains("out of luck"), "{told:?}");
    assert_eq!(report["completed"], true);
}

/// One of two programs is killed and comes back, the other stands still for a moment, and both are
/// asked to end and are started again.
const ENDED: &str = "
name: ended
topology: cluster-3x1
loads: { app: { rate: 400/s, clients: 40, keys: 300, timeout: 300ms, instances: 2 } }
timeline:
  - { at: 1s, do: kill, target: app/actor/0, for: 1s }
  - { at: 4s, do: pause, target: app/actor/1, for: 1s }
  - { at: 7s, do: restart, target: all actors }
  - { at: 10s, do: kill, target: app/actor/0 }
settle: 1s
reported: [all]
";

#[test]
fn steps_end_and_pause_adapters_and_their_loads_go_on() {
    let redrill = env!("CARGO_BIN_EXE_redrill");
    let (place, load) = played(ENDED, &[redrill, "adapter"]);
    let report = place.report();
    assert_no_step_failed(&report);
    let hit = |step: usize| {
        let hits = report["steps"][step]["hits"].as_array().unwrap().iter();
        hits.map(|hit| hit["node"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((hit(0), hit(1)), (vec!["app/actor/0".to_owned()], vec!["app/actor/1".to_owned()]));
    assert_eq!(hit(2), ["app/actor/0", "app/actor/1"]);
    // Half of the operations of a second are refused. All clients of a program that stands still
    // have one in doubt.
    let causes = &load["met"]["causes"];
    assert!(number(&causes["refused"]) > 150.0, "{causes}");
    assert!(number(&causes["timeout"]) >= 20.0, "{causes}");
    // In the last half second before the next step both are back, and all is well.
    let ops = place.ops();
    for step in 1..4 {
        let next = number(&report["steps"][step]["hits"][0]["at_ms"]);
        let before = |op: &&Op| {
            let at = op.intended.as_secs_f64() * 1e3;
            op.purpose == Purpose::Load && (next - 900.0..next - 400.0).contains(&at)
        };
        for instance in 0..2 {
            let ops = ops.iter().filter(before).filter(|op| op.instance == instance);
            let (good, bad): (Vec<&Op>, Vec<&Op>) = ops.partition(|op| op.outcome == Outcome::Ok);
            assert!(good.len() > 50 && bad.is_empty(), "before {step}: {} {bad:?}", good.len());
        }
    }
    // The servers and redrill's own probes felt nothing, and nobody was surprised.
    assert_eq!(report["failovers"].as_array().map(Vec::len), Some(0), "{}", report["failovers"]);
    assert!(number(&report["measures"]["downtime.write.max"]["value"]) < 1_000.0);
    let warnings = report["warnings"].as_array().unwrap().iter();
    let texts = warnings.map(|warning| warning["text"].as_str().unwrap());
    let of_it = |text: &&str| text.contains("adapter") || text.contains("actor");
    assert_eq!({ texts }.find(of_it), None);
    assert!(number(&report["measures"]["writes.lost"]["value"]) == 0.0, "{}", report["measures"]);
    let page = fs::read_to_string(place.folder().join("report.md")).unwrap();
    assert!(page.contains("kill: app/actor/0 for 1s") && page.contains("done to app/actor/1"));
}

#[test]
fn an_adapter_that_is_not_there_is_told_before_a_server_is_started() {
    let place = Place::new();
    let ran = place.play(BRIEF, &["--set", &by(&["no-such-adapter"])]);
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    let why = "there is no program `no-such-adapter` on PATH, and the load `app` names it";
    assert!(ran.err.contains(why), "{}", ran.err);
    assert!(place.folders().is_empty());
    place.assert_nothing_left();
}
