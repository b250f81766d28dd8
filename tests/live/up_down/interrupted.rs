//! `redrill up`, killed or interrupted before all is ready.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use redrill::backend::registry::Registry;
use rustix::process::Signal;

use crate::common::{redrill, servers_in, until};
use crate::up_down::place::{Place, signal};

#[test]
fn an_up_that_is_killed_leaves_nothing() {
    let place = Place::new();
    let mut command = redrill(place.path(), &["up", "cluster-3x1"]);
    let mut up = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(until(Duration::from_secs(5), || servers_in(place.path()).len() >= 6));
    up.kill().unwrap();
    up.wait().unwrap();
    assert!(until(Duration::from_secs(5), || place.status().is_empty()));
    place.assert_empty();
}

/// Interrupts `redrill up` when so many servers run. What a shell gives as its exit code.
fn interrupted(place: &Place, servers: usize, kind: Signal) -> i32 {
    let mut command = redrill(place.path(), &["up", "cluster-3x1"]);
    let mut up = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = || {
        let records = Registry::at(place.path().to_owned()).records().unwrap();
        !records.is_empty() && servers_in(place.path()).len() >= servers
    };
    assert!(until(Duration::from_secs(10), begun), "it never came to {servers} servers");
    signal(up.id() as i32, kind);
    let ended = until(Duration::from_secs(5), || up.try_wait().unwrap().is_some());
    assert!(ended, "it does not end");
    let status = up.wait().unwrap();
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
}

/// Once it has begun, when servers start, and when all of them form their cluster.
#[test]
fn an_up_that_is_interrupted_leaves_nothing() {
    for servers in [0, 1, 6] {
        let place = Place::new();
        assert_eq!(interrupted(&place, servers, Signal::INT), 130, "{servers} servers");
        assert!(until(Duration::from_secs(5), || place.is_empty()), "{servers} servers");
        place.assert_empty();
    }
    let place = Place::new();
    assert_eq!(interrupted(&place, 6, Signal::TERM), 143);
    assert!(until(Duration::from_secs(5), || place.is_empty()));
}

/// Its keeper may be what is told to end: `redrill up` says so.
#[test]
fn an_up_whose_keeper_is_interrupted_says_so() {
    let place = Place::new();
    let mut command = redrill(place.path(), &["up", "cluster-3x1"]);
    let up = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(until(Duration::from_secs(10), || servers_in(place.path()).len() >= 6));
    let keeper = Registry::at(place.path().to_owned()).records().unwrap().remove(0).owner.pid;
    signal(keeper as i32, Signal::TERM);
    let output = up.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("ended before all was ready"), "{said}");
    place.assert_empty();
}
