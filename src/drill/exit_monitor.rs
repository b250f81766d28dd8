//! Servers that ended although no step had asked for that: they have crashed.
//!
//! Before the load a drill cannot go on without one. From then on a crash is what the drill has
//! found: it is told, and the drill goes on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::backend::{Backend, NodeExited};
use crate::model::event::{EventKind, Teller};
use crate::model::{NodeKind, NodeName};

/// A broken connection is often noticed before the end of the process behind it.
const MOMENT: Duration = Duration::from_millis(500);

/// Receives the end of every server from its creation on, so that none is missed between two
/// waits of a drill. It stops when it is dropped.
pub struct ExitMonitor {
    /// The first one without which the drill cannot go on.
    first: watch::Receiver<Option<String>>,
    load_runs: Arc<AtomicBool>,
    excused: Arc<Mutex<Excused>>,
    listener: JoinHandle<()>,
}

/// Nodes whose end is expected: by how many steps, and whether they have ended.
type Excused = HashMap<NodeName, (usize, bool)>;

impl ExitMonitor {
    pub fn watch(backend: &dyn Backend, teller: Teller) -> ExitMonitor {
        let excused = Arc::new(Mutex::new(Excused::new()));
        let known = excused.clone();
        let load_runs = Arc::new(AtomicBool::new(false));
        let goes_on = load_runs.clone();
        let mut exits = backend.exits();
        let (tell, first) = watch::channel(None);
        let listener = tokio::spawn(async move {
            let died = loop {
                match exits.recv().await {
                    Ok(exit) if exit.asked => {}
                    Ok(exit) if is_excused(&known, &exit.name) => {
                        let text = format!(
                            "the server of {} ended ({}), as its disk is full; it is started \
                             again when there is room",
                            exit.name, exit.status
                        );
                        teller.tell(EventKind::Warning { text });
                    }
                    // Who uses it warns of that, unless it ended with its load.
                    Ok(exit) if exit.name.kind == NodeKind::Actor => {}
                    Ok(exit) if goes_on.load(Ordering::Acquire) && !exit.out_of_sight => {
                        let NodeExited { name: node, status, log_tail, .. } = exit;
                        let log = log_tail.lines().map(str::to_owned).collect();
                        teller.tell(EventKind::Crashed { node, status, log });
                    }
                    Ok(exit) => break Some(format!("the server of {exit}")),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break None,
                }
            };
            tell.send_replace(died);
        });
        ExitMonitor { first, load_runs, excused, listener }
    }

    /// From now on, a crash is told and does not end the drill.
    pub fn load_runs(&self) {
        self.load_runs.store(true, Ordering::Release);
    }

    /// From now on, the end of one of them is only reported and does not end the drill.
    pub fn excuse(&self, nodes: &[NodeName]) {
        for name in nodes {
            self.excused.lock().entry(name.clone()).or_default().0 += 1;
        }
    }

    /// Ends one expectation. Returns the nodes that have ended and are not expected to end by
    /// another step.
    pub async fn forgive(&self, nodes: &[NodeName]) -> Vec<NodeName> {
        if !nodes.is_empty() {
            // One may have ended just now.
            tokio::time::sleep(MOMENT).await;
        }
        let mut excused = self.excused.lock();
        let forgiven = |name: &&NodeName| {
            let Some((steps, ended)) = excused.get_mut(*name) else { return false };
            *steps -= 1;
            let (over, ended) = (*steps == 0, *ended);
            if over {
                excused.remove(*name);
            }
            over && ended
        };
        nodes.iter().filter(forgiven).cloned().collect()
    }

    /// Waits for the first one and describes it as an error; for ever if there is none.
    pub async fn first(&self) -> String {
        let mut first = self.first.clone();
        let told = first.wait_for(Option::is_some).await.ok().and_then(|text| text.clone());
        match told {
            Some(text) => text,
            None => std::future::pending().await,
        }
    }

    /// The first one, if it explains why something has just failed.
    pub async fn just_now(&self) -> Option<String> {
        tokio::time::timeout(MOMENT, self.first()).await.ok()
    }
}

fn is_excused(excused: &Mutex<Excused>, name: &NodeName) -> bool {
    excused.lock().get_mut(name).map(|(_, ended)| *ended = true).is_some()
}

impl Drop for ExitMonitor {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
