//! How long servers were ready to run without a free processor, reported once a second. On a
//! crowded machine clients feel that, and it is not the servers' fault.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::backend::RunQueue;
use crate::model::NodeName;
use crate::model::event::{EventKind, Teller};

use super::stage::Stage;

/// A warning is emitted from so much waiting on, in percent of a second.
const WORTH_TELLING: f64 = 50.0;

const SECOND: Duration = Duration::from_secs(1);

/// Dropping it stops the reports.
pub struct RunQueueMonitor(JoinHandle<()>);

struct Server {
    name: NodeName,
    waited: Option<Duration>,
}

impl RunQueueMonitor {
    /// Watches the servers among `names` that are processes of this machine.
    pub fn watch(stage: &Stage<'_>, names: impl Iterator<Item = NodeName>) -> RunQueueMonitor {
        // A server that a step slows down waits because of the step, and not because others are
        // busy.
        let names = names.filter(|name| !stage.scenario.may_be_slowed(name));
        let queue = stage.backend.run_queue();
        let servers = names.map(|name| Server { waited: queue(&name), name }).collect();
        RunQueueMonitor(tokio::spawn(tell_every_second(queue, servers, stage.teller.clone())))
    }
}

impl Drop for RunQueueMonitor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn tell_every_second(queue: RunQueue, mut servers: Vec<Server>, teller: Teller) {
    let mut before = Instant::now();
    let mut ticks = interval_at(before + SECOND, SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        let seconds = (now - before).as_secs_f64();
        before = now;
        let waits = servers.iter_mut().filter_map(|server| {
            let percent = server.waited_anew(&queue)?.as_secs_f64() / seconds * 100.0;
            Some((percent, &server.name))
        });
        let Some((percent, node)) = waits.max_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
        teller.tell(EventKind::Waited { node: node.clone(), percent });
        if percent >= WORTH_TELLING {
            let text = format!(
                "{node} stood ready for {percent:.0} % of a second with no processor free for it: \
                 the machine is too busy, and clients feel that too"
            );
            teller.tell(EventKind::Warning { text });
        }
    }
}

impl Server {
    /// How long it has waited since the last call.
    fn waited_anew(&mut self, queue: &RunQueue) -> Option<Duration> {
        let now = queue(&self.name);
        let before = std::mem::replace(&mut self.waited, now);
        // Less than before is another process: it has been started again.
        now?.checked_sub(before?)
    }
}
