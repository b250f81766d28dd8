//! The relay as its owner uses it.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use parking_lot::Mutex;
use tracing::{debug, info};

use super::conditions::Rule;
use super::door::{self, Door, NetError};
use super::pairs::{Ends, Pairs};
use super::places::Openers;
use super::rulebook::Guard;
use super::shared::Shared;
use super::worker::Worker;
use crate::model::traffic::{End, Flow};
use crate::spec::topology::Link;

/// The most threads that relay; they share the doors. One carries some tens of thousands of
/// small requests a second. With two busy servers on two cores, two threads carried about a
/// third more.
const MOST_THREADS: usize = 4;

/// A running relay. When it is dropped, all its connections end, and nothing is left.
///
/// All methods may be called from any thread. They take effect at once, for open connections
/// too.
#[derive(Debug)]
pub struct Fabric {
    shared: Arc<Shared>,
    /// Rules that last as long as the relay.
    standing: Mutex<Vec<Guard>>,
    workers: Vec<Worker>,
    opened: AtomicUsize,
}

impl Fabric {
    /// Random choices (jitter, shares of connections) are drawn from `seed`. `openers` says who
    /// opened a connection from an unknown address, as MIGRATE does; without it, they come from
    /// outside.
    ///
    /// It fails if the machine gives no thread or file descriptor.
    pub fn start(seed: u64, openers: Option<Openers>) -> Result<Fabric, NetError> {
        let shared = Arc::new(Shared::new(seed, openers));
        let cores = available_parallelism().map_or(1, NonZero::get);
        let workers = (0..cores.min(MOST_THREADS)).map(|_| Worker::start(shared.clone()));
        let workers = workers.collect::<Result<_, NetError>>()?;
        let (standing, opened) = Default::default();
        Ok(Fabric { shared, standing, workers, opened })
    }

    /// How many threads relay. Doors are dealt out to them in turn.
    pub fn threads(&self) -> usize {
        self.workers.len()
    }

    /// Listens for a node and returns the address.
    ///
    /// It fails if the address is taken, or if it stands for all addresses of the machine.
    pub fn open(&self, mut door: Door) -> Result<SocketAddr, NetError> {
        let listener = door::listen(&door)?;
        door.at = listener.local_addr()?;
        debug!(node = %door.node, channel = ?door.channel, %door.at, %door.to, "a door opens");
        let (at, turn) = (door.at, self.opened.fetch_add(1, Ordering::Relaxed));
        self.workers[turn % self.workers.len()].open(door, listener);
        Ok(at)
    }

    /// Connections from `ip` belong to `end`.
    pub fn know(&self, ip: IpAddr, end: impl Into<End>) {
        self.shared.places.know(ip, end.into());
    }

    /// Applies a rule to all these pairs, for as long as the guard lives.
    pub fn apply(&self, rule: &Rule, pairs: Pairs) -> Guard {
        self.shared.rulebook.enter(rule, pairs)
    }

    /// Applies the links of a topology, for as long as the relay lives. `region` gives the ends
    /// in a region: its nodes and its clients.
    pub fn links(&self, links: &[Link], region: impl Fn(usize) -> Ends) {
        let link = |link: &Link| {
            let pairs = Pairs::one_way(region(link.from), region(link.to));
            self.apply(&Rule::from(link), pairs)
        };
        self.standing.lock().extend(links.iter().map(link));
    }

    /// Resets each open connection that was opened along `pairs`, with the probability `part`
    /// (1 for all of them), and returns how many. Both ends see it.
    pub fn reset(&self, pairs: &Pairs, part: f64) -> usize {
        let count = self.shared.open.reset(pairs, part, &mut self.shared.rng_of_reset());
        info!(%pairs, part, count, "connections are reset");
        count
    }

    /// What has crossed every pair since the start, by pair and class.
    pub fn traffic(&self) -> Vec<Flow> {
        self.shared.rulebook.flows()
    }

    /// Who came to a door and was turned away, as text for a person; `None` if nobody was.
    pub fn strangers(&self) -> Option<String> {
        self.shared.strangers.text()
    }

    /// What the machine refused to the relay, as text for a person; `None` if all went well.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble.told()
    }
}
