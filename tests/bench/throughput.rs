//! Closed-loop SET throughput with the same number in flight, and what each
//! operation costs the generator in CPU. Both sides write to one key.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redrill::load::saturate::{self, SaturateError, Saturation};
use redrill::model::Password;

use crate::peer::Servers;
use crate::table::{Better, Side, Table};

pub struct Rate {
    pub per_second: f64,
    pub cpu_micros: f64,
}

/// Tasks, operations that each has in flight, operations in all, ratio to reach.
const CASES: &[(u32, u32, u64, f64)] = &[(50, 1, 600_000, 2.0), (50, 16, 4_000_000, 1.0)];

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let servers = Servers::start(1, false)?;
    crate::peer::wait_for_port(servers.ports[0])?;
    for (tasks, pipeline, operations, reach) in CASES {
        let mut sides = [
            Side::new("load::closed"),
            Side::new(&format!("redis-benchmark -c {tasks} -P {pipeline}")),
        ];
        let mut costs = sides.clone();
        let (mut with, mut without) = (Side::new("with a password"), Side::new("load::closed"));
        for run in 0..runs {
            let theirs = redis_benchmark(servers.ports[0], *tasks, *pipeline, *operations)?;
            let open = || closed(servers.ports[0], *tasks, *pipeline, None);
            // Whatever comes first has no advantage of it.
            let (ours, known) = match run % 2 {
                0 => (open()?, guarded(servers.ports[0], *tasks, *pipeline)?),
                _ => {
                    let known = guarded(servers.ports[0], *tasks, *pipeline)?;
                    (open()?, known)
                }
            };
            with.values.push(known.per_second);
            without.values.push(ours.per_second);
            for (at, rate) in [ours, theirs].iter().enumerate() {
                sides[at].values.push(rate.per_second);
                costs[at].values.push(rate.cpu_micros);
            }
        }
        let what = format!("SET, {} in flight", tasks * pipeline);
        let [ours, theirs] = sides;
        table.add(format!("{what}: operations"), "/s", Better::Higher, ours, theirs, *reach);
        table.add(format!("{what}, by password"), "/s", Better::Higher, with, without, 0.97);
        let [ours, theirs] = costs;
        table.add(format!("{what}: CPU an operation"), "µs", Better::Lower, ours, theirs, 1.0);
    }
    Ok(())
}

/// The same with a password, which the server asks for until this is over.
fn guarded(port: u16, tasks: u32, pipeline: u32) -> Result<Rate, Box<dyn std::error::Error>> {
    let password = Password::draw();
    let mut server = redis::Client::open(("127.0.0.1", port))?.get_connection()?;
    let mut ask_for = |password: &str| {
        redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(password).exec(&mut server)
    };
    ask_for(password.reveal())?;
    let rate = closed(port, tasks, pipeline, Some(password))?;
    ask_for("")?;
    Ok(rate)
}

/// Values of 21 bytes, the smallest that are unique, where theirs are 3.
fn closed(
    port: u16,
    tasks: u32,
    pipeline: u32,
    password: Option<Password>,
) -> Result<Rate, SaturateError> {
    let wanted = Saturation {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        connections: 4,
        clients: tasks as usize,
        pipeline: pipeline as usize,
        time: Duration::from_secs(5),
        keys: 1,
        value: 21,
    };
    let throughput = saturate::run(wanted, password)?;
    Ok(Rate {
        per_second: throughput.per_second(),
        cpu_micros: throughput.cpu_each().as_secs_f64() * 1e6,
    })
}

/// Runs it to its end, with the processor time that the kernel says it used.
fn redis_benchmark(port: u16, clients: u32, pipeline: u32, operations: u64) -> io::Result<Rate> {
    let before = children_cpu_seconds()?;
    let start = Instant::now();
    let status = Command::new("redis-benchmark")
        .args([
            "-p",
            &port.to_string(),
            "-t",
            "set",
            "-c",
            &clients.to_string(),
            "-P",
            &pipeline.to_string(),
        ])
        .args(["-n", &operations.to_string(), "-q"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("redis-benchmark: {status}")));
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = children_cpu_seconds()? - before;
    Ok(Rate { per_second: operations as f64 / seconds, cpu_micros: cpu * 1e6 / operations as f64 })
}

/// Processor time of all children that have ended, from /proc/self/stat (in
/// clock ticks of 10 ms: fields 16 and 17, after the name in brackets).
fn children_cpu_seconds() -> io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}
