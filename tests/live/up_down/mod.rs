//! `redrill up`, `status`, `down` and `gc`: a topology by hand, and what is left of it.

mod interrupted;
mod place;
mod said;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::{
    assert_redis_cli_agrees, need, redrill, run, script, server, servers_in, until,
};
use place::{Place, kill};

#[test]
fn up_status_down() {
    let place = Place::new();
    let up = place.done(&["up", "cluster-3x1", "--name", "mine"]);
    assert!(up.contains("cache/2/1  replica") && up.contains("redrill down mine"), "{up}");

    let status = place.status();
    assert_eq!(status.len(), 1);
    assert_eq!((&status[0]["id"], &status[0]["live"]), (&"mine".into(), &true.into()));
    let nodes = status[0]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 6);
    assert_eq!((&nodes[2]["role"], &nodes[2]["slots"]), (&"primary".into(), &"5461-10922".into()));
    let address = nodes[0]["address"].as_str().unwrap();
    assert!(up.contains(&address.replace(':', " -p ")), "{address} in {up}");
    assert_eq!(servers_in(place.path()).len(), 6);
    let log = std::fs::read_to_string(place.path().join("up/mine/redrill.log")).unwrap();
    assert!(log.contains("a process starts") && log.contains("node=cache/2/1"), "{log}");

    let again = place.redrill(&["up", "standalone", "--name", "mine"]);
    assert_eq!(again.code, Some(64), "{}", again.err);
    assert!(again.err.contains("`mine` is running already"), "{}", again.err);

    place.done(&["up", "standalone"]);
    let which = place.redrill(&["down"]);
    assert!(which.code == Some(64) && which.err.contains("mine, standalone"), "{}", which.err);
    assert_eq!(place.done(&["down", "mine"]), "mine is down\n");
    assert_eq!(servers_in(place.path()).len(), 1);
    assert_eq!(place.done(&["down"]), "standalone is down\n");
    assert_eq!(place.done(&["status"]), "nothing is running\n");
    place.assert_empty();
    assert_eq!(place.redrill(&["down", "mine"]).code, Some(64));
}

/// The lines that are printed work as they are, and one of them gives redis-cli the password.
#[test]
fn who_brings_it_up_is_told_how_to_talk_to_it() {
    let Some(cli) = need::cli() else { return };
    let place = Place::new();
    let talk = |set: &[&str]| {
        let up = place.done(&[&["up", "standalone"], set].concat());
        let lines = up.split("to talk to it:\n").nth(1).unwrap();
        let lines = lines.split("to end it:").next().unwrap().trim().to_owned();
        let cli = cli.to_str().unwrap();
        let typed = lines.replace("redis-cli ", &format!("{cli} ")).replace("valkey-cli ", cli);
        let said = run(Command::new("sh").args(["-c", &format!("{typed} SET greeting hello")]));
        place.done(&["down"]);
        assert_eq!(said.out.trim(), "OK", "{lines}: {}", said.err);
        lines
    };
    assert!(talk(&[]).starts_with("export REDISCLI_AUTH="));
    assert!(!talk(&["--set", "auth=none"]).contains("AUTH"));
}

#[test]
fn redis_cli_agrees_with_every_ready_cluster() {
    let place = Place::new();
    for ready in redrill::spec::library::topologies() {
        if !ready.text.contains("mode: cluster") {
            continue;
        }
        place.done(&["up", ready.name]);
        let status = place.status();
        let address = status[0]["nodes"][0]["address"].as_str().unwrap();
        let password = place.record(ready.name).password();
        assert_redis_cli_agrees(address, password.as_ref());
        place.done(&["down", ready.name]);
    }
    place.assert_empty();
}

#[test]
fn servers_die_with_a_keeper_that_is_killed() {
    let place = Place::new();
    place.done(&["up", "replication-1x2"]);
    let pid = place.status()[0]["owner_pid"].to_string();
    assert_eq!(place.done(&["gc"]), "nothing was left behind\n");
    assert_eq!(servers_in(place.path()).len(), 3, "gc leaves the living alone");

    kill(&pid);
    assert!(until(Duration::from_secs(1), || servers_in(place.path()).is_empty()));
    // Its servers may be gone before the last of its threads.
    let told = || place.done(&["status"]).contains("redrill gc");
    assert!(until(Duration::from_secs(10), told), "{}", place.done(&["status"]));
    let removed = place.done(&["gc"]);
    assert!(removed.contains("up/replication-1x2"), "{removed}");
    place.assert_empty();
    assert_eq!(place.done(&["gc"]), "nothing was left behind\n");
}

#[test]
fn a_server_behind_a_wrapper_is_collected() {
    let place = Place::new();
    let dir = tempfile::tempdir().unwrap();
    // It does not exec the server, which so does not hear of its grandparent's death.
    let wrapper = script(dir.path(), "wrapper", &format!("{} \"$@\"; true", server().display()));
    place.done(&["up", "standalone", "--engine-binary", wrapper.to_str().unwrap()]);
    kill(&place.status()[0]["owner_pid"].to_string());
    assert!(!until(Duration::from_millis(300), || servers_in(place.path()).is_empty()));
    assert!(place.done(&["gc"]).contains("removed process"));
    place.assert_empty();
}

#[test]
fn what_cannot_come_up_says_so_and_leaves_nothing() {
    let place = Place::new();
    let ran = place.redrill(&["up", "standalone", "--engine-binary", "/bin/true"]);
    assert!(ran.code == Some(69) && ran.err.contains("not a Redis or Valkey"), "{}", ran.err);
    let set = "groups.cache.config.maxmemory=banana";
    let ran = place.redrill(&["up", "cluster-3x1", "--set", set]);
    assert!(ran.code == Some(65) && ran.err.contains("`maxmemory banana`"), "{}", ran.err);
    let ran = place.redrill(&["up", "standalone", "--name", "../there"]);
    assert!(ran.code == Some(64) && ran.err.contains("cannot be a name"), "{}", ran.err);
    let ran = place.redrill(&["down", "nobody"]);
    assert_eq!(ran.code, Some(64), "{}", ran.err);
    place.assert_empty();
}

#[test]
fn doctor_says_what_there_is() {
    let place = Place::new();
    let doctor = |binary: &Path| {
        let mut command = redrill(place.path(), &["doctor"]);
        run(command
            .env("REDRILL_ENGINE_BINARY", binary)
            .env("PATH", place.path())
            .env("DOCKER_HOST", crate::common::NO_DOCKER))
    };
    let well = doctor(&server());
    assert_eq!(well.code, Some(0), "{}", well.out);
    let line = well.out.lines().next().unwrap();
    assert!(line.starts_with("ok     engine binary"), "{line}");
    assert!(well.out.contains("127.") && well.out.contains("redis-cli"), "{}", well.out);

    let ill = doctor(Path::new("/bin/true"));
    assert_eq!(ill.code, Some(69), "{}", ill.out);
    assert!(ill.out.contains("LACKS") && ill.out.contains("apt-get install"), "{}", ill.out);
}
