//! redrill's own client: it knows which node owns which slot, follows every
//! redirect itself, and hides nothing.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use redis::{Cmd, Value};
use tracing::trace;

use super::dial::Tell;
use super::learn::{News, Owners, Range, SlotMap, learn, listen, owner_of_all};
use super::link::Link;
use super::node::{Node, Shared};
use super::request::{Reply, classify, is_in_part};
use super::{Answer, Client, ClientOptions, Commands, ReplyValue, Request};
use crate::load::workload::Doing;
use crate::load::{Lookup, Targets};
use crate::model::op::{Cause, Outcome, Redirects};
use crate::model::{Clock, Nanos};

/// MOVED and ASK answers that one operation follows.
const REDIRECTS: u16 = 5;
/// Between attempts of an operation that is told to try again.
const TRY_AGAIN: Duration = Duration::from_millis(5);

pub(crate) struct Routed {
    lookup: Lookup,
    nodes: RefCell<Nodes>,
    /// How the history counts those that it has places for.
    counted: HashMap<SocketAddr, u16>,
    /// Whoever tells the primary, the one that did last first; none if nodes do.
    sentinels: RefCell<Vec<Rc<Node>>>,
    slots: RefCell<SlotMap>,
    slot_of_each: RefCell<Vec<u16>>,
    /// Those of each primary, as the map told them last.
    replicas: RefCell<HashMap<u16, Vec<u16>>>,
    /// A slot whose owner did not answer.
    unserved: Cell<Option<u16>>,
    /// The node to ask for the map: the one that a MOVED named last, for it knows
    /// best what has changed, or the last one that answered.
    hint: Cell<u16>,
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Nodes {
    nodes: Vec<Rc<Node>>,
    numbers: HashMap<SocketAddr, u16>,
}

/// How far an operation has come; read when its time is over.
struct Trip {
    deadline: Nanos,
    redirects: Cell<Redirects>,
    sending: RefCell<Sending>,
    /// Who answered last.
    by: Cell<Option<u16>>,
    /// Some of its commands were done: it cannot be said any more that nothing was.
    in_part: Cell<bool>,
}

#[derive(Default)]
enum Sending {
    /// Nothing was sent, or what was sent was refused.
    #[default]
    Unsent,
    Sent(Rc<Link>, Nanos),
    /// It was told to try again, and waits.
    TryAgain,
}

impl Routed {
    /// The client of an instance for the group that the seeds of `targets` belong to, once one of
    /// them has told where its slots are. It lives on the calling thread, in a local runtime.
    ///
    /// Errors: no seed could tell within `patience`; why the last one could not.
    pub(crate) async fn connect(
        targets: &Targets,
        instance: u16,
        clock: Clock,
        (options, tracked): (ClientOptions, Option<Tell>),
        patience: Duration,
    ) -> Result<Rc<Routed>, String> {
        let shared = |tracked| {
            let (from, password) = (targets.from(instance), targets.password.clone());
            let (reconnects, trouble) = (Cell::new(0), tokio::sync::Notify::new());
            let known = (!targets.nodes.is_empty())
                .then(|| targets.nodes.iter().chain(&targets.seeds).copied().collect());
            Rc::new(Shared { clock, options, from, password, tracked, reconnects, trouble, known })
        };
        let client = Rc::new(Routed {
            lookup: targets.lookup.clone(),
            nodes: RefCell::default(),
            counted: targets.nodes.iter().copied().zip(0..).collect(),
            sentinels: RefCell::default(),
            slots: RefCell::new(SlotMap::new()),
            slot_of_each: RefCell::default(),
            replicas: RefCell::default(),
            unserved: Cell::default(),
            hint: Cell::new(0),
            shared: shared(tracked),
        });
        match &targets.lookup {
            // That a sentinel cannot be reached says nothing of the nodes.
            Lookup::Sentinels(name) => client.hear_sentinels(&targets.seeds, name, &shared(None)),
            _ => targets.seeds.iter().for_each(|&seed| _ = client.number(seed)),
        }
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

    /// Asks sentinels from now on, and listens to them.
    fn hear_sentinels(self: &Rc<Self>, at: &[SocketAddr], name: &str, shared: &Rc<Shared>) {
        for &address in at {
            let sentinel = Rc::new(Node::open(address, 1, shared));
            self.sentinels.borrow_mut().push(sentinel.clone());
            let client = self.clone();
            let tell = move |news| match news {
                News::Listening => client.doubt(),
                News::Switched(primary) => {
                    client.learned(&owner_of_all(primary));
                    client.trust(&sentinel);
                }
            };
            tokio::task::spawn_local(listen(address, name.to_owned(), shared.clone(), tell));
        }
    }

    /// It is asked first, the next time.
    fn trust(&self, told: &Rc<Node>) {
        let mut sentinels = self.sentinels.borrow_mut();
        match sentinels.iter().position(|one| Rc::ptr_eq(one, told)) {
            Some(place) => sentinels[..=place].rotate_right(1),
            None => self.hint.set(self.number(told.address)),
        }
    }

    /// The number of the node at `address`; a node not yet known is connected to.
    fn number(&self, address: SocketAddr) -> u16 {
        let mut all = self.nodes.borrow_mut();
        if let Some(&number) = all.numbers.get(&address) {
            return number;
        }
        let number = all.nodes.len() as u16;
        all.nodes.push(Rc::new(Node::open(address, self.shared.options.lines, &self.shared)));
        all.numbers.insert(address, number);
        number
    }

    /// If the node at `from` told the map, another one is asked next: a node that is cut off from
    /// the majority tells the map that it had until then.
    fn distrust(&self, from: SocketAddr) {
        if self.hint.get() == self.number(from) {
            self.ask_another();
        }
    }

    /// Whoever told the map was wrong.
    fn ask_another(&self) {
        let known = self.nodes.borrow().nodes.len().max(1) as u16;
        self.hint.set((self.hint.get() + 1) % known);
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

    /// A slot of each owner, as the map told them last.
    pub(crate) fn slot_of_each(&self) -> Vec<u16> {
        self.slot_of_each.borrow().clone()
    }

    /// The nodes to ask for the slot map, the last one that answered first.
    fn guides(&self) -> Vec<Rc<Node>> {
        let sentinels = self.sentinels.borrow();
        if !sentinels.is_empty() {
            return sentinels.clone();
        }
        let mut order = self.nodes.borrow().nodes.clone();
        order.rotate_left(usize::from(self.hint.get()));
        order
    }

    /// Asks for the slot map until one gives it. A replica's word on its primary is heard if nobody
    /// says of itself that it is one.
    async fn learn_map(&self) -> Result<(), String> {
        self.slots.borrow_mut().asked();
        let patience = self.shared.options.map_patience;
        let mut why = "no node is known".to_owned();
        let (mut heard, mut asked) = (None, HashSet::new());
        let mut guides = VecDeque::from(self.guides());
        while let Some(node) = guides.pop_front() {
            if !asked.insert(node.address) {
                continue;
            }
            match tokio::time::timeout(patience, learn(&node, &self.lookup)).await {
                Ok(Ok(owners)) => match self.followed(&node, &owners) {
                    None => {
                        self.learned(&owners);
                        self.trust(&node);
                        return Ok(());
                    }
                    Some(other) => {
                        guides.push_front(other);
                        heard = heard.or(Some((node, owners)));
                    }
                },
                Ok(Err(reason)) => why = format!("{}: {reason}", node.address),
                Err(_) => why = format!("{}: no answer in {patience:?}", node.address),
            }
        }
        let (node, owners) = heard.ok_or(why)?;
        self.learned(&owners);
        self.trust(&node);
        Ok(())
    }

    /// Whom a replica follows, where roles say who owns all keys. That may be a replica too, which
    /// its own replicas do not tell.
    fn followed(&self, told: &Node, owners: &Owners) -> Option<Rc<Node>> {
        let other = owners.first().map(|range| range.primary).filter(|at| *at != told.address);
        let by_role = matches!(self.lookup, Lookup::Primary);
        self.node(self.number(other.filter(|_| by_role)?))
    }

    fn learned(&self, owners: &Owners) {
        let mut replicas: HashMap<u16, Vec<u16>> = HashMap::new();
        let mut numbered = |range: &Range| {
            let primary = self.number(range.primary);
            let of_it = range.replicas.iter().map(|address| self.number(*address));
            replicas.insert(primary, of_it.collect());
            (range.first, range.last, primary)
        };
        let numbered: Vec<(u16, u16, u16)> = owners.iter().map(&mut numbered).collect();
        self.slots.borrow_mut().learned(&numbered);
        let mut primaries = HashSet::new();
        let first = owners.iter().filter(|range| primaries.insert(range.primary));
        self.slot_of_each.replace(first.map(|range| range.first).collect());
        self.replicas.replace(replicas);
    }

    /// A replica of a slot's owner, if one is known.
    fn replica(&self, slot: u16) -> Option<Rc<Node>> {
        let owner = self.slots.borrow().owner(slot)?;
        let number = *self.replicas.borrow().get(&owner)?.first()?;
        self.node(number)
    }

    /// Asks the replicas of an owner that does not answer whether one of them has taken its place:
    /// it is the first to know. What else they say is not heard, for they may be cut off.
    async fn ask_replicas(&self, slot: u16) {
        let of_owner = |owner| self.replicas.borrow().get(&owner).cloned();
        let owner = self.slots.borrow().owner(slot);
        let replicas = owner.and_then(of_owner).unwrap_or_default();
        let asking = replicas.into_iter().map(|number| async move {
            let node = self.node(number)?;
            let patience = self.shared.options.map_patience;
            let said = tokio::time::timeout(patience, learn(&node, &self.lookup)).await;
            let own = said.ok()?.ok()?.into_iter().filter(|range| range.primary == node.address);
            Some((number, own.collect::<Vec<Range>>()))
        });
        for (number, own) in join_all(asking).await.into_iter().flatten() {
            let mut slots = self.slots.borrow_mut();
            own.iter()
                .flat_map(|own| own.first..=own.last)
                .for_each(|slot| slots.correct(slot, number));
            if !own.is_empty() {
                self.hint.set(number);
            }
        }
    }

    /// The answer of the owner of a slot to one question; none if it does not come in time, or is
    /// an error.
    pub(crate) async fn ask(&self, slot: u16, question: &Cmd) -> Option<Value> {
        let asking = async { self.owner(slot)?.link().await?.send(question).await.ok() };
        let asked = tokio::time::timeout(self.shared.options.map_patience, asking).await;
        let told = asked.ok().flatten();
        if told.is_none() {
            self.unserved.set(Some(slot));
            self.doubt();
        }
        told
    }

    async fn attempts(&self, request: &Request, trip: &Trip) -> Result<ReplyValue, Outcome> {
        let of_replica = matches!(request.commands, Commands::OfReplica(_));
        let mut target = match of_replica {
            true => self.replica(request.slot),
            false => self.owner(request.slot),
        };
        if of_replica && target.is_none() {
            // Servers name a replica once it has heard of its primary.
            self.doubt();
        }
        let mut asking = false;
        loop {
            let node = target.take().ok_or(Outcome::Fail(Cause::Refused))?;
            trip.sending.replace(Sending::Unsent);
            let link = match request.commands {
                Commands::Watched { .. } => node.idle_link().await,
                Commands::Alone(_) => node.own_link().await,
                _ => node.link().await,
            };
            let link = link.ok_or(Outcome::Fail(Cause::Refused))?;
            let sent = self.shared.clock.now();
            trip.sending.replace(Sending::Sent(link.clone(), sent));
            let reply = match &request.commands {
                Commands::Pipeline(commands) => {
                    return self.each(commands, (&link, &node), request, trip).await;
                }
                commands => link.carry_out(commands, asking).await,
            };
            let watched = matches!(request.commands, Commands::Watched { .. });
            let error = match reply {
                Ok(Value::Nil) if watched => return Err(Outcome::Fail(Cause::Conflict)),
                Ok(value) => {
                    link.answered(self.shared.clock.now());
                    trip.by.set(self.counted.get(&node.address).copied());
                    if is_in_part(&value) {
                        return Err(Outcome::Unknown(Cause::Partial));
                    }
                    let told = (request.read)(&value).ok_or(Outcome::Fail(Cause::Other))?;
                    return self.replicated(&link, request, told).await;
                }
                Err(error) => classify(&error, node.address.ip()),
            };
            if error != Reply::Lost {
                link.answered(self.shared.clock.now());
                trip.sending.replace(Sending::Unsent);
            }
            if of_replica && matches!(error, Reply::Moved(_) | Reply::Ask(_)) {
                return Err(Outcome::Fail(Cause::Redirects));
            }
            target = self.follow(error, node.address, request, trip).await?;
            asking = matches!(error, Reply::Ask(_));
        }
    }

    /// As [`Routed::attempts`], and what was certainly not carried out is tried again, as often as the
    /// client's options have it.
    async fn retried(&self, request: &Request, trip: &Trip) -> Result<ReplyValue, Outcome> {
        let mut retries = self.shared.options.retries;
        loop {
            let ended = self.attempts(request, trip).await;
            let is_undone = matches!(ended, Err(Outcome::Fail(_))) && !trip.in_part.get();
            let has_time = self.shared.clock.now() + 2 * TRY_AGAIN <= trip.deadline;
            if !(is_undone && has_time && retries > 0) {
                return ended;
            }
            retries -= 1;
            trip.sending.replace(Sending::Unsent);
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Commands that nothing holds together, sent in one go. What is refused or redirected is
    /// sent again by itself, as libraries do.
    async fn each(
        &self,
        commands: &[Cmd],
        (link, node): (&Rc<Link>, &Node),
        request: &Request,
        trip: &Trip,
    ) -> Result<ReplyValue, Outcome> {
        let lost = |_| Outcome::Unknown(Cause::ConnectionLost);
        let answers = link.send_each(commands, false).await.map_err(lost)?;
        link.answered(self.shared.clock.now());
        trip.by.set(self.counted.get(&node.address).copied());
        trip.in_part.set(answers.iter().any(|answer| !matches!(answer, Value::ServerError(_))));
        trip.sending.replace(Sending::Unsent);
        for (command, answer) in commands.iter().zip(answers) {
            let Err(error) = answer.extract_error() else { continue };
            let error = classify(&error, node.address.ip());
            self.follow(error, node.address, request, trip).await?;
            let (slot, commands) = (request.slot, command.clone().into());
            let again = Request { slot, commands, read: request.read, wait: request.wait };
            Box::pin(self.attempts(&again, trip)).await?;
            trip.in_part.set(true);
        }
        Ok(ReplyValue::Done)
    }

    /// What was `told`, once enough replicas have what was changed. On its connection that is
    /// all that was written before (WAIT).
    async fn replicated(
        &self,
        link: &Link,
        request: &Request,
        told: ReplyValue,
    ) -> Result<ReplyValue, Outcome> {
        let Some(wait) = request.wait.filter(|_| told.is_change()) else { return Ok(told) };
        let mut command = Cmd::new();
        command.arg("WAIT").arg(wait.replicas).arg(wait.timeout.as_millis() as u64);
        let reached = match link.send(&command).await {
            Ok(Value::Int(reached)) => reached,
            // Nothing of this says that the change was not made.
            Ok(_) => 0,
            Err(error) if classify(&error, IpAddr::from([0, 0, 0, 0])) == Reply::Lost => {
                return Err(Outcome::Unknown(Cause::ConnectionLost));
            }
            Err(_) => 0,
        };
        link.answered(self.shared.clock.now());
        let enough = reached >= i64::from(wait.replicas);
        if enough { Ok(told) } else { Err(Outcome::Unknown(Cause::UnderReplicated)) }
    }

    /// Where to go next after an error of the node at `from`, or how the operation has ended.
    async fn follow(
        &self,
        error: Reply,
        from: SocketAddr,
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
                trip.sending.replace(Sending::TryAgain);
                tokio::time::sleep(TRY_AGAIN).await;
                return Ok(self.owner(request.slot));
            }
            Reply::Refused(cause) => {
                match cause {
                    Cause::ClusterDown => self.distrust(from),
                    // Who follows a replica names it as its primary.
                    Cause::ReadOnly => self.ask_another(),
                    _ => {}
                }
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
        match &*trip.sending.borrow() {
            Sending::Unsent => Outcome::Fail(Cause::Refused),
            Sending::TryAgain => Outcome::Fail(Cause::TryAgain),
            Sending::Sent(link, sent) => {
                let waited = self.shared.clock.now().since(*sent);
                if waited > self.shared.options.timeout / 2 && link.is_silent_since(*sent) {
                    link.give_up();
                }
                Outcome::Unknown(Cause::Timeout)
            }
        }
    }

    /// Ends by then, or a few milliseconds later.
    pub(super) async fn perform_by(&self, request: &Request, deadline: Nanos) -> Answer {
        let trip = Trip {
            deadline,
            redirects: Cell::default(),
            sending: RefCell::default(),
            by: Cell::default(),
            in_part: Cell::default(),
        };
        let patience = deadline.since(self.shared.clock.now());
        let result = tokio::time::timeout(patience, self.retried(request, &trip)).await;
        let unserved = match &result {
            Ok(Ok(_)) => false,
            Ok(Err(Outcome::Fail(Cause::Refused) | Outcome::Unknown(Cause::ConnectionLost))) => {
                true
            }
            Ok(Err(_)) => false,
            Err(_) => true,
        };
        if unserved {
            self.unserved.set(Some(request.slot));
        }
        let (outcome, told) = match result {
            Ok(Ok(told)) => (Outcome::Ok, told),
            Ok(Err(outcome)) => (outcome, ReplyValue::Done),
            Err(_) => (self.timed_out(&trip), ReplyValue::Done),
        };
        let outcome = match outcome {
            Outcome::Fail(_) if trip.in_part.get() => Outcome::Unknown(Cause::Partial),
            outcome => outcome,
        };
        Answer { outcome, redirects: trip.redirects.get(), told, by: trip.by.get() }
    }
}

impl Client for Routed {
    type Form = Request;

    fn request(doing: Doing<'_>) -> Request {
        doing.request()
    }

    async fn perform(&self, request: &Request) -> Answer {
        let deadline = self.shared.clock.now() + self.shared.options.timeout;
        self.perform_locked(self.shared.clock, request, deadline).await
    }

    async fn look_again(&self) {
        if let Err(why) = self.learn_map().await {
            trace!(%why, "nobody knows who owns what");
        }
    }

    fn reconnects(&self) -> u64 {
        self.shared.reconnects.get()
    }
}

/// Asks for the slot map whenever there was trouble, but not at every trouble:
/// while slots move, a thousand operations a second may meet a MOVED.
async fn keep_map(client: Rc<Routed>) {
    loop {
        client.shared.trouble.notified().await;
        // Nobody waits for this; if no node can tell now, the next trouble asks again.
        let (learned, ()) = tokio::join!(client.learn_map(), async {
            if let Some(slot) = client.unserved.take() {
                client.ask_replicas(slot).await;
            }
        });
        if let Err(why) = learned {
            trace!(%why, "no node tells the slot map");
        }
        tokio::time::sleep(client.shared.options.map_every).await;
    }
}
