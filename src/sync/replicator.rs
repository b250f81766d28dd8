//! A replicator's work: it reads the outbox of one group, and applies it to another one.
//!
//! It works beside the source, and sends entries over the link without waiting for the answers to
//! those before, as servers replicate. If it asked the source over the link, an entry would wait
//! for the question to arrive. The position is in the target, and every applying names the entry
//! that it goes on from. So after any error, a new beginning from the position is right.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::try_join3;
use futures::stream::FuturesOrdered;
use parking_lot::Mutex;
use redis::Value;
use tokio::sync::mpsc;

use super::functions::{self, OUTBOX, Position, entries_between, numbers_of, same_life};
use super::link::{Link, Trouble};
use super::pass::Pass;
use super::protocol::{Order, Place, Progress};
use super::term::{self, Term};
use crate::spec::sync::SyncRule;

/// For so long a read waits for something to come.
const WAIT_MS: u64 = 100;
/// Before it begins anew after an error.
const PAUSE: Duration = Duration::from_millis(100);
/// Between questions for the number of the last entry.
const LOOK: Duration = Duration::from_millis(100);
/// Batches that wait to be applied.
const READ_AHEAD: usize = 2;
/// A batch is to have so many bytes at most, as far as the one before tells.
const BATCH_BYTES: usize = 4 << 20;
/// A server serves nobody else while it applies entries, so it gets them in pieces.
const AT_ONCE: usize = 100;
const AT_ONCE_BYTES: usize = 256 << 10;
/// What is on its way to the target and not answered. A link of 100 ms one way holds as much at
/// 20,000 entries of 250 bytes a second.
const UNDER_WAY_BYTES: usize = 1 << 20;
/// Between two reads, so that a server that is written all the time is not asked for each entry.
const GATHER: Duration = Duration::from_millis(1);

/// An entry of an outbox, as it goes into the function that applies it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    id: String,
    number: u64,
    /// Its number and instant, what was done, the key, and with what.
    parts: [Vec<u8>; 4],
}

impl Entry {
    fn bytes(&self) -> usize {
        self.id.len() + self.parts.iter().map(Vec::len).sum::<usize>()
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.id.as_bytes()).chain(self.parts.iter().map(Vec::as_slice))
    }
}

/// Carries what the order says, for ever. `progress` is how far it is.
pub async fn replicate(order: Order, rule: SyncRule, progress: Arc<Mutex<Progress>>) {
    let replicator = Replicator { order, rule, progress, number: AtomicU64::new(0) };
    loop {
        let Err(trouble) = replicator.carry().await;
        replicator.has_trouble(Some(trouble));
        tokio::time::sleep(PAUSE).await;
    }
}

struct Replicator {
    order: Order,
    rule: SyncRule,
    progress: Arc<Mutex<Progress>>,
    /// Of the last entry that was applied.
    number: AtomicU64,
}

impl Replicator {
    /// Carries from the position on, until something goes wrong.
    async fn carry(&self) -> Result<Infallible, Trouble> {
        let Order { from, to, password, .. } = &self.order;
        let password = password.as_deref();
        let (mut source, asked, mut target) = try_join3(
            Link::to_primary(from, password),
            Link::to_primary(from, password),
            Link::to_primary(to, password),
        )
        .await?;
        let looked_at = target.clone();
        // A server that was started without its data has no functions either.
        for (link, place) in [(&mut source, from), (&mut target, to)] {
            let writers = self.order.writers();
            link.ask::<Value>(&functions::load(self.rule, writers, &place.group, &place.tag))
                .await?;
        }
        // Before the target gets data, and would take writes as it did once.
        let known = self.bring_term(&mut source, &mut target, Term::default()).await?;
        let name_of_data = functions::name_of_data(&from.tag);
        // Before the source is looked at: what is lost after that is seen to be another.
        let source_has = source.ask(&name_of_data).await?;
        self.pass(&mut source, &mut target).await?;
        let target_has = target.ask(&name_of_data).await?;
        let told: String = target.ask(&functions::position(&from.group)).await?;
        let position =
            Position::parse(&told).ok_or_else(|| format!("strange position `{told}`"))?;
        self.reached(&position);
        self.has_trouble(None);
        let (give, batches) = mpsc::channel(READ_AHEAD);
        let carried = try_join3(
            self.read(source, position.clone(), give),
            self.apply(target, position.id, batches),
            self.look([(asked, from, source_has), (looked_at, to, target_has)], known),
        );
        carried.await.map(|(never, ..)| never)
    }

    /// What keeps it from going on; none if it does.
    fn has_trouble(&self, trouble: Option<Trouble>) {
        let mut progress = self.progress.lock();
        (progress.error, progress.refused) = match trouble {
            Some(Trouble { text, refused }) => (Some(text), refused),
            None => (None, None),
        };
    }

    /// Tells the target who takes the writes, if the source knows of a later term than `told`.
    /// Returns the latest that the target was told.
    async fn bring_term(
        &self,
        source: &mut Link,
        target: &mut Link,
        told: Term,
    ) -> Result<Term, Trouble> {
        if !self.order.standby {
            return Ok(told);
        }
        let tag = &self.order.from.tag;
        let known = Term::from(source.ask::<term::Answer>(&term::ask(tag)).await?);
        if known > told {
            target.ask::<Value>(&term::tell(&known, tag)).await?;
        }
        Ok(known.max(told))
    }

    /// Brings the target all that entries cannot bring it any more.
    async fn pass(&self, source: &mut Link, target: &mut Link) -> Result<(), Trouble> {
        let (from, to) = (&self.order.from.group, &self.order.to.group);
        let tag = &self.order.from.tag;
        let made = Pass { source, target, from, to, tag }.if_needed().await?;
        if let Some((reason, keys)) = made {
            let mut progress = self.progress.lock();
            progress.passes += 1;
            progress.pass = Some(format!("{reason}. So all keys, {keys}, were compared"));
        }
        Ok(())
    }

    fn reached(&self, position: &Position) {
        let mut progress = self.progress.lock();
        progress.position = Some(position.id.clone());
        progress.applied = position.applied;
        progress.discarded = position.discarded;
        let carried = self.number.swap(position.number, Ordering::Relaxed);
        let more = position.number.saturating_sub(carried);
        progress.behind = progress.behind.map(|behind| behind.saturating_sub(more));
    }

    /// Reads what comes after `position`, batch after batch.
    async fn read(
        &self,
        mut source: Link,
        position: Position,
        give: mpsc::Sender<Vec<Entry>>,
    ) -> Result<Infallible, Trouble> {
        let (mut after, mut number) = (position.id, position.number);
        let outbox = format!("{OUTBOX}{}", self.order.from.tag);
        let mut count = self.order.batch;
        loop {
            let mut read = redis::cmd("XREAD");
            read.arg("COUNT").arg(count).arg("BLOCK").arg(WAIT_MS);
            read.arg("STREAMS").arg(&outbox).arg(&after);
            let entries = entries(source.ask(&read).await?)?;
            let Some(last) = entries.last() else { continue };
            after.clone_from(&last.id);
            if has_gap(number, &entries) {
                return Err("entries are missing in the outbox".into());
            }
            if begins_again(number, &entries) {
                let last: Option<u64> = source.ask(&functions::last(&self.order.from.tag)).await?;
                if same_life(number, last.unwrap_or(0)) {
                    // Once these were applied, nobody would see what is missing.
                    return Err("the source lacks writes that it has to get back first".into());
                }
            }
            number = last.number;
            let each = entries.iter().map(Entry::bytes).sum::<usize>() / entries.len();
            count = (BATCH_BYTES / each.max(1)).clamp(1, self.order.batch);
            give.send(entries).await.map_err(|_| "nothing is applied any more")?;
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Applies batch after batch, from the entry `after` on. It does not wait for an answer before
    /// it sends the next piece: each names the entry that it goes on from.
    async fn apply(
        &self,
        target: Link,
        mut after: String,
        mut batches: mpsc::Receiver<Vec<Entry>>,
    ) -> Result<Infallible, Trouble> {
        let mut under_way = FuturesOrdered::new();
        let mut bytes = 0;
        loop {
            tokio::select! {
                batch = batches.recv(), if bytes < UNDER_WAY_BYTES => {
                    let batch = batch.ok_or("nothing is read any more")?;
                    for piece in pieces(&batch) {
                        let size = piece.iter().map(Entry::bytes).sum::<usize>();
                        let answer = self.send(&target, piece, &mut after);
                        under_way.push_back(async move { (size, answer.await) });
                        bytes += size;
                    }
                }
                Some((size, position)) = under_way.next() => {
                    bytes -= size;
                    self.reached(&position?);
                }
            }
        }
    }

    /// Applies a piece that follows the entry `after`, which becomes its last one. The answer is
    /// the position.
    fn send(
        &self,
        target: &Link,
        piece: &[Entry],
        after: &mut String,
    ) -> impl Future<Output = Result<Position, Trouble>> + use<> {
        let words = piece.iter().flat_map(Entry::words);
        let apply = functions::apply(&self.order.from.group, after, words);
        after.clone_from(&piece[piece.len() - 1].id);
        let (mut target, last) = (target.clone(), after.clone());
        async move {
            let told: String = target.ask(&apply).await?;
            let position = Position::parse(&told).filter(|position| position.id == last);
            position
                .ok_or_else(|| format!("the position is `{told}`, and was to be `{last}`").into())
        }
    }

    /// Asks the source, the first of `both`, how far it is, and for its term, of which the target
    /// `knows` an earlier one; and both whether they are primaries still and have the data that they
    /// had.
    async fn look(
        &self,
        mut both: [(Link, &Place, Option<String>); 2],
        mut knows: Term,
    ) -> Result<Infallible, Trouble> {
        let tag = &self.order.from.tag;
        let (ask_last, name_of_data) = (functions::last(tag), functions::name_of_data(tag));
        loop {
            let [(source, ..), (target, ..)] = &mut both;
            knows = self.bring_term(source, target, knows).await?;
            let last: Option<u64> = source.ask(&ask_last).await?;
            let carried = self.number.load(Ordering::Relaxed);
            self.progress.lock().behind = Some(entries_between(carried, last.unwrap_or(0)));
            for (link, Place { group, .. }, had) in &mut both {
                if !link.is_primary().await? {
                    return Err(
                        format!("another node is the primary of group `{group}` now").into()
                    );
                }
                let has: Option<String> = link.ask(&name_of_data).await?;
                if has.is_none() || has != *had {
                    return Err(format!("group `{group}` has lost its data").into());
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether entries after number `last` have numbers that others had: the source has lost those. If
/// it has not begun another life since, nobody has noticed yet.
fn begins_again(last: u64, entries: &[Entry]) -> bool {
    entries.first().is_some_and(|first| first.number <= last && same_life(first.number, last))
}

/// Whether entries should be between number `last` and the first one, or between two of them.
fn has_gap(last: u64, entries: &[Entry]) -> bool {
    let numbers = std::iter::once(last).chain(entries.iter().map(|entry| entry.number));
    let mut pairs = numbers.clone().zip(numbers.skip(1));
    pairs.any(|(one, next)| entries_between(one, next) > 1)
}

/// So many entries as a server is to apply at once.
fn pieces(batch: &[Entry]) -> Vec<&[Entry]> {
    let (mut pieces, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, entry) in batch.iter().enumerate() {
        if at > begin && (at - begin == AT_ONCE || bytes + entry.bytes() > AT_ONCE_BYTES) {
            pieces.push(&batch[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += entry.bytes();
    }
    pieces.extend((begin < batch.len()).then(|| &batch[begin..]));
    pieces
}

/// The answer of XREAD on one stream: nil, or the stream's name and its entries.
/// <https://redis.io/docs/latest/commands/xread/>
fn entries(answer: Value) -> Result<Vec<Entry>, String> {
    let strange = || "an answer to XREAD was not understood".to_owned();
    let Value::Array(streams) = answer else {
        return if answer == Value::Nil { Ok(Vec::new()) } else { Err(strange()) };
    };
    let Some(Value::Array(stream)) = streams.into_iter().next() else { return Err(strange()) };
    let Some(Value::Array(all)) = stream.into_iter().nth(1) else { return Err(strange()) };
    all.into_iter().map(|one| entry(one).ok_or_else(strange)).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let text = |value: Value| match value {
        Value::BulkString(text) => Some(text),
        _ => None,
    };
    let Value::Array(both) = value else { return None };
    let [id, Value::Array(fields)] = <[Value; 2]>::try_from(both).ok()? else { return None };
    let id = String::from_utf8(text(id)?).ok()?;
    numbers_of(&id)?;
    // Each value comes after its name.
    let values: Vec<Vec<u8>> = fields.into_iter().skip(1).step_by(2).filter_map(text).collect();
    let parts = <[Vec<u8>; 4]>::try_from(values).ok()?;
    let number = std::str::from_utf8(&parts[0]).ok()?.split(' ').next()?.parse().ok()?;
    Some(Entry { id, number, parts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: u64, size: usize) -> Entry {
        let parts = [format!("{number} 1").into(), b"set".into(), b"k".into(), vec![b'x'; size]];
        Entry { id: format!("{number}-0"), number, parts }
    }

    fn all(numbers: &[u64]) -> Vec<Entry> {
        numbers.iter().map(|number| numbered(*number, 1)).collect()
    }

    #[test]
    fn what_was_cut_off_is_seen_and_a_source_that_lost_some_goes_on() {
        assert!(!has_gap(0, &all(&[1, 2, 3])));
        assert!(has_gap(0, &all(&[4, 5])), "from the beginning");
        assert!(has_gap(7, &all(&[8, 11])));
        assert!(!has_gap(7, &all(&[5, 6])), "its last entries were lost with a primary");
        assert!(begins_again(7, &all(&[5, 6])) && begins_again(7, &all(&[7])));
        assert!(!begins_again(7, &all(&[8])) && !begins_again(0, &all(&[1])));
        assert!(!begins_again(7, &all(&[functions::LIFE + 1])), "another life begins");
        assert!(!has_gap(7, &all(&[functions::LIFE + 1])), "another life begins");
        assert!(has_gap(7, &all(&[functions::LIFE + 2])));
        assert!(!has_gap(7, &[]));
    }

    #[test]
    fn pieces_are_small_and_together_they_are_the_batch() {
        let many: Vec<Entry> = (1..=250).map(|n| numbered(n, 1)).collect();
        let sizes = |batch: &[Entry]| pieces(batch).iter().map(|p| p.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&many), [100, 100, 50]);
        let large: Vec<Entry> = (1..=3).map(|n| numbered(n, AT_ONCE_BYTES)).collect();
        assert_eq!(sizes(&large), [1, 1, 1], "one at least");
        assert_eq!(sizes(&[]), [0; 0]);
    }

    #[test]
    fn entries_are_read_as_xread_gives_them() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let fields = ["d", "3 99", "o", "set", "k", "a:1", "v", "x"].map(bulk).to_vec();
        let one = Value::Array(vec![bulk("5-0"), Value::Array(fields)]);
        let stream = |all| Value::Array(vec![Value::Array(vec![bulk(OUTBOX), Value::Array(all)])]);
        let read = entries(stream(vec![one])).unwrap();
        assert_eq!((read[0].number, &*read[0].id), (3, "5-0"));
        assert_eq!(read[0].parts[2], b"a:1");
        assert_eq!(entries(Value::Nil), Ok(vec![]));
        let short = Value::Array(vec![bulk("5-0"), Value::Array(vec![bulk("d"), bulk("1 1")])]);
        assert!(entries(stream(vec![short])).is_err() && entries(Value::Okay).is_err());
    }
}
