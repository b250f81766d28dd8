//! redrill's own use of the machine, told once a second: an instrument that
//! takes the processor from what it measures should say so.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::model::event::{EventKind, Teller};

/// Dropping it stops the telling.
pub struct OwnUse(JoinHandle<()>);

impl OwnUse {
    pub fn watch(teller: Teller) -> OwnUse {
        OwnUse(tokio::spawn(tell_every_second(teller)))
    }
}

impl Drop for OwnUse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn tell_every_second(teller: Teller) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = (ticks.tick().await, cpu_seconds());
    loop {
        let now: (Instant, f64) = (ticks.tick().await, cpu_seconds());
        let seconds = (now.0 - before.0).as_secs_f64();
        let cpu_percent = (now.1 - before.1) / seconds * 100.0;
        teller.tell(EventKind::Own { cpu_percent, memory_bytes: resident_bytes() });
        before = now;
    }
}

/// User and system time of this process so far, without its children's.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Resident memory of this process, from /proc/self/statm; 0 where there is none.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}
