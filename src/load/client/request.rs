//! Operations as the commands that servers know, and what an answer or an error says.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};

use crate::model::op::{Action, Cause, ExpiryOp, QueueOp, RegisterOp};
use crate::spec::scenario::Wait;
use crate::sync::term::STANDBY;

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
    /// One that may keep its connection waiting, so nobody else uses that meanwhile.
    Alone(Cmd),
    /// A question to a replica of the key's slot. It follows no redirects.
    OfReplica(Cmd),
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
    /// What follows from what `read` told of a single key. Nothing holds the two together. A
    /// redirect sends the client back to reading: what ASK says is of one key.
    Followed {
        read: Cmd,
        then: Then,
    },
    /// The same while the client has a lock.
    Locked(Box<Locked>),
}

/// What is done on a key by whoever has a lock, which lies in the same slot.
pub(crate) struct Locked {
    /// Answered with a number, unless somebody else has it.
    pub(crate) acquire: (Cmd, Read),
    pub(crate) read: Cmd,
    pub(crate) then: Then,
    pub(crate) release: (Cmd, Read),
}

/// What is to be done after something was read.
pub(crate) type Then = Rc<dyn Fn(&Value) -> Option<Vec<Cmd>>>;

impl Commands {
    /// How many they are, MULTI and EXEC among them.
    pub(crate) fn count(&self) -> u32 {
        match self {
            Commands::One(_) | Commands::Alone(_) | Commands::OfReplica(_) => 1,
            Commands::Transaction(commands) => commands.len() as u32 + 2,
            Commands::Pipeline(commands) => commands.len() as u32,
            // What follows is one command, mostly.
            Commands::Watched { .. } => 5,
            Commands::Followed { .. } => 2,
            Commands::Locked(_) => 4,
        }
    }
}

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

/// A script with its keys and arguments.
pub(crate) fn script(text: &str, keys: &[impl AsRef<str>], args: &[&[u8]]) -> Cmd {
    let mut command = Cmd::new();
    command.arg("EVAL").arg(text).arg(keys.len());
    keys.iter().for_each(|key| _ = command.arg(key.as_ref()));
    command.arg(args);
    command
}

/// What an operation came to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplyValue {
    /// It was done.
    Done,
    /// It was done, or something else was: with what was found.
    Found(Action),
    /// An element came out of a stream, with its id there; none if there was none.
    Delivered(Option<(String, u64)>),
    /// A number, or none: what it says about a lock depends on what was asked.
    Number(Option<u64>),
    /// What is there, or nothing.
    Bytes(Option<Vec<u8>>),
    /// Some of the names of keys, and where to go on looking for more; 0 if there are none.
    Scanned(u64, Vec<String>),
    /// Somebody else has the lock, for so long at most if it is not extended.
    Taken(Duration),
    /// What a library tells of a lock that it tried to get: its fencing token, 0 if it has none, or
    /// nothing if somebody else has it; how long the try took; and how long the lock is valid after
    /// that, if the library says so.
    Lease { got: Option<u64>, took: Duration, valid: Option<Duration> },
}

/// Reads an answer; `None` if it is not of the kind that is looked for. A value that no load
/// wrote is not.
pub(crate) type Read = fn(&Value) -> Option<ReplyValue>;

/// Of commands whose answer says no more than that they were done.
pub(crate) fn done(value: &Value) -> Option<ReplyValue> {
    matches!(value, Value::Okay | Value::Int(_) | Value::BulkString(_)).then_some(ReplyValue::Done)
}

/// Of a register.
pub(crate) fn value(value: &Value) -> Option<ReplyValue> {
    element(value).map(|found| ReplyValue::Found(Action::Register(RegisterOp::Read(found))))
}

/// The number of a value that a load wrote, or that there is none.
pub(crate) fn element(value: &Value) -> Option<Option<u64>> {
    match value {
        Value::Nil => Some(None),
        Value::BulkString(text) => number_of(text).map(Some),
        _ => None,
    }
}

/// The numbers of several.
pub(crate) fn elements(value: &Value) -> Option<Box<[u64]>> {
    let (Value::Array(elements) | Value::Set(elements)) = value else { return None };
    elements.iter().map(|one| element(one)?).collect()
}

/// The number of a value as the server gave it: 20 digits before a colon.
pub(crate) fn number_of(text: &[u8]) -> Option<u64> {
    let (digits, _) = text.split_at_checked(20).filter(|(_, rest)| rest.starts_with(b":"))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl ReplyValue {
    /// What `planned` has become.
    pub(crate) fn action(&self, planned: Action) -> Action {
        match self {
            ReplyValue::Done | ReplyValue::Bytes(_) | ReplyValue::Scanned(..) => planned,
            ReplyValue::Found(action) => action.clone(),
            ReplyValue::Delivered(out) => {
                Action::Queue(QueueOp::Pop(out.as_ref().map(|(_, value)| *value)))
            }
            ReplyValue::Number(number) | ReplyValue::Lease { got: number, .. } => match planned {
                Action::Lock(asked) => Action::Lock(asked.told(*number)),
                Action::Expiry(ExpiryOp::Look { value, ends, replica, .. }) => {
                    Action::Expiry(ExpiryOp::Look { value, ends, replica, found: *number })
                }
                other => other,
            },
            ReplyValue::Taken(_) => ReplyValue::Number(None).action(planned),
        }
    }

    /// What was read of a register.
    pub(crate) fn value(&self) -> Option<u64> {
        match self {
            ReplyValue::Found(Action::Register(RegisterOp::Read(value))) => *value,
            ReplyValue::Found(_)
            | ReplyValue::Done
            | ReplyValue::Delivered(_)
            | ReplyValue::Number(_)
            | ReplyValue::Bytes(_)
            | ReplyValue::Scanned(..)
            | ReplyValue::Taken(_)
            | ReplyValue::Lease { .. } => None,
        }
    }

    /// Whether something was changed, by an operation that may change something.
    pub(crate) fn is_change(&self) -> bool {
        match self {
            ReplyValue::Done => true,
            ReplyValue::Found(action) => action.changed(),
            ReplyValue::Delivered(out) => out.is_some(),
            ReplyValue::Number(number) | ReplyValue::Lease { got: number, .. } => number.is_some(),
            ReplyValue::Taken(_) | ReplyValue::Bytes(_) | ReplyValue::Scanned(..) => false,
        }
    }
}

/// An answer without an error, or the answers to several commands of which some were carried out.
///
/// Errors: it is one, or all of them are.
pub(super) fn carried_out(answer: Value) -> RedisResult<Value> {
    if is_in_part(&answer) { Ok(answer) } else { answer.extract_error() }
}

/// Some of the commands of a transaction or a script were carried out, and others failed: a server
/// takes nothing back.
pub(super) fn is_in_part(answer: &Value) -> bool {
    let Value::Array(all) = answer else { return false };
    let failed = all.iter().filter(|one| matches!(one, Value::ServerError(_))).count();
    failed > 0 && failed < all.len()
}

/// What a client does on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The slot has moved to this node permanently.
    Moved(SocketAddr),
    /// The slot is moving to this node; ask there for this key only.
    Ask(SocketAddr),
    TryAgain,
    /// The server refused and did nothing.
    Refused(Cause),
    /// The connection cannot be used any more, and the request may have been carried out.
    Lost,
}

/// `at` is the node that answered: a redirect may leave out the address if it is the same.
pub(crate) fn classify(error: &RedisError, at: IpAddr) -> Reply {
    let redirect = || {
        let (address, _) = error.redirect_node()?;
        parse_address(address, at)
    };
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::Moved) => {
            redirect().map_or(Reply::Refused(Cause::Other), Reply::Moved)
        }
        ErrorKind::Server(ServerErrorKind::Ask) => {
            redirect().map_or(Reply::Refused(Cause::Other), Reply::Ask)
        }
        ErrorKind::Server(ServerErrorKind::TryAgain) => Reply::TryAgain,
        ErrorKind::Server(_) | ErrorKind::Extension => Reply::Refused(refusal(error)),
        _ => Reply::Lost,
    }
}

/// Why the server refused, where `error` is an error reply.
pub(crate) fn refusal(error: &RedisError) -> Cause {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ClusterDown) => Cause::ClusterDown,
        ErrorKind::Server(ServerErrorKind::BusyLoading) => Cause::Loading,
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Cause::ReadOnly,
        ErrorKind::Server(ServerErrorKind::MasterDown) => Cause::MasterDown,
        ErrorKind::Server(ServerErrorKind::TryAgain) => Cause::TryAgain,
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => Cause::Redirects,
        _ if error.code() == Some("OOM") => Cause::OutOfMemory,
        _ if error.code() == Some("MISCONF") => Cause::Misconf,
        _ if error.code() == Some(STANDBY) => Cause::Standby,
        _ if error.code() == Some("NOREPLICAS") => Cause::NoReplicas,
        _ => Cause::Other,
    }
}

/// `127.0.0.1:7000`, `::1:7000`, or `:7000` if the node does not give its own address.
pub(crate) fn parse_address(text: &str, at: IpAddr) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let host = if host.is_empty() || host == "?" { at } else { host.parse().ok()? };
    Some(SocketAddr::new(host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_loads_are_read_and_others_are_not() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let five = bulk("00000000000000000005:abc");
        let read = |found| Some(ReplyValue::Found(Action::Register(RegisterOp::Read(found))));
        assert_eq!((value(&Value::Nil), value(&five)), (read(None), read(Some(5))));
        assert_eq!(value(&bulk("something else that is long")), None, "no load wrote that");
        assert_eq!(number_of(b"12"), None);
        let twice = Value::Array(vec![five.clone(), five]);
        assert_eq!(elements(&twice).as_deref(), Some(&[5, 5][..]));
        assert_eq!(elements(&Value::Array(vec![bulk("x")])), None);
    }

    #[test]
    fn what_was_carried_out_in_part_is_no_error_and_no_success() {
        let answer = |text: &str| redis::parse_redis_value(text.as_bytes()).unwrap();
        let in_part = answer("*2\r\n:1\r\n-WRONGTYPE no list\r\n");
        assert!(is_in_part(&in_part) && carried_out(in_part).is_ok());
        let none = answer("*1\r\n-WRONGTYPE no list\r\n");
        assert!(!is_in_part(&none) && carried_out(none).is_err());
        assert!(!is_in_part(&answer("*2\r\n:1\r\n+OK\r\n")));
    }

    #[test]
    fn addresses_of_redirects_in_all_their_forms() {
        let at: IpAddr = "127.0.0.9".parse().unwrap();
        let parse = |text| parse_address(text, at).map(|address| address.to_string());
        assert_eq!(parse("127.0.0.1:7000").as_deref(), Some("127.0.0.1:7000"));
        assert_eq!(parse(":7000").as_deref(), Some("127.0.0.9:7000"));
        assert_eq!(parse("?:7000").as_deref(), Some("127.0.0.9:7000"));
        assert_eq!(parse("::1:7000").as_deref(), Some("[::1]:7000"));
        assert_eq!(parse("7000"), None);
        assert_eq!(parse("127.0.0.1:x"), None);
    }
}
