//! A share of one CPU for a process, without any privilege. Like a control group's quota: the
//! process runs until it has used its share of a period, and is then paused (SIGSTOP) until the
//! next.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::spawner::{Hold, Spawner};
use crate::backend::proc;
use crate::log::{OrLogged, OrUnheard};
use crate::model::NodeName;
use crate::wake::wake_soon;

/// The kernel's default.
const PERIOD: Duration = Duration::from_millis(100);
/// Its use is checked no more often than this.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// Dropping it lets the server go on.
pub struct Throttle {
    /// Dropping it ends the thread.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Throttle {
    /// Limits the server `name` to `share` of one CPU, also when it is started again.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn start(spawner: Arc<Spawner>, name: NodeName, share: f64) -> io::Result<Throttle> {
        let (stop, stopped) = mpsc::channel();
        let work = Work { spawner, name, quota: PERIOD.mul_f64(share), stopped };
        let thread = thread::Builder::new().name("throttle".into()).spawn(move || work.run())?;
        Ok(Throttle { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().or_unheard();
        }
    }
}

struct Work {
    spawner: Arc<Spawner>,
    name: NodeName,
    /// In each period.
    quota: Duration,
    stopped: mpsc::Receiver<()>,
}

impl Work {
    fn run(self) {
        wake_soon();
        let mut meter = Meter::default();
        // What it has used too much is subtracted from its next periods.
        let mut debt = Duration::ZERO;
        let mut ends = Instant::now();
        loop {
            ends += PERIOD;
            // What it used between the last check and the stop counts too.
            debt += meter.begin(self.spawner.pid(&self.name).map(|pid| pid.as_raw_pid() as u32));
            let quota = self.quota.saturating_sub(debt);
            let mut used = Duration::ZERO;
            while used < quota && Instant::now() < ends {
                // It cannot use up the rest any sooner, unless it has several threads.
                let left = (quota - used).max(LOOK_AGAIN);
                if self.waits_until((Instant::now() + left).min(ends)) {
                    return self.let_go();
                }
                used += meter.anew();
            }
            if Instant::now() < ends {
                self.hold(true);
                let stopped = self.waits_until(ends);
                self.let_go();
                if stopped {
                    return;
                }
            }
            // If this thread itself was late, the next periods must not be shorter.
            ends = ends.max(Instant::now().checked_sub(PERIOD).unwrap_or(ends));
            debt = (debt + used).saturating_sub(self.quota);
        }
    }

    fn let_go(&self) {
        self.hold(false);
    }

    fn hold(&self, on: bool) {
        // A server that has ended cannot be held.
        if let Some(held) = self.spawner.hold(&self.name, Hold::Throttle, on) {
            held.or_logged("pause a server for its share of a processor, or let it go on");
        }
    }

    /// Waits until `at`. Returns whether the throttle has ended before.
    fn waits_until(&self, at: Instant) -> bool {
        let most = at.saturating_duration_since(Instant::now());
        self.stopped.recv_timeout(most) == Err(RecvTimeoutError::Disconnected)
    }
}

/// How much processor time the threads of a process group have used.
#[derive(Default)]
struct Meter {
    /// By process and thread.
    used: HashMap<(u32, u32), Duration>,
    processes: Vec<u32>,
}

impl Meter {
    /// Counts for this process and its children from now on. Returns what the known ones have
    /// used since the last check.
    fn begin(&mut self, leader: Option<u32>) -> Duration {
        let members = |leader| proc::group_members(leader).into_iter().map(|id| id.pid).collect();
        self.processes = leader.map(members).unwrap_or_default();
        self.look(false)
    }

    /// What they have used since the last check.
    fn anew(&mut self) -> Duration {
        self.look(true)
    }

    fn look(&mut self, with_new: bool) -> Duration {
        let mut now = HashMap::new();
        for &process in &self.processes {
            let threads = proc::ran(process);
            now.extend(threads.into_iter().map(|(thread, ran)| ((process, thread), ran)));
        }
        let counted = |(id, ran): (&(u32, u32), &Duration)| match self.used.get(id) {
            Some(before) => ran.saturating_sub(*before),
            None if with_new => *ran,
            None => Duration::ZERO,
        };
        let anew = now.iter().map(counted).sum();
        self.used = now;
        anew
    }
}
