//! Processes killed in the middle: redrill itself, and a server.

use std::time::Duration;

use redrill::model::event::{End, Phase};
use rustix::process::Signal;

use crate::common::{gc, run, servers_in};
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
    let gone = gc(&place.state());
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

/// The drill cannot be judged: that is neither a pass nor the servers' failure.
#[test]
fn a_server_in_the_middle_of_the_move() {
    let place = Place::new();
    let mut playing = place.start(MOVING, &[]);
    playing.wait_for_slots();
    let (name, pid) = playing.servers().pop().unwrap();
    kill(pid, Signal::KILL);
    server_died(playing.end(), &place, &name);
}

#[test]
fn a_server_under_load() {
    let place = Place::new();
    let mut playing = place.start(BRIEF, &["--set", "settle=60s"]);
    playing.wait_for_phase(Phase::Settle);
    let (name, pid) = playing.servers().pop().unwrap();
    kill(pid, Signal::KILL);
    server_died(playing.end(), &place, &name);
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

fn server_died(ran: crate::common::Ran, place: &Place, name: &str) {
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
