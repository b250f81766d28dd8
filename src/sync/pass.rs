//! Full passes: the source's state of every key comes to the target and is merged there.
//!
//! Entries of an outbox are not enough where some were cut off before they were read, or where the
//! target has lost writes of its own that the source has: its data is gone, or a replica was
//! promoted that lacked them. Each replicator looks for that before it carries anything.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use futures::stream::{TryStreamExt, iter};
use rand::RngExt;
use redis::Value;

use super::functions::{self, OUTBOX, Position, entries_between, numbers_of, same_life};
use super::link::{Link, Trouble};
use super::shard::Tag;

/// Keys of one question. A server serves nobody else while it answers.
const KEYS: usize = 100;
/// Questions that are on their way at once, so that a long link is not waited for each time.
const UNDER_WAY: usize = 8;
/// Keys that are redrill's own begin so.
const OWN: &[u8] = b"redrill:";
/// Deleted keys that are remembered. Only `lww` has some.
const TOMBSTONES: &str = "redrill:tombstones";
const NOTHING: &str = "0-0 0 0 0 0";

/// Why a full pass is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// So many entries were cut off from the source's outbox before the target had them.
    CutOff(u64),
    /// The target has no data.
    Empty,
    /// The target lacks own writes after an instant, and until another one, or until now.
    Shortened(String, Option<String>),
    /// The source has writes of a life that is over, and the target has not.
    LostByOthers,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::CutOff(1) => {
                write!(f, "1 entry was cut off from the outbox before it was read")
            }
            Reason::CutOff(n) => {
                write!(f, "{n} entries were cut off from the outbox before they were read")
            }
            Reason::Empty => write!(f, "its target had lost its data"),
            Reason::Shortened(..) => write!(f, "its target had lost some of its own writes"),
            Reason::LostByOthers => {
                write!(f, "its target lacked writes that another group had lost")
            }
        }
    }
}

/// What a group knows, as its functions tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Of its data; none if it has lost them.
    name: String,
    /// Of its own outbox; as positions, though nobody has applied them.
    first: Option<Position>,
    last: Option<Position>,
    /// How far it is with each group, as its functions tell that: of its own, to the end.
    positions: Texts,
    seen: Seen,
}

/// By name.
type Texts = Vec<(String, String)>;

/// Up to which instant a group has seen the writes of each life (`GROUP/LIFE`).
pub(super) type Seen = BTreeMap<String, u64>;

impl Known {
    async fn of(group: &str, link: &mut Link) -> Result<Known, Trouble> {
        let told = link.ask(&functions::known()).await?;
        Known::parse(group, told)
            .ok_or_else(|| format!("group `{group}` told something strange").into())
    }

    fn parse(group: &str, (own, others, seen): (Vec<String>, Texts, Texts)) -> Option<Known> {
        let [name, first, last] = <[String; 3]>::try_from(own).ok()?;
        let full = |entry: &str| format!("{entry} 0 0");
        let entry = |text: &str| match text {
            "" => Some(None),
            _ => Position::parse(&full(text)).map(Some),
        };
        let mut positions = others;
        let own = if last.is_empty() { NOTHING.to_owned() } else { full(&last) };
        positions.push((group.to_owned(), own));
        let (first, last) = (entry(&first)?, entry(&last)?);
        Some(Known { name, first, last, positions, seen: parse_seen(seen)? })
    }

    /// How far it is with the group.
    fn with(&self, group: &str) -> Option<Position> {
        let known = self.positions.iter().find(|(name, _)| name == group);
        Position::parse(known.map_or(NOTHING, |(_, text)| text))
    }
}

/// As functions tell it; none if that makes no sense.
pub(super) fn parse_seen(told: Texts) -> Option<Seen> {
    told.into_iter().map(|(life, instant)| Some((life, instant.parse().ok()?))).collect()
}

/// Whether the source has seen writes of a life that is over, and the target has not. Those come in
/// no outbox any more.
pub(super) fn lacks_some(source: &Seen, target: &Seen) -> bool {
    let split = |life: &str| {
        let (group, number) = life.rsplit_once('/')?;
        Some((group.to_owned(), number.parse::<u64>().ok()?))
    };
    let mut present: BTreeMap<String, u64> = BTreeMap::new();
    for (group, number) in source.keys().chain(target.keys()).filter_map(|life| split(life)) {
        let latest = present.entry(group).or_default();
        *latest = number.max(*latest);
    }
    let is_over = |life: &str| {
        split(life).is_some_and(|(group, number)| present.get(&group).is_some_and(|p| number < *p))
    };
    let is_missing = |life: &str, instant: u64| instant > target.get(life).copied().unwrap_or(0);
    source.iter().any(|(life, instant)| is_over(life) && is_missing(life, *instant))
}

/// Both sides of a pair.
pub(super) struct Pass<'a> {
    pub source: &'a mut Link,
    pub target: &'a mut Link,
    /// Their groups.
    pub from: &'a str,
    pub to: &'a str,
    /// The same shard of both.
    pub tag: &'a Tag,
}

impl Pass<'_> {
    /// Makes a full pass if one is needed: why it was, and how many keys were compared.
    pub(super) async fn if_needed(&mut self) -> Result<Option<(Reason, usize)>, Trouble> {
        // The source first: it never knows more of the target's writes than the target itself.
        let source = Known::of(self.from, self.source).await?;
        let target = Known::of(self.to, self.target).await?;
        let Some(reason) = self.reason(&source, &target).await? else { return Ok(None) };
        let source = match source.name.is_empty() {
            // Both have nothing, and somebody has to begin. But what it has seen it has no more.
            true if reason == Reason::Empty => Known::default(),
            true => return Err(format!("group `{}` has lost its data", self.from).into()),
            false => source,
        };
        let token = format!("{:016x}", rand::rng().random::<u64>());
        let lost = match &reason {
            Reason::Empty => ["0", ""],
            Reason::Shortened(after, until) => [after, until.as_deref().unwrap_or("")],
            Reason::CutOff(_) | Reason::LostByOthers => ["", ""],
        };
        let begin = functions::begin_pass(&token, lost, &source.positions, &source.seen);
        self.target.ask::<Value>(&begin).await?;
        let compared = self.keys(&token, &source.name).await?;
        self.target.ask::<Value>(&functions::end_pass(&token)).await?;
        Ok(Some((reason, compared)))
    }

    async fn reason(&mut self, source: &Known, target: &Known) -> Result<Option<Reason>, Trouble> {
        if target.name.is_empty() {
            return Ok(Some(Reason::Empty));
        }
        let strange = || "a position makes no sense".to_owned();
        let theirs = source.with(self.to).ok_or_else(strange)?;
        if let Some(lost) = self.shortened(&theirs, target).await? {
            return Ok(Some(lost));
        }
        if lacks_some(&source.seen, &target.seen) {
            return Ok(Some(Reason::LostByOthers));
        }
        let own = target.with(self.from).ok_or_else(strange)?;
        Ok(cut_off(&own, source).map(Reason::CutOff))
    }

    /// Whether the target lacks own writes of its present life that the source has. `theirs` is how
    /// far the source is with the target.
    async fn shortened(
        &mut self,
        theirs: &Position,
        target: &Known,
    ) -> Result<Option<Reason>, Trouble> {
        let all = || Some(Reason::Shortened("0".to_owned(), None));
        let last = target.last.as_ref().map_or(0, |last| last.number);
        if !same_life(last, theirs.number) {
            // One of the two has begun another life, which the other one has not heard of.
            return Ok((last < theirs.number).then(all).flatten());
        }
        let begins_before = |first: &Position| numbers_of(&first.id) <= numbers_of(&theirs.id);
        if !target.first.as_ref().is_some_and(begins_before) {
            // Its first entries were cut off, or it has none. One that lost them numbers others so.
            let gone = target.first.as_ref().map_or(last, |first| first.number - 1);
            return Ok((gone < theirs.number).then(all).flatten());
        }
        let outbox = format!("{OUTBOX}{}", self.tag);
        let mut around = redis::pipe();
        around.cmd("XREVRANGE").arg(&outbox).arg(&theirs.id).arg("-").arg("COUNT").arg(1);
        around.cmd("XRANGE").arg(&outbox).arg(&theirs.id).arg("+").arg("COUNT").arg(1);
        type Found = Vec<(String, Vec<String>)>;
        let (before, after): (Found, Found) = self.target.ask_all(&around).await?;
        let instant = |found: Found| {
            let (_, parts) = found.into_iter().next()?;
            Some(parts.get(1)?.split(' ').nth(1)?.to_owned())
        };
        if before.first().is_none_or(|(id, _)| *id == theirs.id) {
            return Ok(None);
        }
        Ok(instant(before).map(|from| Reason::Shortened(from, instant(after))))
    }

    /// Merges every key that one of the two has; how many.
    async fn keys(&mut self, token: &str, name: &str) -> Result<usize, Trouble> {
        let mut tombstones = redis::cmd("ZRANGE");
        tombstones.arg(format!("{TOMBSTONES}{}", self.tag)).arg(0).arg(-1);
        let mut keys: HashSet<Vec<u8>> =
            self.source.ask::<Vec<Vec<u8>>>(&tombstones).await?.into_iter().collect();
        keys.extend(keys_of(self.source).await?);
        keys.extend(keys_of(self.target).await?);
        let is_data =
            |key: &[u8]| !key.starts_with(OWN) || key.starts_with(functions::CONFLICT.as_bytes());
        let keys: Vec<Vec<u8>> = keys.into_iter().filter(|key| is_data(key)).collect();
        let (source, target) = (&*self.source, &*self.target);
        let merge = |some: &[Vec<u8>]| {
            let (mut source, mut target, some) = (source.clone(), target.clone(), some.to_vec());
            async move {
                let states: Vec<Vec<u8>> = source.ask(&functions::state(name, &some)).await?;
                target.ask::<usize>(&functions::merge(token, &some, &states)).await
            }
        };
        let all = iter(keys.chunks(KEYS).map(merge).map(Ok));
        all.try_buffer_unordered(UNDER_WAY).try_fold(0, async |sum, n| Ok(sum + n)).await
    }
}

/// Entries of the source's outbox that the target, which is as far as `own`, cannot get any more.
fn cut_off(own: &Position, source: &Known) -> Option<u64> {
    // Of an outbox without entries, all that it ever had.
    let (next, until) = match (&source.first, &source.last) {
        (Some(first), _) => (first, first.number.saturating_sub(1)),
        (None, Some(last)) => (last, last.number),
        (None, None) => return None,
    };
    let is_before = numbers_of(&own.id) < numbers_of(&next.id);
    let missing = entries_between(own.number, until);
    (is_before && missing > 0).then_some(missing)
}

async fn keys_of(link: &mut Link) -> Result<Vec<Vec<u8>>, Trouble> {
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(1_000);
        let some: Vec<Vec<u8>>;
        (cursor, some) = link.ask(&scan).await?;
        all.extend(some);
        if cursor == 0 {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(some: &[(&str, u64)]) -> Seen {
        some.iter().map(|(life, instant)| ((*life).to_owned(), *instant)).collect()
    }

    #[test]
    fn only_writes_of_a_life_that_is_over_come_in_no_outbox() {
        let source = seen(&[("us/0", 50), ("eu/0", 30)]);
        assert!(!lacks_some(&source, &seen(&[("us/0", 20)])), "they are on their way");
        assert!(lacks_some(&source, &seen(&[("us/1", 60), ("us/0", 20)])));
        assert!(!lacks_some(&source, &seen(&[("us/1", 60), ("us/0", 50)])));
        let later = seen(&[("us/1", 60), ("us/0", 50), ("eu/0", 30)]);
        assert!(!lacks_some(&later, &source), "it has seen all of that life");
        assert!(lacks_some(&later, &seen(&[("eu/0", 30)])), "nobody will send it");
    }

    #[test]
    fn what_was_cut_off_is_counted_within_a_life() {
        let at =
            |id: &str, number: u64| Some(Position { id: id.into(), number, ..Position::default() });
        let source = |first, last| Known { first, last, ..Known::default() };
        let missing = |own: Option<Position>, source| cut_off(&own.unwrap(), &source);
        let life = functions::LIFE;
        assert_eq!(missing(at("0-0", 0), source(at("1-0", 1), at("9-0", 9))), None);
        assert_eq!(missing(at("2-0", 2), source(at("7-0", 7), at("9-0", 9))), Some(4));
        assert_eq!(missing(at("8-0", 8), source(at("7-0", 7), at("9-0", 9))), None);
        assert_eq!(missing(at("2-0", 2), source(None, None)), None, "it has lost all");
        assert_eq!(missing(at("2-0", 2), source(None, at("9-0", life))), None, "a new life");
        assert_eq!(missing(at("2-0", 2), source(at("9-0", life + 1), at("9-0", life + 1))), None);
        assert_eq!(
            missing(at("2-0", 2), source(at("9-0", life + 4), at("9-9", life + 9))),
            Some(3)
        );
    }
}
