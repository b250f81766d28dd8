//! Drills of known outcome, and how many of redrill's verdicts on them are wrong: none may be.
//!
//! There are six classes. Right servers must not fail a drill, and wrong servers, dead clients and
//! lock libraries that get no locks must not pass one. On a machine that is starved, right servers
//! must not fail either. A drill that lost a replicator of redrill's own, to somebody who killed it
//! from outside, neither fails nor passes. `unknown` is no wrong verdict, but on an idle machine it
//! needs a reason: that it was busy after all.
//!
//! `REDRILL_DRILLS` is how many drills of each class are played, and `REDRILL_VERDICTS` the file
//! that gets the table; what is left of the wrong ones lies beside it.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{heavy_turn, script};
use crate::drill::broken;
use crate::drill::dead;
use crate::drill::place::Place;
use crate::drill::wrong::{self, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Healthy,
    Broken,
    Dead,
    DeadLibrary,
    DeadHelper,
    Starved,
}

/// One of them, and what came of it.
struct Row {
    class: Class,
    what: String,
    seed: u64,
    outcome: Outcome,
}

impl Row {
    fn is_wrong(&self) -> bool {
        // Without a load there is nothing to judge.
        let unloaded = |why: &String| why.contains("could not go on while filling in keys");
        match (self.class, self.outcome.verdict) {
            (Class::Healthy, "unknown") => {
                let excused = self.outcome.why.iter().any(unloaded);
                !excused && !self.outcome.is_of_a_busy_machine()
            }
            (Class::Healthy | Class::Starved, verdict) => verdict == "fail",
            (Class::Broken | Class::Dead | Class::DeadLibrary, verdict) => verdict == "pass",
            (Class::DeadHelper, verdict) => verdict != "unknown",
        }
    }

    fn line(&self) -> String {
        let (class, what, seed) = (self.class, &self.what, self.seed);
        let wrong = if self.is_wrong() { "**wrong**" } else { "" };
        let (verdict, why) = (self.outcome.verdict, self.outcome.why.join("; ").replace('|', "/"));
        format!("| {class:?} | {what} | {seed} | {verdict} | {wrong} | {why} |\n")
    }
}

/// How a client dies: what becomes of the answers of redrill's own adapter. The load has four
/// instances with an adapter each, so each has given 400 of them after four seconds.
const DEATHS: [(&str, &str); 5] = [
    ("ends", "400q"),
    ("hangs", "400,$d"),
    // The library tries again by itself, so that what fails is told late, or is slow.
    ("never comes back after its first error", r#"/"unknown"\|"fail"\|"ns":[0-9]\{9\}/,$d"#),
    (ONE_OF_FOUR, "400,$d"),
    ("gives no answer to a fifth", r#"400,${/"id":[0-9]*[05],/d}"#),
];

const ONE_OF_FOUR: &str = "hangs in one of four instances";

/// Scenarios in which clients of a server that fails meet errors.
const FELT: [&str; 3] = ["primary-kill", "primary-pause", "quorum-loss"];

fn dies(place: &Place, number: usize, seed: u64) -> (String, Outcome) {
    let scenario = FELT[number / DEATHS.len() % FELT.len()];
    let (how, answers) = DEATHS[number % DEATHS.len()];
    let adapter = env!("CARGO_BIN_EXE_redrill");
    let only_one = match how {
        ONE_OF_FOUR => {
            format!("mkdir {}/first || exec {adapter} adapter\n", place.path().display())
        }
        _ => String::new(),
    };
    let text = format!("{only_one}{adapter} adapter | sed -u '{answers}'");
    let client = script(place.path(), "dead-client", &text);
    let client = format!("loads.app.client={{ command: ['{}'] }}", client.display());
    let set = ["timeline.0.at=2s", "loads.app.rate=400/s", &client];
    let args = ["--profile", "ci", "--seed", &seed.to_string()].map(str::to_owned);
    let set = set.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]);
    let args: Vec<String> = args.into_iter().chain(set).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    (format!("{scenario}, a client that {how}"), wrong::play(place, scenario, &args, None))
}

/// The machine has more to do than it can, until this is dropped.
struct Burners(Arc<AtomicBool>, Vec<thread::JoinHandle<()>>);

/// For each processor.
const BURNERS: usize = 8;
/// However long the drill takes.
const BURN: Duration = Duration::from_secs(120);

impl Burners {
    fn start() -> Burners {
        let stop = Arc::new(AtomicBool::new(false));
        let burn = |_| {
            let (stop, began) = (stop.clone(), Instant::now());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) && began.elapsed() < BURN {
                    std::hint::spin_loop();
                }
            })
        };
        let burners = (0..BURNERS * cores()).map(burn).collect();
        Burners(stop, burners)
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.drain(..).for_each(|burner| burner.join().unwrap_or_default());
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn play(class: Class, number: usize) -> Row {
    let (place, seed) = (Place::new(), number as u64 + 1);
    let drill = &broken::ALL[number % broken::ALL.len()];
    let name = drill.scenario.to_owned();
    let (what, outcome) = match class {
        Class::Healthy => (name, drill.play(&place, seed, None)),
        Class::Broken => {
            let what = format!("{name} on {:?}", drill.wrong);
            (what, drill.play(&place, seed, Some(drill.wrong)))
        }
        Class::Dead => dies(&place, number, seed),
        Class::DeadLibrary => dead::library(&place, number, seed),
        Class::DeadHelper => dead::helper(&place, number, seed),
        Class::Starved => {
            // Nobody else's test is to be starved.
            let _turns = [(); 3].map(|()| heavy_turn());
            let _burners = Burners::start();
            (name, drill.play(&place, seed, None))
        }
    };
    let row = Row { class, what, seed, outcome };
    if row.is_wrong() {
        let kept = table().with_extension(format!("{class:?}-{number}"));
        let copied = Command::new("cp").arg("-r").arg(place.out()).arg(kept).status();
        assert!(copied.is_ok_and(|status| status.success()), "its folder is kept");
    }
    row
}

fn table() -> PathBuf {
    let file = env::var_os("REDRILL_VERDICTS").map(PathBuf::from);
    file.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("verdicts.md"))
}

/// How many drills are played at once: six servers and a redrill need their processors.
fn at_once(class: Class) -> usize {
    if class == Class::Starved { 1 } else { (cores() / 4).max(1) }
}

/// One class after the other: they are not to starve each other.
static TURN: Mutex<()> = Mutex::new(());

fn play_all(class: Class) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let drills = env::var("REDRILL_DRILLS").map_or(2, |count| count.parse().unwrap());
    let next = AtomicUsize::new(0);
    let mut file = OpenOptions::new().create(true).append(true).open(table()).unwrap();
    let one_by_one = |mut file: fs::File| {
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::SeqCst)));
        let rows = numbers.take_while(|number| *number < drills).map(|number| play(class, number));
        let told = rows.inspect(|row| file.write_all(row.line().as_bytes()).unwrap());
        told.collect::<Vec<Row>>()
    };
    let rows: Vec<Row> = thread::scope(|scope| {
        let players = (0..at_once(class)).map(|_| file.try_clone().unwrap());
        let players: Vec<_> = players.map(|file| scope.spawn(|| one_by_one(file))).collect();
        players.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    let count = |verdict| rows.iter().filter(|row| row.outcome.verdict == verdict).count();
    let [pass, fail, unknown] = ["pass", "fail", "unknown"].map(count);
    let wrong: String = rows.iter().filter(|row| row.is_wrong()).map(Row::line).collect();
    let sum = format!(
        "{class:?}: {drills} drills, {pass} pass, {fail} fail, {unknown} unknown, {} wrong\n\n",
        wrong.lines().count()
    );
    file.write_all(sum.as_bytes()).unwrap();
    assert!(wrong.is_empty(), "{sum}{wrong}");
}

#[test]
#[ignore = "`just test-all`"]
fn no_drill_on_right_servers_fails() {
    play_all(Class::Healthy);
}

#[test]
#[ignore = "`just test-all`"]
fn no_drill_on_wrong_servers_passes() {
    play_all(Class::Broken);
}

#[test]
#[ignore = "`just test-all`"]
fn no_drill_of_a_dead_client_passes() {
    play_all(Class::Dead);
}

#[test]
#[ignore = "`just test-all`"]
fn no_drill_of_a_lock_library_without_locks_passes() {
    play_all(Class::DeadLibrary);
}

#[test]
#[ignore = "`just test-all`"]
fn no_drill_that_lost_its_replicator_blames_the_servers() {
    play_all(Class::DeadHelper);
}

#[test]
#[ignore = "`just test-all`"]
fn no_drill_on_a_starved_machine_fails() {
    play_all(Class::Starved);
}
