//! One kernel timer for many tasks of one thread that sleep until instants.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::Alarm;
use crate::model::{Clock, Nanos};

#[derive(Debug)]
pub(crate) struct Timer {
    clock: Clock,
    alarm: Alarm,
    sleepers: RefCell<BTreeMap<(Nanos, u64), Waker>>,
    /// A new sleeper wants to wake before all others.
    sooner: Notify,
    made: Cell<u64>,
}

impl Timer {
    /// Must be called within a runtime. It fails if no file descriptor is left.
    pub(crate) fn new(clock: Clock) -> io::Result<Timer> {
        let (sleepers, sooner, made) = Default::default();
        Ok(Timer { clock, alarm: Alarm::new(clock)?, sleepers, sooner, made })
    }

    /// Wakes sleepers, for ever.
    pub(crate) async fn run(&self) -> io::Result<()> {
        loop {
            let first = self.sleepers.borrow().keys().next().map(|(at, _)| *at);
            match first {
                None => self.sooner.notified().await,
                Some(at) => tokio::select! {
                    done = self.alarm.until(at) => done?,
                    () = self.sooner.notified() => {}
                },
            }
            self.wake_due();
        }
    }

    fn wake_due(&self) {
        let now = self.clock.now();
        loop {
            let mut sleepers = self.sleepers.borrow_mut();
            let Some(first) = sleepers.first_entry().filter(|first| first.key().0 <= now) else {
                return;
            };
            let waker = first.remove();
            drop(sleepers);
            waker.wake();
        }
    }

    /// Returns at `at`, or as soon after it as the machine allows.
    pub(crate) fn until(&self, at: Nanos) -> Until<'_> {
        self.made.set(self.made.get() + 1);
        Until { timer: self, key: (at, self.made.get()) }
    }
}

#[derive(Debug)]
pub(crate) struct Until<'a> {
    timer: &'a Timer,
    key: (Nanos, u64),
}

impl Future for Until<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.key.0 <= self.timer.clock.now() {
            return Poll::Ready(());
        }
        let mut sleepers = self.timer.sleepers.borrow_mut();
        sleepers.insert(self.key, context.waker().clone());
        if sleepers.keys().next() == Some(&self.key) {
            self.timer.sooner.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.timer.sleepers.borrow_mut().remove(&self.key);
    }
}
