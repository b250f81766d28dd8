//! A timer that is more exact than the runtime's, which counts in milliseconds.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::model::{Clock, Nanos};

/// A kernel timer. The runtime waits for it as for a socket.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: AsyncFd<OwnedFd>,
    clock: Clock,
}

impl Alarm {
    /// Must be called within a runtime. It fails if no file descriptor is left.
    pub(crate) fn new(clock: Clock) -> io::Result<Alarm> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: an `OwnedFd` gives the same open descriptor until it is dropped, and the
        // `AsyncFd` that owns it takes the descriptor out of the runtime before that.
        let timer = unsafe { AsyncFd::register(timer) }?;
        Ok(Alarm { timer, clock })
    }

    /// Returns at `at`, or as soon after it as the machine allows. If `at` is past, other tasks
    /// run first.
    pub(crate) async fn until(&self, at: Nanos) -> io::Result<()> {
        if at <= self.clock.now() {
            tokio::task::yield_now().await;
        }
        loop {
            let left = at.since(self.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            let spec = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: left.as_secs() as i64,
                    tv_nsec: i64::from(left.subsec_nanos()) as _,
                },
            };
            // Setting the timer again also clears an expiry that nobody has read.
            timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
            self.timer.readable().await?.clear_ready();
        }
    }
}
