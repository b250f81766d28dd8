//! What an operation does to its key: one type for each family of keys, so that a checker takes
//! the family that it judges and nothing else can be said.

use serde::{Deserialize, Serialize};

/// What was done, with what it brought and what it found. An operation that did not end ok found
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Register(RegisterOp),
    Counter(CounterOp),
    Set(SetOp),
    Queue(QueueOp),
    Transfer(TransferOp),
}

/// On a key that holds what the last write left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegisterOp {
    /// What was found; none if there was no key.
    Read(Option<u64>),
    Write(u64),
    /// The value becomes `to` if it is `from`; none if there must be no key. A compare-and-set
    /// that finds another value is recorded as a read.
    Cas {
        from: Option<u64>,
        to: u64,
    },
}

/// On a key that is counted up by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CounterOp {
    /// The total; none if there was no key.
    Read(Option<u64>),
    /// The total that the increment came to.
    Add(Option<u64>),
}

/// On a key that is a set of elements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetOp {
    Insert(u64),
    /// All elements, as the server told them: one may stand twice. Only final reads keep them.
    Members(Box<[u64]>),
}

/// On a key that elements go into and come out of: a list, or a stream with a consumer group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueOp {
    Push(u64),
    /// What came out; none if the queue was empty.
    Pop(Option<u64>),
    /// An element of a stream, which came out before, has been dealt with.
    Ack(u64),
    /// All that was left at the end.
    Drain(Box<[u64]>),
}

/// On a bank: a key with several accounts, which are read and changed together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferOp {
    /// Each account gets so much, before the load.
    Open(Box<[i64]>),
    Move {
        from: u16,
        to: u16,
        amount: u32,
    },
    /// What each account held.
    Balances(Box<[i64]>),
}

impl Action {
    /// Whether it changed something, if it ended ok.
    pub fn changed(&self) -> bool {
        match self {
            Action::Register(action) => !matches!(action, RegisterOp::Read(_)),
            Action::Counter(action) => !matches!(action, CounterOp::Read(_)),
            Action::Set(action) => !matches!(action, SetOp::Members(_)),
            Action::Queue(action) => !matches!(action, QueueOp::Pop(None) | QueueOp::Drain(_)),
            Action::Transfer(action) => !matches!(action, TransferOp::Balances(_)),
        }
    }

    /// The value that it leaves in a register, if it ends ok.
    pub fn written(&self) -> Option<u64> {
        match self {
            Action::Register(RegisterOp::Write(value) | RegisterOp::Cas { to: value, .. }) => {
                Some(*value)
            }
            Action::Register(RegisterOp::Read(_))
            | Action::Counter(_)
            | Action::Set(_)
            | Action::Queue(_)
            | Action::Transfer(_) => None,
        }
    }
}
