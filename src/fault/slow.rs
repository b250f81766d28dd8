//! Too little of the processor: a neighbour takes it, the machine is too small, or a slow
//! command (DEBUG SLEEP) keeps the server's only thread busy.

use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::FaultError;
use super::hit::Hit;
use super::life::{Done, Fault, Injected, Site, Undo, Undone, on_each};
use super::strains::Strain;
use crate::backend::Backend;
use crate::log::OrLogged;
use crate::node::{Admin, Node};
use crate::spec::step::Slow;

/// For a server that is slow for another reason too.
const PATIENCE: Duration = Duration::from_secs(2);

impl Fault for Slow {
    fn inject<'f>(&'f self, site: Site<'f>, hit: &'f Hit) -> Injected<'f> {
        on_each(hit, move |name| async move {
            let node = site.node(name)?;
            match (self.cpu, self.sleep) {
                (Some(cpu), _) => site.strain(&node, Strain::Cpu(cpu.0 / 100.0)).await,
                (None, Some(_)) if !site.backend.runs(name) => Err(FaultError::Down(name.clone())),
                (None, Some(sleep)) => {
                    let every = self.every.map(|every| every.0);
                    Ok(Done::to_undo(Sleeper::start(&node, sleep.0, every).await?))
                }
                (None, None) => Ok(Done::default()),
            }
        })
        .boxed()
    }
}

/// Makes a server sleep at an interval. Dropping it ends that; a sleep that has begun goes on
/// to its end.
struct Sleeper {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    longest: Duration,
}

impl Sleeper {
    /// # Errors
    /// The server does not allow it.
    async fn start(
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
}

impl Undo for Sleeper {
    /// Waits until the server is awake.
    fn undo<'u>(&'u mut self, _: &'u dyn Backend) -> Undone<'u> {
        self.stop.send_replace(true);
        async {
            if !self.task.is_finished() {
                let woken = timeout(self.longest + PATIENCE, &mut self.task).await;
                woken.or_logged("wait for the last sleep");
            }
            Ok(None)
        }
        .boxed()
    }

    fn holds_server(&self) -> bool {
        true
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
