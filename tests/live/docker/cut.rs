//! The way to the engine is cut in the middle of a drill.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use redrill::model::event::{End, EventKind, Phase};

use crate::common::client;
use crate::docker::engine::Engine;
use crate::docker::proxy::Proxy;
use crate::drill::place::{BRIEF, Place, Playing, end_of, events};

/// A drill whose way to the engine can be cut, begun so far that its load runs.
fn start<'a>(place: &'a Place, host: &str, settle: &str) -> (Playing<'a>, Proxy) {
    let proxy = Proxy::to(host, place.path()).expect("an engine on a socket");
    let mut command = place.command(BRIEF, &["--backend", "docker", "--set", settle]);
    command.env("DOCKER_HOST", proxy.host());
    let mut playing = place.watch(command);
    playing.wait_for_phase(Phase::Settle);
    (playing, proxy)
}

/// An engine on a socket.
fn engine() -> Option<Engine> {
    Engine::here().filter(|engine| engine.found.endpoint.host.starts_with("unix://"))
}

#[test]
fn for_a_moment_and_the_drill_goes_on() {
    let Some(engine) = engine() else { return };
    let place = Place::new();
    let (playing, proxy) = start(&place, &engine.found.endpoint.host, "settle=7s");
    let pid = playing.pid();
    proxy.cut();
    sleep(Duration::from_secs(1));
    say_something(&place);
    proxy.mend();
    // Long enough for the engine to tell again what the container uses, which it does
    // once a second.
    sleep(Duration::from_millis(2500));
    say_something(&place);
    let ran = playing.end();
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    place.assert_nothing_left();
    let log = std::fs::read_to_string(place.folder().join("logs/cache-0-0.log")).unwrap();
    let said = log.matches("DB saved on disk").count();
    assert_eq!(said, 2, "what is said while the way is cut, and after:\n{log}");
    let used = cpu_seconds(&place.folder());
    let [.., before, _, last] = used[..] else { panic!("{used:?}") };
    assert!(last > before, "what it uses is told anew at the end: {used:?}");
}

/// Has the drill's only server write two lines to its log.
fn say_something(place: &Place) {
    let record = &place.records()[0];
    let server = client(&record.nodes[0].address, record.password().as_ref());
    redis::cmd("SAVE").exec(&mut server.get_connection().unwrap()).unwrap();
}

/// What the drill's only container had used, as it was told each second.
fn cpu_seconds(folder: &Path) -> Vec<f64> {
    let told = events(folder).into_iter().filter_map(|event| match event.kind {
        EventKind::Containers { nodes } => nodes.first().map(|node| node.usage.cpu_seconds),
        _ => None,
    });
    told.collect()
}

#[test]
fn for_good_and_the_drill_cannot_be_judged() {
    let Some(engine) = engine() else { return };
    let place = Place::new();
    let (playing, proxy) = start(&place, &engine.found.endpoint.host, "settle=60s");
    let pid = playing.pid();
    proxy.cut();
    let began = Instant::now();
    let ran = playing.end();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    let told = format!("the Docker engine at {} has gone", proxy.host());
    let ended = end_of(&place.folder());
    assert!(matches!(&ended, Some(End::Failed { error }) if error.contains(&told)), "{ended:?}");
    let report = place.report();
    assert_eq!(report["verdict"], "unknown");
    assert!(report["why"].to_string().contains(&told), "{}", report["why"]);
    // Nothing can be removed as yet, and whoever waits to do so is still there.
    assert_eq!(engine.owned_by(pid).len(), 1);
    proxy.mend();
    engine.assert_nothing_of(pid, &place, Duration::from_secs(10));
    place.assert_nothing_left();
}

fn a_container_ends_meanwhile(mend: impl FnOnce(&Proxy)) {
    let Some(engine) = engine() else { return };
    let place = Place::new();
    let (playing, proxy) = start(&place, &engine.found.endpoint.host, "settle=8s");
    let pid = playing.pid();
    proxy.cut();
    let container = engine.owned_by(pid)[0].containers[0].clone();
    engine.wait(engine.docker().kill_container(&container, None)).unwrap();
    sleep(Duration::from_secs(1));
    mend(&proxy);
    let ran = playing.end();
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("the server of cache/0/0 crashed at "), "{}", ran.out);
    assert!(ran.out.contains("(signal: 9 (SIGKILL))"), "{}", ran.out);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    place.assert_nothing_left();
}

#[test]
#[ignore = "`just test-all`"]
fn what_happened_meanwhile_is_told_afterwards() {
    a_container_ends_meanwhile(Proxy::mend);
}

#[test]
#[ignore = "`just test-all`"]
fn what_an_engine_that_was_restarted_forgot_is_looked_for() {
    a_container_ends_meanwhile(Proxy::mend_forgetful);
}
