//! The functions that servers get (FUNCTION LOAD), and how they are called. Those of each rule
//! stand in a file of their own in `rules/`; their names are the same, so that callers need not
//! know the rule.

use std::collections::BTreeMap;

use redis::Cmd;

use super::shard::Tag;
use crate::spec::sync::SyncRule;

/// Entries that an outbox keeps at least.
pub const OUTBOX_KEEPS: usize = 250_000;
/// The stream of what a group's own clients have written, and then the shard's [`Tag`].
pub const OUTBOX: &str = "redrill:outbox";

/// Keys by which redrill measures conflicts begin so. They are carried as those of clients are.
pub const CONFLICT: &str = "redrill:conflict:";

const LIBRARY: &str = "redrill_sync";
const COMMON: &str = include_str!("rules/outbox.lua");
const STANDBY: &str = include_str!("rules/standby.lua");
const PASS: &str = include_str!("rules/pass.lua");
const FUNCTIONS: &str = include_str!("rules/functions.lua");

/// Which groups take writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// All of them.
    All,
    /// One at a time: that of the latest [`Term`](super::term::Term).
    OneOf,
}

/// The library for the servers of a shard of the group `own`.
fn library(rule: SyncRule, writers: Writers, own: &str, tag: &Tag) -> String {
    let standby = writers == Writers::OneOf;
    let rule = match rule {
        SyncRule::Naive => include_str!("rules/naive.lua"),
        SyncRule::Lww => include_str!("rules/lww.lua"),
        SyncRule::Crdt => include_str!("rules/crdt.lua"),
    };
    let head = format!(
        "#!lua name={LIBRARY}\nlocal OWN, TAG, MOST = '{own}', '{tag}', {OUTBOX_KEEPS}\n\
         local LIFE, LIVES = {LIFE}, {LIVES}\n\
         local CONFLICT, STANDBY = '{CONFLICT}', {standby}\n"
    );
    [&head, COMMON, STANDBY, PASS, rule, FUNCTIONS].join("\n")
}

/// Gives a server the library. Its replicas get it as they get data.
pub fn load(rule: SyncRule, writers: Writers, own: &str, tag: &Tag) -> Cmd {
    let mut cmd = redis::cmd("FUNCTION");
    cmd.arg("LOAD").arg("REPLACE").arg(library(rule, writers, own, tag));
    cmd
}

/// A function that is called without a key.
fn call(function: &str) -> Cmd {
    let mut cmd = redis::cmd("FCALL");
    cmd.arg(function).arg(0);
    cmd
}

/// Lets a group that is new take writes, of standby groups the one that has the term.
pub fn open() -> Cmd {
    call("redrill_open")
}

/// Asks for the name of a group's data: another one after each full pass, and nil if it has lost
/// its data and takes no writes.
pub fn name_of_data(tag: &Tag) -> Cmd {
    of_state("open", tag)
}

/// A write of a client: `what` (`set`, `del`, `incr`, `sadd`) is done to the key, with `value`.
pub fn write(what: &str, key: &str, value: &[u8]) -> Cmd {
    let mut cmd = Cmd::with_capacity(6, what.len() + key.len() + value.len() + 40);
    cmd.arg("FCALL").arg("redrill_write").arg(1).arg(key).arg(what).arg(value);
    cmd
}

/// Asks for the [`Position`] up to which the outbox of the group `from` has been applied.
pub fn position(from: &str) -> Cmd {
    let mut cmd = call("redrill_position");
    cmd.arg(from);
    cmd
}

/// Asks for the number of the last entry of a group's own outbox; nil, if there was none yet.
pub fn last(tag: &Tag) -> Cmd {
    of_state("n", tag)
}

fn of_state(field: &str, tag: &Tag) -> Cmd {
    let mut cmd = redis::cmd("HGET");
    cmd.arg(format!("redrill:sync{tag}")).arg(field);
    cmd
}

/// Applies entries of the outbox of the group `from`, if `after` is the last one that was. Each
/// entry has five parts: its id, number and instant, what was done, the key, and with what.
pub fn apply<'a>(from: &str, after: &str, parts: impl Iterator<Item = &'a [u8]>) -> Cmd {
    let mut cmd = call("redrill_apply");
    cmd.arg(from).arg(after);
    parts.for_each(|part| _ = cmd.arg(part));
    cmd
}

/// Asks for what [`super::pass`] decides by.
pub fn known() -> Cmd {
    call("redrill_known")
}

/// Begins a full pass in its target. If that has just lost writes of its own, `lost` is after which
/// instant, and until which (empty: now); else both are empty. `positions` and `seen` are what the
/// source knows, as [`known`] tells it.
pub fn begin_pass(
    token: &str,
    lost: [&str; 2],
    positions: &[(String, String)],
    seen: &BTreeMap<String, u64>,
) -> Cmd {
    let mut cmd = call("redrill_pass");
    cmd.arg(token).arg(&lost).arg(positions.len());
    positions.iter().for_each(|(group, position)| _ = cmd.arg(group).arg(position));
    seen.iter().for_each(|(life, instant)| _ = cmd.arg(life).arg(instant));
    cmd
}

/// Asks for the state of each key, if the group's data have this name.
pub fn state(name_of_data: &str, keys: &[Vec<u8>]) -> Cmd {
    let mut cmd = call("redrill_state");
    cmd.arg(name_of_data).arg(keys);
    cmd
}

/// Merges the state of each key, as the source has told it.
pub fn merge(token: &str, keys: &[Vec<u8>], states: &[Vec<u8>]) -> Cmd {
    let mut cmd = call("redrill_merge");
    cmd.arg(token);
    keys.iter().zip(states).for_each(|(key, state)| _ = cmd.arg(key).arg(state));
    cmd
}

/// Ends a full pass.
pub fn end_pass(token: &str) -> Cmd {
    let mut cmd = call("redrill_passed");
    cmd.arg(token);
    cmd
}

/// Up to where the outbox of a group has been applied to another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The id of the last entry that was applied; `0-0` if none was.
    pub id: String,
    /// Its number. Entries are numbered from 1.
    pub number: u64,
    /// Entries that changed something, since the beginning.
    pub applied: u64,
    /// Entries that were thrown away, because something newer was there.
    pub discarded: u64,
}

impl Position {
    /// `id n t applied discarded`, as servers keep it.
    pub fn parse(text: &str) -> Option<Position> {
        let mut words = text.split(' ');
        let id = words.next().filter(|id| numbers_of(id).is_some())?.to_owned();
        let number = words.next()?.parse().ok()?;
        let _instant = words.next()?;
        let (applied, discarded) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Position { id, number, applied, discarded })
    }
}

/// Numbers of one life of a group: of so many entries.
pub(super) const LIFE: u64 = 1 << 28;
/// So many lives. Lua's numbers are exact up to 2^53.
const LIVES: u64 = 1 << 25;

/// Whether two entries of a group are of one life: it has lost no writes between them.
pub fn same_life(one: u64, other: u64) -> bool {
    one / LIFE == other / LIFE
}

/// Entries after number `after`, up to number `last`. Of another life, those of the last one.
pub fn entries_between(after: u64, last: u64) -> u64 {
    if same_life(after, last) { last.saturating_sub(after) } else { last % LIFE }
}

/// The two numbers of an entry's id, by which entries have an order.
pub fn numbers_of(id: &str) -> Option<(u64, u64)> {
    let (ms, more) = id.split_once('-')?;
    Some((ms.parse().ok()?, more.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_servers_keep_them() {
        let position = Position::parse("17-3 42 1700000000000000 40 2").unwrap();
        let expected = Position { id: "17-3".into(), number: 42, applied: 40, discarded: 2 };
        assert_eq!(position, expected);
        for bad in ["", "17 42 0 0 0", "17-3 42", "17-3 x 0 0 0", "a-b 1 0 0 0"] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn entries_are_counted_within_a_life() {
        let life = LIFE;
        assert_eq!((entries_between(3, 10), entries_between(10, 3)), (7, 0));
        assert_eq!((entries_between(3, life + 2), entries_between(life, life + 2)), (2, 2));
        assert!(same_life(life, life + 5) && !same_life(life - 1, life));
    }

    #[test]
    fn ids_have_an_order_that_is_not_that_of_texts() {
        assert!(numbers_of("9-10") > numbers_of("9-9") && numbers_of("10-0") > numbers_of("9-9"));
        assert_eq!(numbers_of("12"), None);
    }
}
