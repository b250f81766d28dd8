//! Servers that are made wrong on purpose, and drills on them.
//!
//! Some are wrong by their configuration, which a script adds as redrill starts them. Others are
//! real servers to which somebody does harm from outside while the load runs, as no server does
//! by itself: what redrill sees is the same.

use std::collections::BTreeMap;
use std::fs;
use std::iter;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use redis::{Client, Connection, Value as Reply};
use redrill::model::event::{Event, EventKind, Phase};
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{Ran, client, run, script, server};
use crate::drill::place::{MOST, Place, end_of, events, kill};

/// In what a server is wrong.
#[derive(Clone, Copy, Debug)]
pub enum Wrong {
    /// It runs with these options as well.
    Options(&'static str),
    /// Whoever is started for the second time does.
    OptionsOnReturn(&'static str),
    /// A replica that takes over has lost its data by then.
    EmptyWhenPromoted,
    /// A replica that has lost its primary takes over without asking for votes.
    TakesOver,
    /// These nodes lose their data so long after the load's start.
    Forgets(&'static [&'static str], Duration),
    /// That primary loses the keys of its clients at that time, and does not notice.
    LosesKeys(&'static str, Duration),
    /// That primary loses all keys that are to expire, which locks are, again and again from a
    /// second after the load's start on.
    LosesLeases(&'static [&'static str]),
    /// These primaries have other copies than they were given, again and again from a second after
    /// the load's start on: what the script makes of `copy`.
    Rewrites(&'static [&'static str], &'static str),
    /// That primary loses the sets that say which copies bear a tag, again and again.
    LosesTags(&'static [&'static str]),
    /// Replicas get nothing any more from the load's start on: their primaries refuse them.
    Lags,
    /// That node stands still for so long, a second and a half after the load's start.
    StandsStill(&'static str, Duration),
}

/// What redrill itself keeps begins with its name.
const LOSE_KEYS: &str = "for _, key in ipairs(redis.call('KEYS', '*')) do \
    if string.sub(key, 1, 8) ~= 'redrill:' then redis.call('DEL', key) end end return 1";

const LOSE_LEASES: &str = "for _, key in ipairs(redis.call('KEYS', '*')) do \
    if redis.call('PTTL', key) > 0 then redis.call('DEL', key) end end return 1";

const REWRITE: &str = "local becomes = function(copy) BECOMES end \
    for _, key in ipairs(redis.call('KEYS', '*')) do \
    if redis.call('PTTL', key) > 0 then \
    redis.call('SET', key, becomes(redis.call('GET', key)), 'KEEPTTL') end end return 1";
const LOSE_TAGS: &str = "for _, key in ipairs(redis.call('KEYS', '*:tag')) do \
    redis.call('DEL', key) end return 1";

/// Between two looks at the servers.
const LOOK: Duration = Duration::from_millis(20);
/// Servers that stand still do not answer in that time.
const PATIENCE: Duration = Duration::from_millis(200);

/// What came of a drill.
#[derive(Debug)]
pub struct Outcome {
    /// `pass`, `fail` or `unknown`.
    pub verdict: &'static str,
    /// The reasons of all its reports: a sweep has several.
    pub why: Vec<String>,
}

impl Outcome {
    /// Nothing else is a reason of its verdict.
    pub fn is_of_a_busy_machine(&self) -> bool {
        let busy = |why: &String| why.contains("the machine was too busy to tell");
        !self.why.is_empty() && self.why.iter().all(busy)
    }
}

/// Plays the scenario on servers that are wrong, or on right ones.
pub fn play(place: &Place, scenario: &str, args: &[&str], wrong: Option<Wrong>) -> Outcome {
    let mut command = place.run_of(scenario, args);
    command.args(["--backend", "process"]);
    let ran = match wrong {
        Some(wrong) => on_wrong_servers(place, command, wrong),
        None => run(&mut command),
    };
    outcome(place, scenario, &ran)
}

/// What came of the drill that has been played in `place`.
pub fn outcome(place: &Place, scenario: &str, ran: &Ran) -> Outcome {
    place.assert_nothing_left();
    let verdict = match ran.code {
        Some(0) => "pass",
        Some(1) => "fail",
        Some(2) => "unknown",
        _ => panic!("{scenario} was not played: {}{}", ran.out, ran.err),
    };
    let of = |report: &Value| report["why"].as_array().cloned().unwrap_or_default();
    let read = |name: &str| fs::read_to_string(place.folder().join(name)).ok();
    let json = read("report.json").or_else(|| read("matrix.json")).expect("a report");
    let json: Value = serde_json::from_str(&json).unwrap();
    let why = match json["reports"].as_array() {
        Some(reports) => reports.iter().flat_map(of).collect(),
        None => of(&json),
    };
    let text = |why: Value| why.as_str().unwrap_or_default().to_owned();
    Outcome { verdict, why: why.into_iter().map(text).collect() }
}

/// Plays a scenario of this text on servers that are wrong; all that it finds is reported.
pub fn reported(place: &Place, text: &str, wrong: Wrong) -> Value {
    let ran = on_wrong_servers(place, place.command(text, &["--backend", "process"]), wrong);
    assert!(matches!(ran.code, Some(0 | 2)), "{}{}", ran.out, ran.err);
    place.report()
}

fn on_wrong_servers(place: &Place, mut command: Command, wrong: Wrong) -> Ran {
    if let Some(binary) = binary(place, wrong) {
        return run(command.arg("--engine-binary").arg(binary));
    }
    let mut playing = place.watch(command);
    // One drill, or those of a sweep one after another, each with servers of its own. On a machine
    // that is too busy to fill keys in, one may end before its load begins.
    let (mut loaded, mut drill, mut harm) = (Instant::now(), None, None);
    for look in 0u32.. {
        if playing.has_ended().is_some() {
            break;
        }
        if drill.is_some() {
            loaded = Instant::now();
        }
        assert!(loaded.elapsed() < MOST, "no load begins: {}", playing.errors());
        // The record may be long, so it is read again only now and then.
        if harm.is_none() || look.is_multiple_of(25) {
            let now = under_load(place);
            if now != drill {
                harm = now.is_some().then(|| Harm::new(playing.servers(), clients(place), wrong));
                drill = now;
            }
        }
        harm.iter_mut().for_each(Harm::look);
        thread::sleep(LOOK);
    }
    drop(harm);
    playing.end()
}

/// The folder of the drill whose load runs.
fn under_load(place: &Place) -> Option<PathBuf> {
    let within = |folder: PathBuf| {
        let inner = fs::read_dir(&folder).into_iter().flatten().flatten();
        let inner: Vec<PathBuf> = inner.map(|entry| entry.path()).collect();
        iter::once(folder).chain(inner)
    };
    let begun = |event: &Event| matches!(event.kind, EventKind::Phase { phase: Phase::Steps });
    let is_loaded = |folder: &PathBuf| end_of(folder).is_none() && events(folder).iter().any(begun);
    place.folders().into_iter().flat_map(within).find(is_loaded)
}

/// The script that starts such servers; sentinels are left as they are.
fn binary(place: &Place, wrong: Wrong) -> Option<PathBuf> {
    let server = server().display().to_string();
    let with = |when: &str, options: &str| {
        let text = format!(
            "case \"$*\" in --version|*--sentinel*) exec {server} \"$@\";; esac\n\
             {when} && exec {server} \"$@\" {options}\nexec {server} \"$@\""
        );
        Some(script(place.path(), "wrong-server", &text))
    };
    match wrong {
        Wrong::Options(options) => with("true", options),
        Wrong::OptionsOnReturn(options) => {
            with("[ -e \"$1.returns\" ] || ! : > \"$1.returns\"", options)
        }
        _ => None,
    }
}

/// The nodes by their names, and how they are asked.
fn clients(place: &Place) -> Vec<(String, Client)> {
    let Some(record) = place.records().pop() else { return Vec::new() };
    let password = record.password();
    let to = |address: &str| client(address, password.as_ref());
    record.nodes.iter().map(|node| (node.name.to_string(), to(&node.address))).collect()
}

/// Whoever does harm to servers that are up.
struct Harm {
    wrong: Wrong,
    since: Instant,
    pids: BTreeMap<String, u32>,
    nodes: Vec<Victim>,
    /// It was done, where it is done once.
    done: bool,
}

struct Victim {
    name: String,
    client: Client,
    connection: Option<Connection>,
    was_replica: bool,
}

impl Harm {
    fn new(pids: Vec<(String, u32)>, nodes: Vec<(String, Client)>, wrong: Wrong) -> Harm {
        let victim = |(name, client)| Victim { name, client, connection: None, was_replica: false };
        let nodes = nodes.into_iter().map(victim).collect();
        let pids = pids.into_iter().collect();
        Harm { wrong, since: Instant::now(), pids, nodes, done: false }
    }

    fn look(&mut self) {
        let time = self.since.elapsed();
        match self.wrong {
            Wrong::EmptyWhenPromoted => self.nodes.iter_mut().for_each(Victim::is_emptied),
            Wrong::TakesOver => self.nodes.iter_mut().for_each(Victim::takes_over),
            Wrong::Forgets(nodes, at) if time >= at && !self.done => {
                let victims = self.nodes.iter_mut().filter(|one| nodes.contains(&&*one.name));
                let answers: Vec<_> = victims.map(|one| one.ask(&["FLUSHALL"])).collect();
                self.done = answers.iter().all(Option::is_some);
            }
            Wrong::LosesKeys(node, at) if time >= at && !self.done => {
                self.done = self.runs(node, LOSE_KEYS);
            }
            Wrong::LosesLeases(nodes) if time >= LOSES_AT => {
                nodes.iter().for_each(|node| _ = self.runs(node, LOSE_LEASES));
            }
            Wrong::Rewrites(nodes, becomes) if time >= LOSES_AT => {
                let script = REWRITE.replace("BECOMES", becomes);
                nodes.iter().for_each(|node| _ = self.runs(node, &script));
            }
            Wrong::LosesTags(nodes) if time >= LOSES_AT => {
                nodes.iter().for_each(|node| _ = self.runs(node, LOSE_TAGS));
            }
            Wrong::Lags if !self.done => self.done = self.nodes.iter_mut().all(Victim::lags),
            Wrong::StandsStill(node, how_long) if time >= STANDS_AT && !self.done => {
                kill(self.pids[node], Signal::STOP);
                thread::sleep(how_long);
                kill(self.pids[node], Signal::CONT);
                self.done = true;
            }
            _ => {}
        }
    }

    /// Whether that node has carried out the script.
    fn runs(&mut self, node: &str, script: &str) -> bool {
        let victims = self.nodes.iter_mut().filter(|one| *one.name == *node);
        let answers: Vec<_> = victims.map(|one| one.ask(&["EVAL", script, "0"])).collect();
        answers.iter().all(Option::is_some)
    }
}

const LOSES_AT: Duration = Duration::from_secs(1);
const STANDS_AT: Duration = Duration::from_millis(1_500);

impl Victim {
    /// What it answers, if it does.
    fn ask(&mut self, words: &[&str]) -> Option<Reply> {
        if self.connection.is_none() {
            let connection = self.client.get_connection_with_timeout(PATIENCE).ok()?;
            connection.set_read_timeout(Some(PATIENCE)).ok()?;
            self.connection = Some(connection);
        }
        let reply = redis::cmd(words[0]).arg(&words[1..]).query(self.connection.as_mut()?);
        if reply.is_err() {
            self.connection = None;
        }
        reply.ok()
    }

    /// Its role, and the state of its link if it is a replica.
    fn role(&mut self) -> Option<(String, String)> {
        let Reply::Array(parts) = self.ask(&["ROLE"])? else { return None };
        let word = |at: usize| redis::from_redis_value(parts.get(at)?.clone()).ok();
        Some((word(0)?, word(3).unwrap_or_default()))
    }

    fn is_emptied(&mut self) {
        let Some((role, _)) = self.role() else { return };
        if role == "master" && self.was_replica {
            self.was_replica = self.ask(&["FLUSHALL"]).is_none();
        } else if role == "slave" {
            self.was_replica = true;
        }
    }

    /// It tells its primary a wrong password from now on. True once that is so.
    fn lags(&mut self) -> bool {
        let Some((role, _)) = self.role() else { return false };
        role != "slave"
            || self.ask(&["CONFIG", "SET", "masterauth", "wrong"]).is_some()
                && self.ask(&["CLIENT", "KILL", "TYPE", "master"]).is_some()
    }

    fn takes_over(&mut self) {
        let alone = self.role().is_some_and(|(role, link)| role == "slave" && link != "connected");
        if alone {
            self.ask(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
        }
    }
}
