//! No engine, or none that this user may use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::common::need::{self, Need};
use crate::common::{Ran, run};
use crate::drill::place::{BRIEF, Place};

/// `redrill run` in containers of the engine at `host`.
fn command(place: &Place, host: &str) -> Command {
    let mut command = place.command(BRIEF, &["--backend", "docker"]);
    command.env("DOCKER_HOST", host);
    command
}

fn refused(place: &Place, ran: &Ran) {
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("no Docker engine answers; tried:"), "{}", ran.err);
    assert!(ran.err.contains("--backend process"), "what to do instead: {}", ran.err);
    assert!(place.folders().is_empty(), "no run folder");
    place.assert_nothing_left();
}

#[test]
fn no_engine() {
    let place = Place::new();
    let silent = place.path().join("silent.sock");
    drop(UnixListener::bind(&silent).unwrap());
    let silent = format!("unix://{}", silent.display());
    for (host, why) in [
        ("unix:///nowhere/docker.sock", "there is no such socket"),
        (&*silent, "nobody listens on it"),
        ("tcp://127.0.0.1:1", "onnect"),
        ("ssh://somewhere", "redrill speaks unix:// and tcp:// without TLS only"),
    ] {
        let ran = run(&mut command(&place, host));
        refused(&place, &ran);
        let said = ran.err.contains(host) && ran.err.contains(why);
        assert!(said && ran.err.contains("(DOCKER_HOST)"), "{}", ran.err);
    }
    let up = ["up", "standalone", "--backend", "docker"];
    refused(&place, &run(place.redrill(&up).env("DOCKER_HOST", "unix:///nowhere/docker.sock")));
}

/// "Nothing was left behind" would be a guess.
#[test]
fn an_engine_that_is_named_and_not_there_is_no_reason_to_think_nothing_was_left() {
    let place = Place::new();
    let gc = run(place.redrill(&["gc"]).env("DOCKER_HOST", "unix:///nowhere/docker.sock"));
    assert_eq!(gc.code, Some(69), "{}{}", gc.out, gc.err);
    assert!(
        gc.err.contains(
            "cannot look for containers that a killed redrill left: no Docker engine answers"
        ),
        "{}",
        gc.err
    );
}

#[test]
fn a_socket_without_permission() {
    let place = Place::new();
    let socket = place.path().join("docker.sock");
    let _engine = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
    let mut command = command(&place, &format!("unix://{}", socket.display()));
    // Nothing is forbidden to root.
    if rustix::process::getuid().is_root() {
        let everybodys = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o777));
        everybodys(place.path()).unwrap();
        command.uid(65_534).gid(65_534);
    } else {
        fs::set_permissions(&socket, Permissions::from_mode(0o000)).unwrap();
    }
    if let Err(e) = command.output() {
        let why = format!("another user cannot run redrill from here: {e}");
        return need::skip(Need::OtherUser, &why);
    }
    let ran = run(&mut command);
    refused(&place, &ran);
    assert!(ran.err.contains("this user may not use it; join the group"), "{}", ran.err);
}
