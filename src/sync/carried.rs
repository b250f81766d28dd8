//! How far each pair of groups is, as the servers say. They are asked at their own addresses, so a
//! link that is cut hides nothing, and neither does a replicator that is dead.

use futures::future::join_all;
use redis::Value;

use super::functions::{self, OUTBOX, Position, entries_between, numbers_of};
use super::pass::{Seen, lacks_some, parse_seen};
use super::shard::Tag;
use crate::node::Admin;

/// What the primary of a group says.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The number of the last entry of its own outbox, and its id.
    last: u64,
    last_id: String,
    /// For each other group, up to where its outbox has been applied.
    positions: Vec<(String, Position)>,
    seen: Seen,
}

/// How far a target is with the outbox of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    pub applied: u64,
    pub discarded: u64,
    /// Entries that are still to be applied.
    pub behind: u64,
}

/// Asks the primary of the shard that `nodes` are of; none if no node is it, or answers.
pub async fn ask(nodes: impl Iterator<Item = &Admin>, tag: &Tag) -> Option<Told> {
    let told = join_all(nodes.map(|node| ask_node(node, tag))).await;
    told.into_iter().flatten().next()
}

async fn ask_node(node: &Admin, tag: &Tag) -> Option<Told> {
    let named = |name: &str| format!("{name}{tag}");
    let mut asked = redis::pipe();
    asked.cmd("ROLE");
    asked.add_command(functions::last(tag));
    asked.cmd("XREVRANGE").arg(named(OUTBOX)).arg("+").arg("-").arg("COUNT").arg(1);
    asked.cmd("HGETALL").arg(named("redrill:positions"));
    asked.cmd("HGETALL").arg(named("redrill:seen"));
    type Entries = Vec<(String, Value)>;
    type Names = Vec<(String, String)>;
    type Answer = (Vec<Value>, Option<u64>, Entries, Names, Names);
    let answer: Answer = node.pipeline(&asked).await.ok()?;
    let (role, last, entries, positions, seen) = answer;
    if !matches!(role.first(), Some(Value::BulkString(word)) if word == b"master") {
        return None;
    }
    let position = |(from, text): (String, String)| Some((from, Position::parse(&text)?));
    Some(Told {
        last: last.unwrap_or(0),
        last_id: entries.into_iter().next().map(|(id, _)| id).unwrap_or_default(),
        positions: positions.into_iter().filter_map(position).collect(),
        seen: parse_seen(seen).unwrap_or_default(),
    })
}

/// How far `target` is with what the group `from`, which told `source`, has written.
pub fn carried(from: &str, source: &Told, target: &Told) -> Carried {
    let known = target.positions.iter().find(|(name, _)| name == from);
    let position = known.map_or_else(Position::default, |(_, position)| position.clone());
    // A new primary that lacks the last entries numbers its own as these were. So the ids decide
    // whether something is left, and the numbers only say how much.
    let is_left = match numbers_of(&source.last_id) {
        Some(last) => Some(last) > numbers_of(&position.id),
        // Its entries were lost.
        None => entries_between(position.number, source.last) > 0,
    };
    let behind = match is_left || lacks_some(&source.seen, &target.seen) {
        true => entries_between(position.number, source.last).max(1),
        false => 0,
    };
    Carried { applied: position.applied, discarded: position.discarded, behind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_say_whether_something_is_left_and_numbers_how_much() {
        let told = |last, last_id: &str, at: Option<(&str, u64)>| Told {
            last,
            last_id: last_id.to_owned(),
            positions: at
                .map(|(id, number)| {
                    ("us".to_owned(), Position { id: id.into(), number, ..Position::default() })
                })
                .into_iter()
                .collect(),
            ..Told::default()
        };
        let behind = |source: (u64, &str), target| {
            carried("us", &told(source.0, source.1, None), &told(0, "", target)).behind
        };
        assert_eq!(behind((0, ""), None), 0, "nothing was ever written");
        assert_eq!(behind((5, "9-0"), None), 5);
        assert_eq!(
            behind((1 << 40, ""), Some(("9-0", 5))),
            0,
            "it has lost all, and wrote no more"
        );
        assert_eq!(behind((7, ""), Some(("9-0", 5))), 2);
        assert_eq!(behind((5, "9-0"), Some(("9-0", 5))), 0);
        assert_eq!(behind((5, "10-0"), Some(("9-3", 3))), 2);
        assert_eq!(behind((4, "10-0"), Some(("9-0", 9))), 1, "a new primary without the last ones");
    }
}
