//! CLUSTER NODES: the cluster as one node sees it, one line for each node.
//!
//! ```text
//! id ip:port@bus[,hostname[,name=value]*] flags primary ping pong epoch link slot slot-slot [slot->-id]
//! ```
//!
//! <https://redis.io/docs/latest/commands/cluster-nodes/>

use std::net::{IpAddr, SocketAddr};

use crate::model::event::Role;
use crate::model::slot::{SLOTS, SlotSet};

/// One node as another node (or the node itself) sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLine {
    pub id: String,
    /// `None` while the address is unknown, or if only a host name is given.
    pub addr: Option<SocketAddr>,
    pub flags: Flags,
    /// The id of the node that this one replicates.
    pub primary: Option<String>,
    pub epoch: u64,
    /// The bus link to the node is up.
    pub linked: bool,
    pub slots: SlotSet,
    /// Slots that this node is migrating, and the ids of the nodes that get them. A node lists
    /// only its own.
    pub migrating: Vec<(u16, String)>,
    /// Slots that this node is importing, and the ids of the nodes that still own them. A node
    /// lists only its own.
    pub importing: Vec<(u16, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    pub myself: bool,
    pub role: Role,
    /// `fail?`: this node cannot reach it.
    pub pfail: bool,
    /// `fail`: the majority cannot reach it.
    pub fail: bool,
    pub handshake: bool,
    pub noaddr: bool,
}

impl NodeLine {
    /// It is a member of the cluster, and its address is known.
    pub fn is_known(&self) -> bool {
        !self.flags.handshake && !self.flags.noaddr
    }

    /// Reads a whole reply. The error says which line was wrong and why.
    pub fn parse_all(text: &str) -> Result<Vec<NodeLine>, String> {
        text.lines().filter(|line| !line.trim().is_empty()).map(NodeLine::parse).collect()
    }

    pub fn parse(line: &str) -> Result<NodeLine, String> {
        let bad = |what: &str| format!("{what} in the line `{line}`");
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, address, flags, primary, _ping, _pong, epoch, link, slots @ ..] = words.as_slice()
        else {
            return Err(bad("fewer than eight words"));
        };
        let mut node = NodeLine {
            id: (*id).to_owned(),
            addr: parse_address(address).ok_or_else(|| bad("no address"))?,
            flags: Flags::parse(flags),
            primary: (*primary != "-").then(|| (*primary).to_owned()),
            epoch: epoch.parse().map_err(|_| bad("no epoch"))?,
            linked: *link == "connected",
            slots: SlotSet::default(),
            migrating: Vec::new(),
            importing: Vec::new(),
        };
        node.read_slots(slots).ok_or_else(|| bad("no slots"))?;
        Ok(node)
    }

    fn read_slots(&mut self, words: &[&str]) -> Option<()> {
        let (open, owned): (Vec<&str>, Vec<&str>) = words.iter().partition(|w| w.starts_with('['));
        self.slots = owned.join(" ").parse().ok()?;
        for word in open {
            let inner = word.strip_prefix('[')?.strip_suffix(']')?;
            let (slots, slot, id) = match inner.split_once("->-") {
                Some((slot, id)) => (&mut self.migrating, slot, id),
                None => {
                    let (slot, id) = inner.split_once("-<-")?;
                    (&mut self.importing, slot, id)
                }
            };
            let slot = slot.parse().ok().filter(|&slot: &u16| slot < SLOTS)?;
            slots.push((slot, id.to_owned()));
        }
        Some(())
    }
}

impl Flags {
    fn parse(text: &str) -> Flags {
        let has = |flag| text.split(',').any(|f| f == flag);
        Flags {
            myself: has("myself"),
            role: if has("slave") { Role::Replica } else { Role::Primary },
            pfail: has("fail?"),
            fail: has("fail"),
            handshake: has("handshake"),
            noaddr: has("noaddr"),
        }
    }
}

/// `ip:port@bus[,hostname[,name=value]*]`. An IPv6 address contains colons too.
fn parse_address(text: &str) -> Option<Option<SocketAddr>> {
    let address = text.split(',').next()?;
    let (ip, ports) = address.rsplit_once(':')?;
    let port: u16 = ports.split('@').next()?.parse().ok()?;
    let ip: Option<IpAddr> = ip.trim_matches(['[', ']']).parse().ok();
    Some(ip.map(|ip| SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests;
