//! Somebody else's replicator: a program for each directed pair of groups, of which nothing is
//! known but what arrives.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::context::{DrillContext, Halt};
use super::uncarried::Uncarried;
use crate::backend::programs::Programs;
use crate::backend::{ActorPlan, NodeExited};
use crate::cluster::{DeployedGroup, Deployment};
use crate::log::OrLogged;
use crate::model::event::{EventKind, Teller};
use crate::model::{NodeName, Password};
use crate::node::{Admin, Node};
use crate::spec::sync::replicator;
use crate::sync::marks;

/// How often marks are written and looked for.
const EVERY: Duration = Duration::from_millis(100);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long replicators may take to begin.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take until what was filled in, or written last, is in all groups.
const CARRY_PATIENCE: Duration = Duration::from_secs(60);
/// The same from a replicator that has ended, or has never brought anything.
const LITTLE_PATIENCE: Duration = Duration::from_secs(5);

/// What ties the groups together, from the drill's side. Dropping it lets nobody hear any more that
/// a program ends.
pub struct External {
    members: Vec<Member>,
    /// Indices into `members`: each with each other one.
    pairs: Vec<(usize, usize)>,
    /// Whether there is a program for each pair.
    is_started: bool,
    programs: Arc<Programs>,
    progress: Mutex<Progress>,
    listener: JoinHandle<()>,
}

/// A group, and how its nodes are asked.
struct Member {
    name: String,
    nodes: Vec<Admin>,
}

#[derive(Default)]
struct Progress {
    /// The last mark that was written.
    written: u64,
    /// For each pair the last mark that has arrived; 0 if none ever has.
    arrived: Vec<u64>,
    /// They have been waited for once.
    had_time: bool,
}

impl External {
    /// Starts the programs, if there are any, and waits until all carry. One that does not is told,
    /// and judged by what is missing in the end.
    pub async fn launch(
        drill: &DrillContext<'_>,
        deployment: &Deployment,
        command: Option<&[String]>,
        between: &[usize],
    ) -> Result<External, Halt> {
        let groups: Vec<&DeployedGroup> =
            between.iter().map(|at| &deployment.groups[*at]).collect();
        let all = 0..groups.len();
        let pairs = all.clone().flat_map(|from| all.clone().map(move |to| (from, to)));
        let pairs: Vec<_> = pairs.filter(|(from, to)| from != to).collect();
        let name = |at: usize| &*groups[at].spec.name;
        let names = pairs.iter().map(|(from, to)| replicator(name(*from), name(*to), 0)).collect();
        let password = deployment.password.clone();
        let hear = hear(drill.backend.exits(), names, drill.teller.clone(), password.clone());
        let external = External {
            members: groups.iter().copied().map(Member::of).collect(),
            is_started: command.is_some(),
            programs: drill.backend.programs().clone(),
            progress: Mutex::new(Progress { arrived: vec![0; pairs.len()], ..Progress::default() }),
            listener: tokio::spawn(hear),
            pairs,
        };
        for (from, to) in &external.pairs {
            let Some(command) = command else { break };
            let plan = plan(command, [groups[*from], groups[*to]], password.as_ref());
            external.programs.start_actor(plan).await.map_err(Halt::failed)?;
        }
        if let Err(why) = external.carried_within(START_PATIENCE).await {
            let text = format!("the drill begins, although {why}");
            drill.teller.tell(EventKind::Warning { text });
        }
        Ok(external)
    }

    /// Waits until every group has what the others have written so far, as far as marks can show
    /// it. Errors: what has not come.
    pub async fn carried(&self) -> Result<(), Uncarried> {
        self.carried_within(CARRY_PATIENCE).await
    }

    async fn carried_within(&self, most: Duration) -> Result<(), Uncarried> {
        let began = Instant::now();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A replicator that begins with a copy of all keys may bring a mark before the rest of
        // them. What is written when that has come, comes after the copy.
        for _ in 0..2 {
            let wanted = self.progress.lock().written + 1;
            loop {
                ticks.tick().await;
                self.exchange().await;
                let late = self.later_than(wanted);
                if late.is_empty() {
                    break;
                }
                if late.iter().all(|pair| began.elapsed() >= self.patience(*pair, most)) {
                    self.progress.lock().had_time = true;
                    let may_be_late = !late.iter().any(|pair| self.is_hopeless(*pair));
                    let late: Vec<String> = late.into_iter().map(|pair| self.told(pair)).collect();
                    let seconds = began.elapsed().as_secs();
                    let why = format!("after {seconds} s {}", late.join(", and "));
                    return Err(Uncarried { why, may_be_late, unwatched: false });
                }
            }
        }
        self.progress.lock().had_time = true;
        Ok(())
    }

    /// Writes the next mark in each group, and looks which have arrived.
    async fn exchange(&self) {
        let number = self.progress.lock().written + 1;
        let asked = self.members.iter().enumerate().map(|(at, own)| async move {
            let others = self.members.iter().map(|other| &*other.name).collect::<Vec<_>>();
            (at, marks::exchange(&own.nodes, &own.name, number, &others).await)
        });
        let answers = join_all(asked).await;
        let mut progress = self.progress.lock();
        progress.written = number;
        for (pair, (from, to)) in self.pairs.iter().enumerate() {
            let marks =
                answers.iter().find(|(at, _)| at == to).and_then(|(_, marks)| marks.as_ref());
            let arrived = marks.and_then(|marks| marks.get(*from)).copied().unwrap_or(0);
            progress.arrived[pair] = progress.arrived[pair].max(arrived);
        }
    }

    /// The pairs in which the mark has not arrived.
    fn later_than(&self, wanted: u64) -> Vec<usize> {
        let progress = self.progress.lock();
        (0..self.pairs.len()).filter(|pair| progress.arrived[*pair] < wanted).collect()
    }

    fn patience(&self, pair: usize, most: Duration) -> Duration {
        if self.is_hopeless(pair) { LITTLE_PATIENCE.min(most) } else { most }
    }

    /// Its program has ended, or has never brought anything.
    fn is_hopeless(&self, pair: usize) -> bool {
        let ended = self.is_started && !self.programs.runs(&self.name(pair));
        let progress = self.progress.lock();
        let never = progress.had_time && progress.arrived[pair] == 0;
        ended || never
    }

    fn name(&self, pair: usize) -> NodeName {
        let (from, to) = self.pairs[pair];
        replicator(&self.members[from].name, &self.members[to].name, 0)
    }

    fn told(&self, pair: usize) -> String {
        let (from, to) = self.pairs[pair];
        let [from, to] = [from, to].map(|at| &self.members[at].name);
        format!("what is written in `{from}` has not come to `{to}`")
    }

    /// Ends the programs: asks them to, and kills those that do not.
    pub async fn stop(&self) {
        let names = (0..self.pairs.len()).map(|pair| self.name(pair));
        let running = names.filter(|name| self.programs.runs(name));
        join_all(running.map(|name| async move {
            self.programs.stop(&name).await.or_logged("stop a replicator");
        }))
        .await;
    }
}

impl Drop for External {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Member {
    fn of(group: &DeployedGroup) -> Member {
        let apart = |node: &Node| node.admin.apart().routinely().with_timeout(PATIENCE);
        Member { name: group.spec.name.clone(), nodes: group.born().map(apart).collect() }
    }
}

/// The program that carries from the first group to the second one.
fn plan(command: &[String], groups: [&DeployedGroup; 2], password: Option<&Password>) -> ActorPlan {
    let [from, to] = groups.map(|group| &group.spec.name);
    // The first one is the primary at the start.
    let nodes = groups.map(|group| group.born().map(|node| node.announced.to_string()));
    let [sources, targets] = nodes.map(Iterator::collect::<Vec<_>>);
    let (source, target) = (&*sources[0], &*targets[0]);
    let args = command[1..].iter();
    let args = args.map(|word| word.replace("{source}", source).replace("{target}", target));
    let env = [
        ("REDRILL_SOURCE_GROUP", from.clone()),
        ("REDRILL_TARGET_GROUP", to.clone()),
        ("REDRILL_SOURCE", source.to_owned()),
        ("REDRILL_TARGET", target.to_owned()),
        ("REDRILL_SOURCE_NODES", sources.join(",")),
        ("REDRILL_TARGET_NODES", targets.join(",")),
        ("REDRILL_PASSWORD", password.map_or("", Password::reveal).to_owned()),
    ];
    ActorPlan {
        name: replicator(from, to, 0),
        program: PathBuf::from(&command[0]),
        args: args.collect(),
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        talks: false,
    }
}

/// Tells of each of the programs `names` that ends by itself.
async fn hear(
    mut exits: Receiver<NodeExited>,
    names: Vec<NodeName>,
    teller: Teller,
    password: Option<Password>,
) {
    loop {
        let exit = match exits.recv().await {
            Ok(exit) => exit,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        if exit.asked || !names.contains(&exit.name) {
            continue;
        }
        let mut text = format!("the replicator {exit}");
        if let Some(secret) = &password {
            text = text.replace(secret.reveal(), "…");
        }
        teller.tell(EventKind::Warning { text });
    }
}
