//! Ctrl-C and SIGTERM, at every phase.

use std::fs;
use std::process::Command;
use std::time::Duration;

use redrill::model::event::{End, EventKind, Phase};
use rustix::process::Signal;

use crate::common::{gc, until};
use crate::drill::place::{BRIEF, MOVING, Place, Playing, end_of, kill};

/// Plays, signals when `moment` has come, and holds that all ends as it should.
///
/// `doing` is what the report says the drill was at.
pub fn interrupt(
    scenario: &str,
    set: &[&str],
    signal: Signal,
    doing: &str,
    moment: impl Fn(&mut Playing<'_>),
) {
    let place = Place::new();
    let args: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
    let mut playing = place.start(scenario, &args);
    moment(&mut playing);
    playing.signal(signal);
    let ran = playing.end();

    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert!(ran.err.contains("ending; press Ctrl-C again to end at once"), "{}", ran.err);
    place.assert_nothing_left();
    assert_eq!(end_of(&place.folder()), Some(End::Interrupted));
    let report = place.report();
    assert_eq!(report["verdict"], "unknown");
    let why = report["why"].to_string();
    assert!(why.contains(&format!("the drill was interrupted while {doing}")), "{why}");
    assert!(place.folder().join("report.html").exists());
    assert!(ran.out.contains("UNKNOWN"), "{}", ran.out);
}

#[test]
fn while_the_topology_forms() {
    interrupt(MOVING, &[], Signal::INT, "forming the topology", |playing| {
        playing.wait_for_phase(Phase::Form);
    });
}

#[test]
fn while_keys_are_written() {
    interrupt(BRIEF, &["loads.app.keys=2000000"], Signal::INT, "filling in keys", |playing| {
        playing.wait_for_phase(Phase::Fill);
    });
}

#[test]
fn in_the_baseline() {
    interrupt(MOVING, &["timeline.0.at=60s"], Signal::TERM, "playing the timeline", |playing| {
        playing.wait_for_phase(Phase::Steps);
    });
}

#[test]
fn in_the_middle_of_the_move() {
    interrupt(MOVING, &[], Signal::INT, "playing the timeline", |playing| playing.wait_for_slots());
}

#[test]
fn while_the_load_settles() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        interrupt(BRIEF, &["settle=60s"], signal, "settling", |playing| {
            playing.wait_for_phase(Phase::Settle);
        });
    }
}

#[test]
fn while_the_final_state_is_read() {
    interrupt(
        BRIEF,
        &["loads.app.timeout=200ms"],
        Signal::INT,
        "reading the final state",
        |playing| {
            // The server is stopped, so that the reading does not come to its end before.
            playing.wait_for_phase(Phase::Settle);
            kill(playing.servers()[0].1, Signal::STOP);
            playing.wait_for_phase(Phase::Verify);
        },
    );
}

/// Removing what the servers wrote is the last that a drill does before it ends. With
/// so many files it takes a while.
fn slow_to_stop(place: &Place) -> Playing<'_> {
    const FILES: u32 = 40_000;
    let crowd = place.path().join("crowd");
    fs::create_dir(&crowd).unwrap();
    (0..FILES).for_each(|n| fs::write(crowd.join(n.to_string()), "").unwrap());
    let mut playing = place.start(BRIEF, &["--set", "settle=2s"]);
    playing.wait_for_phase(Phase::Steps);
    fs::rename(crowd, place.folder().join("nodes/crowd")).unwrap();
    playing.wait_for_phase(Phase::Stop);
    playing
}

#[test]
fn while_the_servers_stop() {
    let place = Place::new();
    let playing = slow_to_stop(&place);
    playing.signal(Signal::INT);
    assert!(place.folder().join("nodes").exists(), "it had stopped before it was interrupted");
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert!(ran.err.contains("ending; press Ctrl-C again to end at once"), "{}", ran.err);
    place.assert_nothing_left();
    // Nothing of the drill itself was cut short.
    assert_eq!(end_of(&place.folder()), Some(End::Completed));
    assert_eq!(place.report()["verdict"], "pass");
    assert!(place.folder().join("report.html").exists());
}

#[test]
fn twice_while_the_servers_stop() {
    let place = Place::new();
    let mut playing = slow_to_stop(&place);
    playing.signal(Signal::INT);
    playing.wait_for_words("again to end at once");
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert!(ran.err.contains("`redrill gc` removes what it left"), "{}", ran.err);
    place.no_server_runs(Duration::from_secs(1));
    assert!(place.folder().join("nodes").exists(), "it had stopped before it was interrupted");
    assert!(gc(&place.state()).code == Some(0));
    place.assert_nothing_left();
}

/// A drill that has come to its end and makes its report, when the first signal comes.
fn at_its_report(place: &Place) -> Playing<'_> {
    let mut playing = place.start(BRIEF, &[]);
    playing.wait_for_phase(Phase::Steps);
    playing.wait_for("its end", |what| matches!(what, EventKind::Ended { .. }));
    playing.signal(Signal::INT);
    playing.wait_for_words("again to end at once");
    playing
}

#[test]
fn while_the_report_is_made() {
    let place = Place::new();
    let playing = at_its_report(&place);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    place.assert_nothing_left();
    // The drill itself was over.
    assert_eq!(end_of(&place.folder()), Some(End::Completed));
    assert_eq!(place.report()["verdict"], "pass");
}

#[test]
fn a_second_signal_ends_at_once() {
    let place = Place::new();
    let playing = at_its_report(&place);
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130));
    assert!(ran.err.contains("`redrill gc` removes what it left"), "{}", ran.err);
    place.assert_nothing_left();
}

#[test]
fn a_second_signal_in_the_middle_of_the_move() {
    let place = Place::new();
    let mut playing = place.start(MOVING, &[]);
    playing.wait_for_slots();
    // A server that is stopped keeps the move from winding down.
    kill(playing.servers()[0].1, Signal::STOP);
    playing.signal(Signal::INT);
    playing.wait_for_words("again to end at once");
    playing.signal(Signal::TERM);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    place.no_server_runs(Duration::from_secs(1));
    assert_eq!(gc(&place.state()).code, Some(0));
    place.assert_nothing_left();
}

#[test]
fn a_stopped_server_does_not_keep_a_drill_from_ending() {
    interrupt(MOVING, &[], Signal::INT, "playing the timeline", |playing| {
        playing.wait_for_slots();
        kill(playing.servers()[0].1, Signal::STOP);
    });
}

#[test]
fn a_drill_under_nohup_outlives_its_terminal() {
    let place = Place::new();
    let command = place.command(BRIEF, &[]);
    let mut nohup = Command::new("nohup");
    nohup.arg(command.get_program()).args(command.get_args());
    nohup.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut playing = place.watch(nohup);
    playing.wait_for_phase(Phase::Steps);
    playing.signal(Signal::HUP);
    let ran = playing.end();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    place.assert_nothing_left();
}

#[test]
fn between_two_repetitions() {
    let place = Place::new();
    let mut playing = place.start(BRIEF, &["--repeat", "50"]);
    playing.wait_for_words("brief 2 of 50");
    playing.signal(Signal::INT);
    assert_eq!(playing.end().code, Some(130));
    let left = || crate::common::servers_in(place.path()).is_empty();
    assert!(until(Duration::from_secs(2), left));
    assert!(place.records().is_empty());
}

#[test]
fn what_a_suite_did_not_come_to_is_skipped_and_not_lost() {
    let place = Place::new();
    let folder = place.path().join("scenarios");
    fs::create_dir(&folder).unwrap();
    for (i, name) in ["first", "second", "third", "fourth"].iter().enumerate() {
        let text = BRIEF.replace("brief", name);
        fs::write(folder.join(format!("{i}.yaml")), text).unwrap();
    }
    let mut suite = place.redrill(&["suite", folder.to_str().unwrap()]);
    suite.arg("--out").arg(place.out());
    let mut playing = place.watch(suite);
    playing.wait_for_words("second (2 of 4)");
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    assert!(ran.out.ends_with("  1 ✓ pass, 3 ? unknown of 4\n"), "{}", ran.out);
    assert!(ran.out.contains("  ? unknown  third\n    · interrupted before it began\n"));

    let text = fs::read_to_string(place.folder().join("junit.xml")).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&text).unwrap();
    let suites: Vec<_> =
        junit.test_suites.iter().map(|s| (s.name.as_str(), s.tests, s.errors)).collect();
    assert_eq!(suites[2..], [("third", 1, 0), ("fourth", 1, 0)], "{suites:?}");
    assert_eq!(text.matches("<skipped message=\"interrupted before it began\"").count(), 2);
    let index = fs::read_to_string(place.folder().join("index.html")).unwrap();
    assert!(index.contains("4 drills: 1 pass, 3 unknown"), "{index}");
    assert!(index.contains("fourth<span class=\"error\">not played: interrupted before it began"));
    place.assert_nothing_left();
}
