//! `redrill analyze`, as a shell sees it.

use std::fs;

use assert_cmd::Command;

use super::{fixture, folder};

/// What is printed, and the exit code.
fn analyze(args: &[&str]) -> (String, i32) {
    let output = Command::cargo_bin("redrill").unwrap().arg("analyze").args(args).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code().unwrap())
}

#[test]
fn a_run_is_checked_again() {
    for (plan, code) in [(fixture::reshard(), 0), (fixture::failed(), 1), (fixture::killed(), 2)] {
        let folder = folder(&plan);
        let before = fs::read_dir(&folder).unwrap().count();
        let (text, found) = analyze(&[folder.to_str().unwrap()]);
        assert_eq!(found, code, "{text}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), before, "nothing is written");
    }
}

/// Two clients take the same lock, one reads what is no longer there.
const SPLIT: &str = "\
{:process 0 :type :invoke :f :cas :value [7 [nil 1]] :time 1000}
{:process 1 :type :invoke :f :cas :value [7 [nil 2]] :time 2000}
{:process 0 :type :ok :f :cas :value [7 [nil 1]] :time 3000}
{:process 1 :type :ok :f :cas :value [7 [nil 2]] :time 4000}
{:process 0 :type :invoke :f :write :value [8 1] :time 5000}
{:process 0 :type :ok :f :write :value [8 1] :time 6000}
{:process 0 :type :invoke :f :read :value [8 nil] :time 7000}
{:process 0 :type :ok :f :read :value [8 nil] :time 8000}
";

#[test]
fn a_history_in_edn_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.edn");
    let name = path.to_str().unwrap();
    fs::write(&path, SPLIT).unwrap();
    let (text, code) = analyze(&[name]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("analyzed", text);
    let (json, code) = analyze(&[name, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["verdict"].as_str()), (1, Some("fail")));
    let window = &json["findings"][1]["examples"][0]["window"];
    assert_eq!(window.as_array().map(Vec::len), Some(2), "{json:#}");

    fs::write(&path, SPLIT.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(analyze(&[name]).1, 0);
    fs::write(&path, "{:process 0 :type :ok}").unwrap();
    let (text, code) = analyze(&[name]);
    assert!(code == 65 && text.contains("history.edn, line 1: :f is nothing"), "{text}");
    assert_eq!(analyze(&["nowhere.edn"]).1, 65);
    assert_eq!(analyze(&[dir.path().to_str().unwrap()]).1, 65);
}
