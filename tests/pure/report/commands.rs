//! `redrill report` and `redrill compare`, as a shell sees them.

use std::fs;

use assert_cmd::Command;

use super::{fixture, folder};

fn redrill() -> Command {
    let mut command = Command::cargo_bin("redrill").unwrap();
    command.env_remove("NO_COLOR");
    command
}

fn said(output: &std::process::Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn report_gives_the_verdicts_exit_code_and_writes_all_files() {
    for (plan, code) in [(fixture::reshard(), 0), (fixture::failed(), 1), (fixture::killed(), 2)] {
        let folder = folder(&plan);
        let output = redrill().arg("report").arg(&folder).output().unwrap();
        let (out, err) = said(&output);
        assert_eq!(output.status.code(), Some(code), "{out}{err}");
        assert!(out.contains("Expectations") && !out.contains('\x1b'), "{out}");
        for file in ["report.json", "report.html", "report.md", "junit.xml"] {
            assert!(folder.join(file).is_file(), "no {file}");
        }
    }
}

#[test]
fn report_of_several_folders_gives_the_worst_verdicts_exit_code() {
    let folders = [fixture::failed(), fixture::reshard()].map(|plan| folder(&plan));
    let output = redrill().arg("report").args(&folders).output().unwrap();
    let (out, err) = said(&output);
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("FAIL") && out.contains("PASS"), "{out}");
    assert!(folders.iter().all(|folder| folder.join("report.html").is_file()));
}

#[test]
fn a_folder_that_is_no_run_is_a_bad_file() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for path in [empty.clone(), dir.path().join("missing")] {
        for arguments in [vec!["report"], vec!["compare", path.to_str().unwrap()]] {
            let output = redrill().args(arguments).arg(&path).output().unwrap();
            let (out, err) = said(&output);
            assert_eq!(output.status.code(), Some(65), "{out}{err}");
            assert!(err.contains("is not a run folder"), "{err}");
        }
    }
    fs::write(empty.join("events.jsonl"), "hello\nworld\n").unwrap();
    let output = redrill().arg("report").arg(&empty).output().unwrap();
    assert_eq!(output.status.code(), Some(65));
    assert!(said(&output).1.contains("events.jsonl, line 1"), "{}", said(&output).1);
}

#[test]
fn compare_prints_and_writes_a_page() {
    let (a, b) = (folder(&fixture::reshard()), folder(&fixture::failed()));
    let page = a.join("compare.html");
    let mut command = redrill();
    command.arg("compare").args([&a, &b]).arg("--html").arg(&page);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output).1);
    let out = said(&output).0;
    let lost =
        out.lines().find(|line| line.contains("writes.lost ")).unwrap_or_else(|| panic!("{out}"));
    assert_eq!(
        lost.split_whitespace().collect::<Vec<_>>(),
        ["writes.lost", "0", "3", "+3", "worse"]
    );
    assert!(fs::read_to_string(&page).unwrap().contains("writes.lost"));
    let output = redrill().arg("compare").args([&a, &b]).args(["--format", "markdown"]).output();
    assert!(said(&output.unwrap()).0.starts_with("- ⚠️ seed: 7 and 8"));
}
