//! The rows of a history as bytes, in a file without a name: parsed once, read many times.
//!
//! Checkers judge the keys of a history span by span, because they hold only a part of it in
//! memory. Parsing JSON each time would take most of the time of a report, so a row takes some 30
//! bytes here. Rows go into buckets by their keys as they arrive, so that reading a span of keys
//! reads only its own buckets. The file is gone when it is dropped, however redrill ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::files::make;
use crate::model::op::{
    Action, CacheOp, Cause, CounterOp, Ended, ExpiryOp, FoundIn, LockOp, Op, OpHead, Outcome, Part,
    Purpose, QueueOp, Redirects, RegisterOp, SetOp, TransferOp,
};
use crate::model::{KeySpan, Nanos, bucket};

/// With 500,000 rows of a checker in memory, a history of 100 million needs 200 spans.
const BUCKETS: usize = 256;

/// A bucket is written in blocks of about this size, each of whole rows.
const BLOCK: usize = 1 << 14;

/// All rows that were pushed. What they met of redirects is left out.
pub struct Packed {
    file: File,
    /// Bytes of the file.
    length: u64,
    rows: usize,
    buckets: Vec<Bucket>,
}

#[derive(Default)]
struct Bucket {
    /// Where the blocks that were written begin, and their bytes.
    written: Vec<(u64, usize)>,
    /// The rows that follow.
    block: Vec<u8>,
}

impl Packed {
    /// In the folder for temporary files. Small containers have none: then in `instead`.
    ///
    /// # Errors
    /// Neither can hold a file.
    pub fn new(instead: &Path) -> io::Result<Packed> {
        let file = make::nameless(&std::env::temp_dir()).or_else(|_| make::nameless(instead))?;
        let buckets = (0..BUCKETS).map(|_| Bucket::default()).collect();
        Ok(Packed { file, length: 0, rows: 0, buckets })
    }

    /// # Errors
    /// The disk is full.
    pub fn push(&mut self, op: &Op) -> io::Result<()> {
        let Bucket { written, block } =
            &mut self.buckets[bucket(op.head(), BUCKETS as u64) as usize];
        pack(op, block);
        self.rows += 1;
        if block.len() >= BLOCK {
            self.file.write_all_at(block, self.length)?;
            written.push((self.length, block.len()));
            self.length += block.len() as u64;
            block.clear();
        }
        Ok(())
    }

    /// How many rows were pushed.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Passes the rows of `span` that are `wanted` to `on_row`. Rows of one key come in the order
    /// in which they were pushed.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn each(
        &self,
        span: KeySpan,
        wanted: &dyn Fn(OpHead) -> bool,
        on_row: &mut dyn FnMut(&Op),
    ) -> io::Result<()> {
        let held = |head| span.holds(head) && wanted(head);
        let mut bytes = Vec::new();
        for (index, is_whole) in span.buckets(BUCKETS as u64) {
            let wanted: &dyn Fn(OpHead) -> bool = if is_whole { wanted } else { &held };
            let Bucket { written, block } = &self.buckets[index as usize];
            for (at, length) in written {
                bytes.resize(*length, 0);
                self.file.read_exact_at(&mut bytes, *at)?;
                rows(&bytes, wanted, on_row)?;
            }
            rows(block, wanted, on_row)?;
        }
        Ok(())
    }
}

fn rows(
    mut bytes: &[u8],
    wanted: &dyn Fn(OpHead) -> bool,
    on_row: &mut dyn FnMut(&Op),
) -> io::Result<()> {
    let no_row = || io::Error::from(io::ErrorKind::InvalidData);
    while !bytes.is_empty() {
        let (mut row, rest) = split_row(bytes).ok_or_else(no_row)?;
        let head = unpack_head(&mut row).ok_or_else(no_row)?;
        if wanted(head) {
            on_row(&unpack(head, &mut row).ok_or_else(no_row)?);
        }
        bytes = rest;
    }
    Ok(())
}

/// The first row without its length, and what follows it.
fn split_row(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Small numbers of either sign take few bytes.
fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value << 1 ^ value >> 63) as u64);
}

fn put_since(out: &mut Vec<u8>, at: Nanos, earlier: Nanos) {
    put_signed(out, at.0.wrapping_sub(earlier.0) as i64);
}

fn put_if(out: &mut Vec<u8>, value: Option<u64>) {
    put(out, u64::from(value.is_some()));
    value.into_iter().for_each(|value| put(out, value));
}

fn put_all(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = i64>) {
    put(out, values.len() as u64);
    values.for_each(|value| put_signed(out, value));
}

/// The row with its length before it.
fn pack(op: &Op, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend([0; 4]);
    pack_row(op, out);
    let length = (out.len() - begin - 4) as u32;
    out[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
}

fn pack_row(op: &Op, out: &mut Vec<u8>) {
    put(out, u64::from(op.load));
    put_if(out, op.shares.map(u64::from));
    put(out, op.key);
    let (outcome, cause) = match op.outcome {
        Outcome::Ok => (0, 0),
        Outcome::Fail(cause) => (1, cause as u64),
        Outcome::Unknown(cause) => (2, cause as u64),
    };
    put(out, outcome | (op.purpose as u64) << 2);
    put(out, cause);
    put(out, u64::from(op.instance));
    put(out, u64::from(op.process));
    put(out, u64::from(op.part.is_some()));
    if let Some(Part { session, step, began, late, last }) = op.part {
        put(out, session);
        put(out, u64::from(step) << 1 | u64::from(last));
        put(out, began.0);
        put(out, late.0);
    }
    put(out, u64::from(op.group));
    put_if(out, op.by.map(u64::from));
    put(out, op.intended.0);
    put_since(out, op.sent, op.intended);
    put_since(out, op.done, op.sent);
    pack_action(&op.action, out);
}

fn pack_action(action: &Action, out: &mut Vec<u8>) {
    let mut one = |kind, value| {
        put(out, kind);
        put(out, value);
    };
    match action {
        Action::Register(RegisterOp::Write(value)) => one(1, *value),
        Action::Set(SetOp::Insert(value)) => one(5, *value),
        Action::Queue(QueueOp::Push(value)) => one(8, *value),
        Action::Queue(QueueOp::Ack(value)) => one(10, *value),
        Action::Queue(QueueOp::Open) => one(7, 0),
        Action::Register(RegisterOp::Read(value)) => {
            put(out, 0);
            put_if(out, *value);
        }
        Action::Register(RegisterOp::Cas { from, to }) => {
            one(2, *to);
            put_if(out, *from);
        }
        Action::Counter(CounterOp::Read(value)) => {
            put(out, 3);
            put_if(out, *value);
        }
        Action::Counter(CounterOp::Add(value)) => {
            put(out, 4);
            put_if(out, *value);
        }
        Action::Queue(QueueOp::Pop(value)) => {
            put(out, 9);
            put_if(out, *value);
        }
        Action::Set(SetOp::Members(all)) => {
            put(out, 6);
            put_all(out, all.iter().map(|value| *value as i64));
        }
        Action::Queue(QueueOp::Drain(all)) => {
            put(out, 11);
            put_all(out, all.iter().map(|value| *value as i64));
        }
        Action::Transfer(TransferOp::Open(all)) => {
            put(out, 12);
            put_all(out, all.iter().copied());
        }
        Action::Transfer(TransferOp::Balances(all)) => {
            put(out, 13);
            put_all(out, all.iter().copied());
        }
        Action::Transfer(TransferOp::Move { from, to, amount, others, fails }) => {
            one(14, u64::from(*from));
            put(out, u64::from(*to));
            put(out, u64::from(*amount));
            put(out, u64::from(*fails));
            put_all(out, others.iter().copied().map(i64::from));
        }
        Action::Lock(action) => pack_lock(*action, out),
        Action::Cache(CacheOp::Write { version, at, commands }) => {
            one(22, *version);
            put(out, at.0);
            put_if(out, commands.map(u64::from));
        }
        Action::Cache(CacheOp::Held { version, ended, in_host }) => {
            one(if *in_host { 26 } else { 24 }, *version);
            put(out, *ended as u64);
        }
        Action::Cache(CacheOp::Guarded) => put(out, 25),
        Action::Cache(CacheOp::Warmed { step, has, left }) => {
            one(31, u64::from(*step));
            put(out, u64::from(*has));
            put_if(out, left.map(|(version, _)| version));
            left.iter().for_each(|(_, until)| put(out, until.0));
        }
        Action::Cache(CacheOp::Lost { version }) => one(27, *version),
        Action::Cache(CacheOp::Broken) => put(out, 28),
        Action::Cache(CacheOp::Coded { copies, bytes, nanos }) => {
            one(29, *copies);
            put(out, *bytes);
            put(out, *nanos);
        }
        Action::Cache(CacheOp::Swept { older }) => {
            put(out, 30);
            put_if(out, *older);
        }
        Action::Cache(CacheOp::Read { version, from, asked, kept, met }) => {
            one(23, *from as u64);
            put_if(out, *version);
            put_if(out, asked.map(|(from, _)| from.0));
            asked.iter().for_each(|(from, to)| put_since(out, *to, *from));
            put_if(out, kept.map(|at| at.0));
            put_if(out, met.map(|at| at.0));
        }
        Action::Expiry(ExpiryOp::Set { value, lives }) => {
            one(40, *value);
            put(out, lives.0);
        }
        Action::Expiry(ExpiryOp::Look { value, ends, replica, found }) => {
            one(if *replica { 42 } else { 41 }, *value);
            put(out, ends.0);
            put_if(out, *found);
        }
    }
}

fn pack_lock(action: LockOp, out: &mut Vec<u8>) {
    let mut all = |kind, flag: bool| {
        put(out, kind);
        put(out, action.token());
        put(out, u64::from(flag));
    };
    match action {
        LockOp::Acquire { shared, got, .. } => {
            all(15, shared);
            put_if(out, got);
        }
        LockOp::Wait { woken, .. } => all(20, woken),
        LockOp::Extend { held, .. } => all(16, held),
        LockOp::Release { held, .. } => all(17, held),
        LockOp::Abort { held, found, .. } => {
            all(21, held);
            put(out, found.0);
        }
        LockOp::Read { balance, .. } => {
            all(18, false);
            put_if(out, balance);
        }
        LockOp::Write { balance, fence, taken, .. } => {
            all(19, taken);
            put(out, balance);
            put(out, fence);
        }
    }
}

#[inline]
fn get(bytes: &mut &[u8]) -> Option<u64> {
    match bytes.split_first()? {
        // Most numbers take one byte.
        (byte, rest) if *byte < 0x80 => {
            *bytes = rest;
            Some(u64::from(*byte))
        }
        _ => get_long(bytes),
    }
}

fn get_long(bytes: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

fn get_signed(bytes: &mut &[u8]) -> Option<i64> {
    let value = get(bytes)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn get_since(bytes: &mut &[u8], earlier: Nanos) -> Option<Nanos> {
    Some(Nanos(earlier.0.wrapping_add(get_signed(bytes)? as u64)))
}

fn get_if(bytes: &mut &[u8]) -> Option<Option<u64>> {
    Some(if get(bytes)? == 0 { None } else { Some(get(bytes)?) })
}

fn get_all<T>(bytes: &mut &[u8], of: impl Fn(i64) -> T) -> Option<Box<[T]>> {
    let count = get(bytes)?;
    (0..count).map(|_| get_signed(bytes).map(&of)).collect()
}

/// How the row begins; none if these are not the bytes of one.
fn unpack_head(bytes: &mut &[u8]) -> Option<OpHead> {
    let load = get(bytes)? as u8;
    let shares = get_if(bytes)?.map(|load| load as u8);
    Some(OpHead { load, shares, key: get(bytes)? })
}

/// The row that begins so; none if these are not the bytes of one.
fn unpack(head: OpHead, bytes: &mut &[u8]) -> Option<Op> {
    let OpHead { load, shares, key } = head;
    let bits = get(bytes)?;
    let cause = *Cause::ALL.get(get(bytes)? as usize)?;
    let outcome = match bits & 3 {
        0 => Outcome::Ok,
        1 => Outcome::Fail(cause),
        _ => Outcome::Unknown(cause),
    };
    let (instance, process) = (get(bytes)? as u16, get(bytes)? as u32);
    let part = match get(bytes)? {
        0 => None,
        _ => {
            let (session, step) = (get(bytes)?, get(bytes)?);
            let (began, late) = (Nanos(get(bytes)?), Nanos(get(bytes)?));
            let (step, last) = ((step >> 1) as u32, step & 1 == 1);
            Some(Part { session, step, began, late, last })
        }
    };
    let group = get(bytes)? as u8;
    let by = get_if(bytes)?.map(|node| node as u16);
    let intended = Nanos(get(bytes)?);
    let sent = get_since(bytes, intended)?;
    let done = get_since(bytes, sent)?;
    Some(Op {
        load,
        shares,
        instance,
        process,
        part,
        purpose: *Purpose::ALL.get((bits >> 2) as usize)?,
        group,
        key,
        action: unpack_action(bytes)?,
        by,
        intended,
        sent,
        done,
        outcome,
        redirects: Redirects::default(),
    })
}

fn unpack_action(bytes: &mut &[u8]) -> Option<Action> {
    let kind = get(bytes)?;
    Some(match kind {
        0 => Action::Register(RegisterOp::Read(get_if(bytes)?)),
        1 => Action::Register(RegisterOp::Write(get(bytes)?)),
        2 => {
            let to = get(bytes)?;
            Action::Register(RegisterOp::Cas { from: get_if(bytes)?, to })
        }
        3 => Action::Counter(CounterOp::Read(get_if(bytes)?)),
        4 => Action::Counter(CounterOp::Add(get_if(bytes)?)),
        5 => Action::Set(SetOp::Insert(get(bytes)?)),
        6 => Action::Set(SetOp::Members(get_all(bytes, |value| value as u64)?)),
        7 => get(bytes).map(|_| Action::Queue(QueueOp::Open))?,
        8 => Action::Queue(QueueOp::Push(get(bytes)?)),
        9 => Action::Queue(QueueOp::Pop(get_if(bytes)?)),
        10 => Action::Queue(QueueOp::Ack(get(bytes)?)),
        11 => Action::Queue(QueueOp::Drain(get_all(bytes, |value| value as u64)?)),
        12 => Action::Transfer(TransferOp::Open(get_all(bytes, |value| value)?)),
        13 => Action::Transfer(TransferOp::Balances(get_all(bytes, |value| value)?)),
        14 => {
            let (from, to) = (get(bytes)? as u16, get(bytes)? as u16);
            let (amount, fails) = (get(bytes)? as u32, get(bytes)? == 1);
            let others = get_all(bytes, |value| value as u16)?;
            Action::Transfer(TransferOp::Move { from, to, amount, others, fails })
        }
        22 => {
            let (version, at) = (get(bytes)?, Nanos(get(bytes)?));
            let commands = get_if(bytes)?.map(u32::try_from).transpose().ok()?;
            Action::Cache(CacheOp::Write { version, at, commands })
        }
        23 => {
            let from = *FoundIn::ALL.get(get(bytes)? as usize)?;
            let version = get_if(bytes)?;
            let asked = match get_if(bytes)?.map(Nanos) {
                Some(begun) => Some((begun, get_since(bytes, begun)?)),
                None => None,
            };
            let kept = get_if(bytes)?.map(Nanos);
            let met = get_if(bytes)?.map(Nanos);
            Action::Cache(CacheOp::Read { version, from, asked, kept, met })
        }
        24 | 26 => {
            let version = get(bytes)?;
            let ended = *Ended::ALL.get(get(bytes)? as usize)?;
            Action::Cache(CacheOp::Held { version, ended, in_host: kind == 26 })
        }
        25 => Action::Cache(CacheOp::Guarded),
        31 => {
            let (step, has) = (get(bytes)? as u32, get(bytes)? == 1);
            let left = match get_if(bytes)? {
                Some(version) => Some((version, Nanos(get(bytes)?))),
                None => None,
            };
            Action::Cache(CacheOp::Warmed { step, has, left })
        }
        27 => Action::Cache(CacheOp::Lost { version: get(bytes)? }),
        28 => Action::Cache(CacheOp::Broken),
        29 => {
            let (copies, bytes, nanos) = (get(bytes)?, get(bytes)?, get(bytes)?);
            Action::Cache(CacheOp::Coded { copies, bytes, nanos })
        }
        40 => Action::Expiry(ExpiryOp::Set { value: get(bytes)?, lives: Nanos(get(bytes)?) }),
        41 | 42 => {
            let (value, ends) = (get(bytes)?, Nanos(get(bytes)?));
            let (replica, found) = (kind == 42, get_if(bytes)?);
            Action::Expiry(ExpiryOp::Look { value, ends, replica, found })
        }
        30 => Action::Cache(CacheOp::Swept { older: get_if(bytes)? }),
        kind => Action::Lock(unpack_lock(kind, bytes)?),
    })
}

fn unpack_lock(kind: u64, bytes: &mut &[u8]) -> Option<LockOp> {
    let (token, flag) = (get(bytes)?, get(bytes)? == 1);
    Some(match kind {
        15 => LockOp::Acquire { token, shared: flag, got: get_if(bytes)? },
        16 => LockOp::Extend { token, held: flag },
        17 => LockOp::Release { token, held: flag },
        18 => LockOp::Read { token, balance: get_if(bytes)? },
        20 => LockOp::Wait { token, woken: flag },
        19 => LockOp::Write { token, balance: get(bytes)?, fence: get(bytes)?, taken: flag },
        21 => LockOp::Abort { token, held: flag, found: Nanos(get(bytes)?) },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
