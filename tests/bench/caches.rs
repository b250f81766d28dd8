//! Caches: hits in a group and in a process, how soon a tracked copy is gone, what the origin keeps
//! to, and how long judging takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use redrill::check::{Caches, Checker, Context};
use redrill::load::time_near_hits;
use redrill::model::Nanos;
use redrill::model::event::EventKind;
use redrill::model::op::{Action, CacheOp, FoundIn, Op, Outcome};

use crate::drill;
use crate::peer::Servers;
use crate::table::{Better, Side, Table};

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    far(table, runs)?;
    near(table, runs)?;
    tracked(table, runs)?;
    origin(table, runs)?;
    judged(table, runs)
}

/// Plays one load that reads and writes through a cache.
fn play(load: &str, settle: &str) -> Result<drill::Played, Box<dyn std::error::Error>> {
    let file = tempfile::NamedTempFile::with_suffix(".yaml")?;
    let text = format!(
        "name: caches\nsettle: {settle}\nreported: [all]\ntopology: standalone\n\
         loads:\n  app: {{ workload: cache, {load} }}\n"
    );
    std::fs::write(file.path(), text)?;
    drill::play(&[&file.path().to_string_lossy()], &[])
}

const IN_FLIGHT: u32 = 50;
const GETS: u32 = 600_000;
const ENTITIES: u32 = 10_000;

/// Copies of 1 KB are read as JSON by one thread of redrill. The benchmark reads none.
fn far(table: &mut Table, runs: usize) -> crate::Outcome {
    let theirs = format!("redis-benchmark -c {IN_FLIGHT}, GET of 1 KB");
    let mut sides = [Side::new("redrill run"), Side::new(&theirs)];
    for _ in 0..runs {
        let load = format!(
            "rate: 100000/s, clients: {IN_FLIGHT}, max_in_flight: {IN_FLIGHT}, keys: {ENTITIES}, \
             reads: 100%, value: 1KB, warm: priority, layers: {{ l1: {{ group: cache, ttl: 10m }} }}, \
             origin: {{ latency: 0ms }}"
        );
        let played = play(&load, "8s")?;
        if played.measure("cache.hits")? < 100.0 {
            return Err("not all were hits".into());
        }
        sides[0].values.push(played.measure("throughput.before")?);
        sides[1].values.push(gets()?);
    }
    let [ours, theirs] = sides;
    table.add("hits in the group, 1 KB, 50 in flight", "/s", Better::Higher, ours, theirs, 1.0);
    Ok(())
}

fn gets() -> Result<f64, Box<dyn std::error::Error>> {
    let servers = Servers::start(1, false)?;
    let port = servers.ports[0].to_string();
    crate::peer::wait_for_port(servers.ports[0])?;
    let benchmark = |test: &str, count: u32| {
        let (count, clients, keys) =
            (count.to_string(), IN_FLIGHT.to_string(), ENTITIES.to_string());
        let begun = Instant::now();
        let status = Command::new("redis-benchmark")
            .args(["-p", &port, "-c", &clients, "-n", &count, "-r", &keys, "-d", "1024", "-q"])
            .args(["-t", test])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        match status.success() {
            true => Ok(begun.elapsed()),
            false => Err(std::io::Error::other(format!("redis-benchmark: {status}"))),
        }
    };
    // So many that hardly a key is missing.
    benchmark("set", ENTITIES * 10)?;
    Ok(f64::from(GETS) / benchmark("get", GETS)?.as_secs_f64())
}

const HITS: u64 = 5_000_000;

fn near(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut sides = [Side::new("load::cache"), Side::new("moka alone")];
    let copies: Cache<u64, [u64; 6]> = Cache::builder()
        .max_capacity(u64::from(ENTITIES) * 100)
        .weigher(|_, _| 10)
        .eviction_policy(EvictionPolicy::lru())
        .time_to_live(Duration::from_secs(600))
        .build();
    (0..u64::from(ENTITIES)).for_each(|id| copies.insert(id, [id; 6]));
    for _ in 0..runs {
        let took = time_near_hits(u64::from(ENTITIES), HITS);
        sides[0].values.push(HITS as f64 / took.as_secs_f64());
        let begun = Instant::now();
        let found = (0..HITS).filter(|n| copies.get(&(n % u64::from(ENTITIES))).is_some()).count();
        sides[1].values.push(found as f64 / begun.elapsed().as_secs_f64());
    }
    let [ours, theirs] = sides;
    table.add("hits in the memory of a process", "/s", Better::Higher, ours, theirs, 0.5);
    Ok(())
}

const PROCESSES: usize = 100;
const WRITES: usize = 300;

/// Most processes have a copy of what is written.
fn tracked(table: &mut Table, runs: usize) -> crate::Outcome {
    let (mut ours, mut bound) = (Side::new("redrill run"), Side::new("the last push, and 1 ms"));
    for _ in 0..runs {
        let load = format!(
            "rate: 3000/s, clients: 300, instances: {PROCESSES}, keys: 10, reads: 99%, \
             layers: {{ l1: {{ in: process, ttl: 10m }}, l2: {{ group: cache, ttl: 10m }} }}, \
             origin: {{ latency: 1ms }}, stampede: lease, invalidate: tracking"
        );
        ours.values.push(play(&load, "10s")?.measure("invalidation.p99")?);
        bound.values.push(last_push()? + 1.0);
    }
    let what = "tracking, 100 processes: last copy gone after a write, p99";
    table.add(what, "ms", Better::Lower, ours, bound, 1.0);
    Ok(())
}

/// From the answer to a DEL until the last of a hundred bare connections has read the push about it:
/// the 99th percentile, in milliseconds.
fn last_push() -> Result<f64, Box<dyn std::error::Error>> {
    let servers = Servers::start(1, false)?;
    let port = servers.ports[0];
    crate::peer::wait_for_port(port)?;
    let mut writer = redis::Client::open(("127.0.0.1", port))?.get_connection()?;
    let (mut links, mut bytes) = (Vec::new(), [0; 4096]);
    for _ in 0..PROCESSES {
        let mut link = TcpStream::connect(("127.0.0.1", port))?;
        link.set_nodelay(true)?;
        link.write_all(b"HELLO 3\r\nCLIENT TRACKING ON\r\n")?;
        until(&mut link, b"+OK\r\n", &mut bytes)?;
        links.push(link);
    }
    let mut took = Vec::new();
    for _ in 0..WRITES {
        let () = redis::cmd("SET").arg("entity").arg("copy").query(&mut writer)?;
        for link in &mut links {
            link.write_all(b"GET entity\r\n")?;
            until(link, b"$4\r\ncopy\r\n", &mut bytes)?;
        }
        let (tell, told) = mpsc::channel();
        let waiting = Arc::new(std::sync::Barrier::new(2));
        let listening = {
            let (links, waiting) = (
                links.iter().map(TcpStream::try_clone).collect::<Result<Vec<_>, _>>()?,
                waiting.clone(),
            );
            std::thread::spawn(move || {
                waiting.wait();
                let mut bytes = [0; 4096];
                let mut all = links.into_iter();
                let heard =
                    all.try_for_each(|mut link| until(&mut link, b"entity\r\n", &mut bytes));
                let _ = tell.send(heard.map(|()| Instant::now()));
            })
        };
        waiting.wait();
        let () = redis::cmd("DEL").arg("entity").query(&mut writer)?;
        let done = Instant::now();
        took.push(told.recv()??.saturating_duration_since(done).as_secs_f64() * 1e3);
        listening.join().map_err(|_| "the listener panicked")?;
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() * 99 / 100])
}

/// Reads until it has read these last.
fn until(link: &mut TcpStream, last: &[u8], bytes: &mut [u8]) -> std::io::Result<()> {
    let mut found = Vec::new();
    while !found.ends_with(last) {
        match link.read(bytes)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => found.extend_from_slice(&bytes[..count]),
        }
    }
    Ok(())
}

const CAPACITY: f64 = 2_000.0;

/// Nobody keeps copies: each read asks the origin.
fn origin(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut latency = Side::new("set to 5 ms");
    let mut apart = Side::new("set to 2,000/s");
    for _ in 0..runs {
        let load = "reads: 100%, clients: 100, keys: 1000";
        let calm = play(&format!("{load}, rate: {CAPACITY}/s, origin: {{ latency: 5ms }}"), "6s")?;
        latency.values.push(calm.measure("latency.p99.before")?);
        let narrow = format!("{{ latency: 5ms, capacity: {CAPACITY}/s, queue: 200 }}");
        let pressed = play(&format!("{load}, rate: 3000/s, origin: {narrow}"), "6s")?;
        apart.values.push((served(&pressed)? - CAPACITY).abs() / CAPACITY * 100.0);
    }
    let what = "origin asked 2,000 times a second: latency, p99";
    table.add(what, "ms", Better::Lower, latency, Side::bound(6.0), 1.0);
    let what = "origin offered 3,000/s: capacity, apart from what was set";
    table.add(what, "%", Better::Lower, apart, Side::bound(1.0), 1.0);
    Ok(())
}

/// Reads a second, once the queue is full and before the load ends.
fn served(played: &drill::Played) -> Result<f64, Box<dyn std::error::Error>> {
    let events = played.events()?;
    let samples: Vec<(Nanos, u64)> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Sample(sample) => Some((sample.from, sample.ok)),
            _ => None,
        })
        .collect();
    let begun = samples.first().ok_or("no samples")?.0;
    let (from, to) = (begun + Duration::from_secs(1), begun + Duration::from_secs(5));
    let within: Vec<&(Nanos, u64)> =
        samples.iter().filter(|(at, _)| (from..to).contains(at)).collect();
    let count: u64 = within.iter().map(|(_, ok)| ok).sum();
    Ok(count as f64 / (within.len() as f64 * 0.1))
}

/// Of 10,000 entities, each of which is written five times.
fn judged(table: &mut Table, runs: usize) -> crate::Outcome {
    let ops: Vec<Op> = (0..1_000_000).flat_map(reads).collect();
    let mut ours = Side::new("check::Caches");
    for _ in 0..runs {
        let begun = Instant::now();
        let checked = Caches.check(&&ops[..], &Context::default()).map_err(|e| e.to_string())?;
        ours.values.push(begun.elapsed().as_secs_f64());
        if checked.measures.get("cache.stale") != Some(&0.0) {
            return Err("reads that are right were judged wrongly".into());
        }
    }
    let what = "1,000,000 reads of 10,000 entities through a cache, judged";
    table.add(what, "s", Better::Lower, ours, Side::bound(3.0), 1.0);
    Ok(())
}

/// The `n`th read, and before each twentieth of an entity a write of it.
fn reads(n: u64) -> Vec<Op> {
    let entities = u64::from(ENTITIES);
    let (key, turn) = (n % entities, n / entities);
    let at = 1_000_000 + n * 1_000;
    let op = |action, from: u64, to: u64| {
        let op = Op::new(key, Action::Cache(action), Nanos(at + from), Nanos(at + to));
        Op { process: (n % 64) as u32, instance: (n % 10) as u16, outcome: Outcome::Ok, ..op }
    };
    let version = 1 + (turn + 20) / 20;
    let mut all = Vec::new();
    if turn.is_multiple_of(20) {
        all.push(op(CacheOp::Write { version, at: Nanos(at + 50), commands: None }, 0, 100));
        let (asked, kept) = (Some((Nanos(at + 110), Nanos(at + 190))), Some(Nanos(u64::MAX)));
        let from = FoundIn::Origin;
        let read = CacheOp::Read { version: Some(version), from, asked, kept, met: None };
        all.push(op(read, 110, 200));
    } else {
        let (from, kept) = (FoundIn::Group, Some(Nanos(u64::MAX)));
        let read = CacheOp::Read { version: Some(version), from, asked: None, kept, met: None };
        all.push(op(read, 110, 200));
    }
    all
}
