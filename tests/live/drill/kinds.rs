//! Drills of every kind: clients, topologies, repetitions, suites, seeds, company.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use redrill::load::history;
use redrill::model::event::EventKind;
use redrill::model::op::{Action, Op, Purpose, RegisterOp};

use crate::common::run;
use crate::drill::place::{BRIEF, MOVING, Place, assert_passed_or_busy, events, report};

#[test]
fn the_stock_client_sees_a_cluster_through_a_move() {
    let place = Place::new();
    let set = ["--set", "loads.app.client=redis-rs", "--set", "timeline.0.slots=500"];
    let set = [&set[..], &["--set", "expect.1=reshard.slots == 500"]].concat();
    let ran = place.play(MOVING, &set);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert!(report["measures"]["writes.acknowledged"]["value"].as_f64().unwrap() > 100.0);
    assert_eq!(report["measures"]["writes.lost"]["value"], 0.0);
    // What the library does in silence is not known, and so not 0.
    assert!(report["measures"]["redirects.moved"]["value"].is_null());
    assert!(report["loads"][0]["met"]["reconnects"].is_null());
    assert!(!ran.out.contains("MOVED") && !ran.out.contains("reconnect"), "{}", ran.out);
    place.assert_nothing_left();
}

#[test]
fn a_group_with_replicas_and_no_step() {
    let place = Place::new();
    let ran = place.play(BRIEF, &["--topology", "replication-1x2"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let report = place.report();
    let nodes = report["topology"]["groups"][0]["shards"][0]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    assert!(report["measures"]["writes.acknowledged"]["value"].as_f64().unwrap() > 10.0);
    place.assert_nothing_left();
}

#[test]
fn repetitions_have_a_folder_of_all() {
    let place = Place::new();
    let ran = place.play(BRIEF, &["--repeat", "2"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let all = place.folder();
    assert!(all.to_str().unwrap().ends_with("brief-x2"), "{}", all.display());
    let spread: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(all.join("repeat.json")).unwrap()).unwrap();
    assert_eq!(spread["verdict"], "pass");
    let runs = subfolders(&all);
    assert_eq!(runs.len(), 2, "{runs:?}");
    let medians = &spread["measures"]["writes.acknowledged"];
    let each =
        runs.iter().map(|run| report(run)["measures"]["writes.acknowledged"]["value"].clone());
    let each: BTreeSet<u64> = each.map(|value| value.as_f64().unwrap() as u64).collect();
    assert_eq!(medians["min"].as_f64().unwrap() as u64, *each.first().unwrap());
    assert_eq!(medians["max"].as_f64().unwrap() as u64, *each.last().unwrap());
    assert!(ran.out.contains("writes.acknowledged"), "{}", ran.out);
    assert!(ran.out.ends_with("\n  2 ✓ pass of 2\n"), "{}", ran.out);
}

fn subfolders(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).collect()
}

#[test]
fn a_suite_has_one_junit_file_and_one_page() {
    let place = Place::new();
    let scenarios = place.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    fs::write(scenarios.join("a.yaml"), BRIEF).unwrap();
    // One that fails: no server answers so many operations.
    let failing =
        BRIEF.replace("brief", "failing").replace("errors.total == 0", "errors.total >= 9");
    fs::write(scenarios.join("b.yaml"), failing).unwrap();
    let mut suite = place.redrill(&["suite", scenarios.to_str().unwrap()]);
    let ran = run(suite.arg("--out").arg(place.out()));
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let all = place.folder();
    let junit = fs::read_to_string(all.join("junit.xml")).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&junit).unwrap();
    let names: Vec<&str> = junit.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["brief", "failing"]);
    let failures: Vec<usize> = junit.test_suites.iter().map(|suite| suite.failures).collect();
    assert_eq!(failures, [0, 1]);
    let index = fs::read_to_string(all.join("index.html")).unwrap();
    for run in subfolders(&all) {
        let name = run.file_name().unwrap().to_str().unwrap();
        assert!(index.contains(&format!("{name}/report.html")), "{name} is not in the index");
    }
    assert!(ran.out.contains("index.html"), "{}", ran.out);
    let why = "\n  ✗ fail  failing\n    · `errors.total >= 9` does not hold: it was 0\n";
    assert!(ran.out.ends_with(&format!("{why}  1 ✓ pass, 1 ✗ fail of 2\n")), "{}", ran.out);
    // However long a path is, it is in one piece.
    let pages = ran.out.lines().filter(|line| line.ends_with("/report.html"));
    assert_eq!(pages.filter(|page| Path::new(page.trim()).is_file()).count(), 2, "{}", ran.out);
    place.assert_nothing_left();
}

/// A topology with a directive that its server refuses: there is no drill to report.
#[test]
fn what_a_suite_cannot_play_is_not_passed_over() {
    let place = Place::new();
    let scenarios = place.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    fs::write(scenarios.join("a.yaml"), BRIEF).unwrap();
    let refused = "name: refused\n\
                   groups: { cache: { mode: standalone, config: { maxmemory: banana } } }\n";
    fs::write(scenarios.join("refused.yaml"), refused).unwrap();
    let lost = BRIEF.replace("brief", "lost").replace("standalone", "./refused.yaml");
    fs::write(scenarios.join("b.yaml"), lost).unwrap();
    // The folder holds the topology too.
    let mut suite = place.redrill(&["suite", scenarios.to_str().unwrap(), "--format", "json"]);
    let ran = run(suite.arg("--out").arg(place.out()));
    assert_eq!(ran.code, Some(65), "{}{}", ran.out, ran.err);

    let junit = fs::read_to_string(place.folder().join("junit.xml")).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&junit).unwrap();
    let suites: Vec<_> = junit.test_suites.iter().map(|s| (s.name.as_str(), s.errors)).collect();
    assert_eq!(suites, [("brief", 0), ("lost", 1)]);
    let index = fs::read_to_string(place.folder().join("index.html")).unwrap();
    assert!(index.contains("2 drills: 1 pass, 1 unknown"), "{index}");
    assert!(index.contains("lost<span class=\"error\">not played: "), "{index}");
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["verdict"], "unknown");
    let said = &said["runs"];
    assert_eq!((&said[0]["verdict"], &said[1]["verdict"]), (&"pass".into(), &"unknown".into()));
    assert_eq!((&said[1]["scenario"], &said[1]["code"]), (&"lost".into(), &65.into()));
    assert!(said[1]["error"].to_string().contains("maxmemory"), "{}", ran.out);
    place.assert_nothing_left();
}

#[test]
fn a_folder_of_topologies_is_no_suite() {
    let place = Place::new();
    let folder = place.path().join("scenarios");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("one.yaml"), "name: one\ngroups: { a: { mode: standalone } }\n").unwrap();
    let ran = run(&mut place.redrill(&["suite", folder.to_str().unwrap()]));
    assert_eq!(ran.code, Some(65), "{}", ran.err);
    assert!(ran.err.contains("no scenarios in this folder"), "{}", ran.err);
    assert!(ran.err.contains("these are topologies: ") && ran.err.contains("one.yaml"));
}

/// What a seed decides of an operation: load, key, action, when (from the first).
type Decided = (u8, u64, Action, u64);

fn decided(folder: &Path) -> Vec<Decided> {
    let ops = history::read(&folder.join("history.jsonl.zst")).unwrap().map(Result::unwrap);
    let mut ops: Vec<_> = ops.filter(|op| op.purpose == Purpose::Load).collect();
    ops.sort_by_key(|op| (op.intended, op.load));
    let first = ops[0].intended;
    // What a read finds depends on who was quicker.
    let action = |op: &Op| match op.action {
        Action::Register(RegisterOp::Read(_)) => Action::Register(RegisterOp::Read(None)),
        ref action => action.clone(),
    };
    let decided = |op: &Op| (op.load, op.key, action(op), op.intended.0 - first.0);
    ops.iter().map(decided).collect()
}

#[test]
fn a_seed_decides_every_operation() {
    let place = Place::new();
    for seed in ["7", "7", "8"] {
        let ran = place.play(BRIEF, &["--seed", seed]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }
    let mut runs: Vec<_> = place
        .folders()
        .iter()
        .map(|folder| (report(folder)["seed"].clone(), decided(folder)))
        .collect();
    let least = runs.iter().map(|(_, ops)| ops.len()).min().unwrap();
    assert!(least >= 90, "0.5 s at 200/s: {least}");
    // How many there are depends on when the drill has ended.
    runs.iter_mut().for_each(|(_, ops)| ops.truncate(least));
    runs.sort_by_key(|(seed, _)| seed.as_u64());
    assert_eq!(runs[0].1, runs[1].1);
    assert_ne!(runs[1].1, runs[2].1);
}

#[test]
fn two_at_once_do_not_meet() {
    let place = Place::new();
    let set = ["--set", "timeline.0.slots=300", "--set", "expect.1=reshard.slots == 300"];
    let drills = [0, 1].map(|_| {
        let mut command = place.command(MOVING, &set);
        std::thread::spawn(move || run(&mut command))
    });
    for ran in drills.map(|drill| drill.join().unwrap()) {
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }
    let folders = place.folders();
    assert_eq!(folders.len(), 2, "{folders:?}");
    let blocks: BTreeSet<String> = folders.iter().flat_map(|folder| blocks(folder)).collect();
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    place.assert_nothing_left();
}

/// The `127.64` of each of a drill's addresses.
fn blocks(folder: &Path) -> BTreeSet<String> {
    let nodes = events(folder).into_iter().find_map(|event| match event.kind {
        EventKind::Ready { nodes } => Some(nodes),
        _ => None,
    });
    let block = |address: &str| address.split('.').take(2).collect::<Vec<_>>().join(".");
    nodes.unwrap().iter().map(|node| block(&node.address)).collect()
}

#[test]
fn a_step_that_has_to_wait_says_so_and_convergence_is_the_slowest_steps() {
    let place = Place::new();
    let second = "{ at: 301ms, do: reshard, from: 1, to: 2, slots: 1 }]\n";
    let scenario = MOVING
        .replace("pace: { p99: 5ms } }]\n", &format!("pace: {{ p99: 5ms }} }}, {second}"))
        .replace("reshard.slots == 5000", "reshard.slots == 5001");
    let ran = place.play(&scenario, &[]);
    let report = place.report();
    assert_passed_or_busy(&ran, &report);
    let took = |step: usize, until: &str| {
        let step = &report["steps"][step];
        step[until].as_f64().unwrap() - step["began_ms"].as_f64().unwrap()
    };
    let convergence = report["measures"]["convergence"]["value"].as_f64().unwrap();
    let slowest = took(0, "converged_ms").max(took(1, "converged_ms"));
    assert!((convergence - slowest).abs() < 0.01, "{convergence} and {slowest}");
    // Only if the first one took long enough for that.
    let late = took(0, "ended_ms") > 150.0;
    let warned = report["warnings"].to_string().contains("after its `at`");
    assert_eq!(warned, late, "{}", report["warnings"]);
}

#[test]
fn a_matrix_goes_over_values() {
    let place = Place::new();
    let file = place.path().join("scenario.yaml");
    fs::write(&file, BRIEF).unwrap();
    let mut matrix = place.redrill(&["matrix", file.to_str().unwrap(), "--backend", "process"]);
    matrix.args(["--over", "loads.app.rate=100/s,300/s"]).arg("--out").arg(place.out());
    let ran = run(&mut matrix);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("brief over rate"), "{}", ran.out);
    let heads = ran.out.lines().find(|line| line.contains("100/s")).unwrap();
    assert_eq!(heads.split_whitespace().collect::<Vec<_>>(), ["100/s", "300/s"]);
    let json = fs::read_to_string(place.folder().join("matrix.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rate = |i: usize| json["reports"][i]["loads"][0]["rate"].as_f64();
    assert_eq!((rate(0), rate(1)), (Some(100.0), Some(300.0)));
    assert_eq!(json["reports"][0]["seed"], json["reports"][1]["seed"], "nothing else differs");
}

/// As `run` refuses it: by what the engine that is named can do.
#[test]
fn a_matrix_refuses_cuts_in_the_kernel_of_processes() {
    let place = Place::new();
    let file = place.path().join("scenario.yaml");
    let cut = "do: partition, between: [primary of shard 0, other nodes], via: kernel";
    let text = format!("name: cut\ntopology: cluster-3x0\ntimeline: [{{ at: 1s, {cut} }}]\n");
    fs::write(&file, text).unwrap();
    let mut matrix = place.redrill(&["matrix", file.to_str().unwrap()]);
    matrix.args(["--engine", crate::common::server().to_str().unwrap()]);
    let refused = run(matrix.env_remove("REDRILL_ENGINE_BINARY"));
    assert_eq!(refused.code, Some(65), "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("processes"), "{}", refused.err);
}

#[test]
fn a_matrix_sets_engines_side_by_side() {
    let place = Place::new();
    let file = place.path().join("scenario.yaml");
    fs::write(&file, BRIEF).unwrap();
    let server = crate::common::server();
    let server = server.to_str().unwrap();
    let mut matrix = place.redrill(&["matrix", file.to_str().unwrap()]);
    matrix.args(["--engine", server, "--engine", server]).arg("--out").arg(place.out());
    let ran = run(matrix.env_remove("REDRILL_ENGINE_BINARY"));
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let text = |start: &str| {
        let line = ran.out.lines().find(|l| l.trim_start().starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in {}", ran.out)).to_owned()
    };
    assert_eq!(text("verdict").matches("✓ pass").count(), 2);
    assert_eq!(
        text("writes.lost").split_whitespace().collect::<Vec<_>>(),
        ["writes.lost", "0", "0"]
    );
    assert!(ran.out.contains("2 ✓ pass of 2"), "{}", ran.out);

    let folder = place.folder();
    let json = fs::read_to_string(folder.join("matrix.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["reports"].as_array().unwrap().len(), 2);
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    for report in json["reports"].as_array().unwrap() {
        let link = format!("{}/report.html", report["id"].as_str().unwrap());
        assert!(page.contains(&link) && folder.join(&link).is_file(), "{link}");
    }
    let markdown = fs::read_to_string(folder.join("matrix.md")).unwrap();
    assert!(markdown.contains("| writes.lost | 0 | 0 |"), "{markdown}");

    let mut both = place.redrill(&["matrix", "steady-state", "--engine", server]);
    let refused = run(both.args(["--backend", "docker"]));
    assert_eq!(refused.code, Some(64), "{}", refused.err);
    place.assert_nothing_left();
}

/// The pace that a scenario does not name, and one that no machine can keep.
#[test]
#[ignore = "`just test-all`"]
fn a_report_says_how_the_pace_was_kept() {
    let place = Place::new();
    let pace = "pace: { p99: 5ms }";
    let play = |pace_of_step: &str, out: &str| {
        let text = MOVING.replace(pace, &format!("method: migrate{pace_of_step}"));
        let ran = place.play(&text, &["--out", place.path().join(out).to_str().unwrap()]);
        let folders = fs::read_dir(place.path().join(out)).unwrap();
        let folder = folders.flatten().next().unwrap().path();
        let page = fs::read_to_string(folder.join("report.md")).unwrap();
        (ran, report(&folder), page)
    };
    let (ran, report, page) = play("", "usual");
    assert_passed_or_busy(&ran, &report);
    let kept = &report["steps"][0]["pace"];
    assert_eq!(kept["pace"], "{ adds: 2ms }", "{report}");
    let (floor, goal) = (kept["floor_ms"].as_f64().unwrap(), kept["goal_ms"].as_f64().unwrap());
    assert!(floor > 0.0 && (goal - floor - 2.0).abs() < 1e-6, "{kept}");
    assert!(page.contains("migrate, pace { adds: 2ms } "), "{page}");

    let (_, report, page) = play(", pace: { p99: 100us }", "too_much");
    let kept = &report["steps"][0]["pace"];
    assert_eq!(kept["met"], false, "{kept}");
    assert_eq!(kept["goal_ms"], 0.1, "{kept}");
    let warnings = report["warnings"].to_string();
    let warned = "step 1: the pace { p99: 100us } cannot be kept: PINGs take ";
    assert_eq!(warnings.matches(warned).count(), 1, "{warnings}");
    assert!(page.contains("pace { p99: 100us } not kept: PINGs "), "{page}");
    assert_eq!(report["steps"][0]["moved"]["slots"], 5000, "{report}");
}
