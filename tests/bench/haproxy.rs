//! The relay without rules beside haproxy in TCP mode, with as many threads: what each adds to a
//! round trip, and how many writes go through. Left out where there is no haproxy.
//!
//! The cores are shared by the server, the load, and what is between them.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;

use redrill::model::NodeName;
use redrill::net::{Channel, Door, Fabric};
use tempfile::TempDir;

use crate::peer::{Servers, wait_for_port};
use crate::relay::load;
use crate::table::{Better, Side, Table};

/// Where it is if PATH is that of a user who is not root.
const PROGRAMS: [&str; 2] = ["haproxy", "/usr/sbin/haproxy"];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let Some(program) = PROGRAMS.into_iter().find(|program| is_there(program)) else {
        eprintln!("bench: the relay beside haproxy is left out: install the package haproxy");
        return Ok(());
    };
    let servers = Servers::start(1, false)?;
    wait_for_port(servers.ports[0])?;
    let direct = SocketAddr::from(([127, 0, 0, 1], servers.ports[0]));
    let fabric = Fabric::start(1, None)?;
    // A thread has a door of its own; in haproxy all of them accept at one.
    let threads = fabric.threads();
    let doors = (0..threads).map(|n| door(&fabric, direct, n)).collect::<Result<Vec<_>>>()?;
    let haproxy = Haproxy::start(program, direct, threads)?;
    let ways = [doors, vec![haproxy.address; threads], vec![direct; threads]];

    let mut many = [Side::new("redrill's relay"), Side::new("haproxy, mode tcp")];
    let mut added = many.clone();
    for run in 0..runs {
        let mut medians = [0.0; 3];
        for turn in 0..ways.len() {
            // Whatever comes first has no advantage of it.
            let way = (run + turn) % ways.len();
            let one = load(ways[way][0], 1, 1, 1)?;
            medians[way] = one.latency.value_at_quantile(0.5) as f64 / 1e3;
            if let Some(side) = many.get_mut(way) {
                side.values.push(at_once(&ways[way])?);
            }
        }
        let [relay, haproxy, direct] = medians;
        added[0].values.push(relay - direct);
        added[1].values.push(haproxy - direct);
    }
    let [ours, theirs] = added;
    let what = "relay: median round trip, added";
    table.add(what, "µs", Better::Lower, ours, theirs, 1.0);
    let [ours, theirs] = many;
    let what = format!("relay: SET, 800 in flight, {threads} threads");
    table.add(what, "/s", Better::Higher, ours, theirs, 1.0);
    Ok(())
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("-v").output().is_ok_and(|told| told.status.success())
}

fn door(fabric: &Fabric, to: SocketAddr, number: usize) -> Result<SocketAddr> {
    let node = NodeName::new("bench", 0, number as u32);
    let at = "127.0.0.1:0".parse()?;
    Ok(fabric.open(Door { at, to, node, channel: Channel::Client })?)
}

/// Writes a second over all addresses together, which share what is in flight.
fn at_once(addresses: &[SocketAddr]) -> Result<f64> {
    let share = addresses.len();
    let (connections, clients) = (4usize.div_ceil(share), 50usize.div_ceil(share));
    let one = |address: &SocketAddr| {
        let address = *address;
        thread::spawn(move || load(address, connections, clients, 16))
    };
    let loads: Vec<_> = addresses.iter().map(one).collect();
    let each = loads.into_iter().map(|load| load.join().map_err(|_| "a load panicked"));
    each.map(|load| Ok(load??.per_second())).sum()
}

/// It ends with this value.
struct Haproxy {
    address: SocketAddr,
    child: Child,
    _dir: TempDir,
}

impl Haproxy {
    fn start(program: &str, to: SocketAddr, threads: usize) -> Result<Haproxy> {
        let dir = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = dir.path().join("haproxy.cfg");
        fs::write(
            &config,
            format!(
                "global\n  nbthread {threads}\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
                 timeout client 60s\n  timeout server 60s\nlisten bench\n  bind {address}\n  \
                 server one {to}\n"
            ),
        )?;
        // In the foreground.
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(&config).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let haproxy = Haproxy { address, child, _dir: dir };
        wait_for_port(address.port())?;
        Ok(haproxy)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
