//! The functions that servers get (FUNCTION LOAD), and how they are called. Those of each rule stand
//! in a file of their own in `rules/`; their names are the same, so that callers need not know the
//! rule.

use redis::Cmd;

use crate::spec::sync::SyncRule;

/// Entries that an outbox keeps at least.
pub const OUTBOX_KEEPS: usize = 250_000;
/// The stream of what a group's own clients have written.
pub const OUTBOX: &str = "redrill:outbox";

const LIBRARY: &str = "redrill_sync";
const COMMON: &str = include_str!("rules/outbox.lua");
const FUNCTIONS: &str = include_str!("rules/functions.lua");

/// The library for the servers of the group `own`.
pub fn library(rule: SyncRule, own: &str) -> String {
    let rule = match rule {
        SyncRule::Naive => include_str!("rules/naive.lua"),
        SyncRule::Lww => include_str!("rules/lww.lua"),
        SyncRule::Crdt => include_str!("rules/crdt.lua"),
    };
    let head = format!("#!lua name={LIBRARY}\nlocal OWN, MOST = '{own}', {OUTBOX_KEEPS}\n");
    [&head, COMMON, rule, FUNCTIONS].join("\n")
}

/// Gives a server the library. Its replicas get it as they get data.
pub fn load(rule: SyncRule, own: &str) -> Cmd {
    let mut cmd = redis::cmd("FUNCTION");
    cmd.arg("LOAD").arg("REPLACE").arg(library(rule, own));
    cmd
}

/// A write of a client: `what` (`set`, `del`, `incr`, `sadd`) is done to the key, with `value`.
pub fn write(what: &str, key: &str, value: &[u8]) -> Cmd {
    let mut cmd = Cmd::with_capacity(6, what.len() + key.len() + value.len() + 40);
    cmd.arg("FCALL").arg("redrill_write").arg(1).arg(key).arg(what).arg(value);
    cmd
}

/// Asks for the [`Position`] up to which the outbox of the group `from` has been applied.
pub fn position(from: &str) -> Cmd {
    let mut cmd = redis::cmd("FCALL");
    cmd.arg("redrill_position").arg(0).arg(from);
    cmd
}

/// Asks for the number of the last entry of a group's own outbox; nil, if there was none yet.
pub fn last() -> Cmd {
    let mut cmd = redis::cmd("HGET");
    cmd.arg("redrill:sync").arg("n");
    cmd
}

/// Applies entries of the outbox of the group `from`, if `after` is the last one that was. Each
/// entry has five parts: its id, number and instant, what was done, the key, and with what.
pub fn apply<'a>(from: &str, after: &str, parts: impl Iterator<Item = &'a [u8]>) -> Cmd {
    let mut cmd = redis::cmd("FCALL");
    cmd.arg("redrill_apply").arg(0).arg(from).arg(after);
    parts.for_each(|part| _ = cmd.arg(part));
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
    fn ids_have_an_order_that_is_not_that_of_texts() {
        assert!(numbers_of("9-10") > numbers_of("9-9") && numbers_of("10-0") > numbers_of("9-9"));
        assert_eq!(numbers_of("12"), None);
    }
}
