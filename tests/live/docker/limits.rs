//! Containers that die: at their start, and of too little memory.

use crate::common::Ran;
use crate::docker::engine::Engine;
use crate::drill::place::{BRIEF, Place};

fn play(engine: &Engine, place: &Place, group: &str, scenario: &str) -> Ran {
    let topology = format!("name: odd\ngroups: {{ one: {{ mode: standalone, {group} }} }}\n");
    std::fs::write(place.path().join("odd.yaml"), topology).unwrap();
    engine.play(place, &scenario.replace("topology: standalone", "topology: ./odd.yaml"))
}

#[test]
fn a_container_that_dies_at_its_start_leaves_its_log() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let ran = play(&engine, &place, "config: { loadmodule: /nowhere/module.so }", BRIEF);
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("the server of one/0/0 ended (exit status: 1)"), "{}", ran.err);
    assert!(ran.err.contains("Can't load module from /nowhere/module.so"), "{}", ran.err);
}

#[test]
fn a_directive_that_the_server_refuses_is_the_files_fault() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let ran = play(&engine, &place, "config: { maxmemory: banana }", BRIEF);
    assert_eq!(ran.code, Some(65), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("`maxmemory banana`"), "{}", ran.err);
}

#[test]
fn a_memory_limit_that_no_server_fits_in() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let ran = play(&engine, &place, "memory: 1mb", BRIEF);
    assert_eq!(ran.code, Some(65), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("`memory` is to be 6mb at the least"), "{}", ran.err);
}

/// It is killed for it: each of its threads takes some.
#[test]
fn a_memory_limit_below_what_the_server_needs() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let ran = play(&engine, &place, "memory: 6mb, config: { io-threads: 64 }", BRIEF);
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    let said = "the server of one/0/0 ended (signal: 9 (SIGKILL), out of its memory limit)";
    assert!(ran.err.contains(said), "{}", ran.err);
}

/// It comes up, and then hangs where keys are too many for it: the kernel takes the pages of
/// its program away again and again, and kills it late or never.
#[test]
fn a_server_that_hangs_for_want_of_memory_is_warned_of() {
    let Some(engine) = Engine::here() else { return };
    let place = Place::new();
    let much = BRIEF.replace("keys: 100", "keys: 200000, value: 1kb, timeout: 5s");
    let ran = play(&engine, &place, "memory: 12mb", &much);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    let report = place.report();
    assert_eq!(report["verdict"], "unknown");
    let (why, warnings) = (report["why"].to_string(), report["warnings"].to_string());
    let said = warnings.contains("the container of one/0/0 uses ") && warnings.contains("12.6 MB");
    assert!(said || why.contains("out of its memory limit"), "{why}{warnings}");
}
