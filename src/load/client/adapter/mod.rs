//! A client that is a program of its own: any language's library behind a small protocol.
//!
//! Orders go to the program's standard input as they come, without waiting for those before;
//! answers come in any order. What redrill knows for sure decides the outcome where the program
//! gives none: an order that was not handed over was certainly not carried out; one that was
//! handed over, and that nobody answered, may have been.
//!
//! - [`protocol`]: the lines.
//! - `beside`: with redrill's own client, where it takes both.
//! - `program`: the process.
//! - `start`: from a command to an adapter that is ready.

mod beside;
mod program;
pub mod protocol;
mod start;
#[cfg(test)]
pub(in crate::load) mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot, watch};

use self::program::{MOMENT, Program, within};
use self::protocol::{Ask, Came, Computed, Greeting, Order, Reply, VERSION, Work};
use super::{Answer, Client};
use crate::backend::ActorStarts;
use crate::backend::programs::Programs;
use crate::load::workload::Doing;
use crate::log::OrUnheard;
use crate::model::event::{EventKind, Teller};
use crate::model::op::{Action, Cause, Outcome};
use crate::model::{NodeName, Password};
use crate::spec::scenario::Load;

pub(crate) use beside::Beside;
pub use start::AdapterError;
pub(in crate::load) use start::LOOKS;

/// So much is written at once: what a program that reads nothing leaves in doubt.
const BATCH: usize = 64 << 10;
/// The longest line that is read.
const LINE: u64 = 1 << 20;
/// An error's text is counted by so many characters of its first line.
const TEXT: usize = 160;
/// Questions that an adapter may have asked and not have read the answers of. It is ended if it
/// asks more.
const QUESTIONS: usize = 10_000;
/// Lines of orders that were given up wait no longer once there are so many lines.
const LINES: usize = 1_000;
/// Different texts that are counted; further ones are counted together.
const TEXTS: usize = 50;
const OTHER_TEXTS: &str = "(other errors)";
/// For an adapter to end when its input has, beyond an operation's time-out.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) struct Settings {
    /// The load's number.
    pub(crate) index: u8,
    /// Which of the load's instances it is.
    pub(crate) instance: u32,
    pub(crate) load: Load,
    pub(crate) teller: Teller,
    /// Where the program runs.
    pub(crate) programs: Arc<Programs>,
    /// How long it may take to greet, and to connect: interpreters load their libraries slowly.
    pub(crate) patience: Duration,
    /// Where its questions go, if it may ask any.
    pub(crate) questions: Option<UnboundedSender<Question>>,
}

/// What a program asks back.
#[derive(Debug)]
pub(crate) struct Question {
    pub(in crate::load) ask: Ask,
    /// How often steps had ended the program when it asked.
    times_ended: usize,
}

pub(crate) struct Adapter {
    settings: Settings,
    program: Program,
    /// It is told, and nothing that it says shows it.
    password: Option<Password>,
    state: RefCell<State>,
    /// There is something to write, or nothing will come any more.
    to_write: Notify,
    /// Whether the load is stopped.
    stopped: watch::Sender<bool>,
}

struct State {
    /// Orders that wait for their answers.
    waiting: HashMap<u64, Waiting>,
    /// Orders of which nobody waits for the answer any more, and whose they were.
    given_up: HashMap<u64, Whose>,
    next_id: u64,
    /// The orders that it carries out.
    does: Vec<String>,
    /// Lines that have not been handed over.
    lines: VecDeque<(u64, String)>,
    /// Questions of the program that runs now whose answers have not been handed over.
    questions: usize,
    phase: Phase,
    /// It has come so far that the load may begin.
    ready: bool,
    /// Its input is to end.
    ending: bool,
    /// What it said that is no answer, before it was ready.
    nonsense: Option<String>,
    warned: BTreeSet<Nonsense>,
    tally: Tally,
}

/// How far the program that runs now has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It takes no orders but the one to connect.
    Begins,
    Answers,
    /// Its output has ended, or is of no use.
    Silent,
}

/// For whom an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// What comes of it is told of the library.
    Load,
    /// redrill only looks.
    Own,
}

struct Waiting {
    handed_over: bool,
    whose: Whose,
    answer: oneshot::Sender<Ended>,
}

/// How an order has ended.
enum Ended {
    /// It took the library so long, if the adapter tells that.
    Answered(Came, Duration),
    /// Nobody waits for it any more.
    TimedOut { handed_over: bool },
    /// It was handed over, and the load has ended.
    CutOff,
    /// The program's output has ended.
    Gone { handed_over: bool },
}

/// What an adapter says that is no answer to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Nonsense {
    NotALine,
    UnknownId,
    AnsweredTwice,
    NotAValue,
}

/// What is told of it from time to time.
struct Tally {
    errors: BTreeMap<String, u64>,
    late: u64,
    /// How long its library took, by its own clock.
    own: Histogram<u64>,
    changed: bool,
}

impl Tally {
    fn hear(&mut self, came: &Came, ns: Option<u64>) {
        self.changed |= ns.is_some();
        ns.into_iter().for_each(|ns| self.own.saturating_record(ns));
        let (Came::Fail(error) | Came::Unknown(error)) = came else { return };
        self.changed = true;
        let line: String = error.lines().next().unwrap_or_default().chars().take(TEXT).collect();
        let known = self.errors.contains_key(&line) || self.errors.len() < TEXTS;
        let line = if known { line } else { OTHER_TEXTS.to_owned() };
        *self.errors.entry(line).or_default() += 1;
    }
}

impl Adapter {
    /// Starts the program; nothing has been said yet.
    async fn start(
        command: &[String],
        settings: Settings,
        password: Option<Password>,
    ) -> Result<(Rc<Adapter>, ActorStarts), AdapterError> {
        let name = NodeName::actor(&settings.load.name, settings.instance);
        let (program, starts) = Program::start(settings.programs.clone(), name, command).await?;
        let own = Histogram::new_with_bounds(64, 60_000_000_000, 3)
            .expect("these bounds are valid whatever the adapter");
        let state = State {
            waiting: HashMap::new(),
            given_up: HashMap::new(),
            next_id: 1,
            does: Vec::new(),
            lines: VecDeque::new(),
            questions: 0,
            phase: Phase::Silent,
            ready: false,
            ending: false,
            nonsense: None,
            warned: BTreeSet::new(),
            tally: Tally { errors: BTreeMap::new(), late: 0, own, changed: false },
        };
        let state = RefCell::new(state);
        let to_write = Notify::new();
        Ok((
            Rc::new(Adapter {
                settings,
                program,
                password,
                state,
                to_write,
                stopped: watch::Sender::new(false),
            }),
            starts,
        ))
    }

    /// Gives the order now. Its end within `patience`, once that is awaited.
    fn order(&self, work: Work, whose: Whose, patience: Duration) -> impl Future<Output = Ended> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.state.borrow_mut();
        let id = state.next_id;
        state.next_id += 1;
        let taken = match state.phase {
            Phase::Begins => matches!(work, Work::Connect(_)),
            Phase::Answers => true,
            Phase::Silent => false,
        };
        if taken {
            state.lines.push_back((id, line(&Order { id, work })));
            state.waiting.insert(id, Waiting { handed_over: false, whose, answer });
            state.forget_given_up();
            self.to_write.notify_one();
        } else {
            answer.send(Ended::Gone { handed_over: false }).or_unheard();
        }
        drop(state);
        async move {
            tokio::select! {
                ended = answered => ended.unwrap_or(Ended::Gone { handed_over: true }),
                () = tokio::time::sleep(patience) => self.give_up(id),
                () = self.too_late() => match self.give_up(id) {
                    Ended::TimedOut { handed_over: true } => Ended::CutOff,
                    ended => ended,
                },
            }
        }
    }

    /// Whether its greeting says so of the order.
    pub(in crate::load) fn does(&self, order: &str) -> bool {
        self.state.borrow().does.iter().any(|does| does == order)
    }

    /// Gives the order now; what was learned when it was done, and how long the library took.
    ///
    /// Errors: it was not done, or nobody knows.
    pub(in crate::load) async fn carry_out(
        &self,
        work: &Work,
    ) -> Result<(Json, Duration), Outcome> {
        self.carry_out_for(work, Whose::Load).await
    }

    /// The same, of an order that no client waits for.
    pub(in crate::load) async fn look(&self, work: &Work) -> Result<Json, Outcome> {
        self.carry_out_for(work, Whose::Own).await.map(|(learned, _)| learned)
    }

    async fn carry_out_for(&self, work: &Work, whose: Whose) -> Result<(Json, Duration), Outcome> {
        let patience = self.settings.load.timeout + work.may_wait();
        Err(match self.order(work.clone(), whose, patience).await {
            Ended::Answered(Came::Ok(learned), took) => return Ok((learned, took)),
            Ended::Answered(Came::Fail(_), _) => Outcome::Fail(Cause::Library),
            Ended::Answered(Came::Unknown(_), _) => Outcome::Unknown(Cause::Library),
            Ended::TimedOut { handed_over: true } => Outcome::Unknown(Cause::Timeout),
            Ended::CutOff => Outcome::Unknown(Cause::CutOff),
            Ended::Gone { handed_over: true } => Outcome::Unknown(Cause::ConnectionLost),
            Ended::TimedOut { handed_over: false } | Ended::Gone { handed_over: false } => {
                Outcome::Fail(Cause::Refused)
            }
        })
    }

    /// It says that it was done, and nobody knows what was.
    pub(in crate::load) fn makes_no_sense(&self, work: &Work, learned: &Json) -> Outcome {
        self.object(Nonsense::NotAValue, &format!("{work:?}: {learned}"));
        match work {
            Work::Get { .. } | Work::Read { .. } => Outcome::Fail(Cause::Library),
            _ => Outcome::Unknown(Cause::Library),
        }
    }

    /// How often steps have ended the program.
    pub(in crate::load) fn times_ended(&self) -> usize {
        self.program.times_ended()
    }

    /// Answers a question, unless who asked it has ended.
    pub(in crate::load) fn tell_back(&self, question: &Question, came: Came) {
        if question.times_ended == self.program.times_ended() {
            let computed = Computed { answer: question.ask.ask, came };
            self.state.borrow_mut().lines.push_back((0, line(&computed)));
            self.to_write.notify_one();
        }
    }

    /// A time-out after the load's end: a library may be willing to wait for longer.
    async fn too_late(&self) {
        // Whoever stops it is there for as long as this is.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
        tokio::time::sleep(self.settings.load.timeout).await;
    }

    fn give_up(&self, id: u64) -> Ended {
        let mut state = self.state.borrow_mut();
        let Some(Waiting { handed_over, whose, .. }) = state.waiting.remove(&id) else {
            return Ended::TimedOut { handed_over: true };
        };
        if handed_over {
            state.given_up.insert(id, whose);
        }
        Ended::TimedOut { handed_over }
    }

    /// The lines that are to be written next, in one piece; `None` when nothing will come any
    /// more. Orders that were given up are not among them.
    fn batch(&self) -> Option<String> {
        let state = &mut *self.state.borrow_mut();
        let mut batch = String::new();
        while batch.len() < BATCH {
            let Some((id, line)) = state.lines.pop_front() else { break };
            match state.waiting.get_mut(&id) {
                Some(waiting) => waiting.handed_over = true,
                None if id > 0 => continue,
                // An answer to a question, or the greeting, before any question.
                None => state.questions = state.questions.saturating_sub(1),
            }
            batch.push_str(&line);
        }
        let goes_on = !state.ending && state.phase != Phase::Silent;
        (!batch.is_empty() || goes_on).then_some(batch)
    }

    fn hear(&self, line: &[u8]) {
        let mut text = String::from_utf8_lossy(line);
        if let Some(secret) = self.password.as_ref().map(Password::reveal)
            && text.contains(secret)
        {
            text = text.replace(secret, "…").into();
        }
        let reply: Reply = match serde_json::from_str(&text) {
            Ok(reply) => reply,
            Err(why) => match (serde_json::from_str(&text), &self.settings.questions) {
                (Ok(ask), Some(questions)) => {
                    if !self.may_ask() {
                        return;
                    }
                    let times_ended = self.program.times_ended();
                    return questions.send(Question { ask, times_ended }).or_unheard();
                }
                _ => return self.object(Nonsense::NotALine, &format!("{text} ({why})")),
            },
        };
        let state = &mut *self.state.borrow_mut();
        if let Some(waiting) = state.waiting.remove(&reply.id) {
            if waiting.whose == Whose::Load {
                state.tally.hear(&reply.came, reply.ns);
            }
            let took = Duration::from_nanos(reply.ns.unwrap_or(0));
            waiting.answer.send(Ended::Answered(reply.came, took)).or_unheard();
        } else if let Some(whose) = state.given_up.remove(&reply.id) {
            if whose == Whose::Load {
                state.tally.hear(&reply.came, reply.ns);
                state.tally.late += 1;
            }
        } else {
            let known = (1..state.next_id).contains(&reply.id);
            let what = if known { Nonsense::AnsweredTwice } else { Nonsense::UnknownId };
            self.object_in(state, what, &text);
        }
    }

    /// Counts a question. The program is ended by one that is too many.
    fn may_ask(&self) -> bool {
        let mut state = self.state.borrow_mut();
        state.questions += 1;
        let may_ask = state.questions <= QUESTIONS;
        if !may_ask && state.phase != Phase::Silent {
            state.end_all();
            self.program.kill();
            self.warn(&format!(
                "its adapter has asked {QUESTIONS} questions without reading the answers, which is \
                 the limit, and was ended"
            ));
        }
        may_ask
    }

    fn object(&self, what: Nonsense, said: &str) {
        self.object_in(&mut self.state.borrow_mut(), what, said);
    }

    /// Tells of each kind of nonsense once; before the load begins it ends all.
    fn object_in(&self, state: &mut State, what: Nonsense, said: &str) {
        let what_is_wrong = match what {
            Nonsense::NotALine => "a line that is no answer",
            Nonsense::UnknownId => "an answer to an order that was not given",
            Nonsense::AnsweredTwice => "a second answer to one order",
            Nonsense::NotAValue => "an answer that does not fit its order",
        };
        let text = format!("{what_is_wrong}: `{}`", shortened(said));
        if !state.ready {
            state.nonsense.get_or_insert(text);
            state.end_all();
        } else if state.warned.insert(what) {
            self.warn(&format!("its adapter gave {text}; this is told once"));
        }
    }

    fn warn(&self, text: &str) {
        let text = format!("load `{}`: {text}", self.settings.load.name);
        self.settings.teller.tell(EventKind::Warning { text });
    }

    /// `times_ended` is how often steps had ended it when it last read.
    async fn reads_no_more(&self, times_ended: usize) {
        // One that has ended is told by the end of its output.
        tokio::time::sleep(Duration::from_millis(500)).await;
        if self.program.times_ended() != times_ended {
            return;
        }
        let State { phase: Phase::Answers, ready: true, ending: false, .. } = *self.state.borrow()
        else {
            return;
        };
        let last_words = self.program.last_words().await;
        self.warn(&format!("its adapter reads no more orders: {last_words}"));
    }

    /// Tells what was counted since the last time.
    fn tell(&self) {
        let tally = &mut self.state.borrow_mut().tally;
        if !std::mem::take(&mut tally.changed) {
            return;
        }
        let own = |share| (!tally.own.is_empty()).then(|| tally.own.value_at_quantile(share));
        self.settings.teller.tell(EventKind::AdapterTold {
            load: self.settings.index,
            errors: std::mem::take(&mut tally.errors),
            late: std::mem::take(&mut tally.late),
            own_p50_ns: own(0.5),
            own_p99_ns: own(0.99),
        });
    }
}

impl State {
    /// The program has just been started: it is greeted first.
    fn begin(&mut self) {
        self.phase = Phase::Begins;
        self.questions = 0;
        let greeting = Greeting {
            protocol: VERSION,
            name: "redrill".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            does: Vec::new(),
        };
        self.lines = VecDeque::from([(0, line(&greeting))]);
    }

    /// Drops the lines of orders that nobody waits for, if there are many lines: a program that
    /// reads nothing would leave them all here.
    fn forget_given_up(&mut self) {
        if self.lines.len() > LINES + 2 * self.waiting.len() {
            self.lines.retain(|(id, _)| *id == 0 || self.waiting.contains_key(id));
        }
    }

    /// Its output has ended, or is of no use.
    fn end_all(&mut self) {
        self.phase = Phase::Silent;
        self.lines.clear();
        for (_, Waiting { handed_over, answer, .. }) in self.waiting.drain() {
            answer.send(Ended::Gone { handed_over }).or_unheard();
        }
    }
}

impl Client for Adapter {
    /// The order, if adapters carry out such a thing, and what it is for.
    type Form = (Option<Work>, Action);

    fn request(doing: Doing<'_>) -> Self::Form {
        let lease = doing.load.lock.as_ref().map(|lock| lock.ttl);
        (Work::of(doing.key(), doing.plan, lease, doing.values), doing.plan.action.clone())
    }

    fn stop(&self) {
        self.stopped.send_replace(true);
    }

    async fn perform(&self, (work, action): &Self::Form) -> Answer {
        let Some(work) = work else { return Answer::of(Outcome::Fail(Cause::Other)) };
        match self.carry_out(work).await {
            Ok((learned, took)) => match protocol::learned(action, &learned, took) {
                Some(told) => Answer { told, ..Answer::of(Outcome::Ok) },
                None => Answer::of(self.makes_no_sense(work, &learned)),
            },
            Err(outcome) => Answer::of(outcome),
        }
    }

    /// The library does not tell.
    fn reconnects(&self) -> u64 {
        0
    }

    async fn end(&self) {
        self.state.borrow_mut().ending = true;
        self.to_write.notify_one();
        let most = self.settings.load.timeout + GRACE;
        if !self.program.ends_within(most).await {
            self.warn(&format!(
                "its adapter ran on for {most:?} after the end of its input, and was killed"
            ));
        }
        // Its last answers may not have been read yet.
        within(MOMENT, || self.state.borrow().phase == Phase::Silent).await;
        self.tell();
    }
}

/// Writes what there is to write, as it comes.
async fn write(adapter: Rc<Adapter>, mut input: ChildStdin) {
    let times_ended = adapter.program.times_ended();
    while let Some(batch) = adapter.batch() {
        if batch.is_empty() {
            adapter.to_write.notified().await;
        // A program that reads no more has ended, or will be seen to say nothing.
        } else if input.write_all(batch.as_bytes()).await.is_err() {
            return adapter.reads_no_more(times_ended).await;
        }
    }
}

/// Hears every line until its output ends. That a step ended the program is no surprise.
async fn read(adapter: Rc<Adapter>, mut output: BufReader<ChildStdout>) {
    let times_ended = adapter.program.times_ended();
    while let Some(line) = next_line(&mut output).await {
        adapter.hear(&line);
    }
    let ending = {
        let mut state = adapter.state.borrow_mut();
        state.end_all();
        state.ending || !state.ready
    };
    adapter.to_write.notify_one();
    if !ending {
        let last_words = adapter.program.last_words().await;
        if adapter.program.times_ended() == times_ended {
            adapter.warn(&format!("its adapter answers no more: {last_words}"));
        }
    }
}

/// A line, or so much of one as is read at most; `None` at the end.
async fn next_line(output: &mut BufReader<ChildStdout>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = output.take(LINE).read_until(b'\n', &mut line).await;
    (read.is_ok() && !line.is_empty()).then_some(line)
}

/// Tells every second what was counted.
async fn tell(adapter: Rc<Adapter>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        adapter.tell();
    }
}

fn line(said: &impl serde::Serialize) -> String {
    // Nothing in it can fail to be written: its keys are texts.
    let mut line = serde_json::to_string(said).unwrap_or_default();
    line.push('\n');
    line
}

/// So much of a text as a message has room for.
fn shortened(text: &str) -> String {
    let text = text.trim();
    let short: String = text.chars().take(TEXT).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
