//! The rounds: at every tick, those canaries are read whose turn it is, and they are written half
//! a tick later. So a read sees what was there before the write, though both go their own ways.
//!
//! Ticks have fixed instants, and no probe delays the next tick. Only redrill itself can: if
//! the thread overslept a tick, it probes when it wakes, as if the tick had been intended then.
//! It skips the earlier ticks that it overslept, as a probe cannot see the past.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::blind_time::{Blind, BlindTime};
use super::canary_probe::{CanaryProbe, Clients, ProbeStart};
use super::outage::ProbeResult;
use super::turns::Turns;
use crate::load::client::{Answer, Client, ClientOptions, Front, Request};
use crate::load::workload::Values;
use crate::model::Nanos;
use crate::model::event::{Canary, EventKind, Teller};
use crate::model::op::{Access, Cause, Outcome};
use crate::spec::scenario::Probe;
use crate::wake::Alarm;

/// How long a request goes on after its probe's deadline. Its answer is too late for the probe,
/// but shows which value was written.
const MARGIN: Duration = Duration::from_millis(25);
/// What a probe gets after blind time, so that answers which have arrived are read.
const GRACE: Duration = Duration::from_millis(5);
/// The runtime's own timers fire up to this late.
const TIMER_GRAIN: Duration = Duration::from_millis(1);
/// How often `Probes` is emitted.
const ACCOUNT_EVERY: Duration = Duration::from_secs(1);
/// From so much blind time in a second on, a warning is emitted.
const BLIND_WORTH_TELLING: Duration = Duration::from_millis(50);

/// The options of the prober's clients. They wait no longer than probes do, and look for
/// another way at once when something fails, so that they do not make an outage seem longer.
pub(super) fn options(probe: &Probe, canaries: usize) -> ClientOptions {
    ClientOptions {
        lines: 1,
        timeout: probe.deadline + MARGIN,
        connect: probe.deadline + MARGIN,
        // One that is refused has failed.
        retries: 0,
        room: canaries * 2 * most_waiting(probe) + 64,
        pause: Duration::from_millis(5),
        map_every: Duration::from_millis(10),
        map_patience: probe.map_patience(),
    }
}

/// How many probes of one canary by one action may wait at once, unless redrill itself is in
/// trouble: twice those sent within the time that one may take.
fn most_waiting(probe: &Probe) -> usize {
    let ticks = (probe.deadline + MARGIN).as_nanos() / probe.every.as_nanos().max(1);
    2 * ticks as usize + 16
}

/// Counts of the probes that ended since the last `Probes` event.
#[derive(Default)]
struct Account {
    sent: u64,
    failed: u64,
    wrong: u64,
    worst: Duration,
}

pub(super) struct Rounds {
    probe: Probe,
    teller: Teller,
    canaries: RefCell<Vec<CanaryProbe>>,
    turns: RefCell<Turns>,
    blind_time: RefCell<BlindTime>,
    account: RefCell<Account>,
    values: RefCell<Values>,
    under_way: Cell<usize>,
    idle: Notify,
}

impl Rounds {
    pub(super) fn new(
        probe: Probe,
        teller: Teller,
        turns: Turns,
        canaries: impl IntoIterator<Item = (Canary, Clients)>,
    ) -> Rc<Rounds> {
        let canaries =
            canaries.into_iter().map(|(canary, clients)| CanaryProbe::new(canary, clients));
        Rc::new(Rounds {
            probe,
            teller,
            turns: RefCell::new(turns),
            canaries: RefCell::new(canaries.collect()),
            blind_time: RefCell::new(BlindTime::new(2 * probe.deadline + ACCOUNT_EVERY)),
            account: RefCell::default(),
            values: RefCell::new(Values::new(0)),
            under_way: Cell::new(0),
            idle: Notify::new(),
        })
    }

    /// Writes every canary before the first tick, so that all connections are made. If one
    /// cannot be written before `give_up`, the ticks will report it.
    pub(super) async fn warm_up(&self, give_up: Nanos) {
        let count = self.canaries.borrow().len();
        for i in 0..count {
            loop {
                let (client, request, asked) = self.ask(i, Access::Write);
                let answer = client.perform(&request).await;
                self.learn(i, asked, answer.outcome);
                if answer.outcome == Outcome::Ok || self.now() >= give_up {
                    break;
                }
                tokio::time::sleep(GRACE).await;
            }
        }
    }

    /// Probes at every tick until `stop` fires or its other end is gone, then waits for the
    /// probes under way.
    ///
    /// It fails if the machine gives no timer.
    pub(super) async fn run(self: Rc<Self>, mut stop: oneshot::Receiver<()>) -> io::Result<()> {
        let alarm = Alarm::new(self.teller.clock())?;
        let start = self.now() + self.probe.every;
        let mut accounted = start;
        let mut tick = 0;
        // Whom it is the turn of is read, and then written.
        let (mut access, mut turns, mut due) = (Access::Read, Vec::new(), start);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                woken = alarm.until(due) => woken?,
            }
            let now = self.now();
            let is_late = self.blind_time.borrow_mut().woke(due, now);
            let at = if is_late { now } else { due };
            let asked = access;
            (access, due) = match access {
                Access::Read => {
                    if is_late {
                        tick = self.tick_at(start, now);
                    }
                    turns = self.turns.borrow_mut().next(now);
                    tick += 1;
                    let next = self.due(start, tick);
                    (Access::Write, at + next.since(at) / 2)
                }
                Access::Write => (Access::Read, self.due(start, tick)),
            };
            turns.iter().for_each(|canary| self.begin(*canary, asked, at));
            if asked == Access::Read {
                // Where reads fail, a write comes right behind its read, on the same connection.
                let behind = |canary: &usize| self.canaries.borrow()[*canary].reads_fail();
                let (behind, later): (Vec<_>, Vec<_>) = turns.into_iter().partition(behind);
                behind.iter().for_each(|canary| self.begin(*canary, Access::Write, at));
                turns = later;
            }
            if now.since(accounted) >= ACCOUNT_EVERY {
                accounted = now;
                self.tell_account();
            }
        }
        while self.under_way.get() > 0 {
            self.idle.notified().await;
        }
        self.tell_account();
        Ok(())
    }

    fn due(&self, start: Nanos, tick: u64) -> Nanos {
        Nanos(start.0 + tick * self.probe.every.as_nanos() as u64)
    }

    /// The last tick before `at`.
    fn tick_at(&self, start: Nanos, at: Nanos) -> u64 {
        (at.since(start).as_nanos() / self.probe.every.as_nanos().max(1)) as u64
    }

    fn now(&self) -> Nanos {
        self.teller.clock().now()
    }

    fn begin(self: &Rc<Self>, i: usize, action: Access, due: Nanos) {
        let (number, waiting) = self.canaries.borrow_mut()[i].begin(action, due);
        if waiting > most_waiting(&self.probe) {
            return self.conclude(i, action, number, due, ProbeResult::Bad(Cause::Shed));
        }
        self.under_way.set(self.under_way.get() + 1);
        let rounds = self.clone();
        tokio::task::spawn_local(async move {
            rounds.probe(i, action, number, due).await;
            rounds.under_way.set(rounds.under_way.get() - 1);
            if rounds.under_way.get() == 0 {
                rounds.idle.notify_one();
            }
        });
    }

    async fn probe(&self, i: usize, action: Access, number: u64, due: Nanos) {
        let (client, request, asked) = self.ask(i, action);
        let mut run = pin!(client.perform(&request));
        let heard = self.hear(run.as_mut(), due).await;
        let result = match &heard {
            Some(answer) => self.judge(i, asked, answer),
            None => ProbeResult::Bad(Cause::Timeout),
        };
        if matches!(result, ProbeResult::Bad(Cause::Timeout)) {
            client.doubt();
        }
        self.conclude(i, action, number, due, result);
        let answer = match heard {
            Some(answer) => answer,
            None => run.await,
        };
        self.learn(i, asked, answer.outcome);
    }

    fn ask(&self, i: usize, action: Access) -> (Rc<Front>, Request, ProbeStart) {
        self.canaries.borrow_mut()[i].ask(action, &mut self.values.borrow_mut())
    }

    /// Returns the answer if it comes within the deadline. Blind time does not count.
    async fn hear(
        &self,
        mut run: Pin<&mut impl Future<Output = Answer>>,
        due: Nanos,
    ) -> Option<Answer> {
        let mut limit = due + self.probe.deadline;
        loop {
            let wake = tokio::time::Instant::from_std(self.teller.clock().instant(limit));
            let answer = tokio::select! {
                biased;
                answer = &mut run => Some(answer),
                () = tokio::time::sleep_until(wake) => None,
            };
            let now = self.now();
            let mut blind_time = self.blind_time.borrow_mut();
            blind_time.woke(limit + TIMER_GRAIN, now);
            if answer.is_some() {
                return answer;
            }
            let blind = blind_time.blind(due, now);
            let grace = if blind.is_zero() { Duration::ZERO } else { blind + GRACE };
            limit = due + self.probe.deadline + grace;
            if limit <= now {
                return None;
            }
        }
    }

    fn judge(&self, i: usize, asked: ProbeStart, answer: &Answer) -> ProbeResult {
        let now = self.now();
        let cause = match answer.outcome {
            Outcome::Ok => {
                let right = self.canaries.borrow()[i].is_right(asked, answer.told.value());
                let lost = ProbeResult::Bad(Cause::DataLoss);
                return if right { ProbeResult::Good(now) } else { lost };
            }
            Outcome::Fail(cause) | Outcome::Unknown(cause) => cause,
        };
        // The client gave up just as the thread woke, and may not have read what had arrived.
        let blind_time = self.blind_time.borrow();
        let just_awoke = !blind_time.blind(now - GRACE, now).is_zero();
        if cause == Cause::Timeout && just_awoke {
            ProbeResult::Void
        } else {
            ProbeResult::Bad(cause)
        }
    }

    fn learn(&self, i: usize, asked: ProbeStart, outcome: Outcome) {
        self.canaries.borrow_mut()[i].learn(asked, outcome);
    }

    fn conclude(&self, i: usize, action: Access, number: u64, due: Nanos, result: ProbeResult) {
        self.count(due, result);
        if matches!(result, ProbeResult::Bad(_)) {
            self.turns.borrow_mut().failed(i, self.now());
        }
        let canary_probe = &mut self.canaries.borrow_mut()[i];
        let told = canary_probe.conclude(i, (action, number), result, &self.blind_time.borrow());
        told.into_iter().for_each(|what| self.teller.tell(what));
    }

    fn count(&self, due: Nanos, result: ProbeResult) {
        let mut account = self.account.borrow_mut();
        match result {
            ProbeResult::Good(at) => {
                let took = at.since(due).saturating_sub(self.blind_time.borrow().blind(due, at));
                account.sent += 1;
                account.worst = account.worst.max(took);
            }
            ProbeResult::Bad(cause) => {
                account.sent += 1;
                account.failed += 1;
                account.wrong += u64::from(cause == Cause::DataLoss);
            }
            ProbeResult::Void => {}
        }
    }

    fn tell_account(&self) {
        let Account { sent, failed, wrong, worst } = self.account.take();
        let Blind { total, longest } = self.blind_time.borrow_mut().account();
        let ns = |d: Duration| d.as_nanos() as u64;
        let (worst_ns, blind_ns, blind_max_ns) = (ns(worst), ns(total), ns(longest));
        self.teller.tell(EventKind::Probes {
            sent,
            failed,
            wrong,
            worst_ns,
            blind_ns,
            blind_max_ns,
        });
        if total >= BLIND_WORTH_TELLING {
            let text = format!(
                "redrill itself was not run for {} ms of a second: the machine is busy, \
                 and probes saw nothing of that time",
                total.as_millis()
            );
            self.teller.tell(EventKind::Warning { text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::client::ReplyValue;
    use crate::model::Clock;
    use crate::model::op::Redirects;
    use crate::probe::counter::Counter;

    fn unanswered() -> Answer {
        let outcome = Outcome::Unknown(Cause::Timeout);
        Answer { outcome, redirects: Redirects::default(), told: ReplyValue::Done, by: None }
    }

    #[test]
    fn a_time_out_on_waking_says_nothing() {
        let (every, deadline) = (Duration::from_millis(10), Duration::from_millis(100));
        let probe = Probe { every, deadline, canaries: 0, budget: 1_000.0 };
        let clock = Clock::start();
        let (teller, _events) = Teller::new(clock);
        let rounds = Rounds::new(probe, teller, Turns::new([], 1_000.0, every), []);
        let ticket = Counter::default().write();
        let judge = || rounds.judge(0, ProbeStart::Write(ticket), &unanswered());
        assert_eq!(judge(), ProbeResult::Bad(Cause::Timeout));

        std::thread::sleep(Duration::from_millis(50));
        rounds.blind_time.borrow_mut().woke(Nanos::ZERO, clock.now());
        assert_eq!(judge(), ProbeResult::Void);
        let asked = ProbeStart::Write(ticket);
        let outcome = Outcome::Fail(Cause::ClusterDown);
        let refused = rounds.judge(0, asked, &Answer { outcome, ..unanswered() });
        assert_eq!(refused, ProbeResult::Bad(Cause::ClusterDown), "an answer is an answer");

        std::thread::sleep(2 * GRACE);
        assert_eq!(judge(), ProbeResult::Bad(Cause::Timeout), "there was time to read since");
    }
}
