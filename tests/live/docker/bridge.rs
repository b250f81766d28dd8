//! Where a relay would stand, and containers could not find it.

use std::process::Command;

use crate::common::need::{self, Need};
use crate::docker::engine::Engine;
use crate::drill::place::{BRIEF, Place};

/// The same drill from a network of its own, as of a container beside the engine.
fn elsewhere(place: &Place, scenario: &str) -> Option<Command> {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net"]);
    let can = Command::new("unshare").args(["--map-root-user", "--net", "true"]).output();
    if !can.is_ok_and(|can| can.status.success()) {
        need::skip(Need::Disk, "no network of one's own may be made here");
        return None;
    }
    let inner = place.command(scenario, &["--backend", "docker"]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(command)
}

#[test]
fn where_the_bridge_is_not_this_machines_links_are_refused_before_a_server_runs() {
    let Some(engine) = Engine::here() else { return };
    for step in [
        "do: partition, target: cache/0/0",
        "do: partition, between: [cache/0/0, other nodes], via: kernel",
    ] {
        let place = Place::new();
        let scenario = format!("{BRIEF}timeline: [{{ at: 1s, {step} }}]\n");
        let Some(mut command) = elsewhere(&place, &scenario) else { return };
        let ran = engine.run(&place, &mut command);
        // What makes a network of one's own takes nftables too, and those are there or not.
        if step.ends_with("kernel") && ran.err.contains("cannot cut containers off here") {
            continue;
        }
        assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
        let said = "the links of containers cannot be changed from here: their bridge at 10.";
        assert!(ran.err.contains(said) && ran.err.contains("--backend process"), "{}", ran.err);
        let logs = std::fs::read_dir(place.folder().join("logs")).unwrap().count();
        assert_eq!(logs, 0, "no server has run");
    }
}
