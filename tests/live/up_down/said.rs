//! What a person reads of a topology by hand, word for word.

use std::fs;
use std::path::Path;
use std::time::Duration;

use insta::assert_snapshot;

use crate::common::said::{said, without_the_volatile};
use crate::common::{Ran, redrill, run, script, servers_in, until, without_servers};
use crate::up_down::place::{Place, kill};

#[test]
fn up_and_status() {
    let place = Place::new();
    let up = place.redrill(&["up", "cluster-3x1", "--name", "mine"]);
    let one = place.redrill(&["up", "standalone"]);
    let status = place.redrill(&["status"]);
    let again = place.redrill(&["up", "standalone"]);
    let unknown = place.redrill(&["status", "theirs"]);
    without_the_volatile(place.path(), || {
        assert_snapshot!("up", said(&up));
        assert_snapshot!("up-outside-a-cluster", said(&one));
        assert_snapshot!("up-again", said(&again));
        assert_snapshot!("status", said(&status));
        assert_snapshot!("status-of-the-unknown", said(&unknown));
    });
}

#[test]
fn nothing_there() {
    let place = Place::new();
    let status = place.redrill(&["status"]);
    let gc = place.redrill(&["gc"]);
    without_the_volatile(place.path(), || {
        assert_snapshot!("status-of-nothing", said(&status));
        assert_snapshot!("gc-of-nothing", said(&gc));
    });
}

#[test]
fn down() {
    let place = Place::new();
    let nothing = place.redrill(&["down"]);
    place.done(&["up", "standalone", "--name", "one"]);
    place.done(&["up", "standalone", "--name", "two"]);
    let several = place.redrill(&["down"]);
    let unknown = place.redrill(&["down", "three"]);
    let one = place.redrill(&["down", "one"]);
    without_the_volatile(place.path(), || {
        assert_snapshot!("down-nothing", said(&nothing));
        assert_snapshot!("down-which", said(&several));
        assert_snapshot!("down-the-unknown", said(&unknown));
        assert_snapshot!("down", said(&one));
    });
}

#[test]
fn what_a_killed_one_left() {
    let place = Place::new();
    place.done(&["up", "standalone"]);
    kill(&place.status()[0]["owner_pid"].to_string());
    assert!(until(Duration::from_secs(2), || servers_in(place.path()).is_empty()));
    let status = place.redrill(&["status"]);
    let doctor = doctor(&place, Path::new("/nowhere"));
    let gc = place.redrill(&["gc"]);
    let mut state = doctor.out.lines().skip_while(|line| !line.contains(" state "));
    let state = [state.next().unwrap(), state.next().unwrap()].join("\n");
    without_the_volatile(place.path(), || {
        assert_snapshot!("status-of-the-killed", said(&status));
        assert_snapshot!("doctor-of-the-killed", state);
        assert_snapshot!("gc", said(&gc));
    });
}

/// `redrill doctor` with `folder` as the PATH.
fn doctor(place: &Place, folder: &Path) -> Ran {
    let mut command = redrill(place.path(), &["doctor"]);
    run(without_servers(&mut command).env("PATH", folder))
}

/// The lines on servers are this test's; those on the machine are not.
#[test]
fn doctor_on_servers() {
    let place = Place::new();
    let bin = place.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let servers = |ran: &Ran| {
        let lines = ran.out.lines().take_while(|line| !line.contains(" file limit "));
        Ran { out: lines.map(|line| format!("{line}\n")).collect(), err: String::new(), ..*ran }
    };
    let none = servers(&doctor(&place, &bin));
    let says = |version| format!("echo {version} sha=00000000:0 malloc=libc bits=64");
    script(&bin, "redis-server", &says("Redis server v=6.2.14"));
    script(&bin, "valkey-server", &says("Valkey server v=8.1.0"));
    script(&bin, "redis-cli", "true");
    let some = servers(&doctor(&place, &bin));
    without_the_volatile(place.path(), || {
        assert_snapshot!("doctor-without-servers", said(&none));
        assert_snapshot!("doctor-with-servers", said(&some));
    });
}
