//! What a process hears of changes, from servers or from writers.

use std::rc::Rc;

use redis::{PushInfo, PushKind, Value};

use super::of;
use super::way::At;
use crate::load::Targets;
use crate::load::cache::process::Process;
use crate::load::client::{ClientOptions, Ear, Listener};

/// Hears of writes, if anybody tells.
pub(in crate::load::cache) fn listen(
    process: &Rc<Process>,
    targets: &Targets,
    instance: u16,
    options: ClientOptions,
) {
    let count = targets.nodes.len();
    if process.copies.is_empty() || count == 0 {
        return;
    }
    let Some((at, topic)) = of(process.cache.invalidate).listens(process) else { return };
    let one = usize::from(instance) % count;
    let nodes = match at {
        At::OneNode => one..one + 1,
        At::EachNode => 0..count,
    };
    for node in nodes {
        let (address, from) = (targets.nodes[node], targets.told_at(instance));
        let ear = Ear { node: node as u16, address, from, topic: topic.clone() };
        let password = targets.password.clone();
        tokio::task::spawn_local(ear.listen(process.clone(), password, options));
    }
}

impl Listener for Process {
    fn hears(&self, node: u16) {
        self.heard.borrow_mut().insert(node);
    }

    fn told(self: &Rc<Process>, told: &PushInfo) {
        let text = |value: &Value| redis::from_redis_value_ref::<String>(value).ok();
        let hear = |text: String| of(self.cache.invalidate).told(self, &text);
        match (&told.kind, told.data.last()) {
            (PushKind::Message, said) => said.and_then(text).into_iter().for_each(hear),
            (PushKind::Invalidate, Some(Value::Array(keys))) => {
                keys.iter().filter_map(text).for_each(hear);
            }
            // What was read on a connection is not heard of any more.
            (PushKind::Disconnection, _) => self.forget_all(),
            // All keys are gone.
            (PushKind::Invalidate, _) => self.forget_all(),
            _ => {}
        }
    }

    /// What was written meanwhile is not heard of.
    fn loses(&self, node: u16) {
        self.heard.borrow_mut().remove(&node);
        self.forget_all();
    }
}
