//! Run folders that somebody else made, to do harm to whoever looks at them.

use std::fs;
use std::os::unix::fs::symlink;

use assert_cmd::Command;
use redrill::model::acts;
use redrill::model::event::Event;
use serde_json::Value;

use super::{fixture, folder};

const EVIL: &str = "<img src=x>\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}";

/// Puts evil words wherever an event may have words, and returns how often.
fn poison(event: &mut Value) -> usize {
    fn places(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(at),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, it)| places(it, format!("{at}/{n}"), found));
            }
            Value::Object(map) => {
                map.iter().for_each(|(key, it)| places(it, format!("{at}/{key}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(event, String::new(), &mut found);
    let mut poisoned = 0;
    for place in found {
        let mut changed = event.clone();
        *changed.pointer_mut(&place).unwrap() = EVIL.into();
        if serde_json::from_value::<Event>(changed.clone()).is_ok() {
            (*event, poisoned) = (changed, poisoned + 1);
        }
    }
    poisoned
}

fn assert_inert(text: &str, what: &str) {
    let acting = text.chars().find(|c| acts(*c) && *c != '\n');
    assert!(!text.is_empty() && acting.is_none(), "{acting:?} in {what}");
}

#[test]
fn words_of_a_run_folder_do_nothing_to_terminals_and_pages() {
    let run = folder(&fixture::failed());
    let events = run.join("events.jsonl");
    let mut poisoned = 0;
    let line = |line: &str| {
        let mut event = serde_json::from_str(line).unwrap();
        poisoned += poison(&mut event);
        event.to_string() + "\n"
    };
    let text: String = fs::read_to_string(&events).unwrap().lines().map(line).collect();
    assert!(poisoned > 20, "{poisoned} places");
    fs::write(&events, text).unwrap();
    fs::write(run.join("scenario.yaml"), EVIL).unwrap();
    let redrill = |args: &[&str]| {
        let output = Command::cargo_bin("redrill").unwrap().args(args).arg(&run).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let summary = redrill(&["report"]);
    assert_inert(&summary, "the summary");
    for file in ["report.html", "report.md", "junit.xml", "report.json"] {
        assert_inert(&fs::read_to_string(run.join(file)).unwrap(), file);
    }
    assert!(!fs::read_to_string(run.join("report.html")).unwrap().contains("<img"));
    // A report, too, may be somebody else's.
    let report = run.join("report.json");
    let evil = fs::read_to_string(&report).unwrap().replace("\u{fffd}", "\\u001b");
    fs::write(&report, evil).unwrap();
    let compared = redrill(&["compare", report.to_str().unwrap()]);
    assert_inert(&compared, "the comparison");
}

#[test]
fn a_page_shows_no_file_from_outside_of_its_run_folder() {
    let run = folder(&fixture::steady());
    let secret = run.join("logs.txt");
    fs::write(&secret, "a secret").unwrap();
    let scenario = run.join("scenario.yaml");
    fs::remove_file(&scenario).unwrap();
    symlink(&secret, &scenario).unwrap();
    let report = redrill::report::build(&run).unwrap();
    assert_eq!(report.yaml, None);
}
