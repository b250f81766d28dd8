//! `junit.xml`: the results in CI.
//!
//! A drill is a test suite. It has one case for each expectation and one for the drill itself,
//! which fails with everything that no expectation covers: a step that went wrong, a finding of
//! a checker, a drill that broke off. JUnit has no `unknown`: an unknown result is an *error*
//! there, a broken expectation a *failure*.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use crate::check::Finding;
use crate::model::Verdict;

use super::data::{Judged, Report};
use super::error::ReportError;
use super::judge::other_reasons;
use super::suite::Entry;
use super::text;

/// The case for the drill itself.
const DRILL: &str = "the drill itself";

/// One file for all of `reports`.
///
/// # Errors
/// A text cannot be written as XML.
pub fn render(reports: &[Report]) -> Result<String, ReportError> {
    whole(reports.iter().map(suite))
}

/// One file for a whole suite. A scenario that could not be played is an error in it.
///
/// # Errors
/// A text cannot be written as XML.
pub fn of_suite(entries: &[Entry]) -> Result<String, ReportError> {
    whole(entries.iter().map(|entry| match &entry.report {
        Some(report) => suite(report),
        None => unplayed_suite(entry),
    }))
}

fn whole(suites: impl Iterator<Item = TestSuite>) -> Result<String, ReportError> {
    let suites: Vec<TestSuite> = suites.collect();
    let mut junit = Junit::new("redrill");
    junit.set_time(suites.iter().filter_map(|suite| suite.time).sum());
    junit.add_test_suites(suites);
    junit.to_string().map_err(|e| ReportError::Render { what: "JUnit", why: e.to_string() })
}

fn took(report: &Report) -> Duration {
    Duration::from_secs_f64((report.duration_ms / 1e3).max(0.0))
}

fn suite(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new(report.scenario.as_str());
    suite.set_time(took(report));
    let engine = format!("{} {}", report.engine.kind, report.engine.version);
    for (name, value) in [
        ("run", report.id.as_str()),
        ("topology", report.topology.name.as_str()),
        ("engine", engine.as_str()),
        ("seed", &report.seed.to_string()),
    ] {
        suite.add_property((name, value));
    }
    suite.add_test_case(drill(report));
    suite.add_test_cases(report.expectations.iter().map(|judged| case(report, judged)));
    suite
}

fn unplayed_suite(unplayed: &Entry) -> TestSuite {
    let why = unplayed.error.as_deref().unwrap_or_default();
    let mut status = status(unplayed.verdict, why);
    if unplayed.skipped {
        status = TestCaseStatus::skipped();
        status.set_message(why);
    }
    let mut case = TestCase::new(DRILL, status);
    case.set_classname(unplayed.scenario.as_str());
    let mut suite = TestSuite::new(unplayed.scenario.as_str());
    suite.add_test_case(case);
    suite
}

/// The drill itself: everything except the expectations.
fn drill(report: &Report) -> TestCase {
    let unless = |unsure: &Option<String>| match unsure {
        Some(_) => Verdict::Unknown,
        None => Verdict::Fail,
    };
    let steps = report.steps.iter().map(|step| match (&step.error, step.ended_ms) {
        (Some(_), _) => unless(&step.unsure),
        (None, None) => Verdict::Unknown,
        (None, Some(_)) => Verdict::Pass,
    });
    let crashed = report.crashes.iter().map(|_| Verdict::Fail);
    let disagreed = report.disagreements.iter().map(|group| unless(&group.unsure));
    let counts = |finding: &&Finding| report.set_aside(finding).is_none();
    let found = report.findings.iter().filter(counts).map(|finding| finding.verdict);
    let verdict = match report.completed {
        false => Verdict::Unknown,
        // A full disk excuses all of them.
        true if report.disk_was_full => Verdict::Unknown,
        true => Verdict::worst(steps.chain(crashed).chain(disagreed).chain(found)),
    };
    let why = other_reasons(report).join("\n");
    let mut case = TestCase::new(DRILL, status(verdict, &why));
    case.set_classname(report.scenario.as_str());
    case.set_time(took(report));
    case.set_system_out(text::summary(report, 80, false));
    case
}

fn case(report: &Report, judged: &Judged) -> TestCase {
    let value = judged.shown();
    let message = match &judged.why {
        Some(why) if !judged.is_plain() => why.clone(),
        _ => match &judged.load {
            Some(load) => format!("{} of {load} was {value}", judged.measure),
            None => format!("{} was {value}", judged.measure),
        },
    };
    let mut case = TestCase::new(judged.text.as_str(), status(judged.verdict, &message));
    case.set_classname(report.scenario.as_str());
    case.add_property(("value", value.as_str()));
    case
}

fn status(verdict: Verdict, message: &str) -> TestCaseStatus {
    let kind = match verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => NonSuccessKind::Failure,
        Verdict::Unknown => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(verdict.word());
    status.set_message(message);
    status
}
