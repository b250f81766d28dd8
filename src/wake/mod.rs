//! Waking up on time. A measuring instrument needs this before anything else.
//!
//! - [`Alarm`]: a timer that is exact to some tens of microseconds; the runtime's own counts in
//!   milliseconds.
//! - [`wake_soon`]: for threads that must not be late, those that send load and probes, and the
//!   watcher. Their lateness would count against a server, or spoil a figure.

mod timer;

use std::io;
use std::mem::size_of;
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

pub(crate) use timer::Timer;

use crate::log::OrUnheard;
use crate::model::{Clock, Nanos};

/// A thread of its own that is run at once when it has something to do. Dropping this waits for
/// its end.
#[derive(Debug)]
pub(crate) struct PromptThread(Option<JoinHandle<()>>);

impl PromptThread {
    /// Calls `main` in the thread, with an event loop if the machine gives one. It fails if the
    /// machine gives no thread.
    pub(crate) fn spawn(
        name: &str,
        main: impl FnOnce(io::Result<LocalRuntime>) + Send + 'static,
    ) -> io::Result<PromptThread> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            wake_soon();
            let mut builder = Builder::new_current_thread();
            main(builder.enable_all().build_local(LocalOptions::default()));
        })?;
        Ok(PromptThread(Some(thread)))
    }
}

impl Drop for PromptThread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic there has been printed already.
            thread.join().or_unheard();
        }
    }
}

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
            if left < SOON {
                tokio::task::yield_now().await;
                continue;
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

/// For less no timer is set: other tasks run until then.
const SOON: Duration = Duration::from_micros(20);

/// The shortest slice that Linux grants.
const SLICE: Duration = Duration::from_micros(100);

/// Asks the kernel to run this thread soon after it wakes up, also while other threads keep the
/// processor busy. The thread gets no more of the processor than they do, only in shorter
/// slices, and needs no privilege.
///
/// Linux 6.12 and newer do this, see `sched_setattr(2)` and the kernel's `sched-eevdf`. Older
/// kernels ignore it. A refusal is no error: the report says how late operations were sent.
pub(crate) fn wake_soon() {
    if let Some(mut attributes) = attributes()
        && attributes.sched_policy == libc::SCHED_OTHER as u32
    {
        attributes.sched_runtime = SLICE.as_nanos() as u64;
        // SAFETY: the kernel reads as many bytes as `size` says, which it wrote itself.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    }
}

/// How the kernel schedules this thread.
fn attributes() -> Option<libc::sched_attr> {
    // SAFETY: all its fields are integers, for which zero is a valid value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::sched_attr>();
    // SAFETY: the kernel writes at most `size` bytes there.
    let answer = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    (answer == 0).then_some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_thread_has_short_slices_and_nothing_else_changes() {
        // A thread of its own: the test's may be used for other tests.
        let thread = std::thread::spawn(|| {
            let before = attributes().unwrap();
            wake_soon();
            (before, attributes().unwrap())
        });
        let (before, after) = thread.join().unwrap();
        assert_eq!(after.sched_policy, before.sched_policy);
        assert_eq!(after.sched_nice, before.sched_nice);
        // A kernel that knows no slices says 0.
        let wanted = if before.sched_runtime == 0 { 0 } else { SLICE.as_nanos() as u64 };
        assert_eq!(after.sched_runtime, wanted);
    }
}
