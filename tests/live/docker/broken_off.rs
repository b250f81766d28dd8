//! Drills in containers that end before their time: Ctrl-C, and SIGKILL.

use std::time::Duration;

use redrill::backend::docker::sweep::Remains;
use redrill::model::event::{End, Phase};
use rustix::process::Signal;

use crate::common::gc_turn;
use crate::common::run;
use crate::docker::engine::{Engine, processes_of};
use crate::drill::place::{BRIEF, MOVING, Place, Playing, end_of, kill};

const DOCKER: &[&str] = &["--backend", "docker"];

/// What it has in the engine now: so many containers, each with a volume.
fn has(engine: &Engine, playing: &Playing<'_>, count: usize) -> (Remains, Vec<String>) {
    let remains = engine.owned_by(playing.pid()).pop().expect("it has something");
    assert_eq!((remains.containers.len(), remains.networks.len()), (count, 1));
    let volumes = engine.volumes_of(&remains);
    assert_eq!(volumes.len(), count);
    (remains, volumes)
}

fn assert_gone(engine: &Engine, volumes: &[String]) {
    let left: Vec<_> = volumes.iter().filter(|volume| engine.has_volume(volume)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn ctrl_c_in_the_middle_of_the_move() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let mut playing = place.start(MOVING, DOCKER);
    playing.wait_for_slots();
    let (pid, (_, volumes)) = (playing.pid(), has(&engine, &playing, 3));
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    assert_gone(&engine, &volumes);
    place.assert_nothing_left();
    assert_eq!(end_of(&place.folder()), Some(End::Interrupted));
}

#[test]
fn ctrl_c_while_containers_start() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let mut playing = place.start(&BRIEF.replace("standalone", "cluster-6x1"), DOCKER);
    playing.wait_for_phase(Phase::Form);
    let pid = playing.pid();
    let some = || engine.owned_by(pid).iter().any(|remains| remains.containers.len() > 2);
    assert!(crate::common::until(Duration::from_secs(30), some));
    playing.signal(Signal::INT);
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    place.assert_nothing_left();
}

#[test]
fn what_a_killed_redrill_has_is_removed_by_itself() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let mut playing = place.start(MOVING, DOCKER);
    playing.wait_for_slots();
    let (pid, (_, volumes)) = (playing.pid(), has(&engine, &playing, 3));
    playing.signal(Signal::KILL);
    assert_eq!(playing.end().code, None);
    engine.assert_nothing_of(pid, &place, Duration::from_secs(10));
    assert_gone(&engine, &volumes);
    let _turn = gc_turn();
    run(&mut place.redrill(&["gc"]));
    place.assert_nothing_left();
}

/// Whoever kills everything leaves it to `redrill gc`.
#[test]
fn what_nobody_removes_gc_does() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let mut playing = place.start(BRIEF, &[DOCKER, &["--set", "settle=60s"][..]].concat());
    playing.wait_for_phase(Phase::Settle);
    let (pid, (remains, volumes)) = (playing.pid(), has(&engine, &playing, 1));
    let _turn = gc_turn();
    let reaper = processes_of(place.path()).into_iter().find(|one| *one != pid);
    kill(reaper.expect("one that clears up"), Signal::KILL);
    playing.signal(Signal::KILL);
    assert_eq!(playing.end().code, None);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(engine.owned_by(pid).len(), 1, "nobody is there to remove it");

    let gc = run(&mut place.redrill(&["gc"]));
    assert_eq!(gc.code, Some(0), "{}", gc.err);
    let told = format!("removed 1 container and 1 network of {}", remains.owner.drill);
    assert!(gc.out.contains(&told), "{}", gc.out);
    engine.assert_nothing_of(pid, &place, Duration::ZERO);
    assert_gone(&engine, &volumes);
    place.assert_nothing_left();
}
