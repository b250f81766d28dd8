//! Cuts that the kernel makes: as the relay's are, and gone with their containers.

use std::process::Command;
use std::time::Duration;

use redrill::backend::docker::nft;
use redrill::model::event::{EventKind, Phase};
use rustix::process::Signal;
use serde_json::Value;

use crate::common::gc_turn;
use crate::common::need::{self, Need};
use crate::common::{run, until};
use crate::docker::engine::{Engine, processes_of};
use crate::drill::place::{Place, kill, not_run};

const DOCKER: &[&str] = &["--backend", "docker"];
/// A cluster that misses a primary soon.
const QUICK: &str = "name: quick\ngroups: { cache: { mode: cluster, shards: 3, replicas: 1, \
     config: { cluster-node-timeout: 1000 } } }\n";

/// Where cuts can be made: the engine, and a place with a topology.
fn here() -> Option<(Engine, Place)> {
    let engine = Engine::here()?;
    if let Err(why) = nft::usable() {
        need::skip(Need::Cuts, why);
        return None;
    }
    let place = Place::new();
    std::fs::write(place.path().join("quick.yaml"), QUICK).unwrap();
    Some((engine, place))
}

fn scenario(timeline: &str, settle: &str) -> String {
    format!(
        "name: cuts\ntopology: ./quick.yaml\nreported: [all]\n\
         loads: {{ app: {{ rate: 500/s, keys: 5000, reads: 50% }} }}\n\
         timeline:\n{timeline}settle: {settle}\n"
    )
}

/// The rules in a network namespace, that of the process or this machine's.
fn rules(pid: Option<u32>) -> String {
    let mut command = match pid {
        Some(pid) => {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{pid}/ns/net")).arg("nft");
            command
        }
        None => Command::new("nft"),
    };
    let ran = run(command.args(["list", "ruleset"]));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.out
}

/// The process of a node's container, which has none while it starts again.
fn pid(engine: &Engine, owner: u32, node: &str) -> u32 {
    let mut pid = 0;
    until(Duration::from_secs(10), || {
        pid = pid_now(engine, owner, node);
        pid != 0
    });
    pid
}

fn pid_now(engine: &Engine, owner: u32, node: &str) -> u32 {
    let remains = engine.owned_by(owner).pop().expect("it has containers");
    let inspect = |id: &String| engine.wait(engine.docker().inspect_container(id, None)).unwrap();
    let mut containers = remains.containers.iter().map(inspect);
    let is_it = |name: &Option<String>| name.as_ref().is_some_and(|name| name.ends_with(node));
    let found = containers.find(|container| is_it(&container.name)).expect("the node's");
    found.state.unwrap().pid.unwrap() as u32
}

fn ms(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no instant"))
}

/// How long each phase of the only failover took, and the report.
fn phases(via: &str) -> Option<([(&'static str, f64); 5], Value)> {
    let (engine, place) = here()?;
    let step =
        "  - { at: 1s, do: partition, between: [primary of shard 1, other nodes], for: 6s, via: ";
    let ran = engine.play(&place, &scenario(&format!("{step}{via} }}\n"), "4s"));
    assert_eq!(ran.code, Some(0), "{via}: {}{}", ran.out, ran.err);
    let report = place.report();
    let [failover] = &report["failovers"].as_array().unwrap()[..] else {
        panic!("{via}: one failover: {}", report["failovers"]);
    };
    assert_eq!((&failover["from"], &failover["to"]), (&"cache/1/0".into(), &"cache/1/1".into()));
    let at = |name: &str| ms(&failover[format!("{name}_ms")]);
    let healed = ms(&report["steps"][0]["undone_ms"]);
    let phases = [
        ("detect", at("suspected") - at("injected")),
        ("agree", at("agreed") - at("suspected")),
        ("elect", at("elected") - at("agreed")),
        ("propagate", at("propagated") - at("elected")),
        ("a replica again after healing", at("redundant") - healed),
    ];
    Some((phases, report))
}

/// A node suspects another after one to one and a half node time-outs, others agree within half
/// of one, a replica waits 0.5 to 1 s before it asks for votes: alone by that, the same cut
/// gives each phase within 0.5 s of itself. After healing TCP may take up to as long as the cut
/// was until it tries again, on connections that Redis has not given up. What cuts late by a
/// second, one way only in a way that matters, or not at all is not within these.
#[test]
#[ignore = "`just test-all`"]
fn the_kernel_and_the_relay_cut_alike() {
    let Some((relay, of_relay)) = phases("relay") else { return };
    let Some((kernel, of_kernel)) = phases("kernel") else { return };
    let late = not_run(&of_relay) + not_run(&of_kernel);
    for ((phase, relay), (_, kernel)) in relay.into_iter().zip(kernel) {
        let most = late + if phase.starts_with("a replica") { 6_000.0 } else { 800.0 };
        assert!((relay - kernel).abs() <= most, "{phase}: {relay} ms and {kernel} ms");
    }
    for report in [&of_relay, &of_kernel] {
        let measure = |name: &str| ms(&report["measures"][name]["value"]);
        assert!(measure("writes.lost") >= 10.0, "clients write on both sides");
        // Who is cut off sees no majority, so it is cut off both ways, and says so to clients.
        assert!(measure("errors.fail") >= 10.0, "{}", report["measures"]);
        assert!(report["warnings"].as_array().unwrap().iter().all(|w| !is_of_relay(w)));
    }
    assert!(of_relay["traffic"].is_object());
    assert!(of_kernel["traffic"].is_null(), "no relay stands between");
}

fn is_of_relay(warning: &Value) -> bool {
    warning.to_string().contains("relay")
}

/// Flapping, one way, and a node that is started anew meanwhile.
#[test]
fn rules_are_there_as_long_as_the_cut() {
    let Some((engine, place)) = here() else { return };
    let timeline = "  - { at: 500ms, do: partition, from: shard 0, to: cache/2/1, via: kernel }\n  \
                    - { at: 1s, do: kill, target: cache/2/1, for: 1s }\n  \
                    - { at: 3s, do: partition, between: [cache/1/1, shard 0], every: 200ms, \
                        for: 1s, via: kernel }\n";
    let mut playing = place.start(&scenario(timeline, "60s"), DOCKER);
    let step = |wanted: usize| move |what: &EventKind| matches!(what, EventKind::StepInjected { step, .. } if *step == wanted);
    playing.wait_for("the cut", step(0));
    let owner = playing.pid();
    let lost = |node: &str| {
        let rules = rules(Some(pid(&engine, owner, node)));
        rules.lines().filter(|line| line.contains("drop")).collect::<Vec<_>>().join("\n")
    };
    assert!(until(Duration::from_secs(2), || lost("cache-2-1").matches("10.").count() == 2));
    assert_eq!(lost("cache-0-0"), "", "it hears everybody");
    assert!(!rules(None).contains("redrill"), "this machine has none of it");
    playing.wait_for(
        "its end undone",
        |what| matches!(what, EventKind::StepUndone { step, .. } if *step == 1),
    );
    assert_eq!(lost("cache-2-1").matches("10.").count(), 2, "in its new namespace too");
    playing.wait_for("the flapping", step(2));
    playing.wait_for(
        "the flapping's end",
        |what| matches!(what, EventKind::StepUndone { step, .. } if *step == 2),
    );
    assert_eq!(lost("cache-1-1"), "");
    playing.signal(Signal::INT);
    assert_eq!(playing.end().code, Some(130));
    engine.assert_nothing_of(owner, &place, Duration::ZERO);
    place.assert_nothing_left();
}

/// A rule is where its container is: `gc` has nothing more to do.
#[test]
fn a_killed_redrill_leaves_no_rule() {
    let Some((engine, place)) = here() else { return };
    let timeline =
        "  - { at: 500ms, do: partition, between: [cache/1/0, other nodes], via: kernel }\n";
    let mut playing = place.start(&scenario(timeline, "60s"), DOCKER);
    playing.wait_for_phase(Phase::Settle);
    let owner = playing.pid();
    let server = pid(&engine, owner, "cache-1-0");
    let cut = || rules(Some(server)).contains("drop");
    assert!(until(Duration::from_secs(2), cut));
    let _turn = gc_turn();
    let reaper = processes_of(place.path()).into_iter().find(|one| *one != owner);
    kill(reaper.expect("one that clears up"), Signal::KILL);
    playing.signal(Signal::KILL);
    assert_eq!(playing.end().code, None);
    assert!(cut(), "nobody is there to undo it");
    let gc = run(&mut place.redrill(&["gc"]));
    assert_eq!(gc.code, Some(0), "{}", gc.err);
    assert!(gc.out.contains("removed 6 containers and 1 network"), "{}", gc.out);
    engine.assert_nothing_of(owner, &place, Duration::ZERO);
    assert!(!std::path::Path::new(&format!("/proc/{server}/ns/net")).exists());
    assert!(!rules(None).contains("redrill"));
    place.assert_nothing_left();
}

#[test]
fn without_the_right_to_they_are_refused_before_anything_starts() {
    let Some((_, place)) = here() else { return };
    let timeline =
        "  - { at: 500ms, do: partition, between: [cache/1/0, other nodes], via: kernel }\n";
    let inner = place.command(&scenario(timeline, "1s"), DOCKER);
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = run(&mut command);
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    for words in ["scenario.yaml:6:", "CAP_SYS_ADMIN", "leave `via` out"] {
        assert!(ran.err.contains(words), "`{words}`: {}", ran.err);
    }
    assert!(place.folders().is_empty());
}
