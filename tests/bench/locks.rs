//! Locks: how many a second, what redlock adds to its servers' round trips, what waiting in line
//! saves, and how long judging takes.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redrill::check::{Checker, Context, Locks};
use redrill::model::Nanos;
use redrill::model::op::{Action, LockOp, Op};

use crate::drill;
use crate::peer::Servers;
use crate::table::{Better, Side, Table};

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    free(table, runs)?;
    redlock(table, runs)?;
    fair(table, runs)?;
    judged(table, runs)
}

const HEAD: &str = "name: locks\nsettle: 8s\nreported: [all]\n";

/// Plays one load that takes locks.
fn play(topology: &str, load: &str) -> Result<drill::Played, Box<dyn std::error::Error>> {
    let file = tempfile::NamedTempFile::with_suffix(".yaml")?;
    let text = format!("{HEAD}topology: {topology}\nloads:\n  app: {{ workload: lock, {load} }}\n");
    std::fs::write(file.path(), text)?;
    drill::play(&[&file.path().to_string_lossy()], &[])
}

const IN_FLIGHT: u32 = 50;

/// A session tries, reads the account, writes it, and gives the lock back. The benchmark sends as
/// many of each of these four.
fn free(table: &mut Table, runs: usize) -> crate::Outcome {
    let theirs = format!("redis-benchmark -c {IN_FLIGHT}, the same four commands");
    let mut sides = [Side::new("redrill run"), Side::new(&theirs)];
    for _ in 0..runs {
        let load = format!(
            "group: locks, lock: {{ hold: 0ms, accounts: bank }}, rate: 20000/s, \
             clients: {IN_FLIGHT}, max_in_flight: {IN_FLIGHT}, keys: 100000"
        );
        let played = play("locks-1x0", &load)?;
        sides[0].values.push(played.measure("lock.rate")?);
        sides[1].values.push(four_commands()?);
    }
    let [ours, theirs] = sides;
    let what = "free mutex: acquired, used for an update and given back, 50 in flight";
    table.add(what, "/s", Better::Higher, ours, theirs, 0.8);
    Ok(())
}

const RELEASE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
                       return redis.call('DEL', KEYS[1])";
const COMMANDS: u32 = 300_000;

/// How many sessions a second that is, if each sends one of each.
fn four_commands() -> Result<f64, Box<dyn std::error::Error>> {
    let servers = Servers::start(1, false)?;
    let port = servers.ports[0];
    crate::peer::wait_for_port(port)?;
    let mut server = redis::Client::open(("127.0.0.1", port))?.get_connection()?;
    let sha: String = redis::cmd("SCRIPT").arg("LOAD").arg(RELEASE).query(&mut server)?;
    let key = "lock:__rand_int__";
    let account = "account:__rand_int__";
    let commands: [&[&str]; 4] = [
        &["SET", key, "token", "NX", "PX", "2000"],
        &["GET", account],
        &["SET", account, "1"],
        &["EVALSHA", &sha, "1", key, "token"],
    ];
    let took = commands.into_iter().map(|command| benchmark(port, command));
    let took: Duration = took.sum::<Result<_, _>>()?;
    Ok(f64::from(COMMANDS) / took.as_secs_f64())
}

fn benchmark(port: u16, command: &[&str]) -> io::Result<Duration> {
    let (port, clients, count) = (port.to_string(), IN_FLIGHT.to_string(), COMMANDS.to_string());
    let begun = Instant::now();
    let status = Command::new("redis-benchmark")
        .args(["-p", &port, "-c", &clients, "-n", &count, "-r", "100000", "-q"])
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    match status.success() {
        true => Ok(begun.elapsed()),
        false => Err(io::Error::other(format!("redis-benchmark: {status}"))),
    }
}

/// Nobody else wants the locks.
fn redlock(table: &mut Table, runs: usize) -> crate::Outcome {
    let third = "SET to five servers at once, the third answer";
    let mut sides = [Side::new("redrill run"), Side::new(third)];
    for _ in 0..runs {
        let load = "groups: [a, b, c, d, e], \
                    lock: { kind: redlock, hold: 0ms, accounts: bank }, rate: 200/s, keys: 100000";
        sides[0].values.push(play("redlock-5", load)?.measure("lock.acquire.p50")?);
        sides[1].values.push(crate::ours::runtime()?.block_on(third_answer())?);
    }
    let [ours, theirs] = sides;
    table.add(
        "redlock of five, free: acquired after, median",
        "ms",
        Better::Lower,
        ours,
        theirs,
        0.667,
    );
    Ok(())
}

/// The median time until three of five servers have answered, in milliseconds.
async fn third_answer() -> Result<f64, Box<dyn std::error::Error>> {
    let servers = Servers::start(5, false)?;
    let mut links = Vec::new();
    for port in &servers.ports {
        crate::peer::wait_for_port(*port)?;
        let client = redis::Client::open(("127.0.0.1", *port))?;
        links.push(client.get_multiplexed_async_connection().await?);
    }
    let mut took = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    for turn in 0..1_000 {
        ticks.tick().await;
        let begun = Instant::now();
        let mut all: FuturesUnordered<_> = links
            .iter()
            .map(|link| {
                let mut link = link.clone();
                async move {
                    let mut set = redis::cmd("SET");
                    set.arg(format!("lock:{turn}")).arg("token").arg("NX").arg("PX").arg(2_000);
                    set.query_async::<()>(&mut link).await
                }
            })
            .collect();
        for _ in 0..3 {
            all.next().await.ok_or("five servers")??;
        }
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        while all.next().await.is_some() {}
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() / 2])
}

/// A hundred clients want one lock, which is had for 20 ms each time.
fn fair(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut sides = [Side::new("kind: fair"), Side::new("kind: mutex, asking every 10 ms")];
    for _ in 0..runs {
        // A client tries again after half of `retry` at least, and all of it at most.
        for (side, kind) in sides.iter_mut().zip(["kind: fair", "kind: mutex, retry: 13333us"]) {
            let load = format!(
                "group: locks, lock: {{ {kind}, hold: 20ms, patience: 60s, accounts: bank }}, \
                 rate: 200/s, clients: 100, max_in_flight: 100, keys: 1"
            );
            side.values.push(play("locks-1x0", &load)?.measure("lock.commands")?);
        }
    }
    let [ours, theirs] = sides;
    let what = "100 waiters for one lock: commands for each acquisition";
    table.add(what, "", Better::Lower, ours, theirs, 10.0);
    Ok(())
}

/// Of 10,000 locks, each is had a hundred times.
fn judged(table: &mut Table, runs: usize) -> crate::Outcome {
    let ops: Vec<Op> = (0..1_000_000).flat_map(session).collect();
    let mut ours = Side::new("check::Locks");
    for _ in 0..runs {
        let begun = Instant::now();
        let checked = Locks.check(&&ops[..], &Context::default()).map_err(|e| e.to_string())?;
        ours.values.push(begun.elapsed().as_secs_f64());
        if checked.measures.get("lock.overlaps") != Some(&0.0) {
            return Err("locks that nobody has twice were judged wrongly".into());
        }
    }
    let what = "1,000,000 acquisitions of 10,000 locks, judged";
    table.add(what, "s", Better::Lower, ours, Side::bound(1.0), 1.0);
    Ok(())
}

fn session(token: u64) -> [Op; 4] {
    let (key, turn) = (token % 10_000, token / 10_000);
    let at = turn * 1_000_000 + key;
    let op = |action, from: u64, to: u64| {
        let op = Op::new(key, Action::Lock(action), Nanos(at + from), Nanos(at + to));
        Op { process: (token % 64) as u32, ..op }
    };
    let (balance, fence) = (turn + 1, 0);
    [
        op(LockOp::Acquire { token, shared: false, got: Some(0) }, 0, 100),
        op(LockOp::Read { token, balance: Some(turn) }, 100, 200),
        op(LockOp::Write { token, balance, fence, taken: true }, 300, 400),
        op(LockOp::Release { token, held: true }, 400, 500),
    ]
}
