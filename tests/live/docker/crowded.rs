//! Others in the same engine: their subnets, their names, and other drills.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use redrill::model::event::Phase;
use rustix::process::Signal;

use crate::common::gc_turn;
use crate::common::need::{self, Need};
use crate::common::{run, until};
use crate::docker::engine::Engine;
use crate::drill::place::{BRIEF, Place};

/// Networks and containers that are not redrill's; removed with this.
struct Foreign<'a> {
    engine: &'a Engine,
    containers: Vec<String>,
    networks: Vec<String>,
}

impl<'a> Foreign<'a> {
    fn new(engine: &'a Engine) -> Foreign<'a> {
        Foreign { engine, containers: Vec::new(), networks: Vec::new() }
    }

    fn network(&mut self, name: &str, subnet: Option<&str>) -> bool {
        let pool = IpamConfig { subnet: subnet.map(String::from), ..IpamConfig::default() };
        let config = subnet.map(|_| vec![pool]);
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            ipam: Some(Ipam { config, ..Ipam::default() }),
            ..NetworkCreateRequest::default()
        };
        match self.engine.wait(self.engine.docker().create_network(request)) {
            Ok(_) => self.networks.push(name.to_owned()),
            Err(_) => return false,
        }
        true
    }

    /// One that has run and ended.
    fn container(&mut self, name: &str, labels: &[(&str, &str)]) {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let body = ContainerCreateBody {
            image: Some("redis:8.0".to_owned()),
            labels: Some(labels.iter().map(pair).collect::<HashMap<_, _>>()),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let making = self.engine.docker().create_container(Some(options), body);
        self.engine.wait(making).unwrap();
        self.containers.push(name.to_owned());
    }

    fn assert_all_there(&self) {
        let docker = self.engine.docker();
        for name in &self.containers {
            assert!(self.engine.wait(docker.inspect_container(name, None)).is_ok(), "{name}");
        }
        for name in &self.networks {
            assert!(self.engine.wait(docker.inspect_network(name, None)).is_ok(), "{name}");
        }
    }
}

impl Drop for Foreign<'_> {
    fn drop(&mut self) {
        let docker = self.engine.docker();
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        for name in &self.containers {
            let _ = self.engine.wait(docker.remove_container(name, Some(options.clone())));
        }
        for name in &self.networks {
            let _ = self.engine.wait(docker.remove_network(name));
        }
    }
}

#[test]
#[ignore = "`just test-all`"]
fn a_subnet_that_is_taken_is_passed_over() {
    let Some(engine) = Engine::here() else { return };
    let mut foreign = Foreign::new(&engine);
    let me = std::process::id();
    let taken = ["10.201.0.0/16", "10.202.4.0/24", "10.203.0.0/20"];
    for (i, subnet) in taken.iter().enumerate() {
        // Another test's drill may have it just now, and give it back. Who has it for longer
        // than any of them lasts has it for good, and then it is taken as well.
        let name = format!("redrill-test-{me}-taken-{i}");
        until(Duration::from_secs(60), || foreign.network(&name, Some(subnet)));
    }
    assert!(!foreign.networks.is_empty(), "none of {taken:?} is free for a test");
    let place = Place::new();
    let ran = engine.play(&place, BRIEF);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let address =
        crate::drill::place::events(&place.folder()).into_iter().find_map(|e| match e.kind {
            redrill::model::event::EventKind::Ready { nodes } => Some(nodes[0].address.clone()),
            _ => None,
        });
    let address = address.unwrap();
    let lower = ["10.201.", "10.202.", "10.203."].iter().any(|p| address.starts_with(p));
    assert!(address.starts_with("10.2") && !lower, "{address}");
    foreign.assert_all_there();
}

/// As a VPN's route does it.
#[test]
fn where_all_subnets_are_taken_that_is_said() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let inner = place.command(BRIEF, &["--backend", "docker"]);
    let script = r#"ip link set lo up && ip route add 10.0.0.0/8 dev lo && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", script, "sh"]);
    let can = Command::new("unshare").args(["--map-root-user", "--net", "ip", "route"]).output();
    if !can.is_ok_and(|can| can.status.success()) {
        return need::skip(Need::Disk, "no network of one's own may be made here");
    }
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = engine.run(&place, &mut command);
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("no subnet is free for the drill's network"), "{}", ran.err);
    assert!(ran.err.contains("10.201.0.0/20 to 10.254.0.0/20"), "{}", ran.err);
}

/// Names that look like redrill's, labels that are not whole: nobody's business here.
#[test]
fn what_is_not_redrills_is_never_touched() {
    let Some(engine) = Engine::here() else { return };
    let mut foreign = Foreign::new(&engine);
    let me = std::process::id();
    foreign.container(&format!("redrill-{me}-one-0-0"), &[]);
    foreign.container(&format!("redrill-{me}-labelled"), &[("redrill.drill", "brief")]);
    assert!(foreign.network(&format!("redrill-{me}"), None));
    let place = Place::new();
    let ran = engine.play(&place, BRIEF);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let turn = gc_turn();
    assert_eq!(run(&mut place.redrill(&["gc"])).code, Some(0));
    drop(turn);
    foreign.assert_all_there();
}

#[test]
fn two_drills_at_once() {
    let Some(engine) = Engine::here() else { return };
    let (one, two) = (Place::new(), Place::new());
    let docker = &["--backend", "docker"];
    let long = one.start(BRIEF, &[docker, &["--set", "settle=60s"][..]].concat());
    let mut long = long;
    long.wait_for_phase(Phase::Steps);
    let ran = engine.play(&two, BRIEF);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let pid = long.pid();
    assert!(long.has_ended().is_none() && engine.owned_by(pid).len() == 1, "the other goes on");
    // Its owner lives.
    let turn = gc_turn();
    assert_eq!(run(&mut two.redrill(&["gc"])).code, Some(0));
    drop(turn);
    assert_eq!(engine.owned_by(pid)[0].containers.len(), 1);
    long.signal(Signal::INT);
    let ran = long.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    engine.assert_nothing_of(pid, &one, Duration::ZERO);
}
