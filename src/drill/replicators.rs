//! The replicators of groups to which writes are carried from others: started before any key is
//! filled, watched, and waited for.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::carrier;
use super::context::{DrillContext, Halt};
use super::external::External;
use super::uncarried::Uncarried;
use crate::backend::programs::Programs;
use crate::cluster::view::shards_now;
use crate::cluster::{DeployedGroup, Deployment};
use crate::model::NodeName;
use crate::model::event::{EventKind, Teller};
use crate::node::Node;
use crate::spec::sync::{DataSync, SyncRule};
use crate::sync::carried::{self, Carried, Told};
use crate::sync::functions::{self, Writers};
use crate::sync::protocol::{BATCH, Order, Place, VERSION};
use crate::sync::shard::{Shard, Tag};
use crate::sync::term::{self, Term};

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
    programs: Option<Arc<Programs>>,
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

/// A shard of a directed pair of groups.
struct Pair {
    name: NodeName,
    shard: u32,
    tag: Tag,
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
        let Some(sync) = &deployment.sync else { return Ok(Replicators::default()) };
        if let DataSync::External { command, between } = sync {
            let command = command.as_deref();
            let external = External::launch(drill, deployment, command, between).await?;
            return Ok(Replicators { external: Some(external), ..Replicators::default() });
        }
        let Some(rule) = sync.rule() else { return Ok(Replicators::default()) };
        let first = sync.one_way().map(|(from, _)| &*deployment.groups[from].spec.name);
        let groups = sync.members().into_iter().map(|index| &deployment.groups[index]);
        try_join_all(groups.map(|group| give_functions(group, rule, first))).await?;
        let replicators = drill.scenario.topology.replicators().into_iter();
        let pairs = replicators.filter_map(|(name, from, to)| {
            let [from, to] = [from, to].map(|group| deployment.group(&group.name).cloned());
            Pair::new(name, from?, to?)
        });
        let pairs: Vec<Pair> = pairs.collect();
        let start = |pair: &Pair| {
            let order = order(pair, (rule, first.is_some()), deployment);
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
            programs: Some(drill.backend.programs().clone()),
        })
    }

    /// Waits until every group has what was filled in. redrill's own replicators must carry it.
    /// That somebody else's do not is told, and the drill goes on.
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
    pub async fn carried(&self) -> Result<(), Uncarried> {
        if let Some(external) = &self.external {
            return external.carried().await;
        }
        let Some(mut state) = self.state.clone() else { return Ok(()) };
        // What was told before may be older than the last write, and so may the next: its questions
        // may be on their way.
        state.mark_unchanged();
        for _ in 0..2 {
            state.changed().await.map_err(|_| Uncarried::unwatched())?;
        }
        let is_over = |state: &State| match state.iter().find(|pair| !is_done(pair)) {
            None => true,
            // What has ended brings nothing any more.
            Some(_) => state.iter().any(|pair| !is_done(pair) && !self.runs(&pair.0)),
        };
        let waited = match tokio::time::timeout(CARRY_PATIENCE, state.wait_for(is_over)).await {
            Ok(Ok(state)) if state.iter().all(is_done) => return Ok(()),
            Ok(Ok(_)) => "a replicator does not run:".to_owned(),
            Ok(Err(_)) => return Err(Uncarried::unwatched()),
            Err(_) => format!("after {} s", CARRY_PATIENCE.as_secs()),
        };
        let late = |(name, carried): &(NodeName, Option<Carried>)| match carried {
            Some(Carried { behind: 0, disagree: false, .. }) => None,
            Some(Carried { behind: 0, .. }) => {
                Some(format!("{name} has not told its target who takes the writes"))
            }
            Some(Carried { behind, .. }) => Some(format!("{name} is {behind} entries behind")),
            None => Some(format!("no primary tells how far {name} is")),
        };
        let late: Vec<String> = state.borrow().iter().filter_map(late).collect();
        let late = late.join(", and ");
        Err(Uncarried::late(format!("{waited} {late}")))
    }

    /// Whether the program of one of redrill's own runs.
    fn runs(&self, name: &NodeName) -> bool {
        self.programs.as_ref().is_some_and(|programs| programs.runs(name))
    }

    /// Ends them.
    pub async fn stop(self) {
        if let Some(external) = &self.external {
            external.stop().await;
        }
    }
}

fn is_done((_, carried): &(NodeName, Option<Carried>)) -> bool {
    carried.as_ref().is_some_and(|one| one.behind == 0 && !one.disagree)
}

impl Pair {
    /// The pair that the replicator of this name carries for.
    fn new(name: NodeName, from: DeployedGroup, to: DeployedGroup) -> Option<Pair> {
        let shard = name.ordinal;
        let tag = Shard::all_of(&from.spec).into_iter().nth(shard as usize)?.tag;
        Some(Pair { name, shard, tag, from, to })
    }
}

/// Gives the primary of each shard its functions. Of standby groups, `first` takes the writes.
async fn give_functions(
    group: &DeployedGroup,
    rule: SyncRule,
    first: Option<&str>,
) -> Result<(), Halt> {
    let writers = first.map_or(Writers::All, |_| Writers::OneOf);
    let (name, now) = (&group.spec.name, shards_now(group).await);
    for (number, Shard { tag, .. }) in (0..).zip(Shard::all_of(&group.spec)) {
        let view = now.iter().find(|view| view.shard == number);
        let primary = view.and_then(|view| view.primary.as_ref());
        let node = group.nodes.iter().find(|node| Some(&node.name) == primary);
        let none = || Halt::failed(format_args!("shard {number} of `{name}` has no primary"));
        let node = node.ok_or_else(none)?;
        let load = functions::load(rule, writers, name, &tag);
        let term = first.map(|first| term::tell(&Term::first(first), &tag));
        for command in [load, functions::open()].into_iter().chain(term) {
            node.admin.query::<redis::Value>(&command).await.map_err(Halt::failed)?;
        }
    }
    Ok(())
}

fn order(pair: &Pair, (rule, standby): (SyncRule, bool), deployment: &Deployment) -> Order {
    let place = |group: &DeployedGroup| Place {
        group: group.spec.name.clone(),
        tag: pair.tag.clone(),
        nodes: group.born().map(|node| node.announced).collect(),
    };
    Order {
        protocol: VERSION,
        rule: rule.word().to_owned(),
        standby,
        from: place(&pair.from),
        to: place(&pair.to),
        password: deployment.password.as_ref().map(|password| password.reveal().to_owned()),
        batch: BATCH,
    }
}

/// A shard that pairs carry from.
struct Source {
    group: String,
    shard: u32,
    tag: Tag,
    /// All of its group: they may come to other shards.
    nodes: Vec<Node>,
}

impl Source {
    /// Of each shard one.
    fn all_of(pairs: &[Pair]) -> Vec<Source> {
        let mut all: Vec<Source> = Vec::new();
        for Pair { shard, tag, from, .. } in pairs {
            if all.iter().any(|source| source.is(from, *shard)) {
                continue;
            }
            let apart = |node: &Node| node.admin.apart().routinely().with_timeout(PATIENCE);
            let nodes = from.born().map(|node| node.clone().asked(apart(node)));
            let (group, tag) = (from.spec.name.clone(), tag.clone());
            all.push(Source { group, shard: *shard, tag, nodes: nodes.collect() });
        }
        all
    }

    fn is(&self, group: &DeployedGroup, shard: u32) -> bool {
        (&self.group, self.shard) == (&group.spec.name, shard)
    }

    async fn ask(&self) -> Option<Told> {
        let own = self.nodes.iter().filter(|node| node.shard() == Some(self.shard));
        carried::ask(own.map(|node| &node.admin), &self.tag).await
    }
}

/// Asks the servers how far each pair is, again and again, and tells what has changed.
async fn watch_all(pairs: Vec<Pair>, teller: Teller, tell: watch::Sender<State>) {
    let sources = Source::all_of(&pairs);
    let mut before: State = Vec::new();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let _: Instant = ticks.tick().await;
        let answers = join_all(sources.iter().map(Source::ask)).await;
        let of = |group: &DeployedGroup, shard: u32| {
            let at = sources.iter().position(|source| source.is(group, shard))?;
            answers[at].as_ref()
        };
        let state = pairs.iter().map(|pair| {
            let both = of(&pair.from, pair.shard).zip(of(&pair.to, pair.shard));
            let carried = both.map(|(from, to)| carried::carried(&pair.from.spec.name, from, to));
            (pair.name.clone(), carried)
        });
        let state: State = state.collect();
        for (at, (pair, now)) in state.iter().enumerate() {
            let known = before.get(at).and_then(|(_, known)| known.as_ref());
            let Some(now) = now.as_ref().filter(|now| Some(*now) != known) else { continue };
            let Carried { applied, discarded, behind, behind_bytes, .. } = *now;
            let (pair, behind_bytes) = (pair.clone(), Some(behind_bytes));
            let kind = EventKind::Replicated { pair, applied, discarded, behind, behind_bytes };
            teller.tell(kind);
        }
        before.clone_from(&state);
        tell.send_replace(state);
    }
}
