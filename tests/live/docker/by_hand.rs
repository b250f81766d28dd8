//! `redrill up`, `status` and `down` with containers.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::gc_turn;
use crate::common::{Ran, assert_redis_cli_agrees, client, run};
use crate::docker::engine::Engine;
use crate::drill::place::{Place, kill};

fn done(place: &Place, args: &[&str]) -> String {
    let Ran { code, out, err } = run(&mut place.redrill(args));
    assert_eq!(code, Some(0), "{args:?}: {out}{err}");
    out
}

fn status(place: &Place) -> Value {
    serde_json::from_str(&done(place, &["status", "--format", "json"])).unwrap()
}

fn keeper(place: &Place) -> u32 {
    status(place)[0]["owner_pid"].as_u64().unwrap() as u32
}

#[test]
fn up_status_down() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let up = done(&place, &["up", "cluster-3x1", "--backend", "docker", "--name", "mine"]);
    assert!(up.contains("cache/2/1  replica") && up.contains("redrill down mine"), "{up}");
    let pid = keeper(&place);
    let has = &engine.owned_by(pid)[0];
    assert_eq!((has.containers.len(), has.networks.len()), (6, 1));
    let status = status(&place);
    let nodes = status[0]["nodes"].as_array().unwrap();
    let primaries = nodes.iter().filter(|node| node["role"] == "primary").count();
    assert_eq!((nodes.len(), primaries), (6, 3));
    let password = place.records()[0].password();
    assert_redis_cli_agrees(nodes[0]["address"].as_str().unwrap(), password.as_ref());
    assert_eq!(done(&place, &["down", "mine"]), "mine is down\n");
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    place.assert_nothing_left();
}

/// Each node is found by others at its door, the bridge's address and a port of its own.
#[test]
fn distance_between_containers() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    done(&place, &["up", "two-regions", "--backend", "docker"]);
    let pid = keeper(&place);
    let status = status(&place);
    let address = status[0]["nodes"][0]["address"].as_str().unwrap();
    let password = place.records()[0].password();
    let mut connection = client(address, password.as_ref()).get_connection().unwrap();
    let seen: String = redis::cmd("CLUSTER").arg("NODES").query(&mut connection).unwrap();
    let bridge = address.rsplit_once('.').unwrap().0.to_owned() + ".1:";
    let doors: std::collections::BTreeSet<&str> =
        seen.split_whitespace().filter(|word| word.starts_with(&bridge)).collect();
    assert_eq!(doors.len(), 6, "{seen}");
    done(&place, &["down", "two-regions"]);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    place.assert_nothing_left();
}

#[test]
fn containers_do_not_outlive_a_keeper_that_is_killed() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    done(&place, &["up", "replication-1x2", "--backend", "docker"]);
    let pid = keeper(&place);
    kill(pid, Signal::KILL);
    engine.assert_nothing_of(pid, &place, Duration::from_secs(10));
    let _turn = gc_turn();
    assert!(done(&place, &["gc"]).contains("up/replication-1x2"));
    place.assert_nothing_left();
}
