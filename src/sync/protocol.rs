//! What a replicator is told and what it tells: one JSON object a line. The order comes on its
//! standard input, so that the password is in no command line, and the end of its input is its own.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::functions::Writers;
use super::shard::Tag;
use crate::spec::sync::SyncRule;

/// The version of these lines.
pub const VERSION: u32 = 1;
/// Entries that a drill lets a replicator read at once.
pub const BATCH: usize = 5_000;

/// The first line on its input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub protocol: u32,
    /// `naive`, `lww` or `crdt`.
    pub rule: String,
    /// Of standby groups: one of them takes the writes at a time.
    #[serde(default)]
    pub standby: bool,
    pub from: Place,
    pub to: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Entries that are read at once, at most.
    pub batch: usize,
}

/// A group, or a shard of it, and where the group's nodes are. One of them is its primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub group: String,
    /// Of a shard of a cluster.
    #[serde(default)]
    pub tag: Tag,
    pub nodes: Vec<SocketAddr>,
}

/// The first line on its output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    pub protocol: u32,
    pub name: String,
    pub version: String,
}

/// Every further line, ten times a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The id of the last entry that was applied; none before it has been asked for.
    pub position: Option<String>,
    /// Entries that changed something, of all that this group ever got from the other one.
    pub applied: u64,
    /// Entries that were thrown away, because something newer was there.
    pub discarded: u64,
    /// Entries that are still to be applied, as far as the source has told last.
    pub behind: Option<u64>,
    /// Full passes that this process has made, and why the last one was needed.
    pub passes: u64,
    pub pass: Option<String>,
    /// Why it cannot go on at the moment; none if it does.
    pub error: Option<String>,
    /// If that is because a server refuses, its word for it: `OOM`.
    pub refused: Option<String>,
}

impl Order {
    pub fn writers(&self) -> Writers {
        if self.standby { Writers::OneOf } else { Writers::All }
    }

    /// Errors: the version is another one, the rule is not known, or nothing can be read at once.
    pub fn parse(line: &str) -> Result<(Order, SyncRule), String> {
        let order: Order = serde_json::from_str(line).map_err(|error| format!("{error}"))?;
        if order.protocol != VERSION {
            return Err(format!("its protocol is {}, and mine is {VERSION}", order.protocol));
        }
        let rule = SyncRule::ALL.iter().copied().find(|rule| rule.word() == order.rule);
        let rule = rule.ok_or_else(|| format!("there is no rule `{}`", order.rule))?;
        if order.batch == 0 {
            return Err("a batch has at least one entry".to_owned());
        }
        for place in [&order.from, &order.to] {
            if place.nodes.is_empty() {
                return Err(format!("the group `{}` has no nodes", place.group));
            }
        }
        Ok((order, rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_makes_no_sense_is_refused_and_says_why() {
        let order = |change: &str, to: &str| {
            let good = r#"{"protocol":1,"rule":"lww","batch":10,
                "from":{"group":"us","nodes":["127.0.0.1:1"]},
                "to":{"group":"eu","nodes":["127.0.0.1:2"]}}"#;
            assert!(change.is_empty() || good.contains(change));
            Order::parse(&good.replace(change, to))
        };
        assert_eq!(order("lww", "crdt").unwrap().1, SyncRule::Crdt);
        assert!(Order::parse("hello").is_err());
        for (change, to, why) in [
            ("\"protocol\":1", "\"protocol\":2", "protocol is 2"),
            ("lww", "last", "no rule `last`"),
            ("\"batch\":10", "\"batch\":0", "at least one"),
            ("[\"127.0.0.1:2\"]", "[]", "`eu` has no nodes"),
            ("127.0.0.1:1", "nowhere", "socket address"),
        ] {
            let told = order(change, to).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
