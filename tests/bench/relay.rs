//! The relay between nodes: what it costs where no rule is, and how exact the rules are.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use redrill::load::saturate::{self, Saturation};
use redrill::model::NodeName;
use redrill::model::traffic::End;
use redrill::net::{Channel, Door, Ends, Fabric, Pairs, Rule};

use crate::haproxy;
use crate::peer::Servers;
use crate::table::{Better, Side, Table};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LATENCY: Duration = Duration::from_millis(40);
const BITS: u64 = 100_000_000;

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    without_rules(table, runs)?;
    haproxy::run(table, runs)?;
    latency(table, runs)?;
    bandwidth(table, runs)?;
    far_and_near(table, runs)
}

/// A relay with one door that leads to `to`; everybody before it is outside.
fn relay(to: SocketAddr) -> Result<(Fabric, SocketAddr)> {
    let fabric = Fabric::start(1, None)?;
    let at = "127.0.0.1:0".parse()?;
    let node = NodeName::new("bench", 0, 0);
    let at = fabric.open(Door { at, to, node, channel: Channel::Client })?;
    Ok((fabric, at))
}

/// To the server, and not back.
fn there() -> Pairs {
    Pairs::one_way(Ends::only([End::Outside]), Ends::all())
}

fn without_rules(table: &mut Table, runs: usize) -> crate::Outcome {
    let servers = Servers::start(1, false)?;
    crate::peer::wait_for_port(servers.ports[0])?;
    let direct = SocketAddr::from(([127, 0, 0, 1], servers.ports[0]));
    let (_fabric, door) = relay(direct)?;
    let mut many = [Side::new("through the relay"), Side::new("direct")];
    let mut added = Side::new("through the relay, less direct");
    for _ in 0..runs {
        let mut medians = [0.0; 2];
        for (side, address) in [door, direct].into_iter().enumerate() {
            many[side].values.push(load(address, 4, 50, 16)?.per_second());
            let one = load(address, 1, 1, 1)?;
            medians[side] = one.latency.value_at_quantile(0.5) as f64 / 1e3;
        }
        added.values.push(medians[0] - medians[1]);
    }
    let [relayed, direct] = many;
    table.add("relay: SET, 800 in flight", "/s", Better::Higher, relayed, direct, 0.7);
    table.add(
        "relay: median round trip, added",
        "µs",
        Better::Lower,
        added,
        Side::bound(60.0),
        1.0,
    );
    Ok(())
}

pub fn load(
    address: SocketAddr,
    connections: usize,
    clients: usize,
    pipeline: usize,
) -> std::result::Result<saturate::Throughput, saturate::SaturateError> {
    let time = Duration::from_secs(3);
    let closed = Saturation { address, connections, clients, pipeline, time, keys: 1, value: 21 };
    saturate::run(closed, None)
}

/// Both ends of a connection through a relay.
fn connect() -> Result<(Fabric, TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (fabric, door) = relay(listener.local_addr()?)?;
    let client = TcpStream::connect(door)?;
    client.set_nodelay(true)?;
    let (server, _) = listener.accept()?;
    Ok((fabric, client, server))
}

fn latency(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut sides = [Side::new("sent every 2 ms, p50"), Side::new("sent every 2 ms, p99")];
    for _ in 0..runs {
        let (fabric, client, server) = connect()?;
        let _far = fabric.apply(&Rule::latency(LATENCY), there());
        let mut errors = one_way_errors(client, server)?;
        errors.sort_unstable();
        for (side, quantile) in sides.iter_mut().zip([0.5, 0.99]) {
            let error = errors[(errors.len() as f64 * quantile) as usize];
            side.values.push(error.as_secs_f64() * 1e3);
        }
    }
    let [median, p99] = sides;
    table.add("relay: 40 ms, error p50", "ms", Better::Lower, median, Side::bound(1.0), 1.0);
    table.add("relay: 40 ms, error p99", "ms", Better::Lower, p99, Side::bound(3.0), 1.0);
    Ok(())
}

/// How far each of many small messages is from the latency that it should have.
fn one_way_errors(mut client: TcpStream, mut server: TcpStream) -> Result<Vec<Duration>> {
    const MESSAGES: u64 = 1500;
    let epoch = Instant::now();
    let receiver = thread::spawn(move || -> std::io::Result<Vec<Duration>> {
        let mut errors = Vec::new();
        let mut message = [0; 8];
        for _ in 0..MESSAGES {
            server.read_exact(&mut message)?;
            let sent = Duration::from_nanos(u64::from_le_bytes(message));
            errors.push((epoch.elapsed() - sent).abs_diff(LATENCY));
        }
        Ok(errors)
    });
    for _ in 0..MESSAGES {
        client.write_all(&(epoch.elapsed().as_nanos() as u64).to_le_bytes())?;
        thread::sleep(Duration::from_millis(2));
    }
    Ok(receiver.join().map_err(|_| "the receiver panicked")??)
}

/// Sends as much as goes for `time`; bits a second, from the first that arrives on.
fn rate(mut client: TcpStream, mut server: TcpStream, time: Duration) -> Result<f64> {
    let sender = thread::spawn(move || {
        let (chunk, began) = (vec![7; 1 << 20], Instant::now());
        while began.elapsed() < time && client.write_all(&chunk).is_ok() {}
    });
    let mut buffer = vec![0; 1 << 20];
    server.read_exact(&mut buffer[..1])?;
    let (began, mut bytes) = (Instant::now(), 0);
    while began.elapsed() < time {
        match server.read(&mut buffer)? {
            0 => break,
            size => bytes += size,
        }
    }
    let rate = bytes as f64 * 8.0 / began.elapsed().as_secs_f64();
    // What is still under way need not be waited for.
    drop(server);
    sender.join().map_err(|_| "the sender panicked")?;
    Ok(rate)
}

fn bandwidth(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut error = Side::new("one connection, 5 s");
    for _ in 0..runs {
        let (fabric, client, server) = connect()?;
        let _narrow = fabric.apply(&Rule::bandwidth(BITS), there());
        let rate = rate(client, server, Duration::from_secs(5))?;
        error.values.push((rate / BITS as f64 - 1.0).abs() * 100.0);
    }
    table.add(
        "relay: 100 mbit, error of the rate",
        "%",
        Better::Lower,
        error,
        Side::bound(3.0),
        1.0,
    );
    Ok(())
}

fn far_and_near(table: &mut Table, runs: usize) -> crate::Outcome {
    let mut sides = [Side::new("a link of 40 ms"), Side::new("no rule")];
    for _ in 0..runs {
        for (side, latency) in sides.iter_mut().zip([LATENCY, Duration::ZERO]) {
            let (fabric, client, server) = connect()?;
            let _far = fabric.apply(&Rule::latency(latency), there());
            side.values.push(rate(client, server, Duration::from_secs(3))? / 1e9);
        }
    }
    let [far, near] = sides;
    table.add("relay: one stream, far and near", "Gbit/s", Better::Higher, far, near, 0.7);
    Ok(())
}
