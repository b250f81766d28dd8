//! The memory of an application's instance in front of the servers: what was read once is read from
//! there, until a server says that it has changed.
//!
//! Every node tells of all changed keys of the load (CLIENT TRACKING in broadcast mode), each on a
//! connection of its own. What a node has answered is kept for as long as that connection is up.
//! <https://redis.io/docs/latest/develop/reference/client-side-caching/>

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisResult,
    Value,
};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tracing::trace;

use super::node::stream;
use super::{Answer, Client, ClientOptions, Front, ReplyValue, Request};
use crate::load::Targets;
use crate::load::workload::Doing;
use crate::model::op::{Access, OWN_MEMORY, Outcome, Purpose};
use crate::model::{Clock, Password};

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
    /// Errors: as [`Front::connect`].
    pub(crate) async fn connect(
        targets: &Targets,
        instance: u16,
        clock: Clock,
        options: ClientOptions,
        (prefix, patience): (String, Duration),
    ) -> Result<Rc<Near>, String> {
        let servers = Front::connect(targets, instance, clock, options, patience).await?;
        let memory = Rc::new(Memory::default());
        for (node, address) in targets.nodes.iter().enumerate() {
            let from = targets.from(instance);
            let ear = Ear { node: node as u16, address: *address, from, prefix: prefix.clone() };
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
                if let Some(told) = self.memory.told(key) {
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
    /// Which question may be kept, of those that are on their way. If the key changes meanwhile,
    /// the answer may be older.
    asked: HashMap<String, u64>,
    questions: u64,
    /// The nodes that are heard.
    heard: Vec<u16>,
}

impl Memory {
    fn told(&self, key: &str) -> Option<ReplyValue> {
        self.0.borrow().kept.get(key).map(|(told, _)| told.clone())
    }

    fn ask(&self, key: &str) -> u64 {
        let mut state = self.0.borrow_mut();
        state.questions += 1;
        let question = state.questions;
        *state.asked.entry(key.to_owned()).or_insert(question)
    }

    fn learn(&self, key: &str, question: u64, answer: &Answer) {
        let mut state = self.0.borrow_mut();
        if state.asked.get(key) != Some(&question) {
            return;
        }
        state.asked.remove(key);
        let by = answer.by.filter(|by| answer.outcome == Outcome::Ok && state.heard.contains(by));
        if let Some(by) = by {
            state.kept.insert(key.to_owned(), (answer.told.clone(), by));
        }
    }

    fn forget(&self, key: &str) {
        let mut state = self.0.borrow_mut();
        state.kept.remove(key);
        state.asked.remove(key);
    }

    fn hear(&self, node: u16) {
        self.0.borrow_mut().heard.push(node);
    }

    /// The node is not heard any more: what it told may have changed.
    fn lose(&self, node: u16) {
        let mut state = self.0.borrow_mut();
        state.heard.retain(|heard| *heard != node);
        state.kept.retain(|_, (_, by)| *by != node);
        state.asked.clear();
    }

    /// What a node told of its keys: those that have changed, or that all have.
    fn changed(&self, told: &PushInfo) {
        match told.data.first() {
            Some(Value::Array(keys)) => {
                let names = keys.iter().filter_map(|key| redis::from_redis_value_ref(key).ok());
                names.for_each(|name: String| self.forget(&name));
            }
            _ => {
                let mut state = self.0.borrow_mut();
                state.kept.clear();
                state.asked.clear();
            }
        }
    }
}

/// A connection on which a node tells what has changed.
struct Ear {
    node: u16,
    address: SocketAddr,
    from: Option<IpAddr>,
    prefix: String,
}

impl Ear {
    /// For as long as the thread lives.
    async fn listen(self, memory: Rc<Memory>, password: Option<Password>, options: ClientOptions) {
        loop {
            let connecting = tokio::time::timeout(options.timeout, self.connect(password.as_ref()));
            match connecting.await {
                Ok(Ok((_connection, mut told))) => {
                    memory.hear(self.node);
                    while let Some(told) = told.recv().await {
                        match told.kind {
                            PushKind::Invalidate => memory.changed(&told),
                            PushKind::Disconnection => break,
                            _ => {}
                        }
                    }
                    memory.lose(self.node);
                }
                Ok(Err(error)) => trace!(address = %self.address, %error, "changes are not heard"),
                Err(_) => trace!(address = %self.address, "changes are not heard in time"),
            }
            tokio::time::sleep(options.pause).await;
        }
    }

    async fn connect(
        &self,
        password: Option<&Password>,
    ) -> RedisResult<(MultiplexedConnection, UnboundedReceiver<PushInfo>)> {
        let stream = stream(self.address, self.from).await?;
        let mut info = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_protocol(ProtocolVersion::RESP3);
        if let Some(password) = password {
            info = info.set_password(password.reveal());
        }
        let (tell, told) = mpsc::unbounded_channel();
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_push_sender(tell);
        let (mut connection, driver) =
            MultiplexedConnection::new_with_config(&info, stream, config).await?;
        tokio::task::spawn_local(driver);
        let mut track = redis::cmd("CLIENT");
        track.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(&self.prefix);
        connection.send_packed_command(&track).await?.extract_error()?;
        Ok((connection, told))
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
        let memory = Memory::default();
        memory.hear(0);
        let first = memory.ask("a:1");
        memory.changed(&invalidated("a:1"));
        let second = memory.ask("a:1");
        memory.learn("a:1", first, &answer(1, 0));
        assert_eq!(memory.told("a:1"), None, "it may be the old value");
        memory.learn("a:1", second, &answer(2, 0));
        assert_eq!(memory.told("a:1"), Some(answer(2, 0).told));
        memory.changed(&invalidated("a:1"));
        assert_eq!(memory.told("a:1"), None);
    }

    #[test]
    fn of_a_node_that_is_not_heard_nothing_is_kept() {
        let memory = Memory::default();
        let asked = memory.ask("a:1");
        memory.learn("a:1", asked, &answer(1, 0));
        assert_eq!(memory.told("a:1"), None, "nobody would tell of a change");
        memory.hear(0);
        memory.hear(1);
        for (key, by) in [("a:1", 0), ("a:2", 1)] {
            let asked = memory.ask(key);
            memory.learn(key, asked, &answer(1, by));
        }
        let late = memory.ask("a:3");
        memory.lose(0);
        memory.hear(0);
        memory.learn("a:3", late, &answer(1, 0));
        let kept = ["a:1", "a:2", "a:3"].map(|key| memory.told(key).is_some());
        assert_eq!(kept, [false, true, false]);
        let flushed = PushInfo { kind: PushKind::Invalidate, data: vec![Value::Nil] };
        memory.changed(&flushed);
        assert_eq!(memory.told("a:2"), None);
    }
}
