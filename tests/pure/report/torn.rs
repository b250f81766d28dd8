//! Run folders that end anywhere, and folders that are none.

use std::fs;

use redrill::model::Verdict;
use redrill::report::{self, ReportError};

use super::{fixture, folder, made};

#[test]
fn a_killed_drill_is_unknown_and_says_why() {
    let r = made(&fixture::killed());
    assert_eq!(r.verdict, Verdict::Unknown);
    assert!(!r.completed);
    assert!(
        r.why[0].contains("breaks off 5.2 s after the load's start") && r.why[0].contains("killed"),
        "{:?}",
        r.why
    );
    assert!(r.why[1].contains("did not end"), "{:?}", r.why);
    assert!(r.expectations.iter().all(|judged| judged.verdict == Verdict::Unknown));
    assert!(r.value("writes.lost").is_none() && r.value("schedule.held").is_none());
    assert!(r.value("latency.p99.before").is_some(), "what was seen is told");
    let warnings: String = r.warnings.iter().map(|w| w.text.as_str()).collect();
    assert!(warnings.contains("history.jsonl.zst") && warnings.contains("events.jsonl"));
}

#[test]
fn events_cut_anywhere_give_a_report() {
    let folder = folder(&fixture::reshard());
    let events = folder.join("events.jsonl");
    let whole = fs::read(&events).unwrap();
    let first = whole.iter().position(|b| *b == b'\n').unwrap();
    // Without a history this is quick enough to be done often.
    fs::remove_file(folder.join("history.jsonl.zst")).unwrap();
    for cut in (first + 1..whole.len()).step_by(whole.len() / 41) {
        fs::write(&events, &whole[..cut]).unwrap();
        let r = report::build(&folder).unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        assert_eq!(r.verdict, Verdict::Unknown, "cut at {cut}");
        report::write(&r).unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
    }
    fs::write(&events, &whole[..first / 2]).unwrap();
    assert!(matches!(report::build(&folder), Err(ReportError::NoDrill { .. })));
    fs::write(&events, "").unwrap();
    assert!(matches!(report::build(&folder), Err(ReportError::NoDrill { .. })));
}

#[test]
fn a_damaged_line_is_told_with_its_number() {
    let folder = folder(&fixture::killed());
    let events = folder.join("events.jsonl");
    let text = fs::read_to_string(&events).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[4] = "{\"at\":1,\"event\":\"nonsense\"}";
    fs::write(&events, lines.join("\n")).unwrap();
    let error = report::build(&folder).unwrap_err().to_string();
    assert!(error.contains("events.jsonl, line 5"), "{error}");
}

#[test]
fn a_history_that_is_missing_is_warned_of() {
    let folder = folder(&fixture::reshard());
    fs::remove_file(folder.join("history.jsonl.zst")).unwrap();
    let r = report::build(&folder).unwrap();
    assert!(r.warnings[0].text.contains("history.jsonl.zst is missing"), "{:?}", r.warnings);
    assert_eq!(r.verdict, Verdict::Unknown, "writes.lost was expected and cannot be told");
    assert!(r.value("downtime.write.max").is_some());
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = report::build(dir.path()).unwrap_err();
    assert!(matches!(error, ReportError::NotARun { .. }), "{error}");
    assert!(report::build(&dir.path().join("nowhere")).is_err());
}

#[test]
fn writing_leaves_whole_files_and_nothing_else() {
    let folder = folder(&fixture::steady());
    let r = report::build(&folder).unwrap();
    report::write(&r).unwrap();
    let once = fs::read(folder.join("report.json")).unwrap();
    report::write(&report::build(&folder).unwrap()).unwrap();
    assert_eq!(fs::read(folder.join("report.json")).unwrap(), once, "made again, it is the same");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "events.jsonl",
        "history.jsonl.zst",
        "junit.xml",
        "report.html",
        "report.json",
        "report.md",
        "scenario.yaml",
    ];
    assert_eq!(names, expected);
    assert!(report::write_file(&folder.join("no/where"), "").is_err());
}
