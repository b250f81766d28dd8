//! What a step does to links, and to which.

use std::fmt;
use std::time::Duration;

use super::quantity::{Bandwidth, Bytes, Percent, Time};
use super::scenario::Target;

/// A step that does something to links.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkStep {
    pub fault: NetworkFault,
    pub links: Links,
    /// Until the load has ended, if no time was given.
    pub lasts: Option<Duration>,
    /// It holds for the first half of each such time, and not for the second.
    pub every: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NetworkFault {
    /// Nothing passes, and nobody is told.
    Partition(Via),
    /// One way.
    Latency {
        latency: Duration,
        jitter: Jitter,
    },
    /// Bits a second, each way.
    Bandwidth(u64),
    Trickle(Trickle),
    /// New connections are reset at once, each with this probability.
    Refuse {
        share: f64,
    },
    /// Open connections are reset, each with this probability. It is over at once.
    Reset {
        share: f64,
    },
}

/// How far the latency of a piece of data may be from what is said; it is never negative. Order
/// is kept as TCP keeps it: a piece arrives no sooner than the one before it, so where pieces
/// follow closely, jitter makes them later on the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Jitter {
    #[default]
    None,
    /// So much more or less, all of it equally likely.
    Uniform(Duration),
    /// The standard deviation.
    Normal(Duration),
}

/// Every connection gives so few bytes at a time, and rests after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trickle {
    /// At least one.
    pub bytes: usize,
    pub rest: Duration,
}

/// Who drops packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// redrill, which all that nodes and clients say passes.
    Relay,
    /// The kernel, where nodes are containers that talk directly.
    Kernel,
}

/// The links between two sides: from each end of one to each end of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    pub from: Side,
    pub to: Side,
    /// Not back.
    pub one_way: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    Spots(Vec<Spot>),
    /// All nodes that are not on the other side.
    OtherNodes,
    /// All that is not on the other side: nodes, clients, and whoever else connects.
    Others,
}

/// Nodes and clients that are together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    Nodes(Target),
    /// All nodes that were born in the shard.
    Shard(u32),
    /// Its nodes and its clients.
    Region(String),
    Clients,
    ClientsIn(String),
}

impl NetworkFault {
    /// The word for it in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            NetworkFault::Partition(_) => "partition",
            NetworkFault::Latency { .. } => "latency",
            NetworkFault::Bandwidth(_) => "bandwidth",
            NetworkFault::Trickle(_) => "trickle",
            NetworkFault::Refuse { .. } => "refuse",
            NetworkFault::Reset { .. } => "reset",
        }
    }
}

impl Jitter {
    /// What is written in a scenario or a topology.
    pub fn amount(self) -> Duration {
        match self {
            Jitter::None => Duration::ZERO,
            Jitter::Uniform(amount) | Jitter::Normal(amount) => amount,
        }
    }
}

impl Side {
    pub fn spots(&self) -> &[Spot] {
        match self {
            Side::Spots(spots) => spots,
            Side::OtherNodes | Side::Others => &[],
        }
    }

    /// It names no nodes by their roles, shards or names.
    pub fn is_of_no_group(&self) -> bool {
        !self.spots().iter().any(|spot| matches!(spot, Spot::Nodes(_) | Spot::Shard(_)))
    }
}

impl NetworkStep {
    /// Whether the kernel does it, and not the relay.
    pub fn is_in_kernel(&self) -> bool {
        self.fault == NetworkFault::Partition(Via::Kernel)
    }

    /// As a person would say it. `group` is that of the nodes it names.
    pub fn describe(&self, group: &str) -> String {
        let amount = match self.fault {
            NetworkFault::Partition(Via::Kernel) => " in the kernel".to_owned(),
            NetworkFault::Partition(Via::Relay)
            | NetworkFault::Refuse { share: 1.0 }
            | NetworkFault::Reset { share: 1.0 } => String::new(),
            NetworkFault::Latency { latency, jitter: Jitter::None } => {
                format!(" of {}", Time(latency))
            }
            NetworkFault::Latency { latency, jitter } => {
                format!(" of {} ± {jitter}", Time(latency))
            }
            NetworkFault::Bandwidth(bits) => format!(" of {}", Bandwidth(bits)),
            NetworkFault::Trickle(Trickle { bytes, rest }) => {
                format!(" of {} every {}", Bytes(bytes as u64), Time(rest))
            }
            NetworkFault::Refuse { share } | NetworkFault::Reset { share } => {
                format!(" of {}", Percent::of(share))
            }
        };
        let Links { from, to, one_way } = &self.links;
        let group = match from.is_of_no_group() && to.is_of_no_group() {
            true => String::new(),
            false => format!(" {group}"),
        };
        let links = match one_way {
            true => format!("from {from} to {to}"),
            false => format!("between {from} and {to}"),
        };
        let every = self.every.map(|every| format!(", half of every {},", Time(every)));
        let lasts = self.lasts.map(|lasts| format!(" for {}", Time(lasts)));
        let (every, lasts) = (every.unwrap_or_default(), lasts.unwrap_or_default());
        format!("{}{amount}{group}: {links}{every}{lasts}", self.fault.word())
    }
}

impl fmt::Display for Jitter {
    /// As it is written in a scenario or a topology.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Jitter::Normal(deviation) => write!(f, "normal({})", Time(*deviation)),
            other => Time(other.amount()).fmt(f),
        }
    }
}

impl fmt::Display for Side {
    /// As it is written in a scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Side::OtherNodes => f.write_str("other nodes"),
            Side::Others => f.write_str("others"),
            Side::Spots(spots) => {
                let spots: Vec<String> = spots.iter().map(Spot::to_string).collect();
                f.write_str(&spots.join(" + "))
            }
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spot::Nodes(target) => target.fmt(f),
            Spot::Shard(shard) => write!(f, "shard {shard}"),
            Spot::Region(region) => write!(f, "region {region}"),
            Spot::Clients => f.write_str("clients"),
            Spot::ClientsIn(region) => write!(f, "clients in {region}"),
        }
    }
}
