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
    let (text, code) = analyze(&[name, "--initial", "nil"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("analyzed", text);
    let (json, code) = analyze(&[name, "--initial", "nil", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["verdict"].as_str()), (1, Some("fail")));
    let window = &json["findings"][2]["examples"][0]["window"];
    assert_eq!(window.as_array().map(Vec::len), Some(2), "{json:#}");

    fs::write(&path, SPLIT.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(analyze(&[name]).1, 0);
    fs::write(&path, "; a comment\n").unwrap();
    let (text, code) = analyze(&[name]);
    assert!(code == 2 && text.contains("no operation was answered"), "{text}");
    fs::write(&path, "{:process 0 :type :invoke :f :write :value [1 1]}\n").unwrap();
    assert_eq!(analyze(&[name]).1, 2, "what is never answered proves nothing");
    fs::write(&path, "{:process 0 :type :ok}").unwrap();
    let (text, code) = analyze(&[name]);
    assert!(code == 65 && text.contains("history.edn, line 1: :f is nothing"), "{text}");
    // The nil that was read says nothing, and without times events are counted.
    let untimed = SPLIT.replace(" :time 8000", "");
    fs::write(&path, &untimed).unwrap();
    let (text, code) = analyze(&[name]);
    assert!(code == 1 && text.contains("✗ 1 of 2 keys not linearizable"), "{text}");
    assert!(text.contains("changed no key to 1 (event 1 to event 3)"), "{text}");
    assert!(text.contains("1 reads of nil say nothing") && text.contains("numbers of events"));
    fs::write(&path, untimed.replace("[7 ", "[:lock ")).unwrap();
    assert!(analyze(&[name]).0.contains("operations on key :lock: process 0"));
    assert_eq!(analyze(&["nowhere.edn"]).1, 65);
    assert_eq!(analyze(&[dir.path().to_str().unwrap()]).1, 65);
}

/// Two regions: a client of the second one finds what follows from a write, and not the write.
const REGIONS: &str = "\
{:process 0 :type :invoke :f :write :value [:x 1] :time 1000}
{:process 0 :type :ok :f :write :value [:x 1] :time 2000}
{:process 0 :type :invoke :f :write :value [:y 2] :time 3000}
{:process 0 :type :ok :f :write :value [:y 2] :time 4000}
{:process 1 :type :invoke :f :read :value [:y nil] :time 5000}
{:process 1 :type :ok :f :read :value [:y 2] :time 6000}
{:process 1 :type :invoke :f :read :value [:x nil] :time 7000}
{:process 1 :type :ok :f :read :value [:x nil] :time 8000}
";

#[test]
fn a_history_of_regions_is_judged_by_causal_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.edn");
    let causal = ["--initial", "nil", "--model", "causal"];
    let args = [&[path.to_str().unwrap()][..], &causal].concat();
    fs::write(&path, REGIONS).unwrap();
    let (text, code) = analyze(&args);
    assert_eq!(code, 1);
    insta::assert_snapshot!("analyzed_causal", text);
    // What comes late is no violation, although it is stale.
    let late = REGIONS.replace("[:y 2] :time 6000", "[:y nil] :time 6000");
    fs::write(&path, &late).unwrap();
    assert_eq!(analyze(&args).1, 0);
    assert_eq!(analyze(&args[..3]).1, 1);
    let run = [&[dir.path().to_str().unwrap()][..], &causal].concat();
    let (text, code) = analyze(&run);
    assert!(code == 64 && text.contains("--model is of a FILE"), "{text}");
}

/// Histories of the shapes that others have: of Knossos' `cas-register` (a vector, values that
/// repeat, outcomes that nobody knows) and `multi-register` (transactions), and of the logs of
/// etcd that Porcupine is tested with.
#[test]
fn histories_of_the_shapes_of_others_are_judged() {
    for (name, initial) in [("cas", "0"), ("multi", "0"), ("etcd", "nil")] {
        for (kind, code) in [("good", 0), ("bad", 1)] {
            let end = if name == "etcd" { "log" } else { "edn" };
            let path = format!("tests/pure/report/histories/{name}-{kind}.{end}");
            let (text, found) = analyze(&[&path, "--initial", initial]);
            assert_eq!(found, code, "{path}: {text}");
        }
    }
}

/// The originals, if `REDRILL_HISTORIES` names a folder with checkouts of `knossos` and
/// `porcupine`.
#[test]
#[ignore = "`just test-all`"]
fn the_histories_of_others_are_judged() {
    let Some(folder) = std::env::var_os("REDRILL_HISTORIES").map(std::path::PathBuf::from) else {
        eprintln!("skipped: REDRILL_HISTORIES names no folder with the histories of others");
        return;
    };
    let mut judged = 0;
    let mut judge = |path: &std::path::Path, initial: &str, right: bool| {
        let (text, code) = analyze(&[path.to_str().unwrap(), "--initial", initial]);
        assert_eq!(code, i32::from(!right), "{}: {text}", path.display());
        judged += 1;
    };
    for part in ["cas-register/good", "cas-register/bad", "multi-register/good"] {
        for file in fs::read_dir(folder.join("knossos/data").join(part)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|end| end == "edn") {
                judge(&path, "0", part.ends_with("good"));
            }
        }
    }
    // Which of them are right, its own test says.
    let porcupine = folder.join("porcupine");
    let told = fs::read_to_string(porcupine.join("porcupine_test.go")).unwrap();
    for line in told.lines().filter_map(|line| line.trim().strip_prefix("checkJepsen(t, ")) {
        let (number, right) = line.trim_end_matches(')').split_once(", ").unwrap();
        let name = format!("test_data/jepsen/etcd_{:0>3}.log", number);
        judge(&porcupine.join(name), "nil", right == "true");
    }
    assert!(judged > 200, "only {judged} histories were found");
}
