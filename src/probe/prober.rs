//! The prober: a separate thread, and the handle by which the drill controls it.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::canary_probe::Clients;
use super::rounds::{self, Rounds};
use super::turns::Turns;
use crate::load::Targets;
use crate::load::client::Front;
use crate::log::OrUnheard;
use crate::model::event::{Canary, EventKind, Teller};
use crate::spec::scenario::Probe;
use crate::wake::PromptThread;

/// How long a group may take to tell a new client where its slots are.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long the first writes of all canaries together may take.
const WARM_UP: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("canaries of group `{0}` were asked for, but not where its nodes are")]
    NoTargets(String),
    #[error(
        "group `{group}` cannot be probed: none of its nodes knew which node owns which slot; {why}"
    )]
    Unreachable { group: String, why: String },
    #[error("the machine gave no thread or timer to probe and to watch: {0}")]
    Machine(#[from] io::Error),
    #[error("the probes ended early; this is a bug in redrill")]
    Ended,
}

/// Probes canaries until it is stopped. Dropping it stops it.
///
/// It emits `Canaries` once, `OutageBegan` and `OutageEnded` as soon as they are certain (up to
/// the deadline after they happened), and `Probes` every second. An outage that is not over
/// when probing stops gets no end.
#[derive(Debug)]
pub struct Prober {
    /// The thread ends when this is dropped, so it stands before the thread.
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<io::Result<()>>,
    thread: PromptThread,
}

/// What the thread needs to begin.
struct Start {
    canaries: Vec<Canary>,
    turns: Turns,
    targets: BTreeMap<Origin, Targets>,
    probe: Probe,
    teller: Teller,
}

/// The group of canaries, and the region that they are probed from if there are several.
type Origin = (String, Option<String>);

fn origin(canary: &Canary) -> Origin {
    (canary.group.clone(), canary.region.clone())
}

type Ready = oneshot::Sender<Result<(), ProbeError>>;

impl Prober {
    /// Connects to the groups, writes every canary once, and begins to probe.
    ///
    /// `targets` has the nodes of every group with canaries, as clients in each region of these
    /// find them. Other groups are ignored.
    ///
    /// # Errors
    /// No node of a group answers within 10 s, or the machine lacks something.
    pub async fn launch(
        canaries: Vec<Canary>,
        mut targets: BTreeMap<(String, Option<String>), Targets>,
        probe: Probe,
        teller: Teller,
    ) -> Result<Prober, ProbeError> {
        if let Some(canary) = canaries.iter().find(|c| !targets.contains_key(&origin(c))) {
            return Err(ProbeError::NoTargets(canary.group.clone()));
        }
        targets.retain(|key, _| canaries.iter().any(|canary| origin(canary) == *key));
        let turns = Turns::new(&canaries, probe.budget / 2.0, probe.every);
        let turn_ns = Some((turns.ticks_apart() * probe.every.as_nanos() as f64) as u64);
        teller.tell(EventKind::Canaries { canaries: canaries.clone(), turn_ns });
        let start = Start { canaries, turns, targets, probe, teller };
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = PromptThread::spawn("prober", move |runtime| match runtime {
            Ok(runtime) => {
                if let Some(ended) = runtime.block_on(serve(start, ready, stopped)) {
                    end.send(ended).or_unheard();
                }
            }
            Err(error) => ready.send(Err(error.into())).or_unheard(),
        })?;
        let prober = Prober { stop, ended, thread };
        started.await.map_err(|_| ProbeError::Ended)??;
        Ok(prober)
    }

    /// Stops probing and waits for the probes under way: at most their deadline and a moment.
    ///
    /// # Errors
    /// Probing had ended before, because the machine gave no timer, or by a bug.
    pub async fn stop(self) -> Result<(), ProbeError> {
        let Prober { stop, ended, thread: _thread } = self;
        drop(stop);
        Ok(ended.await.map_err(|_| ProbeError::Ended)??)
    }
}

/// Probes until `stop`. Returns how that ended; `None` if probing did not begin, which `ready`
/// reports.
async fn serve(start: Start, ready: Ready, stop: oneshot::Receiver<()>) -> Option<io::Result<()>> {
    let teller = start.teller.clone();
    let rounds = match connect(start).await {
        Ok(rounds) => rounds,
        Err(error) => {
            ready.send(Err(error)).or_unheard();
            return None;
        }
    };
    rounds.warm_up(teller.clock().now() + WARM_UP).await;
    ready.send(Ok(())).or_unheard();
    Some(rounds.run(stop).await)
}

async fn connect(start: Start) -> Result<Rc<Rounds>, ProbeError> {
    let Start { canaries, turns, targets, probe, teller } = start;
    let options = rounds::options(&probe, canaries.len());
    let mut clients = BTreeMap::new();
    for (key, targets) in targets {
        let connect = || Front::connect(&targets, 0, teller.clock(), options, CONNECT_PATIENCE);
        let unreachable = |why| ProbeError::Unreachable { group: key.0.clone(), why };
        let both = futures::future::try_join(connect(), connect());
        let (reads, writes) = both.await.map_err(unreachable)?;
        clients.insert(key, Clients { reads, writes });
    }
    // `launch` has checked that every canary's group is there.
    let with_clients = |canary: Canary| {
        let clients = clients.get(&origin(&canary))?.clone();
        Some((canary, clients))
    };
    Ok(Rounds::new(probe, teller, turns, canaries.into_iter().filter_map(with_clients)))
}
