//! Faults that nobody has chosen: how they are to be drawn.

use std::fmt;
use std::time::Duration;

use super::network::{NetworkFault, Via};
use super::quantity::{Time, Times};
use super::scenario::{Data, NodeFault};

/// A stretch of a drill in which faults are drawn by the drill's seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chaos {
    /// From the load's start.
    pub at: Duration,
    pub group: String,
    pub among: Among,
    /// All is healed when this is over.
    pub lasts: Duration,
    /// From one fault's beginning to the next one's.
    pub every: Times,
    /// How long a fault lasts.
    pub heal: Times,
    /// One of these each time; none stands here twice.
    pub faults: Vec<Drawn>,
}

/// Who may be hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    Nodes,
    Sentinels,
    All,
}

/// What can be drawn. It is done to a single node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    Kill,
    Stop,
    Pause,
    Restart,
    /// From all others.
    Partition,
    /// Connections with all others.
    Reset,
    Refuse,
}

impl Drawn {
    pub const ALL: [Drawn; 7] = [
        Drawn::Kill,
        Drawn::Stop,
        Drawn::Pause,
        Drawn::Restart,
        Drawn::Partition,
        Drawn::Reset,
        Drawn::Refuse,
    ];

    /// The word for it in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Drawn::Partition => NetworkFault::Partition(Via::Relay).word(),
            Drawn::Reset => NetworkFault::Reset { share: 1.0 }.word(),
            Drawn::Refuse => NetworkFault::Refuse { share: 1.0 }.word(),
            Drawn::Kill => NodeFault::Kill { lasts: None }.word(),
            Drawn::Stop => NodeFault::Stop { lasts: None }.word(),
            Drawn::Pause => NodeFault::Pause { lasts: None }.word(),
            Drawn::Restart => NodeFault::Restart { data: Data::Kept }.word(),
        }
    }

    pub fn is_on_links(self) -> bool {
        matches!(self, Drawn::Partition | Drawn::Reset | Drawn::Refuse)
    }
}

impl Among {
    /// As it is written in a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Among::Nodes => "nodes",
            Among::Sentinels => "sentinels",
            Among::All => "all",
        }
    }
}

impl Chaos {
    /// As it is written in a scenario.
    pub fn written(&self) -> String {
        let words: Vec<&str> = self.faults.iter().map(|fault| fault.word()).collect();
        format!(
            "at: {}, group: {}, do: chaos, among: {}, every: {}, for: {}, heal: {}, faults: [{}]",
            Time(self.at),
            self.group,
            self.among.word(),
            self.every,
            Time(self.lasts),
            self.heal,
            words.join(", ")
        )
    }
}

impl fmt::Display for Chaos {
    /// As a person would say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.faults.iter().map(|fault| fault.word()).collect();
        let (group, words, every) = (&self.group, words.join(", "), self.every);
        write!(f, "chaos {group}: one of {words} every {every} for {}", Time(self.lasts))
    }
}
