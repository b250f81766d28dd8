//! How long servers were ready to run without a free processor, reported once a second. On a
//! crowded machine clients feel that, and it is not the servers' fault.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::backend::proc;
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
    pid: u32,
    waited: Option<Duration>,
}

impl RunQueueMonitor {
    /// Watches the servers among `names` that are processes of this machine.
    pub fn watch(stage: &Stage<'_>, names: impl Iterator<Item = NodeName>) -> RunQueueMonitor {
        // A server that a step slows down waits because of the step, and not because others are
        // busy.
        let names = names.filter(|name| !stage.scenario.may_be_slowed(name));
        let server = |name: NodeName| {
            let pid = stage.backend.pid(&name)?;
            Some(Server { name, pid, waited: proc::waited(pid) })
        };
        let servers = names.filter_map(server).collect();
        RunQueueMonitor(tokio::spawn(tell_every_second(servers, stage.teller.clone())))
    }
}

impl Drop for RunQueueMonitor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn tell_every_second(mut servers: Vec<Server>, teller: Teller) {
    let mut before = Instant::now();
    let mut ticks = interval_at(before + SECOND, SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        let seconds = (now - before).as_secs_f64();
        before = now;
        let waits = servers.iter_mut().filter_map(|server| {
            let percent = server.waited_anew()?.as_secs_f64() / seconds * 100.0;
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
    fn waited_anew(&mut self) -> Option<Duration> {
        let now = proc::waited(self.pid);
        let before = std::mem::replace(&mut self.waited, now);
        Some(now?.saturating_sub(before?))
    }
}
