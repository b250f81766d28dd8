//! How far each pair of groups is, as the servers say. They are asked at their own addresses, so a
//! link that is cut hides nothing, and neither does a replicator that is dead.

use futures::future::join_all;
use redis::Value;

use super::functions::{self, OUTBOX, Position, entries_between, numbers_of};
use super::pass::{Seen, lacks_some, parse_seen};
use super::shard::Tag;
use super::term::{self, Term};
use crate::node::Admin;

/// Of so many pieces of the outbox (some kilobytes each) a server adds up the memory. It takes the
/// rest to be like them: to look at all would cost a long outbox a millisecond each time.
const PIECES: usize = 100;

/// What the primary of a group says.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The number of the last entry of its own outbox, and its id.
    last: u64,
    last_id: String,
    outbox: Held,
    /// For each other group, up to where its outbox has been applied.
    positions: Vec<(String, Position)>,
    seen: Seen,
    /// Of standby groups.
    pub term: Term,
}

/// The entries that an outbox has, and the memory that they take.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    entries: u64,
    bytes: u64,
}

impl Held {
    /// What so many of its entries take. Those that were cut off take nothing.
    fn bytes_of(self, entries: u64) -> u64 {
        let product = u128::from(self.bytes) * u128::from(entries.min(self.entries));
        // It is not above `bytes`.
        product.checked_div(u128::from(self.entries)).unwrap_or(0) as u64
    }
}

/// How far a target is with the outbox of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    pub applied: u64,
    pub discarded: u64,
    /// Entries that are still to be applied.
    pub behind: u64,
    /// The memory that these take in the source.
    pub behind_bytes: u64,
    /// Whether the two know different terms.
    pub disagree: bool,
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
    // Before all else: what else it tells is no older.
    asked.add_command(term::ask(tag));
    asked.add_command(functions::last(tag));
    asked.cmd("XREVRANGE").arg(named(OUTBOX)).arg("+").arg("-").arg("COUNT").arg(1);
    asked.cmd("XLEN").arg(named(OUTBOX));
    asked.cmd("MEMORY").arg("USAGE").arg(named(OUTBOX)).arg("SAMPLES").arg(PIECES);
    asked.cmd("HGETALL").arg(named("redrill:positions"));
    asked.cmd("HGETALL").arg(named("redrill:seen"));
    type Entries = Vec<(String, Value)>;
    type Names = Vec<(String, String)>;
    type Answer = (Vec<Value>, term::Answer, Option<u64>, Entries, u64, Option<u64>, Names, Names);
    let answer: Answer = node.pipeline(&asked).await.ok()?;
    let (role, term, last, entries, held, bytes, positions, seen) = answer;
    if !matches!(role.first(), Some(Value::BulkString(word)) if word == b"master") {
        return None;
    }
    let position = |(from, text): (String, String)| Some((from, Position::parse(&text)?));
    Some(Told {
        last: last.unwrap_or(0),
        last_id: entries.into_iter().next().map(|(id, _)| id).unwrap_or_default(),
        outbox: Held { entries: held, bytes: bytes.unwrap_or(0) },
        positions: positions.into_iter().filter_map(position).collect(),
        seen: parse_seen(seen).unwrap_or_default(),
        term: term.into(),
    })
}

impl Told {
    fn position(&self, group: &str) -> Position {
        let known = self.positions.iter().find(|(name, _)| name == group);
        known.map_or_else(Position::default, |(_, position)| position.clone())
    }

    /// Whether `group`, which told this, has all that the group `from` had when it told `source`:
    /// its own writes, and those of others.
    pub fn has_all_of(&self, group: &str, (from, source): (&str, &Told)) -> bool {
        let others = source.positions.iter().filter(|(name, _)| name != group);
        let id = |position: &Position| numbers_of(&position.id);
        carried(from, source, self).behind == 0
            && others
                .map(|(name, known)| (id(&self.position(name)), id(known)))
                .all(|(a, b)| a >= b)
    }
}

/// How far `target` is with what the group `from`, which told `source`, has written.
pub fn carried(from: &str, source: &Told, target: &Told) -> Carried {
    let position = target.position(from);
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
    Carried {
        applied: position.applied,
        discarded: position.discarded,
        behind,
        behind_bytes: source.outbox.bytes_of(behind),
        disagree: source.term != target.term,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_take_their_share_of_the_outbox_and_those_that_were_cut_off_take_nothing() {
        let held = Held { entries: 400, bytes: 50_000 };
        assert_eq!(
            [0, 1, 100, 400, 900].map(|n| held.bytes_of(n)),
            [0, 125, 12_500, 50_000, 50_000]
        );
        assert_eq!(Held::default().bytes_of(3), 0, "it has lost all");
        let long = Held { entries: 1 << 40, bytes: 1 << 50 };
        assert_eq!(long.bytes_of(1 << 39), 1 << 49);
        let source = Told { last: 7, outbox: held, ..Told::default() };
        let carried = carried("us", &source, &Told::default());
        assert_eq!((carried.behind, carried.behind_bytes), (7, 875));
    }

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

    #[test]
    fn who_takes_over_has_what_others_wrote_before_too() {
        let told = |last_id: &str, positions: &[(&str, &str)]| Told {
            last: 3,
            last_id: last_id.to_owned(),
            positions: positions
                .iter()
                .map(|(group, id)| {
                    let position = Position { id: (*id).into(), number: 3, ..Position::default() };
                    ((*group).to_owned(), position)
                })
                .collect(),
            ..Told::default()
        };
        let source = told("9-0", &[("ap", "7-0"), ("us", "5-0")]);
        let has_all = |own: &[(&str, &str)]| told("5-0", own).has_all_of("us", ("eu", &source));
        assert!(has_all(&[("eu", "9-0"), ("ap", "7-0")]));
        assert!(!has_all(&[("eu", "8-0"), ("ap", "7-0")]));
        assert!(!has_all(&[("eu", "9-0"), ("ap", "6-9")]), "eu had it of ap, and us has not");
        assert!(!has_all(&[("eu", "9-0")]));
    }
}
