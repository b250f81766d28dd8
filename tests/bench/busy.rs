//! Busy loops beside what is measured: a machine that others use too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// However long a run takes, the loops end.
const AT_MOST: Duration = Duration::from_secs(3600);

/// Loops that end with this value.
pub struct Busy {
    over: Arc<AtomicBool>,
    loops: Vec<JoinHandle<()>>,
}

impl Busy {
    pub fn start(loops: usize) -> Busy {
        let over = Arc::new(AtomicBool::new(false));
        let spin = |over: Arc<AtomicBool>| {
            let began = Instant::now();
            while !over.load(Relaxed) && began.elapsed() < AT_MOST {
                std::hint::spin_loop();
            }
        };
        let one = |_| {
            let over = Arc::clone(&over);
            std::thread::spawn(move || spin(over))
        };
        Busy { loops: (0..loops).map(one).collect(), over }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        for one in self.loops.drain(..) {
            let _ = one.join();
        }
    }
}
