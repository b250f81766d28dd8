//! `report.json` is read back as the report that it was written from.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use redrill::model::Verdict;
use redrill::report::{self, Report, html, json, junit, markdown, text};
use serde_json::Value;

use super::{fixture, folder, made, tiny};

/// Written by redrill 0.1.0, before findings had other kinds than its own.
fn before() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pure/report/before.json"))
}

#[test]
fn a_report_is_read_back_as_it_was() {
    let plans = [fixture::reshard(), fixture::failed(), fixture::killed(), fixture::steady()];
    let mut reports: Vec<Report> = plans.iter().map(made).collect();
    reports.push(tiny::build(&tiny::events(), &tiny::history()));
    for mut report in reports {
        let dir = tempfile::tempdir().unwrap();
        report.folder = dir.path().to_owned();
        report::write(&report).unwrap();
        report.yaml = None;
        assert_eq!(report::open(&dir.path().join("report.json")).unwrap(), report);
    }
}

/// What `old` says is in `new`, which may say more.
fn assert_kept(old: &Value, new: &Value, at: &str) {
    match (old, new) {
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().for_each(|(key, old)| assert_kept(old, &new[key], &format!("{at}/{key}")))
        }
        (Value::Array(items), Value::Array(kept)) if items.len() == kept.len() => {
            items.iter().zip(kept).for_each(|(old, new)| assert_kept(old, new, at));
        }
        _ => assert_eq!(old, new, "{at}"),
    }
}

#[test]
fn a_report_of_the_version_before_is_read() {
    let r = report::open(before()).unwrap();
    assert_eq!((r.redrill.as_str(), r.verdict), ("0.1.0", Verdict::Pass));
    assert_eq!(r.value("downtime.write.max"), Some(3200.306242));
    assert_eq!((r.failovers.len(), r.loads.len(), r.findings.len()), (1, 2, 6));
    let old: Value = serde_json::from_slice(&fs::read(before()).unwrap()).unwrap();
    let new: Value = serde_json::from_str(&json::render(&r).unwrap()).unwrap();
    assert_kept(&old, &new, "");
    let summary = text::summary(&r, 80, false);
    assert!(summary.contains("served after 3,247 ms"), "{summary}");
    html::render(&r).unwrap();
    markdown::render(&r).unwrap();
    junit::render(&[r]).unwrap();
}

#[test]
fn what_is_no_report_is_refused_by_name_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.json");
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        report::open(&path).unwrap_err().to_string()
    };
    let other = fs::read_to_string(before()).unwrap();
    let other = other.replacen("\"schema\": 1", "\"schema\": 7", 1);
    let told = refused(&other);
    assert!(told.contains("report.json has the schema 7 of redrill 0.1.0"), "{told}");
    assert!(told.contains("`redrill report`"), "{told}");
    for text in ["", "[]", "{\"schema\": 1}", &other.replacen("\"schema\": 7", "\"schema\": 1,", 1)]
    {
        let told = refused(text);
        assert!(told.contains("report.json is not a report of redrill ("), "{told}");
    }
}

#[test]
fn stored_reports_are_compared_as_run_folders_are() {
    let folders = [fixture::reshard(), fixture::failed()].map(|plan| folder(&plan));
    let compare = |paths: &[std::path::PathBuf]| {
        let output = Command::cargo_bin("redrill").unwrap().arg("compare").args(paths).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let of_folders = compare(&folders);
    let files = folders.each_ref().map(|folder| {
        report::write(&report::build(folder).unwrap()).unwrap();
        fs::remove_file(folder.join("events.jsonl")).unwrap();
        folder.join("report.json")
    });
    assert_eq!(compare(&files), of_folders);
}
