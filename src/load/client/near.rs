//! The memory of an application's instance in front of the servers: what was read once is read from
//! there, until a server says that it has changed.
//!
//! Every node tells of all changed keys of the load (CLIENT TRACKING in broadcast mode), each on a
//! connection of its own. What a node has answered is kept for as long as that connection is up.
//! <https://redis.io/docs/latest/develop/reference/client-side-caching/>

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use redis::{PushInfo, PushKind, Value};

use super::asked::Asked;
use super::ear::{Ear, Listener, Topic, try_resp3};
use super::{Answer, Client, ClientOptions, Front, ReplyValue, Request};
use crate::load::Targets;
use crate::load::workload::Doing;
use crate::model::Clock;
use crate::model::op::{Access, OWN_MEMORY, Outcome, Purpose};

/// redrill's own client with such a memory.
pub(crate) struct Near {
    servers: Rc<Front>,
    memory: Rc<Memory>,
}

/// One operation, with its key if it is a client's.
pub(crate) struct Form {
    request: Request,
    of_client: Option<(String, Access)>,
}

impl Near {
    /// The client of an instance, which keeps keys that begin with `prefix`.
    ///
    /// Errors: as [`Front::connect`], and [`try_resp3`].
    pub(crate) async fn connect(
        targets: &Targets,
        instance: u16,
        clock: Clock,
        options: ClientOptions,
        (prefix, patience): (String, Duration),
    ) -> Result<Rc<Near>, String> {
        if instance == 0 {
            try_resp3(targets, options).await?;
        }
        let servers = Front::connect(targets, instance, clock, options, patience).await?;
        let memory = Rc::new(Memory::default());
        for (node, address) in targets.nodes.iter().enumerate() {
            let from = targets.told_at(instance);
            let topic = Topic::Keys(prefix.clone());
            let ear = Ear { node: node as u16, address: *address, from, topic };
            tokio::task::spawn_local(ear.listen(memory.clone(), targets.password.clone(), options));
        }
        Ok(Rc::new(Near { servers, memory }))
    }
}

impl Client for Near {
    type Form = Form;

    fn request(doing: Doing<'_>) -> Form {
        let access = doing.plan.action.access();
        let of_client = (doing.purpose == Purpose::Load).then(|| (doing.key(), access));
        Form { of_client, request: Front::request(doing) }
    }

    async fn perform(&self, form: &Form) -> Answer {
        let ask = || self.servers.perform(&form.request);
        match &form.of_client {
            Some((key, Access::Read)) => {
                if let Some(told) = self.memory.kept(key) {
                    return Answer { told, by: Some(OWN_MEMORY), ..Answer::of(Outcome::Ok) };
                }
                let asked = self.memory.ask(key);
                let answer = ask().await;
                self.memory.learn(key, asked, &answer);
                answer
            }
            Some((key, Access::Write)) => {
                self.memory.forget(key);
                let answer = ask().await;
                self.memory.forget(key);
                answer
            }
            None => ask().await,
        }
    }

    async fn look_again(&self) {
        self.servers.look_again().await;
    }

    fn reconnects(&self) -> u64 {
        self.servers.reconnects()
    }
}

#[derive(Debug, Default)]
struct Memory(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    /// What was told, and by which node.
    kept: HashMap<String, (ReplyValue, u16)>,
    asked: Asked<String>,
    /// The nodes that are heard.
    heard: Vec<u16>,
}

impl Memory {
    fn kept(&self, key: &str) -> Option<ReplyValue> {
        self.0.borrow().kept.get(key).map(|(told, _)| told.clone())
    }

    fn ask(&self, key: &str) -> u64 {
        self.0.borrow_mut().asked.ask(key.to_owned())
    }

    fn learn(&self, key: &str, question: u64, answer: &Answer) {
        let mut state = self.0.borrow_mut();
        if !state.asked.answered(&key.to_owned(), question) {
            return;
        }
        let by = answer.by.filter(|by| answer.outcome == Outcome::Ok && state.heard.contains(by));
        if let Some(by) = by {
            state.kept.insert(key.to_owned(), (answer.told.clone(), by));
        }
    }

    fn forget(&self, key: &str) {
        let mut state = self.0.borrow_mut();
        state.kept.remove(key);
        state.asked.changed(&key.to_owned());
    }
}

impl Listener for Memory {
    fn hears(&self, node: u16) {
        self.0.borrow_mut().heard.push(node);
    }

    /// What it told may have changed.
    fn loses(&self, node: u16) {
        let mut state = self.0.borrow_mut();
        state.heard.retain(|heard| *heard != node);
        state.kept.retain(|_, (_, by)| *by != node);
        state.asked.all_changed();
    }

    /// What a node told of its keys: those that have changed, or that all have.
    fn told(self: &Rc<Memory>, told: &PushInfo) {
        if told.kind != PushKind::Invalidate {
            return;
        }
        match told.data.first() {
            Some(Value::Array(keys)) => {
                let names = keys.iter().filter_map(|key| redis::from_redis_value_ref(key).ok());
                names.for_each(|name: String| self.forget(&name));
            }
            _ => {
                let mut state = self.0.borrow_mut();
                state.kept.clear();
                state.asked.all_changed();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::op::{Action, RegisterOp};

    fn answer(value: u64, by: u16) -> Answer {
        let told = ReplyValue::Found(Action::Register(RegisterOp::Read(Some(value))));
        Answer { told, by: Some(by), ..Answer::of(Outcome::Ok) }
    }

    fn invalidated(key: &str) -> PushInfo {
        let key = Value::BulkString(key.as_bytes().to_vec());
        PushInfo { kind: PushKind::Invalidate, data: vec![Value::Array(vec![key])] }
    }

    #[test]
    fn what_changed_while_it_was_asked_for_is_not_kept() {
        let memory = Rc::new(Memory::default());
        memory.hears(0);
        let first = memory.ask("a:1");
        memory.told(&invalidated("a:1"));
        let second = memory.ask("a:1");
        memory.learn("a:1", first, &answer(1, 0));
        assert_eq!(memory.kept("a:1"), None, "it may be the old value");
        memory.learn("a:1", second, &answer(2, 0));
        assert_eq!(memory.kept("a:1"), Some(answer(2, 0).told));
        memory.told(&invalidated("a:1"));
        assert_eq!(memory.kept("a:1"), None);
    }

    #[test]
    fn of_a_node_that_is_not_heard_nothing_is_kept() {
        let memory = Rc::new(Memory::default());
        let asked = memory.ask("a:1");
        memory.learn("a:1", asked, &answer(1, 0));
        assert_eq!(memory.kept("a:1"), None, "nobody would tell of a change");
        memory.hears(0);
        memory.hears(1);
        for (key, by) in [("a:1", 0), ("a:2", 1)] {
            let asked = memory.ask(key);
            memory.learn(key, asked, &answer(1, by));
        }
        let late = memory.ask("a:3");
        memory.loses(0);
        memory.hears(0);
        memory.learn("a:3", late, &answer(1, 0));
        let kept = ["a:1", "a:2", "a:3"].map(|key| memory.kept(key).is_some());
        assert_eq!(kept, [false, true, false]);
        let flushed = PushInfo { kind: PushKind::Invalidate, data: vec![Value::Nil] };
        memory.told(&flushed);
        assert_eq!(memory.kept("a:2"), None);
    }
}
