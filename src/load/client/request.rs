//! Operations as the commands that servers know.

use redis::Cmd;

use super::reply::Read;
use crate::spec::scenario::Wait;

/// One operation, as it is sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) slot: u16,
    pub(crate) command: Cmd,
    pub(crate) read: Read,
    /// What it changes is to reach replicas before it counts as done.
    pub(crate) wait: Option<Wait>,
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
