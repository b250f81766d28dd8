//! Somebody else's replicator between two regions: one that works, one whose regions come to
//! differ, and programs that end, hang, or are not there.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{heavy_turn, need, script};
use crate::drill::place::{
    Place, assert_ended_or_busy, assert_no_step_failed, assert_passed_or_busy,
};

/// Each region writes to keys of its own.
const APART: &str = "
name: apart
topology: active-active-2r
loads:
  near: { group: us, region: us-east, rate: 100/s, keys: 100 }
  far: { group: eu, region: eu-west, rate: 100/s, keys: 100 }
settle: 3s
";

fn by(command: &[&str]) -> String {
    let words: Vec<String> = command.iter().map(|word| format!("'{word}'")).collect();
    format!("sync={{ strategy: external, command: [{}] }}", words.join(", "))
}

/// The replicator on redis-py, if there is one.
fn by_redis_py() -> Option<String> {
    let python = need::python_with_redis()?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("replicators/redis-py/replicator.py");
    Some(by(&[python.to_str().unwrap(), program.to_str().unwrap()]))
}

fn measure(report: &Value, name: &str) -> f64 {
    let value = &report["measures"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("{name} is {value}: {}", report["why"]))
}

fn warnings(report: &Value) -> Vec<String> {
    let warnings = report["warnings"].as_array().unwrap().iter();
    warnings.map(|warning| warning["text"].as_str().unwrap().to_owned()).collect()
}

/// The warnings of replicators that do not carry.
fn of_replicators(report: &Value) -> Vec<String> {
    let told = |text: &String| text.contains("has not come") || text.contains("replicator us-to-");
    warnings(report).into_iter().filter(told).collect()
}

#[test]
fn what_the_replicator_on_redis_py_carries_arrives() {
    let Some(replicator) = by_redis_py() else { return };
    let _turn = heavy_turn();
    let place = Place::new();
    let scenario = format!("{APART}expect: [sync.consistency == 100%, writes.lost == 0]\n");
    let ran = place.play(&scenario, &["--set", &replicator]);
    let report = place.report();
    assert_passed_or_busy(&ran, &report);
    assert_eq!(of_replicators(&report), [""; 0]);
    assert_eq!(measure(&report, "sync.diverged"), 0.0);
    assert!(measure(&report, "sync.lag.p50") >= 39.0, "the link takes 40 ms, less 2 ms of jitter");
    assert_eq!(
        measure(&report, "canaries.lost"),
        0.0,
        "each group's probes have keys of their own"
    );
    assert!(report["measures"].get("sync.backlog.max").is_none(), "nobody tells that");
    place.assert_nothing_left();
}

/// One direction stands still for two seconds. All keys are copied again when it is back.
#[test]
#[ignore = "`just test-all`"]
fn the_replicator_on_redis_py_is_killed_and_comes_back() {
    let Some(replicator) = by_redis_py() else { return };
    let _turn = heavy_turn();
    let place = Place::new();
    let scenario = format!(
        "{APART}timeline: [{{ at: 1s, do: kill, target: us-to-eu/actor/0, for: 2s }}]
expect: [sync.consistency == 100%]\n"
    );
    let ran = place.play(&scenario, &["--set", &replicator]);
    let report = place.report();
    assert_no_step_failed(&report);
    assert_passed_or_busy(&ran, &report);
    assert_eq!(report["steps"][0]["hits"][0]["node"], "us-to-eu/actor/0");
    assert!(measure(&report, "sync.lag.max") >= 1_900.0, "{}", report["measures"]["sync.lag.max"]);
    assert_eq!(of_replicators(&report), [""; 0], "a step has ended it");
    place.assert_nothing_left();
}

/// Both write to the same keys: each region ends with what came to it last.
#[test]
fn the_replicator_on_redis_py_lets_regions_differ() {
    let Some(replicator) = by_redis_py() else { return };
    let _turn = heavy_turn();
    let place = Place::new();
    let args = ["--profile", "ci", "--set", &replicator, "--set", "settle=4s"];
    let ran = place.watch(place.run_of("cross-region-conflicts", &args)).end();
    let report = place.report();
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(measure(&report, "sync.diverged") > 0.0);
    assert!(measure(&report, "sync.consistency") < 100.0);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|one| one["kind"] == "diverged_keys"), "{findings:?}");
    place.assert_nothing_left();
}

/// A program that tells what it was given, and ends.
const GIVES_UP: &str = r#"folder=$1; shift
{ env | grep '^REDRILL_' | grep -v PASSWORD; echo "words $*"
  case $REDRILL_PASSWORD in "") ;; *) echo guarded ;; esac
} > "$folder/$REDRILL_SOURCE_GROUP"
echo "out of luck, $REDRILL_PASSWORD"
exit 3"#;

#[test]
fn a_replicator_that_ends_is_told_with_its_log_and_its_keys_are_missing() {
    let _turn = heavy_turn();
    let place = Place::new();
    let program = script(place.path(), "gives-up", GIVES_UP);
    let folder = place.path().to_str().unwrap();
    let command = by(&[program.to_str().unwrap(), folder, "{source}", "to={target}"]);
    let ran = place.play(APART, &["--set", &command]);
    let report = place.report();
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert_eq!(report["completed"], true);
    let told = warnings(&report);
    for name in ["us-to-eu/actor/0", "eu-to-us/actor/0"] {
        let ended = format!("the replicator {name} ended (exit status: 3)");
        let text = told.iter().find(|text| text.starts_with(&ended));
        let text = text.unwrap_or_else(|| panic!("{told:?}"));
        assert!(text.ends_with("| out of luck, …"), "{text}");
    }
    assert_eq!(measure(&report, "sync.consistency"), 0.0);

    let given = fs::read_to_string(place.path().join("us")).unwrap();
    let value = |name: &str| {
        let line = given.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("{name} is not in {given}")).to_owned()
    };
    assert_eq!(
        (&*value("REDRILL_TARGET_GROUP"), &*value("REDRILL_ACTOR")),
        ("eu", "us-to-eu/actor/0")
    );
    let (source, target) = (value("REDRILL_SOURCE"), value("REDRILL_TARGET"));
    assert!(given.contains(&format!("\nwords {source} to={target}\n")), "{given}");
    assert!(given.ends_with("\nguarded\n"), "{given}");
    for (nodes, first) in [("REDRILL_SOURCE_NODES", source), ("REDRILL_TARGET_NODES", target)] {
        let nodes = value(nodes);
        let (primary, replica) = nodes.split_once(',').expect("a primary and a replica");
        assert!(primary == first && replica != first, "{nodes}");
    }
    place.assert_nothing_left();
}

/// One that does nothing, and none at all.
#[test]
#[ignore = "`just test-all`"]
fn without_anything_that_arrives_the_drill_ends_in_time() {
    let _turn = heavy_turn();
    let none = "sync={ strategy: external }".to_owned();
    for (replicator, is_started) in [(by(&["sleep", "600"]), true), (none, false)] {
        let place = Place::new();
        let began = Instant::now();
        let ran = place.play(APART, &["--set", &replicator]);
        let report = place.report();
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
        let told = of_replicators(&report);
        let begins = [
            "the drill begins, although after",
            "the groups do not begin alike: after",
            "groups are read before all is carried: after",
        ];
        assert_eq!(told.len(), begins.len(), "{told:?}");
        for (text, begin) in told.iter().zip(begins) {
            assert!(text.starts_with(begin), "{text}");
            assert!(text.contains("what is written in `us` has not come to `eu`"), "{text}");
        }
        assert_eq!(measure(&report, "sync.consistency"), 0.0);
        let lag = &report["measures"]["sync.lag.max"];
        assert!(lag["value"].is_null() && lag["at_least"].as_f64() > Some(1_000.0), "{lag}");
        assert_eq!(place.folder().join("logs/us-to-eu-actor-0.log").exists(), is_started);
        place.assert_nothing_left();
    }
}

/// Carries for four seconds, and does then what `$1` says.
const FOR_A_WHILE: &str = r#"what=$1; shift
"$@" & program=$!
sleep 4
kill -$what $program
[ $what = KILL ] && exit 4
wait"#;

/// What it has carried is there, and what it has not is missed.
#[test]
#[ignore = "`just test-all`"]
fn a_replicator_that_ends_or_hangs_in_the_middle_is_told() {
    let Some(python) = need::python_with_redis() else { return };
    let _turn = heavy_turn();
    let of_signals = [
        ("KILL", "the replicator us-to-eu/actor/0 ended (exit status: 4)"),
        ("STOP", "groups are read before all is carried: after "),
    ];
    for (signal, begin) in of_signals {
        let place = Place::new();
        let program = script(place.path(), "for-a-while", FOR_A_WHILE);
        let carries =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("replicators/redis-py/replicator.py");
        let words =
            [&program, Path::new(signal), &python, &carries].map(|word| word.to_str().unwrap());
        let began = Instant::now();
        let ran = place.play(&APART.replace("settle: 3s", "settle: 6s"), &["--set", &by(&words)]);
        let report = place.report();
        assert_ended_or_busy(1, &ran, &report);
        assert_eq!(report["completed"], true);
        assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
        let told = warnings(&report);
        assert!(told.iter().any(|text| text.starts_with(begin)), "{told:?}");
        let missing = told.iter().find(|text| text.starts_with("groups are read before"));
        let missing = missing.unwrap_or_else(|| panic!("{told:?}"));
        for pair in ["`us` has not come to `eu`", "`eu` has not come to `us`"] {
            assert!(missing.contains(pair), "{missing}");
        }
        let alike = measure(&report, "sync.consistency");
        assert!(0.0 < alike && alike < 100.0, "{alike} %: {told:?}");
        let lag = &report["measures"]["sync.lag.max"];
        assert!(lag["value"].is_null() && lag["at_least"].as_f64() > Some(1_000.0), "{lag}");
        place.assert_nothing_left();
    }
}

#[test]
fn a_replicator_that_is_not_there_is_refused_before_anything_starts() {
    let place = Place::new();
    let file = place.path().join("no-program");
    fs::write(&file, "").unwrap();
    for (name, why) in [
        (
            "no-such-replicator",
            "there is no program `no-such-replicator` on PATH, and the topology \
                                `active-active-2r` names it (`command` of `sync`)",
        ),
        ("./no-such-replicator", "there is no program `./no-such-replicator`, and"),
        (file.to_str().unwrap(), "may not be executed"),
    ] {
        let ran = place.play(APART, &["--set", &by(&[name])]);
        assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains(why), "{}", ran.err);
        assert_eq!(place.folders(), [""; 0].map(std::path::PathBuf::from));
    }
    place.assert_nothing_left();
}
