//! For the bench: so many requests in flight, a new one for every answer, each of several commands.
//!
//! This says what a server (or the generator) can do at most, as
//! `redis-benchmark` does; what users feel it does not say, and no drill uses
//! it. It goes over the same connections as a drill's load, and every operation
//! is timed and recorded.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use hdrhistogram::Histogram;
use redis::{Pipeline, RedisError};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, LocalOptions};

use super::client::{Link, connect, set};
use super::workload::Values;
use crate::model::op::key_name;
use crate::model::{Clock, Nanos, Password};
use crate::wake::wake_soon;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Saturation {
    /// A server that owns every key: standalone, or a cluster of one.
    pub address: SocketAddr,
    /// Each carries the requests of many clients; two are a good number.
    pub connections: usize,
    /// Logical clients, spread over the connections.
    pub clients: usize,
    /// Requests that a client sends in one go; `clients * pipeline` are in flight.
    pub pipeline: usize,
    pub time: Duration,
    /// Keys to write to, in turn.
    pub keys: u64,
    /// Size of the values, 21 bytes at least.
    pub value: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Throughput {
    pub operations: u64,
    pub elapsed: Duration,
    /// Processor time of the thread that did it all.
    pub cpu: Duration,
    /// In nanoseconds, from handing a request over to having its answer.
    pub latency: Histogram<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum SaturateError {
    #[error("cannot write to {address}: {source}")]
    Server { address: SocketAddr, source: RedisError },
    #[error("the machine gave no thread or timer: {0}")]
    Machine(#[from] io::Error),
    #[error("the thread that makes the load ended early; this is a bug in redrill")]
    Ended,
}

impl Throughput {
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// Processor time that an operation costs the generator.
    pub fn cpu_each(&self) -> Duration {
        self.cpu.div_f64(self.operations.max(1) as f64)
    }
}

/// Writes to keys `saturate:0`, `saturate:1`, … for `wanted.time`, in a thread of
/// its own, and waits for that.
///
/// Errors: the server cannot be reached, or refuses a write.
pub fn run(wanted: Saturation, password: Option<Password>) -> Result<Throughput, SaturateError> {
    let thread = std::thread::Builder::new().name("saturate".into()).spawn(move || {
        wake_soon();
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default())?;
        runtime.block_on(measure(wanted, password.as_ref()))
    })?;
    thread.join().map_err(|_| SaturateError::Ended)?
}

async fn measure(
    wanted: Saturation,
    password: Option<&Password>,
) -> Result<Throughput, SaturateError> {
    let Saturation { address, connections, clients, pipeline, time, .. } = wanted;
    let failed = |source| SaturateError::Server { address, source };
    let clock = Clock::start();
    let mut links = Vec::new();
    let patience = Duration::from_secs(5);
    for _ in 0..connections.max(1) {
        let connected = connect(address, None, password, patience, clients * pipeline);
        let (link, driver) = connected.await.map_err(failed)?;
        tokio::task::spawn_local(driver);
        links.push(link);
    }
    let (cpu, began) = (cpu_time(), clock.now());
    let until = began + time;
    let tasks = (0..clients).map(|number| {
        let link = links[number % links.len()].clone();
        tokio::task::spawn_local(client(wanted, link, number, clock, until))
    });
    let mut latency = timings();
    for ended in join_all(tasks).await {
        latency += ended.map_err(|_| SaturateError::Ended)?.map_err(failed)?;
    }
    let (elapsed, cpu) = (clock.now().since(began), cpu_time().saturating_sub(cpu));
    Ok(Throughput { operations: latency.len(), elapsed, cpu, latency })
}

/// One logical client, until `until`.
async fn client(
    wanted: Saturation,
    link: Rc<Link>,
    number: usize,
    clock: Clock,
    until: Nanos,
) -> Result<Histogram<u64>, RedisError> {
    let mut latency = timings();
    let mut values = Values::new(wanted.value);
    let (step, keys) = (wanted.clients as u64, wanted.keys.max(1));
    let mut turn = number as u64;
    let mut batch = Pipeline::with_capacity(wanted.pipeline);
    loop {
        let sent = clock.now();
        if sent >= until {
            return Ok(latency);
        }
        batch.clear();
        for _ in 0..wanted.pipeline {
            let key = key_name("saturate", turn % keys);
            batch.add_command(set(&key, values.text(turn, wanted.value)));
            turn += step;
        }
        link.send_all(&batch, wanted.pipeline).await?;
        let took = clock.now().since(sent).as_nanos() as u64;
        latency.saturating_record_n(took, wanted.pipeline as u64);
    }
}

fn timings() -> Histogram<u64> {
    Histogram::new_with_bounds(64, 60_000_000_000, 3).expect("these bounds are valid")
}

/// Processor time of the calling thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
