//! What people read, word for word.

use redrill::report::{compare, junit, markdown, spread, text};

use super::{at_home, fixture, made};

#[test]
fn summaries() {
    for (name, plan) in [
        ("reshard", fixture::reshard()),
        ("failed", fixture::failed()),
        ("killed", fixture::killed()),
        ("steady", fixture::steady()),
    ] {
        let summary = text::summary(&at_home(made(&plan)), 80, false);
        let widest = summary.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 80, "{widest} columns:\n{summary}");
        insta::assert_snapshot!(format!("summary-{name}"), summary);
    }
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let r = at_home(made(&fixture::failed()));
    let coloured = text::summary(&r, 80, true);
    assert!(coloured.contains("\x1b[31m✗"), "what failed is red");
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&(plain + rest)), trimmed(&text::summary(&r, 80, false)));
}

#[test]
fn for_a_pull_request() {
    insta::assert_snapshot!(markdown::render(&at_home(made(&fixture::failed()))).unwrap());
}

#[test]
fn for_ci() {
    let reports = [fixture::reshard(), fixture::failed(), fixture::killed()];
    let reports = reports.map(|plan| at_home(made(&plan)));
    let xml = junit::render(&reports).unwrap();
    insta::assert_snapshot!(xml);
    let back = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((back.tests, back.failures, back.errors), (13, 4, 4));
}

#[test]
fn two_runs_side_by_side() {
    let (before, after) = (made(&fixture::reshard()), made(&fixture::failed()));
    let compared = compare::compare(&before, &after);
    let text = compared.text(80, false);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!("compare-text", text);
    insta::assert_snapshot!("compare-markdown", compared.markdown());
}

#[test]
fn several_runs_of_one_scenario() {
    let reports =
        [fixture::reshard(), fixture::failed(), fixture::killed()].map(|plan| made(&plan));
    let spread = spread::spread(&reports);
    insta::assert_snapshot!("spread-text", spread.text(false));
    let json: serde_json::Value = serde_json::from_str(&spread.json().unwrap()).unwrap();
    let lost = &json["measures"]["writes.lost"];
    assert_eq!(lost["values"], serde_json::json!([0.0, 3.0, null]));
    assert_eq!((&lost["median"], &lost["max"]), (&serde_json::json!(1.5), &serde_json::json!(3.0)));
    assert_eq!(json["verdict"], "fail");
}

#[test]
fn warnings_that_differ_in_their_figures_are_told_once() {
    let mut r = at_home(made(&fixture::steady()));
    for text in ["late by 57 ms", "late by 120 ms", "the disk is slow", "late by 3 ms"] {
        r.warnings.push(redrill::report::Warning { at_ms: None, text: text.to_owned() });
    }
    let summary = text::summary(&r, 80, false);
    assert!(summary.contains("! late by 57 ms (and 2 more like this)\n"), "{summary}");
    assert!(summary.contains("! the disk is slow\n") && !summary.contains("120 ms"), "{summary}");
}
