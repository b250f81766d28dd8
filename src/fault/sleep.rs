//! DEBUG SLEEP: a server whose one thread does nothing for a while, as a slow command makes it.
//! Its connections stay, and its process is as busy as it ever was for others to see.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::FaultError;
use crate::log::OrLogged;
use crate::node::{Admin, Node};

/// For a server that is slow besides.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has a server sleep every so often. Dropping it ends that; a sleep that has begun lasts as
/// long as it lasts.
pub(super) struct Sleeper {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    longest: Duration,
}

impl Sleeper {
    /// # Errors
    /// The server does not allow it.
    pub async fn start(
        node: &Node,
        sleep: Duration,
        every: Option<Duration>,
    ) -> Result<Sleeper, FaultError> {
        let longest = sleep + PATIENCE;
        let admin = node.admin.apart().with_timeout(longest);
        let _: String = admin.query(&debug_sleep(Duration::ZERO)).await?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(run(admin, sleep, every, stopped));
        Ok(Sleeper { task, stop, longest })
    }

    /// Waits until it has woken up for good.
    pub async fn wake_up(mut self) {
        self.stop.send_replace(true);
        timeout(self.longest + PATIENCE, &mut self.task).await.or_logged("wait for the last sleep");
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    admin: Admin,
    sleep: Duration,
    every: Option<Duration>,
    mut stopped: watch::Receiver<bool>,
) {
    let began = Instant::now();
    for turn in 1.. {
        // A server that is down sleeps again when it is back.
        admin.query::<String>(&debug_sleep(sleep)).await.or_logged("let a server sleep");
        let Some(every) = every else { return };
        tokio::select! {
            () = sleep_until(began + every * turn) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

fn debug_sleep(time: Duration) -> redis::Cmd {
    let mut command = redis::cmd("DEBUG");
    command.arg("SLEEP").arg(time.as_secs_f64());
    command
}
