//! Images that are not there, and images of something else.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::Ran;
use crate::docker::engine::Engine;
use crate::docker::local::Local;
use crate::drill::place::{BRIEF, Place};

/// A drill on that image.
fn play(engine: &Engine, image: &str) -> Ran {
    let place = Place::new();
    let topology = format!(
        "name: odd\nengine: {{ image: {image:?} }}\ngroups: {{ one: {{ mode: standalone }} }}\n"
    );
    std::fs::write(place.path().join("odd.yaml"), topology).unwrap();
    let ran = engine.play(&place, &BRIEF.replace("topology: standalone", "topology: ./odd.yaml"));
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains(&format!("`{image}`")), "{}", ran.err);
    assert!(place.folders().is_empty(), "no run folder");
    ran
}

#[test]
fn an_image_that_is_not_there_and_cannot_be_pulled() {
    let Some(engine) = Engine::here() else { return };
    // `.invalid` is nobody's, for ever.
    let ran = play(&engine, "registry.invalid/redis:7.0");
    assert!(ran.err.contains("pulling registry.invalid/redis:7.0"), "{}", ran.err);
    assert!(ran.err.contains("it cannot be pulled"), "{}", ran.err);
    assert!(ran.err.contains("docker load") && ran.err.contains("engine: {"), "{}", ran.err);
}

/// A registry that takes the connection and never answers.
#[test]
fn a_pull_is_not_waited_for_past_an_interrupt() {
    let Some(engine) = Engine::here() else { return };
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("engine.image={}/redis:1", registry.local_addr().unwrap());
    let place = Place::new();
    let mut playing = place.start(BRIEF, &["--backend", "docker", "--set", &image]);
    playing.wait_for_words("pulling");
    let pid = playing.pid();
    playing.signal(Signal::INT);
    let began = Instant::now();
    let ran = playing.end();
    assert_eq!(ran.code, Some(130), "{}{}", ran.out, ran.err);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    engine.assert_nothing_of(pid, &place, Duration::from_secs(5));
    place.assert_nothing_left();
}

#[test]
fn an_image_without_a_server() {
    let Some(engine) = Engine::here() else { return };
    let image = Local::of(&engine, "empty", &[("etc/motd", b"nothing here")]);
    let ran = play(&engine, &image.name);
    let said = "is not of a Redis or Valkey server: neither redis-server nor valkey-server is on";
    assert!(ran.err.contains(said), "{}", ran.err);
}

/// It has a program of the server's name.
#[test]
fn an_image_of_something_else() {
    let Some(engine) = Engine::here() else { return };
    let Some(program) = a_program("fn main() { println!(\"I am a teapot\") }") else { return };
    let image = Local::of(&engine, "teapot", &[("bin/redis-server", &program)]);
    let ran = play(&engine, &image.name);
    let said = "is not of a Redis or Valkey server: asked for its version, it said \"I am a teapot";
    assert!(ran.err.contains(said), "{}", ran.err);
}

#[test]
#[ignore = "`just test-all`"]
fn a_server_that_never_tells_its_version() {
    let Some(engine) = Engine::here() else { return };
    let Some(program) = a_program("fn main() { loop { std::thread::park() } }") else { return };
    let image = Local::of(&engine, "silent", &[("bin/redis-server", &program)]);
    let ran = play(&engine, &image.name);
    assert!(ran.err.contains("it has not told its version within"), "{}", ran.err);
}

/// One that needs nothing of its image; none where such cannot be made.
fn a_program(source: &str) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let (main, program) = (dir.path().join("main.rs"), dir.path().join("program"));
    std::fs::write(&main, source).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o"]);
    let made = rustc.arg(&program).arg(&main).output().unwrap();
    match made.status.success() {
        true => Some(std::fs::read(&program).unwrap()),
        false => {
            println!("skipped: no static program can be made here");
            None
        }
    }
}
