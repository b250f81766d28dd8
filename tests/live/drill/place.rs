//! A place where drills are played, and drills under way that are watched by what
//! they write.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use redrill::backend::registry::{Record, Registry};
use redrill::load::history;
use redrill::model::event::{End, Event, EventKind, Phase};
use redrill::model::op::{Op, Outcome};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::common::{Ran, heavy_turn, redrill, run, servers_in, until};

/// However busy the machine is; a drill that takes longer hangs.
pub const MOST: Duration = Duration::from_secs(90);

/// An answer that passed before a cut may be read so much later on a busy machine.
const READ_LATE: Duration = Duration::from_millis(500);

/// One server, a little load, over in a second.
pub const BRIEF: &str = "
name: brief
topology: standalone
loads: { app: { rate: 200/s, clients: 8, keys: 100 } }
settle: 500ms
expect: [writes.lost == 0, errors.total == 0]
";

/// Three servers and slots on the move.
pub const MOVING: &str = "
name: moving
topology: cluster-3x0
loads: { app: { rate: 200/s, clients: 8, keys: 10000 } }
timeline: [{ at: 300ms, do: reshard, from: 0, to: 1, slots: 5000, pace: { p99: 5ms } }]
settle: 500ms
expect: [writes.lost == 0, reshard.slots == 5000]
";

/// A folder of one test: its scenario, its run folders, and redrill's own state.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn out(&self) -> PathBuf {
        self.path().join("runs")
    }

    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// `redrill ARGS`, with this place's state and nothing else.
    pub fn redrill(&self, args: &[&str]) -> Command {
        redrill(&self.state(), args)
    }

    /// `redrill run` of a scenario of this text.
    pub fn command(&self, scenario: &str, args: &[&str]) -> Command {
        let file = self.path().join("scenario.yaml");
        fs::write(&file, scenario).unwrap();
        self.run_of(file.to_str().unwrap(), args)
    }

    /// `redrill run` of a scenario by its name or path.
    pub fn run_of(&self, scenario: &str, args: &[&str]) -> Command {
        let mut command = self.redrill(&["run", scenario]);
        command.args(args);
        // One of the arguments may name another folder.
        if !args.contains(&"--out") {
            command.arg("--out").arg(self.out());
        }
        command
    }

    /// Plays a scenario of this text to its end.
    pub fn play(&self, scenario: &str, args: &[&str]) -> Ran {
        run(&mut self.command(scenario, args))
    }

    pub fn start(&self, scenario: &str, args: &[&str]) -> Playing<'_> {
        self.watch(self.command(scenario, args))
    }

    /// Starts `command`, what it says going to files: nobody has to read it meanwhile.
    pub fn watch(&self, mut command: Command) -> Playing<'_> {
        let file = |name| File::create(self.path().join(name)).unwrap();
        command.stdout(file("stdout")).stderr(file("stderr"));
        Playing { child: command.spawn().unwrap(), place: self }
    }

    /// The run folders so far, by name.
    pub fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.out()).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        folders.sort();
        folders
    }

    pub fn folder(&self) -> PathBuf {
        let folders = self.folders();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders[0].clone()
    }

    pub fn report(&self) -> Value {
        report(&self.folder())
    }

    /// Every operation of the only drill.
    pub fn ops(&self) -> Vec<Op> {
        let path = self.folder().join("history.jsonl.zst");
        history::read(&path).unwrap().map(Result::unwrap).collect()
    }

    /// Nobody's write was acknowledged by the node at `index` once the first step had cut it
    /// off from clients, and whatever is lost was acknowledged before: a replica may not have
    /// had it by then, as replication is asynchronous.
    pub fn assert_cut_off_from_writers(&self, index: u16) {
        let cut = |event: &&Event| matches!(event.kind, EventKind::StepInForce { step: 0 });
        let told = events(&self.folder());
        let cut = told.iter().find(cut).expect("the cut is in force").at;
        let late = |op: &Op| op.by == Some(index) && op.action.written().is_some() && op.sent > cut;
        let late = self.ops().into_iter().filter(|op| late(op) && op.outcome == Outcome::Ok);
        assert_eq!(late.collect::<Vec<Op>>(), [], "it was to be cut off at {cut}");
        let report = self.report();
        let lost = &report["findings"].as_array().unwrap()[0];
        assert_eq!(lost["kind"], "lost_writes");
        let examples = lost["examples"].as_array().unwrap();
        let read = (cut + READ_LATE).as_secs_f64() * 1e3;
        let before = |example: &Value| example["at_ms"].as_f64().unwrap() <= read;
        assert!(examples.iter().all(before), "lost after {read} ms: {lost}");
    }

    pub fn records(&self) -> Vec<Record> {
        Registry::at(self.state()).records().unwrap()
    }

    pub fn no_server_runs(&self, within: Duration) {
        assert!(until(within, || servers_in(self.path()).is_empty()), "servers are left");
    }

    /// No server, no data, no record: whatever came to pass.
    pub fn assert_nothing_left(&self) {
        self.no_server_runs(Duration::from_secs(10));
        assert!(self.records().is_empty(), "a record is left");
        for folder in self.folders() {
            assert!(!folder.join("nodes").exists(), "{} has nodes left", folder.display());
        }
    }
}

/// It passed; or it could not be judged, for which a busy machine is the only reason.
pub fn assert_passed_or_busy(ran: &Ran, report: &Value) {
    assert_ended_or_busy(0, ran, report);
}

/// It ended with this code; or it could not be judged, for which a busy machine is the only
/// reason.
pub fn assert_ended_or_busy(code: i32, ran: &Ran, report: &Value) {
    let why = report["why"].as_array().unwrap();
    let busy = |why: &Value| why.as_str().unwrap().contains("the machine was too busy to tell");
    let excused = ran.code == Some(2) && !why.is_empty() && why.iter().all(busy);
    assert!(ran.code == Some(code) || excused, "{}{}", ran.out, ran.err);
}

/// Every step did what it was to do.
pub fn assert_no_step_failed(report: &Value) {
    for step in report["steps"].as_array().unwrap() {
        assert_eq!(step["error"], Value::Null, "{step}");
    }
}

/// Plays until redrill and its servers were run in time, three times at most: bounds of
/// milliseconds tell nothing of a drill in which they were not.
pub fn run_in_time<T>(play: impl FnMut() -> (Value, T)) -> (Value, T) {
    play_until(|(report, _)| is_in_time(report), play)
}

/// Plays a ready scenario, which ends well. If it does not, and was not run in time, it is played
/// again as [`run_in_time`] does.
pub fn plays_well(name: &str, args: &[&str]) -> Value {
    let well = |(report, ran): &(Value, Ran)| ran.code == Some(0) || is_in_time(report);
    let (report, ran) = play_until(well, || {
        let place = Place::new();
        let ran = run(&mut place.run_of(name, &[&["--profile", "ci"], args].concat()));
        place.assert_nothing_left();
        (place.report(), ran)
    });
    assert_ended_or_busy(0, &ran, &report);
    report
}

fn play_until<T>(enough: impl Fn(&T) -> bool, mut play: impl FnMut() -> T) -> T {
    let mut plays = 0;
    loop {
        let _turn = heavy_turn();
        let played = play();
        plays += 1;
        if plays == 3 || enough(&played) {
            return played;
        }
    }
}

fn is_in_time(report: &Value) -> bool {
    not_run(report) < 150.0
}

/// For how many milliseconds at a stretch redrill, or a server, may have stood ready with no
/// processor free for it: by so much may they have been late to see and to do things.
pub fn not_run(report: &Value) -> f64 {
    let blind = report["probe"]["blind_max_ms"].as_f64().unwrap();
    let percent_of_a_second = report["measures"]["servers.waited.max"]["value"].as_f64();
    blind + percent_of_a_second.unwrap_or(0.0) * 10.0
}

pub fn report(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A redrill at work; killed when dropped.
pub struct Playing<'a> {
    child: Child,
    place: &'a Place,
}

impl Playing<'_> {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// What it has told so far, in whole lines.
    pub fn events(&self) -> Vec<Event> {
        self.place.folders().first().map(|folder| events(folder)).unwrap_or_default()
    }

    /// Waits until it has told what is looked for.
    pub fn wait_for(&mut self, name: &str, wanted: impl Fn(&EventKind) -> bool) {
        let told = || self.events().iter().any(|event| wanted(&event.kind));
        let ended = until(MOST, told);
        assert!(ended, "it never came to {name}: {}", self.errors());
    }

    pub fn wait_for_phase(&mut self, wanted: Phase) {
        let is = |what: &EventKind| matches!(what, EventKind::Phase { phase } if *phase == wanted);
        self.wait_for(&format!("{wanted:?}"), is);
    }

    /// Waits until slots move: some have, and some have not.
    pub fn wait_for_slots(&mut self) {
        self.wait_for(
            "slots on the move",
            |what| matches!(what, EventKind::StepProgress { moved, .. } if moved.slots > 0),
        );
    }

    /// The nodes' processes, by the registry.
    pub fn servers(&self) -> Vec<(String, u32)> {
        let nodes = self.place.records().into_iter().flat_map(|record| record.nodes);
        nodes.map(|node| (node.name.to_string(), node.process.unwrap().pid)).collect()
    }

    pub fn errors(&self) -> String {
        fs::read_to_string(self.place.path().join("stderr")).unwrap_or_default()
    }

    pub fn wait_for_words(&mut self, words: &str) {
        assert!(until(MOST, || self.errors().contains(words)), "no `{words}`: {}", self.errors());
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ran {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.has_ended() {
                break status;
            }
            assert!(began.elapsed() < MOST, "it does not end: {}", self.errors());
            thread::sleep(Duration::from_millis(5));
        };
        let out = fs::read_to_string(self.place.path().join("stdout")).unwrap();
        Ran { code: status.code(), out, err: self.errors() }
    }
}

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

/// What a run folder's record tells, as far as its lines are whole.
pub fn events(folder: &Path) -> Vec<Event> {
    let text = fs::read_to_string(folder.join("events.jsonl")).unwrap_or_default();
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

/// How the drill of that folder ended, if it says so.
pub fn end_of(folder: &Path) -> Option<End> {
    match events(folder).pop()?.kind {
        EventKind::Ended { end } => Some(end),
        _ => None,
    }
}

/// How many seeds a drill is played with: `REDRILL_SEEDS`, or two.
pub fn seeds() -> u64 {
    std::env::var("REDRILL_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}
