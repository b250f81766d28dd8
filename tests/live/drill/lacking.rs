//! What the machine lacks: room, a server, a port. Each is told in a sentence, with
//! exit code 69 and nothing left running.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Ran, heavy_turn, on_own_disk, redrill, run, script, server, without_servers};
use crate::drill::place::{BRIEF, MOST, Place};

fn lacks(place: &Place, ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(69), "{}{}", ran.out, ran.err);
    for words in words {
        assert!(ran.err.contains(words), "`{words}` is not in: {}", ran.err);
    }
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    place.assert_nothing_left();
}

#[test]
fn the_run_folder_has_a_file_where_a_folder_should_be() {
    let place = Place::new();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let out = file.join("runs");
    let ran = place.play(BRIEF, &["--out", out.to_str().unwrap()]);
    lacks(&place, &ran, &["cannot write the run folder", out.to_str().unwrap(), "--out DIR"]);
}

/// Plays with the run folders on a file system of their own, if one may be mounted.
fn play_on_own_disk(place: &Place, options: &str, prepare: &str) -> Option<Ran> {
    let (file, disk) = (place.path().join("scenario.yaml"), place.path().join("disk"));
    // Much history, and values that do not compress, so that a small disk is soon full.
    fs::write(&file, BRIEF.replace("200/s", "2000/s").replace("500ms", "5s")).unwrap();
    fs::create_dir_all(&disk).unwrap();
    let inside = format!(r#"{prepare} exec "$2" run "$3" --out "$1""#);
    let args = [env!("CARGO_BIN_EXE_redrill").as_ref(), file.as_os_str()];
    on_own_disk(&disk, options, &inside, &args, &place.redrill(&[]))
}

#[test]
fn the_run_folder_is_on_a_full_disk() {
    let place = Place::new();
    let fill = r#"{ head -c 64k /dev/zero > "$1/full" || true; } &&"#;
    if let Some(ran) = play_on_own_disk(&place, "size=64k", fill) {
        lacks(&place, &ran, &["cannot write", "No space left on device", "room"]);
    }
}

/// Room for a second of history beside what is kept for the end: the drill ends in order, and
/// is judged by what was recorded.
#[test]
fn the_disk_becomes_full_while_the_drill_runs() {
    let place = Place::new();
    let saved = place.path().join("report.json");
    // The disk is gone with redrill.
    let and_save = format!(
        r#"save() {{ "$2" run "$3" --out "$1"; code=$?; cp "$1"/*/report.json '{}'; return $code; }}; save "$@"; exit;"#,
        saved.display()
    );
    if let Some(ran) = play_on_own_disk(&place, "size=2250k", &and_save) {
        assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("No space left on device"), "{}", ran.err);
        assert!(ran.out.contains("UNKNOWN"), "{}{}", ran.out, ran.err);
        let report: Value = serde_json::from_str(&fs::read_to_string(saved).unwrap()).unwrap();
        let why = report["why"].to_string();
        assert!(why.contains("cannot write") && why.contains("No space left"), "{why}");
        assert!(!why.contains("killed"), "{why}");
        assert!(report["measures"]["writes.acknowledged"]["value"].as_f64() > Some(0.0));
        place.assert_nothing_left();
    }
}

/// Only the server meets the limit: it is ended by the kernel, and logs nothing of it.
#[test]
fn a_server_whose_file_may_not_get_larger_fails_no_drill() {
    let place = Place::new();
    let limited = format!("ulimit -f 3000; exec {} \"$@\"", server().display());
    let engine = script(place.path(), "limited", &limited);
    let topology =
        "name: one\ngroups:\n  cache: { mode: standalone, config: { appendonly: yes } }\n";
    fs::write(place.path().join("one.yaml"), topology).unwrap();
    let text = "name: full\ntopology: ./one.yaml\nloads: { app: { rate: 300/s, keys: 20, value: 8KB } }\n\
                timeline: []\nsettle: 4s\n";
    let ran = place.play(text, &["--engine-binary", engine.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    let report = place.report();
    let why = report["why"][0].as_str().unwrap();
    assert!(why.starts_with("the disk of cache/0/0 was full"), "{why}");
    assert!(["SIGXFSZ", "File too large"].iter().any(|words| why.contains(words)), "{why}");
    place.assert_nothing_left();
}

/// Plays a scenario while no more than 90 files may be open.
fn play_with_few_files(place: &Place, scenario: &str) -> Ran {
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"ulimit -n 90; exec "$0" run "$2" --out "$1""#]);
    limited.arg(env!("CARGO_BIN_EXE_redrill")).arg(place.out()).arg(scenario);
    limited.envs(place.redrill(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(&mut limited)
}

#[test]
fn too_few_files_may_be_open() {
    let place = Place::new();
    let ran = play_with_few_files(&place, "cluster-reshard");
    lacks(&place, &ran, &["open files and connections, and redrill may have 90", "ulimit -n"]);
    assert!(place.folders().is_empty(), "nothing was begun");
}

const THREE: &str = "
name: three
topology: active-active-3r
probe: { deadline: 1200ms }
loads:
  near: { group: us, region: us-east, fallback: eu, rate: 50/s, keys: 50, instances: 2 }
  far: { group: us, region: ap-southeast, shares: near, rate: 50/s }
  other: { group: eu, region: eu-west, rate: 50/s, keys: 50 }
timeline:
  - { at: 1s, do: kill, target: us-to-eu/actor/0, for: 500ms }
  - { at: 2s, do: kill, group: eu, target: all nodes, for: 1s }
settle: 4s
reported: [all]
";

/// Links that are probed from several regions, and measured beside, take connections.
#[test]
fn a_drill_on_three_regions_has_no_more_files_open_than_it_asks_for() {
    let _turn = heavy_turn();
    let place = Place::new();
    let scenario = place.path().join("three.yaml");
    fs::write(&scenario, THREE).unwrap();
    let refused = play_with_few_files(&place, scenario.to_str().unwrap()).err;
    let needed = refused.split("the drill needs ").nth(1).and_then(|rest| rest.split(' ').next());
    let needed: usize = needed.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{refused}"));
    let mut drill = place.start(THREE, &[]);
    let open = format!("/proc/{}/fd", drill.pid());
    let (began, mut most) = (Instant::now(), 0);
    while drill.has_ended().is_none() {
        assert!(began.elapsed() < MOST, "it does not end: {}", drill.errors());
        most = most.max(fs::read_dir(&open).map_or(0, Iterator::count));
        thread::sleep(Duration::from_millis(10));
    }
    let ran = drill.end();
    assert_eq!(place.report()["completed"], true, "{}{}", ran.out, ran.err);
    assert!(most <= needed && needed < 2 * most, "{most} were open, and it asked for {needed}");
    place.assert_nothing_left();
}

/// Its first process ends, and another goes on where nobody looks after it.
#[test]
fn a_server_that_makes_itself_a_daemon_is_ended_too() {
    let place = Place::new();
    let server = server();
    let text = format!(
        r#"case "$1" in --version) exec {0} --version;; esac; exec {0} "$@" --daemonize yes"#,
        server.display()
    );
    let daemon = script(place.path(), "daemon", &text);
    let mut ran = place.play(BRIEF, &["--engine-binary", daemon.to_str().unwrap()]);
    // The daemon may answer before the process that started it has ended. Then the drill has
    // begun, and ends unknown.
    if ran.code == Some(2) {
        ran.code = Some(69);
    }
    lacks(&place, &ran, &["cache/0/0 ended (exit status: 0)"]);
}

#[test]
fn the_run_folder_is_on_a_disk_that_may_not_be_written() {
    let place = Place::new();
    if let Some(ran) = play_on_own_disk(&place, "ro", "") {
        lacks(&place, &ran, &["cannot write the run folder", "Read-only file system"]);
    }
}

#[test]
fn redrills_own_state_cannot_be_kept() {
    let place = Place::new();
    fs::write(place.path().join("file"), "").unwrap();
    let mut command = place.command(BRIEF, &[]);
    let ran = run(command.env("REDRILL_STATE_DIR", place.path().join("file/state")));
    lacks(&place, &ran, &["cannot use redrill's state in", "Not a directory"]);
}

#[test]
fn there_is_no_server() {
    let place = Place::new();
    let play = |binary: &str| place.play(BRIEF, &["--engine-binary", binary]);
    lacks(&place, &play("/no/such/server"), &["there is no server at `/no/such/server`"]);
    lacks(&place, &play("/bin/true"), &["`/bin/true` is not a Redis or Valkey server"]);
    let old = "echo Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64";
    let old = script(place.path(), "old", old);
    lacks(&place, &play(old.to_str().unwrap()), &["version 6.2.14, which is too old", "7.0"]);
    let mut none = place.command(BRIEF, &[]);
    let ran = run(without_servers(&mut none));
    lacks(&place, &ran, &["no `redis-server` or `valkey-server` on PATH", "apt-get install"]);
    assert!(place.folders().is_empty(), "nothing was begun");
}

#[test]
fn a_server_that_ends_at_once_shows_its_last_words() {
    let place = Place::new();
    let text = format!(
        r#"case "$1" in --version) exec {} --version;; esac; echo "bad weather"; exit 7"#,
        server().display()
    );
    let ill = script(place.path(), "ill", &text);
    let ran = place.play(BRIEF, &["--engine-binary", ill.to_str().unwrap()]);
    lacks(&place, &ran, &["cache/0/0 ended (exit status: 7)", "bad weather"]);
    assert!(place.folder().join("report.json").exists());
}

/// A port that is held on every block that a drill may get.
pub fn held_port() -> (u16, Vec<TcpListener>) {
    // Below the ports that the kernel gives away.
    let held = (20_000_u16..30_000).find_map(|port| {
        let listen = |block: u8| TcpListener::bind((Ipv4Addr::new(127, block, 0, 1), port)).ok();
        Some((port, (64..=126).map(listen).collect::<Option<Vec<_>>>()?))
    });
    held.expect("a port that is free")
}

#[test]
fn the_port_is_taken() {
    let place = Place::new();
    let (port, held) = held_port();
    let ran = place.play(BRIEF, &["--set", &format!("groups.cache.port={port}")]);
    let taken = format!("port {port} of 127.");
    lacks(&place, &ran, &[&taken, "is taken by", "choose another `port`"]);
    drop(held);
    let ran = run(&mut redrill(&place.state(), &["status"]));
    assert_eq!(ran.out, "nothing is running\n");
}
