//! redrill's own client, in front of what it writes to: one group, or several clusters with the
//! same data, of which one takes the writes of a shard at a time.
//!
//! For each of those there is a [`Routed`]. Who takes the writes stands in the term of a shard,
//! which every one of them tells. It is asked for again whenever an operation does not end well.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use redis::{Cmd, from_redis_value};
use tokio::sync::Notify;

use super::dial::Tell;
use super::routed::Routed;
use super::{Answer, Client, ClientOptions, Request};
use crate::load::workload::Doing;
use crate::load::{Lookup, Targets};
use crate::model::op::Outcome;
use crate::model::slot::slot_of;
use crate::model::{Clock, Nanos};
use crate::sync::shard::Shard;
use crate::sync::term::{self, Term};

/// Between questions, until it is known of every shard who takes its writes.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// How long another group's nodes may take to tell, at the least.
const FAR: Duration = Duration::from_millis(500);

pub(crate) struct Front {
    /// One at least, the own one first.
    groups: Vec<Member>,
    /// None if there is one group.
    shards: Vec<Led>,
}

/// One of the groups.
struct Member {
    name: String,
    client: Rc<Routed>,
    /// Something did not end well: it is asked who takes the writes.
    trouble: Notify,
}

/// A shard, and which group takes its writes.
struct Led {
    shard: Shard,
    slot: u16,
    question: Cmd,
    term: RefCell<Term>,
    by: Cell<usize>,
}

impl Member {
    fn new(name: &str, client: Rc<Routed>) -> Member {
        Member { name: name.to_owned(), client, trouble: Notify::new() }
    }
}

impl Led {
    fn new(shard: &Shard) -> Led {
        let question = term::ask(&shard.tag);
        let slot = slot_of(shard.tag.to_string().as_bytes());
        let (term, by) = (RefCell::default(), Cell::new(0));
        Led { shard: shard.clone(), slot, question, term, by }
    }
}

impl Front {
    /// The client of an instance for what `targets` say. It lives on the calling thread, in a local
    /// runtime.
    ///
    /// Errors: within `patience` no node of a group could tell its slots, or nobody who takes the
    /// writes of a shard.
    pub(crate) async fn connect(
        targets: &Targets,
        instance: u16,
        clock: Clock,
        options: ClientOptions,
        patience: Duration,
    ) -> Result<Rc<Front>, String> {
        Front::connect_tracked(targets, instance, clock, (options, None), patience).await
    }

    /// The same, and servers tell `tracked` of changes of what was read, if there is one.
    ///
    /// Errors: as [`Front::connect`].
    pub(crate) async fn connect_tracked(
        targets: &Targets,
        instance: u16,
        clock: Clock,
        (options, tracked): (ClientOptions, Option<Tell>),
        patience: Duration,
    ) -> Result<Rc<Front>, String> {
        let connect = async |targets: &Targets, options: ClientOptions| {
            let options = (options, tracked.clone());
            Routed::connect(targets, instance, clock, options, patience).await
        };
        let Lookup::Standby { groups, shards } = &targets.lookup else {
            let groups = vec![Member::new("", connect(targets, options).await?)];
            return Ok(Rc::new(Front { groups, shards: Vec::new() }));
        };
        let members = groups.iter().enumerate().map(async |(at, (name, seeds))| {
            let (seeds, lookup) = (seeds.clone(), Lookup::Cluster);
            let map_patience = match at {
                0 => options.map_patience,
                // It is far away, and whoever asks it keeps nobody waiting.
                _ => options.map_patience.max(FAR),
            };
            let options = ClientOptions { map_patience, ..options };
            let client = connect(&Targets { seeds, lookup, ..targets.clone() }, options).await;
            client.map(|client| Member::new(name, client))
        });
        let groups = try_join_all(members).await?;
        let shards = shards.iter().map(Led::new).collect();
        let front = Rc::new(Front { groups, shards });
        front.find_all(clock, clock.now() + patience).await?;
        for member in 0..front.groups.len() {
            tokio::task::spawn_local(keep_terms(front.clone(), member, options.map_every));
        }
        Ok(front)
    }

    /// Finds out who takes the writes of each shard.
    async fn find_all(&self, clock: Clock, give_up: Nanos) -> Result<(), String> {
        loop {
            join_all((0..self.groups.len()).map(|member| self.ask_terms(member))).await;
            let unknown = self.shards.iter().find(|led| led.term.borrow().number == 0);
            let Some(led) = unknown else { return Ok(()) };
            if clock.now() >= give_up {
                return Err(format!("nobody tells who takes the writes of slot {}", led.slot));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Asks a group for the term of each shard.
    async fn ask_terms(&self, member: usize) {
        let client = &self.groups[member].client;
        let asking = self.shards.iter().map(async |led| {
            let told = client.ask(led.slot, &led.question).await;
            let told = told.and_then(|told| from_redis_value::<term::Answer>(told).ok());
            self.hear(led, told.map(Term::from).unwrap_or_default());
        });
        join_all(asking).await;
    }

    /// The latest term counts, whoever tells it. While nobody takes the writes, who did last is
    /// asked.
    fn hear(&self, led: &Led, told: Term) {
        if told <= *led.term.borrow() {
            return;
        }
        let taker = self.groups.iter().position(|member| member.name == told.taker);
        led.by.set(taker.unwrap_or(led.by.get()));
        led.term.replace(told);
    }

    fn led(&self, slot: u16) -> Option<&Led> {
        self.shards.iter().find(|led| led.shard.has_slot(slot))
    }

    /// A slot of each primary that is known: whoever looks for keys by their names asks all of them.
    pub(crate) fn slot_of_each(&self) -> Vec<u16> {
        self.groups[0].client.slot_of_each()
    }

    /// Whether writes go to the outbox of whoever takes them.
    pub(crate) fn has_outbox(&self) -> bool {
        !self.shards.is_empty()
    }

    /// What is known of who owns or takes what may be out of date: it is asked for before long.
    pub(crate) fn doubt(&self) {
        self.groups.iter().for_each(|member| member.client.doubt());
        self.doubt_terms();
    }

    fn doubt_terms(&self) {
        self.groups.iter().for_each(|member| member.trouble.notify_one());
    }
}

impl Client for Front {
    type Form = Request;

    fn request(doing: Doing<'_>) -> Request {
        doing.request()
    }

    async fn perform(&self, request: &Request) -> Answer {
        let led = self.led(request.slot);
        let by = led.map_or(0, |led| led.by.get());
        let answer = self.groups[by].client.perform(request).await;
        if led.is_some() && answer.outcome != Outcome::Ok {
            self.doubt_terms();
        }
        answer
    }

    async fn look_again(&self) {
        let members = self.groups.iter().enumerate();
        join_all(members.map(async |(at, member)| {
            member.client.look_again().await;
            self.ask_terms(at).await;
        }))
        .await;
    }

    fn reconnects(&self) -> u64 {
        self.groups.iter().map(|member| member.client.reconnects()).sum()
    }
}

/// Asks a group whenever there was trouble, but not at every trouble. A group that does not answer
/// keeps no other one waiting.
async fn keep_terms(front: Rc<Front>, member: usize, every: Duration) {
    loop {
        front.groups[member].trouble.notified().await;
        front.ask_terms(member).await;
        tokio::time::sleep(every).await;
    }
}
