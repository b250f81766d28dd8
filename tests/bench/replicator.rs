//! How many writes a second the reference replicator carries from one server to another, without
//! latency between them, while the target is never more than 5,000 writes behind: a quarter of a
//! second at the rate that is wanted.
//!
//! The loader writes as fast as it can, and waits while the target is too far behind. So what it
//! reaches is what can be carried. Against it stands what the source takes with its outbox and
//! without a replicator. The cores are shared by source, loader, replicator and target.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use redis::Connection;
use redrill::spec::sync::SyncRule;
use redrill::sync::functions::{self, Position, Writers};
use redrill::sync::protocol::{BATCH, Order, Place, VERSION};
use redrill::sync::shard::Tag;

use crate::peer::{Servers, wait_for_port};
use crate::table::{Better, Side, Table};

const WANTED: f64 = 20_000.0;
const BEHIND: u64 = 5_000;
/// Connections of the loader, and writes that each sends at once.
const WRITERS: usize = 2;
const AT_ONCE: u64 = 100;
const KEYS: u64 = 10_000;
const WARM: Duration = Duration::from_secs(1);
const TIME: Duration = Duration::from_secs(4);
/// For what is under way when the loader has ended.
const PATIENCE: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    for rule in SyncRule::ALL.iter().copied() {
        let mut sides = [Side::new("carried by a replicator"), Side::new("the source alone")];
        for run in 0..runs {
            for turn in 0..2 {
                let side = (run + turn) % 2;
                let rate = writes_a_second(rule, side == 0).map_err(|why| why.to_string())?;
                sides[side].values.push(rate);
            }
        }
        let [carried, alone] = sides;
        let reach = (WANTED / alone.median()).min(1.0);
        let what = format!("{}: writes, at most {BEHIND} behind", rule.word());
        table.add(what, "/s", Better::Higher, carried, alone, reach);
    }
    Ok(())
}

/// Of those that were carried, or acknowledged if nothing is carried.
fn writes_a_second(rule: SyncRule, carries: bool) -> Result<f64> {
    let servers = Servers::start(2, false)?;
    let [source, target] = [servers.ports[0], servers.ports[1]];
    for (port, own) in [(source, "us"), (target, "eu")] {
        let mut server = connect(port)?;
        functions::load(rule, Writers::All, own, &Tag::default()).exec(&mut server)?;
        functions::open().exec(&mut server)?;
    }
    let _replicator = if carries { Some(Replicator::start(rule, source, target)?) } else { None };
    let gate = Gate::default();
    let mut target = connect(target)?;
    thread::scope(|scope| {
        let writers: Vec<_> =
            (0..WRITERS).map(|_| scope.spawn(|| gate.closed_by(write(source, &gate)))).collect();
        let measured = gate.closed_by(rate(&gate, carries.then_some(&mut target)));
        writers.into_iter().try_for_each(|one| one.join().map_err(|_| "a writer panicked")?)?;
        if carries {
            until_all_is_carried(&mut target, gate.acknowledged.load(Relaxed))?;
        }
        measured
    })
}

/// What lets the writers write.
#[derive(Default)]
struct Gate {
    /// Writes that were sent, or are about to be.
    begun: AtomicU64,
    acknowledged: AtomicU64,
    /// How many may be begun.
    open_to: AtomicU64,
    is_closed: AtomicBool,
}

impl Gate {
    /// The first of some writes that may be sent now.
    fn enter(&self) -> Option<u64> {
        let open_to = self.open_to.load(Relaxed);
        let more = |begun| (begun + AT_ONCE <= open_to).then_some(begun + AT_ONCE);
        self.begun.fetch_update(Relaxed, Relaxed, more).ok()
    }

    /// Whoever ends, for whatever reason, ends all.
    fn closed_by<T>(&self, ended: T) -> T {
        self.is_closed.store(true, Relaxed);
        ended
    }
}

fn write(source: u16, gate: &Gate) -> Result<()> {
    let mut source = connect(source)?;
    let value = [b'v'; 100];
    while !gate.is_closed.load(Relaxed) {
        let Some(first) = gate.enter() else {
            thread::sleep(Duration::from_micros(200));
            continue;
        };
        let mut some = redis::pipe();
        for n in first..first + AT_ONCE {
            let key = format!("k:{}", n % KEYS);
            some.add_command(functions::write("set", &key, &value)).ignore();
        }
        some.exec(&mut source)?;
        gate.acknowledged.fetch_add(AT_ONCE, Relaxed);
    }
    Ok(())
}

/// Opens the gate as the target follows, or wide without one. What has come through in a second,
/// after a while in which all get warm.
fn rate(gate: &Gate, mut target: Option<&mut Connection>) -> Result<f64> {
    let began = Instant::now();
    let mut from = None;
    while !gate.is_closed.load(Relaxed) {
        let through = match &mut target {
            Some(target) => position(target)?.number,
            None => gate.acknowledged.load(Relaxed),
        };
        let now = Instant::now();
        gate.open_to.store(if target.is_some() { through + BEHIND } else { u64::MAX }, Relaxed);
        let (since, before) = match from {
            None if now - began < WARM => (now, through),
            _ => *from.get_or_insert((now, through)),
        };
        if now - since >= TIME {
            return Ok((through - before) as f64 / (now - since).as_secs_f64());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err("a writer ended early".into())
}

/// Errors: something is missing, or was not applied.
fn until_all_is_carried(target: &mut Connection, written: u64) -> Result<()> {
    let began = Instant::now();
    loop {
        let position = position(target)?;
        if (position.number, position.applied) == (written, written) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{written} were written, and the target is at {position:?}").into());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn position(target: &mut Connection) -> Result<Position> {
    let told: String = functions::position("us").query(target)?;
    Ok(Position::parse(&told).ok_or_else(|| format!("strange position `{told}`"))?)
}

fn connect(port: u16) -> Result<Connection> {
    wait_for_port(port)?;
    Ok(redis::Client::open(("127.0.0.1", port))?.get_connection()?)
}

/// `redrill replicate`, which ends with this value.
struct Replicator(Child);

impl Replicator {
    fn start(rule: SyncRule, from: u16, to: u16) -> Result<Replicator> {
        let place = |group: &str, port: u16| Place {
            group: group.to_owned(),
            tag: Tag::default(),
            nodes: vec![([127, 0, 0, 1], port).into()],
        };
        let (from, to) = (place("us", from), place("eu", to));
        let rule = rule.word().to_owned();
        let order = Order {
            protocol: VERSION,
            rule,
            standby: false,
            from,
            to,
            password: None,
            batch: BATCH,
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_redrill"));
        command.arg("replicate").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut replicator = Replicator(command.spawn()?);
        let input = replicator.0.stdin.as_mut().ok_or("it has no input")?;
        writeln!(input, "{}", serde_json::to_string(&order)?)?;
        Ok(replicator)
    }
}

impl Drop for Replicator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
