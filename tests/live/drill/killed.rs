//! Processes killed in the middle: redrill itself, and a server.

use std::process::Command;
use std::time::Duration;

use redrill::model::event::{End, Phase};
use rustix::process::Signal;

use crate::common::{Ran, gc, gc_turn, run, servers_in};
use crate::drill::failover;
use crate::drill::place::{BRIEF, MOVING, Place, end_of, kill};

#[test]
fn redrill_in_the_middle_of_the_move() {
    let place = Place::new();
    let mut playing = place.start(MOVING, &[]);
    playing.wait_for_slots();
    assert_eq!(servers_in(place.path()).len(), 3);
    playing.signal(Signal::KILL);
    assert_eq!(playing.end().code, None);
    place.no_server_runs(Duration::from_secs(1));
    let (folder, nodes) = (place.folder(), place.folder().join("nodes"));
    assert!(nodes.exists() && !folder.join("report.json").exists());

    let status = run(&mut place.redrill(&["status"]));
    assert!(status.out.contains("was killed; `redrill gc`"), "{}", status.out);
    // By a script that looks around there. What works there without a terminal is a leftover.
    let mut script = Command::new("sh");
    script.args(["-c", r#""$0" gc; exit $?"#, env!("CARGO_BIN_EXE_redrill")]);
    script.current_dir(&nodes).env("REDRILL_STATE_DIR", place.state());
    let gone = {
        let _turn = gc_turn();
        run(&mut script)
    };
    assert_eq!(gone.code, Some(0), "{}", gone.err);
    assert!(gone.out.contains(&format!("removed {}", nodes.display())), "{}", gone.out);
    place.assert_nothing_left();
    assert_eq!(gc(&place.state()).out, "nothing was left behind\n");

    let made = run(&mut place.redrill(&["report", folder.to_str().unwrap()]));
    assert_eq!(made.code, Some(2), "{}", made.err);
    assert!(made.out.contains("UNKNOWN"), "{}", made.out);
    let report = place.report();
    assert_eq!((&report["verdict"], &report["completed"]), (&"unknown".into(), &false.into()));
    let why = report["why"].to_string();
    assert!(why.contains("redrill was killed") && why.contains("did not end"), "{why}");
    assert!(report["steps"][0]["moved"]["slots"].as_u64().unwrap() > 0);
    assert!(report["measures"]["writes.acknowledged"]["value"].as_f64().unwrap() > 0.0);
}

/// No step has asked for it: that is what the drill has found, and it goes on.
#[test]
fn a_server_in_the_middle_of_the_move() {
    let place = Place::new();
    let mut playing = place.start(MOVING, &[]);
    playing.wait_for_slots();
    let (name, pid) = playing.servers().pop().unwrap();
    kill(pid, Signal::KILL);
    let report = crashed(playing.end(), &place, &[(&name, "signal: 9 (SIGKILL)")]);
    // Nobody serves its keys any more.
    assert!(report["measures"]["writes.lost"]["value"].is_null(), "{}", report["measures"]);
}

#[test]
fn a_server_under_load() {
    let place = Place::new();
    let mut playing = place.start(BRIEF, &["--set", "settle=3s"]);
    playing.wait_for_phase(Phase::Settle);
    let (name, pid) = playing.servers().pop().unwrap();
    kill(pid, Signal::SEGV);
    let report = crashed(playing.end(), &place, &[(&name, "signal: 11 (SIGSEGV)")]);
    let errors = &report["expectations"][1];
    assert_eq!(errors["measure"], "errors.total");
    // Of a busy machine nobody could tell whose they are.
    assert!(errors["value"].as_f64().unwrap() > 0.0 && errors["verdict"] != "pass", "{errors}");
    let log = report["crashes"][0]["log"].to_string();
    // A server may die while it writes its last report, so the report's end may be missing.
    assert!(log.contains("crashed by signal: 11"), "{log}");
}

/// Its replica takes over, so that all else can be judged.
#[test]
fn a_primary_that_has_a_replica() {
    let place = Place::new();
    let rest = "settle: 6s\nexpect: [failovers == 1, writes.lost <= 100000]";
    let mut playing = place.start(&failover::scenario(&place, "[]", rest), &[]);
    playing.wait_for_phase(Phase::Settle);
    let servers = playing.servers();
    let (_, pid) = servers.iter().find(|(name, _)| name == "cache/1/0").unwrap();
    kill(*pid, Signal::SEGV);
    let report = crashed(playing.end(), &place, &[("cache/1/0", "signal: 11 (SIGSEGV)")]);
    assert_eq!(report["failovers"][0]["to"], "cache/1/1");
    assert!(report["measures"]["writes.lost"]["value"].is_number(), "{}", report["measures"]);
    for expectation in report["expectations"].as_array().unwrap() {
        assert_eq!(expectation["verdict"], "pass", "{expectation}");
    }
}

#[test]
fn a_replica_and_a_sentinel() {
    let place = Place::new();
    let text = BRIEF.replace("standalone", "sentinel-1x2");
    let mut playing = place.start(&text, &["--set", "settle=4s"]);
    playing.wait_for_phase(Phase::Settle);
    let servers = playing.servers();
    let dead = ["cache/0/1", "cache/sentinel/0"];
    for name in dead {
        let (_, pid) = servers.iter().find(|(known, _)| known == name).expect(name);
        kill(*pid, Signal::SEGV);
    }
    let told = dead.map(|name| (name, "signal: 11 (SIGSEGV)"));
    let report = crashed(playing.end(), &place, &told);
    for expectation in report["expectations"].as_array().unwrap() {
        assert_eq!(expectation["verdict"], "pass", "{expectation}");
    }
}

/// The drill came to its end, fails, and names who crashed.
fn crashed(ran: Ran, place: &Place, dead: &[(&str, &str)]) -> serde_json::Value {
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
    assert_eq!(end_of(&place.folder()), Some(End::Completed));
    let report = place.report();
    assert_eq!(report["crashes"].as_array().unwrap().len(), dead.len());
    for (name, status) in dead {
        let why = report["why"].to_string();
        assert!(why.contains(&format!("the server of {name} crashed at ")), "{why}");
        assert!(why.contains(status) && ran.out.contains(name), "{why}");
    }
    report
}

#[test]
fn a_server_while_keys_are_written() {
    let place = Place::new();
    let mut playing = place.start(BRIEF, &["--set", "loads.app.keys=2000000"]);
    playing.wait_for_phase(Phase::Fill);
    let (name, pid) = playing.servers().pop().unwrap();
    kill(pid, Signal::KILL);
    server_died(playing.end(), &place, &name);
}

/// It was never under load: the drill cannot be judged.
fn server_died(ran: Ran, place: &Place, name: &str) {
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    place.assert_nothing_left();
    let told = format!("the server of {name} ended (signal: 9");
    let ended = end_of(&place.folder());
    assert!(matches!(&ended, Some(End::Failed { error }) if error.contains(&told)), "{ended:?}");
    let report = place.report();
    assert_eq!(report["verdict"], "unknown");
    assert!(report["why"].to_string().contains(&told), "{}", report["why"]);
    assert!(ran.out.contains(name) && ran.err.contains(&told), "{}{}", ran.out, ran.err);
}
