//! Operations as the commands that servers know.

use redis::{Cmd, Value};

use super::reply::Read;
use crate::spec::scenario::Wait;

/// One operation, as it is sent.
pub(crate) struct Request {
    pub(crate) slot: u16,
    pub(crate) commands: Commands,
    pub(crate) read: Read,
    /// What it changes is to reach replicas before it counts as done.
    pub(crate) wait: Option<Wait>,
}

/// What is sent for one operation. All keys are of one slot.
pub(crate) enum Commands {
    One(Cmd),
    /// All of them or none, between MULTI and EXEC.
    Transaction(Vec<Cmd>),
    /// In one go, and nothing holds them together: each is done or not.
    Pipeline(Vec<Cmd>),
    /// A transaction that follows from what `read` told, if nobody has changed that meanwhile
    /// (WATCH). `then` gives none if it does not understand what was read.
    Watched {
        watch: Cmd,
        read: Cmd,
        then: Then,
    },
}

/// What is to be done after something was read.
pub(crate) type Then = Box<dyn Fn(&Value) -> Option<Vec<Cmd>>>;

impl From<Cmd> for Commands {
    fn from(command: Cmd) -> Commands {
        Commands::One(command)
    }
}

/// A command of a key alone.
pub(crate) fn of(name: &str, key: &str) -> Cmd {
    let mut command = Cmd::with_capacity(2, key.len() + name.len());
    command.arg(name).arg(key.as_bytes());
    command
}

pub(crate) fn with(name: &str, key: &str, value: &[u8]) -> Cmd {
    let mut command = Cmd::with_capacity(3, key.len() + value.len() + name.len());
    command.arg(name).arg(key.as_bytes()).arg(value);
    command
}

pub(crate) fn set(key: &str, value: &[u8]) -> Cmd {
    with("SET", key, value)
}

pub(crate) fn script(text: &str, key: &str, args: &[&[u8]]) -> Cmd {
    let mut command = Cmd::new();
    command.arg("EVAL").arg(text).arg(1).arg(key.as_bytes()).arg(args);
    command
}
