//! Operations as the commands that servers know.

use redis::Cmd;

use super::reply::{self, Read};
use crate::load::workload::{Plan, Values};
use crate::model::Workload;
use crate::model::op::{Action, Purpose, key_name};
use crate::model::slot::slot_of;
use crate::spec::scenario::{Load, Wait};

/// One operation, as it is sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) slot: u16,
    pub(crate) command: Cmd,
    pub(crate) read: Read,
    /// What it changes is to reach replicas before it counts as done.
    pub(crate) wait: Option<Wait>,
}

/// The group, and the one consumer, of every stream: whose a pending element is does not matter.
const GROUP: &str = "redrill";

/// Compares the number at the beginning of a value, and answers with what it found instead.
const CAS: &str = "\
local found = redis.call('GET', KEYS[1])
local number = found and string.sub(found, 1, 21)
if (number or '') == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
return number";

/// A group that is there already is as good.
const PREPARE: &str = "\
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
return 1";

/// Delivers what was never delivered, and gives all that was not dealt with. Done twice it
/// gives the same. A group that was lost with its stream is made anew.
const DRAIN: &str = "\
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[1], 'STREAMS', KEYS[1], '>')
return redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[1], 'STREAMS', KEYS[1], '0')";

impl Request {
    /// `plan` as a command of `load`.
    pub(crate) fn new(load: &Load, plan: &Plan, purpose: Purpose, values: &mut Values) -> Request {
        let key = key_name(&load.name, plan.key);
        let (command, read) = match purpose {
            Purpose::Final => last(load.workload, &key),
            Purpose::Fill | Purpose::Load => command(load.workload, &key, plan, values),
        };
        let wait = load.wait.filter(|_| purpose == Purpose::Load && plan.action != Action::Read);
        Request { slot: slot_of(key.as_bytes()), command, read, wait }
    }

    /// Makes ready what must be there before the first operation on a key.
    pub(crate) fn prepare(load: &Load, key: u64) -> Option<Request> {
        let key = key_name(&load.name, key);
        let command = script(PREPARE, &key, &[GROUP.as_bytes()]);
        let slot = slot_of(key.as_bytes());
        let wanted = load.workload == Workload::Stream;
        wanted.then_some(Request { slot, command, read: reply::done, wait: None })
    }
}

fn command(workload: Workload, key: &str, plan: &Plan, values: &mut Values) -> (Cmd, Read) {
    let value = plan.value.unwrap_or_default();
    let stream = workload == Workload::Stream;
    match plan.action {
        Action::Read if workload == Workload::Counter => (of("GET", key), reply::counted),
        Action::Read => (of("GET", key), reply::value),
        Action::Write => (set(key, values.text(value, plan.size)), reply::done),
        Action::Cas => {
            let expected = plan.expected.map(|number| values.text(number, 0).to_vec());
            let written = values.text(value, plan.size);
            (script(CAS, key, &[&expected.unwrap_or_default(), written]), reply::swapped)
        }
        Action::Add => (of("INCR", key), reply::counted),
        Action::Insert => (with("SADD", key, values.text(value, plan.size)), reply::done),
        Action::Members => (of("SMEMBERS", key), reply::members),
        Action::Push if stream => {
            let mut add = of("XADD", key);
            add.arg("*").arg("v").arg(values.text(value, plan.size));
            (add, reply::done)
        }
        Action::Push => (with("LPUSH", key, values.text(value, plan.size)), reply::done),
        Action::Pop if stream => {
            let mut read = Cmd::new();
            read.arg("XREADGROUP").arg("GROUP").arg(GROUP).arg(GROUP).arg("COUNT").arg(1);
            read.arg("STREAMS").arg(key).arg(">");
            (read, reply::entries)
        }
        Action::Pop => (of("RPOP", key), reply::value),
        Action::Ack => {
            let mut ack = of("XACK", key);
            ack.arg(GROUP).arg(plan.entry.as_deref().unwrap_or_default());
            (ack, reply::done)
        }
    }
}

/// The final state of a key. Asked for twice, it is the same.
fn last(workload: Workload, key: &str) -> (Cmd, Read) {
    match workload {
        Workload::Register | Workload::Cas => (of("GET", key), reply::value),
        Workload::Counter => (of("GET", key), reply::counted),
        Workload::Set => (of("SMEMBERS", key), reply::members),
        Workload::Queue => {
            let mut range = of("LRANGE", key);
            range.arg(0).arg(-1);
            (range, reply::members)
        }
        Workload::Stream => (script(DRAIN, key, &[GROUP.as_bytes()]), reply::entries),
    }
}

fn of(name: &str, key: &str) -> Cmd {
    let mut command = Cmd::with_capacity(2, key.len() + name.len());
    command.arg(name).arg(key.as_bytes());
    command
}

fn with(name: &str, key: &str, value: &[u8]) -> Cmd {
    let mut command = Cmd::with_capacity(3, key.len() + value.len() + name.len());
    command.arg(name).arg(key.as_bytes()).arg(value);
    command
}

pub(crate) fn set(key: &str, value: &[u8]) -> Cmd {
    with("SET", key, value)
}

fn script(text: &str, key: &str, args: &[&[u8]]) -> Cmd {
    let mut command = Cmd::new();
    command.arg("EVAL").arg(text).arg(1).arg(key.as_bytes()).arg(args);
    command
}
