//! redrill's own client: it knows which node owns which slot, follows every
//! redirect itself, and hides nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use redis::Value;

use super::error::{Reply, classify};
use super::learn::{Owners, learn};
use super::node::{Link, Node, Shared};
use super::slots::SlotMap;
use super::{Answer, Client, Manner, Request};
use crate::load::Targets;
use crate::load::workload::number_of;
use crate::model::op::{Cause, Outcome, Redirects};
use crate::model::{Clock, Nanos};

/// MOVED and ASK answers that one operation follows.
const REDIRECTS: u16 = 5;
/// Between attempts of an operation that is told to try again.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// Connections to each node. One is both cheapest and fast enough: it batches
/// what is sent in one go, and the server answers in order anyway.
const LINES: usize = 1;

#[derive(Debug)]
pub(crate) struct Routed {
    cluster: bool,
    nodes: RefCell<Nodes>,
    slots: RefCell<SlotMap>,
    /// The node to ask for the map: the one that a MOVED named last, for it knows
    /// best what has changed, or the last one that answered.
    hint: Cell<u16>,
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Nodes {
    nodes: Vec<Rc<Node>>,
    numbers: HashMap<SocketAddr, u16>,
}

/// How far an operation has come; read when its time is over.
struct Trip {
    deadline: Nanos,
    redirects: Cell<Redirects>,
    stage: RefCell<Stage>,
}

#[derive(Default)]
enum Stage {
    /// Nothing was sent, or what was sent was refused.
    #[default]
    Unsent,
    Sent(Rc<Link>, Nanos),
    /// Told to try again, and waiting for that.
    TryAgain,
}

impl Routed {
    /// A client of the group that the seeds of `targets` belong to, once one of them has told
    /// where its slots are. It lives on the calling thread, in a local runtime.
    ///
    /// Errors: no seed could tell within `patience`; why the last one could not.
    pub(crate) async fn connect(
        targets: &Targets,
        clock: Clock,
        manner: Manner,
        patience: Duration,
    ) -> Result<Rc<Routed>, String> {
        let shared = Rc::new(Shared {
            clock,
            manner,
            from: targets.from,
            reconnects: Cell::new(0),
            trouble: tokio::sync::Notify::new(),
        });
        let client = Rc::new(Routed {
            cluster: targets.cluster,
            nodes: RefCell::default(),
            slots: RefCell::new(SlotMap::new()),
            hint: Cell::new(0),
            shared,
        });
        targets.seeds.iter().for_each(|&seed| _ = client.number(seed));
        let give_up = clock.now() + patience;
        while let Err(why) = client.learn_map().await {
            if clock.now() >= give_up {
                return Err(why);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::task::spawn_local(keep_map(client.clone()));
        Ok(client)
    }

    /// The number of the node at `address`; a node not yet known is connected to.
    fn number(&self, address: SocketAddr) -> u16 {
        let mut all = self.nodes.borrow_mut();
        if let Some(&number) = all.numbers.get(&address) {
            return number;
        }
        let number = all.nodes.len() as u16;
        all.nodes.push(Rc::new(Node::open(address, LINES, &self.shared)));
        all.numbers.insert(address, number);
        number
    }

    /// The slot map may be out of date: it is asked for again before long.
    pub(crate) fn doubt(&self) {
        self.shared.trouble.notify_one();
    }

    fn node(&self, number: u16) -> Option<Rc<Node>> {
        self.nodes.borrow().nodes.get(usize::from(number)).cloned()
    }

    /// Whom to ask for a key of `slot`: its owner, or if it has none, a node that
    /// can say what is the matter.
    fn owner(&self, slot: u16) -> Option<Rc<Node>> {
        let number = self.slots.borrow().owner(slot).unwrap_or(self.hint.get());
        self.node(number)
    }

    /// Asks nodes for the slot map until one gives it: the hinted one first.
    async fn learn_map(&self) -> Result<(), String> {
        self.slots.borrow_mut().asked();
        let mut order = self.nodes.borrow().nodes.clone();
        order.rotate_left(usize::from(self.hint.get()));
        let patience = self.shared.manner.map_patience;
        let mut why = "no node is known".to_owned();
        for node in order {
            match tokio::time::timeout(patience, learn(&node, self.cluster)).await {
                Ok(Ok(owners)) => {
                    self.learned(&owners);
                    self.hint.set(self.number(node.address));
                    return Ok(());
                }
                Ok(Err(reason)) => why = format!("{}: {reason}", node.address),
                Err(_) => why = format!("{}: no answer in {patience:?}", node.address),
            }
        }
        Err(why)
    }

    fn learned(&self, owners: &Owners) {
        let numbered: Vec<(u16, u16, u16)> = owners
            .iter()
            .map(|&(first, last, address)| (first, last, self.number(address)))
            .collect();
        self.slots.borrow_mut().learned(&numbered);
    }

    async fn attempts(&self, request: &Request, trip: &Trip) -> Result<Value, Outcome> {
        let mut target = self.owner(request.slot);
        let mut asking = false;
        loop {
            let node = target.take().ok_or(Outcome::Fail(Cause::Refused))?;
            trip.stage.replace(Stage::Unsent);
            let link = node.link().await.ok_or(Outcome::Fail(Cause::Refused))?;
            let sent = self.shared.clock.now();
            trip.stage.replace(Stage::Sent(link.clone(), sent));
            let reply = match asking {
                false => link.send(&request.command).await,
                true => link.send_asking(&request.command).await,
            };
            let error = match reply {
                Ok(value) => {
                    link.answered(self.shared.clock.now());
                    return Ok(value);
                }
                Err(error) => classify(&error, node.address.ip()),
            };
            if error != Reply::Lost {
                link.answered(self.shared.clock.now());
                trip.stage.replace(Stage::Unsent);
            }
            target = self.follow(error, request, trip).await?;
            asking = matches!(error, Reply::Ask(_));
        }
    }

    /// Where to go next after an error, or how the operation has ended.
    async fn follow(
        &self,
        error: Reply,
        request: &Request,
        trip: &Trip,
    ) -> Result<Option<Rc<Node>>, Outcome> {
        let mut met = trip.redirects.get();
        let next = match error {
            Reply::Moved(address) => {
                met.moved += 1;
                let number = self.number(address);
                self.slots.borrow_mut().correct(request.slot, number);
                self.hint.set(number);
                self.doubt();
                number
            }
            Reply::Ask(address) => {
                met.ask += 1;
                self.number(address)
            }
            Reply::TryAgain => {
                met.try_again = met.try_again.saturating_add(1);
                trip.redirects.set(met);
                // Sent once more now, it could be under way when its time is over,
                // and then nobody would know whether it was done.
                if self.shared.clock.now() + 2 * TRY_AGAIN > trip.deadline {
                    return Err(Outcome::Fail(Cause::TryAgain));
                }
                trip.stage.replace(Stage::TryAgain);
                tokio::time::sleep(TRY_AGAIN).await;
                return Ok(self.owner(request.slot));
            }
            Reply::Refused(cause) => {
                self.doubt();
                return Err(Outcome::Fail(cause));
            }
            Reply::Lost => return Err(Outcome::Unknown(Cause::ConnectionLost)),
        };
        trip.redirects.set(met);
        if met.moved + met.ask > REDIRECTS {
            return Err(Outcome::Fail(Cause::Redirects));
        }
        Ok(self.node(next))
    }

    /// The operation's time is over: what that means depends on where it was.
    fn timed_out(&self, trip: &Trip) -> Outcome {
        match &*trip.stage.borrow() {
            Stage::Unsent => Outcome::Fail(Cause::Refused),
            Stage::TryAgain => Outcome::Fail(Cause::TryAgain),
            Stage::Sent(link, sent) => {
                let waited = self.shared.clock.now().since(*sent);
                if waited > self.shared.manner.timeout / 2 && link.is_silent_since(*sent) {
                    link.give_up();
                }
                Outcome::Unknown(Cause::Timeout)
            }
        }
    }
}

impl Client for Routed {
    async fn perform(&self, request: &Request) -> Answer {
        let trip = Trip {
            deadline: self.shared.clock.now() + self.shared.manner.timeout,
            redirects: Cell::default(),
            stage: RefCell::default(),
        };
        let result =
            tokio::time::timeout(self.shared.manner.timeout, self.attempts(request, &trip)).await;
        let (outcome, value) = match result {
            Ok(Ok(value)) => read(&value),
            Ok(Err(outcome)) => (outcome, None),
            Err(_) => (self.timed_out(&trip), None),
        };
        Answer { outcome, redirects: trip.redirects.get(), value }
    }

    fn reconnects(&self) -> u64 {
        self.shared.reconnects.get()
    }
}

/// What an answer that is no error says. A value that no load wrote is an error.
pub(super) fn read(value: &Value) -> (Outcome, Option<u64>) {
    match value {
        Value::Okay | Value::Nil => (Outcome::Ok, None),
        Value::BulkString(text) => match number_of(text) {
            Some(number) => (Outcome::Ok, Some(number)),
            None => (Outcome::Fail(Cause::Other), None),
        },
        _ => (Outcome::Fail(Cause::Other), None),
    }
}

/// Asks for the slot map whenever there was trouble, but not at every trouble:
/// while slots move, a thousand operations a second may meet a MOVED.
async fn keep_map(client: Rc<Routed>) {
    loop {
        client.shared.trouble.notified().await;
        // Nobody waits for this; if no node can tell now, the next trouble asks again.
        let _ = client.learn_map().await;
        tokio::time::sleep(client.shared.manner.map_every).await;
    }
}
