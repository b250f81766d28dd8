//! What stands on standard output and standard error, and who may stop reading it.

use std::fs::OpenOptions;
use std::io::Read;
use std::process::{Command, Stdio};

use redrill::model::event::{EventKind, Phase};
use redrill::model::op::Cause;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{gc_turn, run};
use crate::drill::place::{BRIEF, Place, kill};

#[test]
fn json_and_nothing_else() {
    let place = Place::new();
    let ran = place.play(BRIEF, &["--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said, place.report());
    assert!(ran.err.contains("load and probes run"), "{}", ran.err);
}

#[test]
fn json_of_repetitions_and_of_suites() {
    let place = Place::new();
    let file = place.path().join("scenario.yaml");
    let ran = place.play(BRIEF, &["--repeat", "2", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let spread: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(spread["verdict"], "pass");

    let mut suite = place.redrill(&["suite", file.to_str().unwrap(), "--format", "json"]);
    let ran = run(suite.arg("--out").arg(place.out()));
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let suite: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&suite["schema"], &suite["verdict"]), (&1.into(), &"pass".into()));
    assert_eq!(suite["runs"].as_array().map(Vec::len), Some(1));
    assert_eq!(suite["runs"][0]["report"]["scenario"], "brief");
}

/// `run … | head -1`: reads a part, closes, and gives the exit code.
fn with_a_reader_that_leaves(mut command: Command, bytes: usize) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut vec![0; bytes]).unwrap();
    drop(out);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn nobody_reads_standard_output() {
    let place = Place::new();
    for format in ["text", "json"] {
        let command = place.command(BRIEF, &["--format", format]);
        let (code, said) = with_a_reader_that_leaves(command, 0);
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    let all = [
        &["list"][..],
        &["show", "cluster-reshard"],
        &["schema", "scenario"],
        &["status"],
        &["status", "--format", "json"],
        &["gc"],
        &["down", "--all"],
        &["doctor"],
        &["completions", "bash"],
        &["--help"],
    ];
    let _turn = gc_turn();
    for args in all {
        let (code, said) = with_a_reader_that_leaves(place.redrill(args), 0);
        assert_eq!(code, Some(0), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
    place.assert_nothing_left();
}

/// A script that looks at the exit code alone must not take it for a pass.
#[test]
fn standard_output_cannot_be_written() {
    let place = Place::new();
    for format in ["text", "json"] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = place.command(BRIEF, &["--format", format]);
        let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(69));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("cannot write to standard output: No space left"), "{said}");
    }
    place.assert_nothing_left();
}

/// Whatever kept an operation from ending well is in the report by its name.
#[test]
fn errors_are_told_by_their_cause() {
    let place = Place::new();
    let mut playing =
        place.start(BRIEF, &["--set", "loads.app.timeout=100ms", "--set", "settle=3s"]);
    playing.wait_for_phase(Phase::Settle);
    let server = playing.servers()[0].1;
    kill(server, Signal::STOP);
    let timed_out = |what: &EventKind| matches!(what, EventKind::Sample(sample) if sample.causes.contains_key(&Cause::Timeout));
    playing.wait_for("operations that time out", timed_out);
    kill(server, Signal::CONT);
    let ran = playing.end();
    // 2 if the machine was busy meanwhile.
    assert!(matches!(ran.code, Some(1 | 2)), "{}", ran.err);
    let report = place.report();
    let met = &report["loads"][0]["met"];
    let causes = met["causes"].as_object().unwrap();
    let counted: f64 = causes.values().map(|count| count.as_f64().unwrap()).sum();
    assert_eq!(report["measures"]["errors.total"]["value"], counted, "{met}");
    assert!(causes["timeout"].as_u64() > Some(0), "{met}");
    assert!(ran.out.contains("timed out"), "{}", ran.out);
    place.assert_nothing_left();
}

/// As in `redrill run … 2>&1 | head -1`: the drill goes on, and is judged.
#[test]
fn nobody_reads_what_is_told_on_the_way() {
    let place = Place::new();
    let mut command = place.command(BRIEF, &["--repeat", "2"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    place.assert_nothing_left();
}

#[test]
fn a_folder_without_a_report_keeps_no_other_from_its_own() {
    let place = Place::new();
    assert_eq!(place.play(BRIEF, &[]).code, Some(0));
    let page = place.folder().join("report.html");
    std::fs::remove_file(&page).unwrap();
    let (missing, gone) = (place.path().join("missing"), place.path().join("gone"));
    let mut report = place.redrill(&["report"]);
    let ran = run(report.args([&missing, &place.folder(), &gone]));
    assert_eq!(ran.code, Some(65), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("PASS") && page.is_file(), "{}", ran.out);
    assert_eq!(ran.err.matches("is not a run folder").count(), 2, "{}", ran.err);
}
