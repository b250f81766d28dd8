//! The way to the engine is cut in the middle of a drill.

use std::thread::sleep;
use std::time::{Duration, Instant};

use redrill::model::event::{End, Phase};

use crate::engine::Engine;
use crate::place::{BRIEF, Place, Playing, end_of};
use crate::proxy::Proxy;

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
    let (playing, proxy) = start(&place, &engine.found.endpoint.host, "settle=4s");
    let pid = playing.pid();
    proxy.cut();
    sleep(Duration::from_secs(1));
    proxy.mend();
    let ran = playing.end();
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    place.assert_nothing_left();
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
    let (playing, proxy) = start(&place, &engine.found.endpoint.host, "settle=60s");
    let pid = playing.pid();
    proxy.cut();
    let container = engine.owned_by(pid)[0].containers[0].clone();
    engine.wait(engine.docker().kill_container(&container, None)).unwrap();
    sleep(Duration::from_secs(1));
    mend(&proxy);
    let ran = playing.end();
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("the server of cache/0/0 ended (signal: 9"), "{}", ran.err);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    place.assert_nothing_left();
}

#[test]
fn what_happened_meanwhile_is_told_afterwards() {
    a_container_ends_meanwhile(Proxy::mend);
}

#[test]
fn what_an_engine_that_was_restarted_forgot_is_looked_for() {
    a_container_ends_meanwhile(Proxy::mend_forgetful);
}
