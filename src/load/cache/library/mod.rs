//! Reading and writing through the cache of somebody else's library: an adapter has the copies, and
//! asks back for what none of them has. The origin is redrill's own here too.

mod looks;
#[cfg(test)]
mod tests;
pub(super) mod watched;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::mpsc::UnboundedReceiver;

use self::looks::{Looks, found};
use self::watched::{Told, Writes, Written};
use crate::load::cache::copy::entity::Copy;
use crate::load::cache::origin::{Origin, Wrote};
use crate::load::cache::process::Of;
use crate::load::client::adapter::protocol::{Cached, Came, Where, Work};
use crate::load::client::adapter::{Adapter, Question};
use crate::load::client::{Answer, Client, Noted, ReplyValue};
use crate::load::workload::Doing;
use crate::log::OrUnheard;
use crate::model::op::{
    Access, Action, CacheOp, Cause, FoundIn, Outcome, Purpose, key_name, key_prefix,
};
use crate::model::{Clock, Nanos};
use crate::spec::cache::Write;
use crate::wake::Timer;

/// That of one instance.
pub(crate) struct Library {
    adapter: Rc<Adapter>,
    origin: Arc<Origin>,
    timer: Rc<Timer>,
    clock: Clock,
    /// Of the load whose entities these are.
    name: String,
    /// The smallest and the largest copy in bytes.
    size: (usize, usize),
    timeout: Duration,
    write: Write,
    /// How long a copy is kept in the farthest layer.
    lasts: Duration,
    /// Reads of the origin, since they were last told.
    beside: RefCell<Vec<Noted>>,
    /// How many of its clients wait for a read of an entity now.
    asking: RefCell<HashMap<u64, u32>>,
    writes: Arc<Writes>,
    looks: Rc<Looks>,
}

/// One operation on an entity.
pub(crate) enum Form {
    Read(u64),
    Write(u64),
    /// What the library left in the group is written in its own way.
    Last,
}

impl Library {
    /// That of an instance whose adapter asks `questions`. It lives on the calling thread, in a local
    /// runtime.
    ///
    /// Errors: the machine gives no timer.
    pub(crate) fn begin(
        Of { load, cache, application, .. }: Of<'_>,
        adapter: Rc<Adapter>,
        mut questions: UnboundedReceiver<Question>,
        clock: Clock,
    ) -> Result<Rc<Library>, String> {
        let timer = Rc::new(Timer::new(clock).map_err(|e| e.to_string())?);
        let name = load.keyspace.name.clone();
        let looks = Looks::new((load, cache), adapter.clone(), (timer.clone(), clock));
        let library = Rc::new(Library {
            adapter,
            origin: application.origin().clone(),
            timer,
            clock,
            name,
            size: load.value,
            timeout: load.timeout,
            write: cache.write,
            lasts: cache.layers.last().map_or(Duration::ZERO, |layer| layer.ttl),
            beside: RefCell::default(),
            asking: RefCell::default(),
            writes: application.writes.clone(),
            looks: Rc::new(looks),
        });
        tokio::task::spawn_local(library.looks.clone().hear(application.writes.hear()));
        tokio::task::spawn_local(library.looks.clone().look_on());
        let of_timer = library.clone();
        tokio::task::spawn_local(async move { of_timer.timer.run().await.or_unheard() });
        let asked = library.clone();
        tokio::task::spawn_local(async move {
            while let Some(question) = questions.recv().await {
                let asked = asked.clone();
                tokio::task::spawn_local(async move { asked.compute(question).await });
            }
        });
        Ok(library)
    }

    /// Asks the origin for the adapter, and answers it.
    async fn compute(&self, question: Question) {
        let key = &question.ask.compute;
        let id = key.strip_prefix(&key_prefix(&self.name)).and_then(|id| id.parse().ok());
        let Some(id) = id else {
            let why = format!("there is no entity `{key}`");
            return self.adapter.tell_back(&question, Came::Fail(why));
        };
        if !self.asking.borrow().contains_key(&id) && self.looks.refuse(id) {
            let why = "nobody wants it: redrill only looks whether there is a copy".to_owned();
            return self.adapter.tell_back(&question, Came::Fail(why));
        }
        let asked = Cell::default();
        let came = match self.origin.says((&self.timer, self.clock), id, &asked).await {
            Ok((version, took)) => {
                self.note(id, Some(version), asked.get());
                Came::Ok(self.text(id, version, took).into())
            }
            Err(cause) => {
                self.note(id, None, asked.get());
                Came::Fail(format!("the origin failed: {cause}"))
            }
        };
        self.adapter.tell_back(&question, came);
    }

    fn note(&self, key: u64, version: Option<u64>, asked: Option<(Nanos, Nanos)>) {
        let Some((from, to)) = asked else { return };
        let kept = version.map(|_| to + self.lasts);
        let read = CacheOp::Read { version, from: FoundIn::Origin, asked, kept, met: None };
        self.beside.borrow_mut().push(Noted::new(key, Action::Cache(read), (from, to)));
    }

    fn text(&self, id: u64, version: u64, took: u64) -> String {
        let copy = Copy { id, version, until: self.clock.now() + self.lasts, took };
        copy.text(self.size)
    }

    async fn read(&self, id: u64) -> Answer {
        let work = Work::Read { key: key_name(&self.name, id) };
        *self.asking.borrow_mut().entry(id).or_default() += 1;
        let mut sent = self.clock.now();
        let mut learned = self.adapter.carry_out(&work).await;
        // Some libraries share one fetch among all waiting readers, so an error that a watcher got
        // reaches every reader. Ask again.
        let is_error = matches!(
            learned,
            Err(Outcome::Fail(Cause::Library) | Outcome::Unknown(Cause::Library))
        );
        if is_error && self.looks.refused_since(id, sent) {
            sent = self.clock.now();
            learned = self.adapter.carry_out(&work).await;
        }
        self.asked(id);
        let learned = match learned {
            Ok((learned, _)) => learned,
            Err(outcome) => return answer(outcome, nothing()),
        };
        let Ok(Cached { text, from }) = Cached::deserialize(&learned) else {
            return answer(self.adapter.makes_no_sense(&work, &learned), nothing());
        };
        let copy = Copy::read_text(&text, self.size);
        if copy.is_none() {
            let (action, now) = (Action::Cache(CacheOp::Broken), self.clock.now());
            self.beside.borrow_mut().push(Noted::new(id, action, (now, now)));
        }
        let copy = copy.filter(|copy| copy.id == id);
        self.looks.heard(id, Told { sent, found: found(copy, from) });
        let from = match from {
            Some(Where::Near) => FoundIn::Process,
            Some(Where::Origin) => FoundIn::Origin,
            Some(Where::Other) => FoundIn::Other,
            Some(Where::Group) | None => FoundIn::Group,
        };
        // The copy itself says when it ends. Who asked the origin is told of besides.
        let kept = copy.map(|copy| copy.until).filter(|_| from != FoundIn::Origin);
        let version = copy.map(|copy| copy.version);
        answer(Outcome::Ok, CacheOp::Read { version, from, asked: None, kept, met: None })
    }

    /// One that waited for a read does not any more.
    fn asked(&self, id: u64) {
        let mut asking = self.asking.borrow_mut();
        if let Some(waiting) = asking.get_mut(&id).filter(|waiting| **waiting > 1) {
            *waiting -= 1;
        } else {
            asking.remove(&id);
        }
    }

    /// Some libraries drop copies before a write too. If one cannot, nothing is written.
    async fn before_write(&self, id: u64) -> Result<(), Outcome> {
        if !self.adapter.does("writing") {
            return Ok(());
        }
        let work = Work::Writing { key: key_name(&self.name, id) };
        self.adapter.carry_out(&work).await.map(drop)
    }

    async fn write(&self, id: u64) -> Answer {
        let wrote = Wrote::default();
        if let Err(outcome) = self.before_write(id).await {
            let (version, at) = wrote.of(id);
            return answer(outcome, CacheOp::Write { version, at, commands: None });
        }
        let taken = self.origin.takes((&self.timer, self.clock), [id], &wrote);
        let outcome = match tokio::time::timeout(self.timeout, taken).await {
            Err(_) => Outcome::Unknown(Cause::Timeout),
            Ok(Err(cause)) => Outcome::Fail(cause),
            Ok(Ok(took)) => {
                let (version, _) = wrote.of(id);
                let key = key_name(&self.name, id);
                let work = match self.write {
                    Write::Through => Work::Write { key, text: self.text(id, version, took) },
                    Write::Aside | Write::Behind | Write::Ahead => Work::Invalidate { key },
                };
                let done = self.adapter.carry_out(&work).await.map(drop);
                if done.is_ok() {
                    self.writes.offer(Written { id, version, at: self.clock.now() });
                }
                done.map_or_else(|outcome| outcome, |()| Outcome::Ok)
            }
        };
        let (version, at) = wrote.of(id);
        // What the library sends nobody counts.
        answer(outcome, CacheOp::Write { version, at, commands: None })
    }
}

impl Client for Library {
    type Form = Form;

    fn request(doing: Doing<'_>) -> Form {
        let id = doing.plan.key;
        match (doing.purpose, doing.plan.action.access()) {
            (Purpose::Final | Purpose::Beside, _) => Form::Last,
            (Purpose::Fill, _) | (Purpose::Load, Access::Read) => Form::Read(id),
            (Purpose::Load, Access::Write) => Form::Write(id),
        }
    }

    async fn perform(&self, form: &Form) -> Answer {
        match form {
            Form::Read(id) => self.read(*id).await,
            Form::Write(id) => self.write(*id).await,
            Form::Last => answer(Outcome::Ok, nothing()),
        }
    }

    fn noted(&self, _: bool) -> Vec<Noted> {
        let mut noted = std::mem::take(&mut *self.beside.borrow_mut());
        noted.extend(self.looks.take());
        noted
    }

    /// The library does not tell.
    fn reconnects(&self) -> u64 {
        0
    }

    fn stop(&self) {
        self.looks.stop();
        self.adapter.stop();
    }

    async fn end(&self) {
        self.adapter.end().await;
    }
}

fn nothing() -> CacheOp {
    CacheOp::Read { version: None, from: FoundIn::Origin, asked: None, kept: None, met: None }
}

fn answer(outcome: Outcome, told: CacheOp) -> Answer {
    Answer { told: ReplyValue::Found(Action::Cache(told)), ..Answer::of(outcome) }
}
