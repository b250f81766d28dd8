//! The replicators of groups that all take writes: started before any key is filled, watched, and
//! waited for.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::carrier;
use super::context::{DrillContext, Halt};
use super::external::External;
use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, Deployment};
use crate::model::NodeName;
use crate::model::event::{EventKind, Teller};
use crate::node::{Admin, Node};
use crate::spec::sync::{DataSync, SyncRule};
use crate::sync::carried::{self, Carried};
use crate::sync::functions;
use crate::sync::protocol::{BATCH, Order, Place, VERSION};

/// How often servers are asked how far each pair is.
const EVERY: Duration = Duration::from_millis(100);
/// How long a server may take to tell. One that is paused keeps the others waiting for so long.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long it may take until what was filled in, or written last, is in all groups.
const CARRY_PATIENCE: Duration = Duration::from_secs(60);

/// All replicators of a drill. Dropping it ends redrill's own: it closes their inputs.
#[derive(Default)]
pub struct Replicators {
    /// In place of redrill's own, of which there is nothing then.
    external: Option<External>,
    _carriers: Vec<carrier::Carrier>,
    _watching: Option<Watching>,
    /// How far each pair is; none before all have told once.
    state: Option<watch::Receiver<State>>,
}

/// Dropping it ends the questions.
struct Watching(JoinHandle<()>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Of each pair, in the order of the topology: none if a server does not tell.
type State = Vec<(NodeName, Option<Carried>)>;

/// A directed pair of groups.
struct Pair {
    name: NodeName,
    from: DeployedGroup,
    to: DeployedGroup,
}

impl Replicators {
    /// Gives all servers the functions, starts all replicators, and waits until each says that it
    /// goes on from its position.
    pub async fn launch(
        drill: &DrillContext<'_>,
        deployment: &Deployment,
    ) -> Result<Replicators, Halt> {
        let (rule, between) = match &deployment.sync {
            Some(DataSync::ActiveActive { rule, between }) => (rule, between),
            Some(DataSync::External { command, between }) => {
                let command = command.as_deref();
                let external = External::launch(drill, deployment, command, between).await?;
                return Ok(Replicators { external: Some(external), ..Replicators::default() });
            }
            Some(DataSync::Replica { .. }) | None => return Ok(Replicators::default()),
        };
        let groups = between.iter().map(|index| &deployment.groups[*index]);
        try_join_all(groups.map(|group| give_functions(group, *rule))).await?;
        let group = |name: &str| deployment.group(name).cloned();
        let pairs = drill.scenario.topology.replicators().into_iter().filter_map(|(name, a, b)| {
            Some(Pair { name, from: group(&a.name)?, to: group(&b.name)? })
        });
        let pairs: Vec<Pair> = pairs.collect();
        let start = |pair: &Pair| {
            let order = order(pair, *rule, deployment);
            carrier::start(drill, pair.name.clone(), order)
        };
        let carriers = try_join_all(pairs.iter().map(start)).await?;
        let (tell, state) = watch::channel(Vec::new());
        let watching = Watching(tokio::spawn(watch_all(pairs, drill.teller.clone(), tell)));
        Ok(Replicators {
            external: None,
            _carriers: carriers,
            _watching: Some(watching),
            state: Some(state),
        })
    }

    /// Waits until every group has what was filled in. redrill's own replicators must carry it. That
    /// somebody else's do not is told, and the drill goes on.
    pub async fn filled(&self, drill: &DrillContext<'_>) -> Result<(), Halt> {
        match (self.carried().await, &self.external) {
            (Ok(()), _) => Ok(()),
            (Err(why), Some(_)) => {
                let text = format!("the groups do not begin alike: {why}");
                drill.teller.tell(EventKind::Warning { text });
                Ok(())
            }
            (Err(why), None) => {
                Err(Halt::failed(format_args!("what was filled in is not carried: {why}")))
            }
        }
    }

    /// Waits until every group has all that the others have written. Errors: which pairs are
    /// behind, and how far.
    pub async fn carried(&self) -> Result<(), String> {
        if let Some(external) = &self.external {
            return external.carried().await;
        }
        let Some(mut state) = self.state.clone() else { return Ok(()) };
        // What was told before may be older than the last write, and so may the next: its questions
        // may be on their way.
        state.mark_unchanged();
        for _ in 0..2 {
            state.changed().await.map_err(|_| "nobody watches the replicators any more")?;
        }
        let is_done = |state: &State| {
            state.iter().all(|(_, carried)| carried.as_ref().is_some_and(|one| one.behind == 0))
        };
        match tokio::time::timeout(CARRY_PATIENCE, state.wait_for(is_done)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(_)) => return Err("nobody watches the replicators any more".to_owned()),
            Err(_) => {}
        }
        let late = |(name, carried): &(NodeName, Option<Carried>)| match carried {
            Some(Carried { behind: 0, .. }) => None,
            Some(Carried { behind, .. }) => Some(format!("{name} is {behind} entries behind")),
            None => Some(format!("no primary tells how far {name} is")),
        };
        let late: Vec<String> = state.borrow().iter().filter_map(late).collect();
        Err(format!("after {} s {}", CARRY_PATIENCE.as_secs(), late.join(", and ")))
    }

    /// Ends them.
    pub async fn stop(self) {
        if let Some(external) = &self.external {
            external.stop().await;
        }
    }
}

async fn give_functions(group: &DeployedGroup, rule: SyncRule) -> Result<(), Halt> {
    let shards = shards_now(group).await;
    let primary = shards.into_iter().find_map(|shard| shard.primary);
    let node = group.nodes.iter().find(|node| Some(&node.name) == primary.as_ref());
    let name = &group.spec.name;
    let node = node.ok_or_else(|| Halt::failed(format_args!("group `{name}` has no primary")))?;
    for command in [functions::load(rule, name), functions::open()] {
        node.admin.query::<redis::Value>(&command).await.map_err(Halt::failed)?;
    }
    Ok(())
}

fn order(pair: &Pair, rule: SyncRule, deployment: &Deployment) -> Order {
    let place = |group: &DeployedGroup| Place {
        group: group.spec.name.clone(),
        nodes: group.born().map(|node| node.announced).collect(),
    };
    Order {
        protocol: VERSION,
        rule: rule.word().to_owned(),
        from: place(&pair.from),
        to: place(&pair.to),
        password: deployment.password.as_ref().map(|password| password.reveal().to_owned()),
        batch: BATCH,
    }
}

/// Asks the servers how far each pair is, again and again, and tells what has changed.
async fn watch_all(pairs: Vec<Pair>, teller: Teller, tell: watch::Sender<State>) {
    let mut groups: Vec<(String, Vec<Admin>)> = Vec::new();
    for group in pairs.iter().map(|pair| &pair.from) {
        if groups.iter().all(|(name, _)| *name != group.spec.name) {
            let apart = |node: &Node| node.admin.apart().routinely().with_timeout(PATIENCE);
            groups.push((group.spec.name.clone(), group.born().map(apart).collect()));
        }
    }
    let mut before: State = Vec::new();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let _: Instant = ticks.tick().await;
        let asked =
            groups.iter().map(|(name, nodes)| async move { (name, carried::ask(nodes).await) });
        let answers = join_all(asked).await;
        let of = |group: &DeployedGroup| {
            let answer = answers.iter().find(|(name, _)| **name == group.spec.name);
            answer.and_then(|(_, told)| told.as_ref())
        };
        let state = pairs.iter().map(|pair| {
            let both = of(&pair.from).zip(of(&pair.to));
            let carried = both.map(|(from, to)| carried::carried(&pair.from.spec.name, from, to));
            (pair.name.clone(), carried)
        });
        let state: State = state.collect();
        for (at, (pair, now)) in state.iter().enumerate() {
            let known = before.get(at).and_then(|(_, known)| known.as_ref());
            let Some(now) = now.as_ref().filter(|now| Some(*now) != known) else { continue };
            let Carried { applied, discarded, behind } = *now;
            teller.tell(EventKind::Replicated { pair: pair.clone(), applied, discarded, behind });
        }
        before.clone_from(&state);
        tell.send_replace(state);
    }
}
