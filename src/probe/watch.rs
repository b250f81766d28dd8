//! The watcher: asks every node for its view, and for its statistics.
//!
//! Each node is asked at its own pace, so a node that does not answer delays no other. A node
//! that refuses connections, or has not answered for half a second, is not live until it
//! answers again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::agreement::{Agreement, GroupViews};
use super::convergence::StepTracker;
use super::failover::{Failovers, Roles};
use super::prober::ProbeError;
use crate::cluster::DeployedGroup;
use crate::cluster::node_view::NodeView;
use crate::cluster::roles;
use crate::cluster::view;
use crate::log::OrUnheard;
use crate::model::event::{EventKind, KeptStats, NodeStats, Teller, View};
use crate::model::{Clock, Nanos, NodeName};
use crate::net::Cuts;
use crate::node::{Info, Node, NodeError, Section};
use crate::wake::PromptThread;

/// How often a node is asked for its view if there are few nodes. If there are many, the budget
/// decides.
const EVERY: Duration = Duration::from_millis(25);
/// A node that takes longer to answer, and longer than two rounds, is not live.
const PATIENCE: Duration = Duration::from_millis(500);
/// When the time to settle is over, live nodes that do not answer, because the machine is busy,
/// get so much more time.
const LAST_WORD: Duration = Duration::from_secs(2);
/// How long nodes may take to come back after what steps left was undone. A sentinel gives an old
/// primary its new role 18 s after it is back.
const RETURN: Duration = Duration::from_secs(30);
/// Nodes that are back may agree for a moment on what is not true any more. Links are made again
/// ten times a second, and each node pings others at least once a second: after so long without
/// a change, nobody has news.
const CALM: Duration = Duration::from_secs(2);
/// A view that keeps changing is reported no more often than this.
const VIEWS_EVERY: Duration = Duration::from_millis(100);
const STATS_EVERY: Duration = Duration::from_secs(1);
/// How often the thread looks whether it is behind.
const WAKE_EVERY: Duration = Duration::from_millis(25);
/// It is behind if it wakes so late: with many nodes it always has a few answers to read.
const BEHIND: Duration = Duration::from_millis(20);
/// An agreement counts only after it has held for so many rounds, and for so long.
const HOLD: (u32, Duration) = (4, Duration::from_millis(100));

/// Watches all nodes until it is stopped. Dropping it stops it.
///
/// It emits `View` when a group's slot owners or roles change, `Stats` every second, and
/// `ViewConverged` and `Converged` once for each step. Their `since` is late by at most one
/// round, [`Watcher::round`]: a change at a node is seen when the node is asked next.
#[derive(Debug)]
pub struct Watcher {
    /// The thread ends when this is dropped, so it stands before the thread.
    orders: mpsc::UnboundedSender<Order>,
    converged: watch::Receiver<BTreeSet<usize>>,
    teller: Teller,
    round: Duration,
    _thread: PromptThread,
}

#[derive(Debug)]
enum Order {
    Began(usize, Nanos),
    Ended(usize, Nanos),
    /// The time to settle is over. The answer comes after the nodes' last word.
    Settled(oneshot::Sender<()>),
    Over,
    /// Nodes are asked for their statistics once more. The answer comes when that is done.
    Count(oneshot::Sender<()>),
    /// What steps left was undone. The answer comes when nodes have come to rest.
    Undone(Return),
}

/// These nodes are to come back, and all to agree.
#[derive(Debug)]
struct Return {
    undone: Nanos,
    back: Vec<NodeName>,
    done: oneshot::Sender<Option<Nanos>>,
}

impl Watcher {
    /// Begins to watch `groups`, over separate connections. Of those that are `tied`, which have
    /// the same data, one is to take the writes. Servers of the groups `stalls` are told to watch
    /// for how long their own work stops them. `cuts` are the links that are cut at each moment.
    /// `budget` is in requests a second, of which views have half.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn launch(
        groups: &[DeployedGroup],
        (tied, stalls, cuts): (Vec<usize>, Vec<String>, Cuts),
        budget: f64,
        teller: Teller,
    ) -> Result<Watcher, ProbeError> {
        let count: usize = groups.iter().map(|group| group.all().count()).sum();
        let requests = f64::from(view::REQUESTS) * count as f64;
        let round = EVERY.max(Duration::from_secs_f64(requests / (budget / 2.0)));
        let (orders, received) = mpsc::unbounded_channel();
        let (told, converged) = watch::channel(BTreeSet::new());
        let (groups, telling) = (groups.to_vec(), teller.clone());
        let thread = PromptThread::spawn("watcher", move |runtime| match runtime {
            Ok(runtime) => {
                runtime.block_on(watch(
                    (groups, tied, stalls, cuts),
                    telling,
                    round,
                    received,
                    told,
                ));
            }
            Err(error) => {
                let text =
                    format!("nodes are not watched: the machine gave no event loop: {error}");
                telling.tell(EventKind::Warning { text });
            }
        })?;
        Ok(Watcher { orders, converged, teller, round, _thread: thread })
    }

    /// How long it takes to ask every node once.
    pub fn round(&self) -> Duration {
        self.round
    }

    pub fn step_began(&self, step: usize) {
        self.order(Order::Began(step, self.teller.clock().now()));
    }

    /// From now on, an agreement that holds counts for the step.
    pub fn step_ended(&self, step: usize) {
        self.order(Order::Ended(step, self.teller.clock().now()));
    }

    /// The time to settle is over: emits `Disagreed` for nodes that do not agree. Takes up to
    /// two seconds if live nodes do not answer.
    pub async fn settled(&self) {
        let (told, done) = oneshot::channel();
        self.order(Order::Settled(told));
        // A watcher without a thread has nothing more to report.
        done.await.or_unheard();
    }

    /// Emits `Stats` once more: what servers have counted until now.
    pub async fn count(&self) {
        let (told, done) = oneshot::channel();
        self.order(Order::Count(told));
        done.await.or_unheard();
    }

    /// Reports no more steps.
    pub fn steps_are_over(&self) {
        self.order(Order::Over);
    }

    /// What steps left has been undone, and the nodes `back` are to come back: waits until they
    /// have, and all agree with every replica linked. Emits `Returned`, and `Disagreed` if they
    /// do not come to rest in 30 s.
    pub async fn returned(&self, back: Vec<NodeName>) {
        let undone = self.teller.clock().now();
        let (done, told) = oneshot::channel();
        self.order(Order::Undone(Return { undone, back, done }));
        let since = told.await.ok().flatten();
        self.teller.tell(EventKind::Returned { undone, since });
    }

    /// Waits until `Converged` was emitted for `step`, which must have ended. Returns whether
    /// that was within `patience`.
    pub async fn converged(&self, step: usize, patience: Duration) -> bool {
        let mut converged = self.converged.clone();
        let waiting = converged.wait_for(|steps| steps.contains(&step));
        matches!(tokio::time::timeout(patience, waiting).await, Ok(Ok(_)))
    }

    /// Stops watching at once.
    pub fn stop(self) {}

    fn order(&self, order: Order) {
        // A watcher without a thread has nothing more to report.
        self.orders.send(order).or_unheard();
    }
}

/// Takes what each node of a group says, and gives the phases of failovers that are new.
type FailoverWatch = Box<dyn FnMut(usize, Option<&NodeView>) -> Vec<EventKind>>;

/// One group that is watched.
struct Watched {
    name: String,
    cluster: bool,
    /// Whether its servers are to watch for how long their own work stops them.
    stalls: bool,
    /// Its nodes and sentinels, with connections that belong to the watcher's thread.
    nodes: Vec<Node>,
    views: RefCell<GroupViews>,
    failovers: RefCell<FailoverWatch>,
    told: RefCell<Option<(Nanos, View)>>,
    /// Requests for views that nobody was told of.
    asked: Cell<u64>,
    /// What its nodes are called in a cluster, and other nodes that were found in it.
    ids: HashSet<String>,
    strangers: RefCell<HashSet<String>>,
    teller: Teller,
}

async fn watch(
    (groups, tied, stalls, cuts): (Vec<DeployedGroup>, Vec<usize>, Vec<String>, Cuts),
    teller: Teller,
    round: Duration,
    mut orders: mpsc::UnboundedReceiver<Order>,
    converged: watch::Sender<BTreeSet<usize>>,
) {
    let patience = PATIENCE.max(2 * round);
    let watched = |group| Watched::new(group, patience, &stalls, cuts.clone(), teller.clone());
    let groups: Vec<Rc<Watched>> = groups.into_iter().map(watched).collect();
    for group in &groups {
        for i in 0..group.nodes.len() {
            tokio::task::spawn_local(keep_asking(group.clone(), i, teller.clone(), round));
        }
    }
    let behind: Rc<Cell<Duration>> = Rc::default();
    tokio::task::spawn_local(keep_awake(Rc::clone(&behind), teller.clock()));
    tokio::task::spawn_local(keep_counting(groups.clone(), Rc::clone(&behind), teller.clone()));
    let hold = HOLD.1.max(round * HOLD.0);
    let mut steps = StepTracker::new(hold);
    // The last instant at which all agreed and were linked.
    let mut agreed = teller.clock().now();
    let mut settled: Option<(Nanos, oneshot::Sender<()>)> = None;
    let mut returning: Option<Return> = None;
    let mut look = every(round);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Began(step, at)) => steps.began(step, at),
                Some(Order::Ended(step, at)) => steps.ended(step, at),
                Some(Order::Settled(done)) => settled = Some((teller.clock().now(), done)),
                Some(Order::Over) => steps.clear(),
                Some(Order::Count(done)) => {
                    let (groups, behind, teller) = (groups.clone(), Rc::clone(&behind), teller.clone());
                    tokio::task::spawn_local(async move {
                        count(&groups, &behind, &teller).await;
                        done.send(()).or_unheard();
                    });
                }
                Some(Order::Undone(order)) => returning = Some(order),
                None => return,
            },
            _ = look.tick() => {
                groups.iter().for_each(|group| group.tell_view(&teller));
                let now = teller.clock().now();
                let torn = torn(&groups, &tied);
                let agreement = agreement(&groups).filter(|_| torn.is_none());
                if agreement.is_some_and(|agreement| agreement.linked_since.is_some()) {
                    agreed = now;
                }
                let spoken = || groups.iter().all(|group| group.views.borrow().has_spoken());
                if let Some((_, done)) = settled.take_if(|(since, _)| {
                    agreed == now || spoken() || now.since(*since) >= LAST_WORD
                }) {
                    groups.iter().for_each(|group| group.tell_disputes(agreed, hold, &teller));
                    tell_torn(&torn, agreed, hold, &teller);
                    done.send(()).or_unheard();
                }
                if let Some(order) = &returning
                    && let Some(rest) = order.rest(order.is_any_absent(&groups), agreement, now)
                {
                    if rest.is_none() {
                        let back = &order.back;
                        groups.iter().for_each(|group| group.tell_trouble(agreed, back, &teller));
                        tell_torn(&torn, agreed, hold, &teller);
                    }
                    returning.take().into_iter().for_each(|o| o.done.send(rest).or_unheard());
                }
                for news in steps.hear(agreement) {
                    teller.tell(news.clone());
                    if let EventKind::Converged { step, .. } = news {
                        converged.send_modify(|steps| _ = steps.insert(step));
                    }
                }
            }
        }
    }
}

impl Return {
    fn is_any_absent(&self, groups: &[Rc<Watched>]) -> bool {
        groups.iter().any(|group| group.views.borrow().absent(&self.back).is_some())
    }

    /// Since when nodes have come to rest, or `None` if their time is over without that. Nothing
    /// as long as they are waited for.
    fn rest(
        &self,
        absent: bool,
        agreement: Option<Agreement>,
        now: Nanos,
    ) -> Option<Option<Nanos>> {
        let linked = agreement.filter(|_| !absent).and_then(|all| Some((all.linked_since?, all)));
        // Who agrees already has nothing to come back from, and is given the same time.
        let rest = linked.map(|(since, all)| (since.max(self.undone), all.asked));
        match rest.filter(|(since, asked)| *asked >= *since + CALM) {
            Some((since, _)) => Some(Some(since)),
            None => (now.since(self.undone) >= RETURN).then_some(None),
        }
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The agreement of all groups together, if each has one.
fn agreement(groups: &[Rc<Watched>]) -> Option<Agreement> {
    let agreements: Option<Vec<Agreement>> =
        groups.iter().map(|group| group.views.borrow().agreement()).collect();
    agreements?.into_iter().reduce(Agreement::and)
}

/// A group, and what is wrong with those that are `tied`: nodes of several take the writes.
fn torn(groups: &[Rc<Watched>], tied: &[usize]) -> Option<(String, String)> {
    let views = tied.iter().map(|index| groups[*index].views.borrow());
    let primaries: Vec<String> =
        views.filter_map(|views| Some(views.primaries().next()?.to_string())).collect();
    let group = groups[*tied.first()?].name.clone();
    let text = || format!("each of {} takes writes of the same data", primaries.join(", "));
    (primaries.len() > 1).then(|| (group, text()))
}

fn tell_torn(torn: &Option<(String, String)>, agreed: Nanos, moment: Duration, teller: &Teller) {
    if let Some((group, text)) = torn
        && teller.clock().now().since(agreed) >= moment
    {
        let (group, how) = (group.clone(), vec![text.clone()]);
        teller.tell(EventKind::Disagreed { group, how, agreed: Some(agreed) });
    }
}

/// Asks node `i` for its view, once a round, for as long as the thread lives.
async fn keep_asking(group: Rc<Watched>, i: usize, teller: Teller, round: Duration) {
    let mut turn = every(round);
    loop {
        turn.tick().await;
        let asked = teller.clock().now();
        let node_view = group.ask(&group.nodes[i]).await;
        let instants = (asked, teller.clock().now());
        let news = group.failovers.borrow_mut()(i, node_view.as_ref().ok());
        news.into_iter().for_each(|what| teller.tell(what));
        group.views.borrow_mut().hear(i, instants, node_view);
    }
}

/// Adds up how long this thread was behind: it was not run, or had too many answers to read.
/// Nodes that seem not to answer then may have answered.
async fn keep_awake(behind: Rc<Cell<Duration>>, clock: Clock) {
    loop {
        let due = clock.now() + WAKE_EVERY;
        tokio::time::sleep(WAKE_EVERY).await;
        let late = clock.now().since(due);
        if late >= BEHIND {
            behind.update(|sum| sum + late);
        }
    }
}

/// Asks all nodes for their statistics, once a second. Nodes that do not answer are left out.
async fn keep_counting(groups: Vec<Rc<Watched>>, behind: Rc<Cell<Duration>>, teller: Teller) {
    let mut turn = every(STATS_EVERY);
    loop {
        turn.tick().await;
        count(&groups, &behind, &teller).await;
    }
}

async fn count(groups: &[Rc<Watched>], behind: &Cell<Duration>, teller: &Teller) {
    let nodes = groups.iter().flat_map(|group| group.nodes.iter().map(|node| (node, group.stalls)));
    let nodes = nodes.filter(|(node, _)| node.name.shard().is_some());
    let all = nodes.map(|(node, stalls)| stats(node, stalls));
    let nodes = futures::future::join_all(all).await.into_iter().flatten().collect();
    let asked = groups.iter().map(|group| group.asked.take()).sum();
    let behind_ns = behind.take().as_nanos() as u64;
    teller.tell(EventKind::Stats { nodes, asked, behind_ns });
}

async fn stats(node: &Node, stalls: bool) -> Option<NodeStats> {
    let info = node.admin.info(Section::Everything).await.ok()?;
    let stalls_ms = if stalls { node.admin.stalls().await.ok() } else { None };
    let kept = kept(&info).map(|kept| KeptStats { stalls_ms, ..kept });
    Some(NodeStats {
        name: node.name.clone(),
        role: info.role()?,
        keys: info.keys(),
        memory_bytes: info.used_memory()?,
        commands: info.commands_processed()?,
        net_in_bytes: info.net_input_bytes()?,
        net_out_bytes: info.net_output_bytes()?,
        cpu_seconds: info.cpu_seconds()?,
        kept,
    })
}

fn kept(info: &Info) -> Option<KeptStats> {
    Some(KeptStats {
        run: info.get("run_id")?.to_owned(),
        evicted: info.number("evicted_keys")?,
        expired: info.number("expired_keys")?,
        limit_bytes: info.number("maxmemory")?,
        data_bytes: info.data_bytes()?,
        policy: info.get("maxmemory_policy")?.to_owned(),
        full_syncs: info.number("sync_full"),
        stalls_ms: None,
    })
}

impl Watched {
    fn new(
        group: DeployedGroup,
        patience: Duration,
        stalls: &[String],
        cuts: Cuts,
        teller: Teller,
    ) -> Rc<Watched> {
        let own =
            |node: &Node| node.clone().asked(node.admin.apart().with_timeout(patience).routinely());
        let nodes: Vec<Node> = group.all().map(own).collect();
        let cluster = group.spec.is_cluster();
        let name = group.spec.name;
        let views = RefCell::new(GroupViews::new(cluster, nodes.clone()));
        let (mut failovers, mut roles) =
            (Failovers::new(&nodes, cuts.clone()), Roles::new(&nodes, cuts));
        let failovers: FailoverWatch = match cluster {
            true => Box::new(move |i, node_view| failovers.hear(i, node_view)),
            false => Box::new(move |i, node_view| roles.hear(i, node_view)),
        };
        let failovers = RefCell::new(failovers);
        let (told, asked, strangers) = Default::default();
        let stalls = stalls.contains(&name);
        let ids = nodes.iter().map(|node| node.id.clone()).collect();
        Rc::new(Watched {
            name,
            cluster,
            stalls,
            nodes,
            views,
            failovers,
            told,
            asked,
            ids,
            strangers,
            teller,
        })
    }

    async fn ask(&self, node: &Node) -> Result<NodeView, NodeError> {
        let requests = match self.cluster {
            true => view::REQUESTS,
            false => roles::requests(node),
        };
        self.asked.update(|asked| asked + u64::from(requests));
        if !self.cluster {
            return roles::node_view(node).await;
        }
        let node_view = view::node_view(node).await?;
        view::learn_shard(&self.nodes, &node_view);
        self.look_for_strangers(&node_view);
        Ok(node_view)
    }

    /// Emits each node of the cluster that is not the drill's, once.
    fn look_for_strangers(&self, node_view: &NodeView) {
        let known = |id: &String| self.ids.contains(id) || self.strangers.borrow().contains(id);
        for line in node_view.lines.iter().filter(|line| line.is_known() && !known(&line.id)) {
            self.strangers.borrow_mut().insert(line.id.clone());
            let at = line.addr.map_or("an unknown address".to_owned(), |at| at.to_string());
            let what = format!(
                "the cluster `{}` has a node that is not the drill's, {} at {at}, as {} sees it",
                self.name, line.id, node_view.node
            );
            self.teller.tell(EventKind::Foreign { what });
        }
    }

    /// Emits how the nodes differ, unless they agreed a moment ago: a difference that comes and
    /// goes does not count.
    fn tell_disputes(&self, agreed: Nanos, moment: Duration, teller: &Teller) {
        if teller.clock().now().since(agreed) < moment {
            return;
        }
        let how = self.views.borrow().disputes();
        self.tell_disagreed(how, agreed, teller);
    }

    /// Emits how the nodes differ, and which of those that were to come back have not.
    fn tell_trouble(&self, agreed: Nanos, back: &[NodeName], teller: &Teller) {
        let views = self.views.borrow();
        let absent = views.absent(back).map(|name| format!("{name} has not come back"));
        let how = absent.into_iter().chain(views.disputes()).collect();
        self.tell_disagreed(how, agreed, teller);
    }

    fn tell_disagreed(&self, how: Vec<String>, agreed: Nanos, teller: &Teller) {
        let (group, agreed) = (self.name.clone(), Some(agreed));
        if !how.is_empty() {
            teller.tell(EventKind::Disagreed { group, how, agreed });
        }
    }

    /// Emits the group's view if it has changed since the last time.
    fn tell_view(&self, teller: &Teller) {
        let Some(view) = self.views.borrow().view() else { return };
        let now = teller.clock().now();
        let mut told = self.told.borrow_mut();
        let due = told
            .as_ref()
            .is_none_or(|(at, before)| *before != view && now.since(*at) >= VIEWS_EVERY);
        if due {
            teller.tell(EventKind::View(view.clone()));
            *told = Some((now, view));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_come_to_rest_when_all_have_agreed_for_a_while_since_the_undoing() {
        let at = |ms: u64| Nanos(ms * 1_000_000);
        let undone = at(10_000);
        let order = Return { undone, back: Vec::new(), done: oneshot::channel().0 };
        let rest = |absent, agreed: Option<(u64, Option<u64>)>, now| {
            let agreement = agreed.map(|(since, linked)| Agreement {
                since: at(since),
                linked_since: linked.map(at),
                asked: at(now),
            });
            order.rest(absent, agreement, at(now))
        };
        let before = Some((5_000, Some(5_000)));
        assert_eq!(rest(false, before, 11_000), None, "they may not have heard of it");
        assert_eq!(rest(false, before, 12_000), Some(Some(undone)));
        assert_eq!(rest(true, before, 12_000), None, "one has not come back");
        assert_eq!(rest(false, Some((5_000, None)), 12_000), None, "a link is down");
        assert_eq!(rest(false, None, 12_000), None);
        assert_eq!(rest(false, Some((11_000, Some(15_000))), 16_900), None, "it is new");
        assert_eq!(rest(false, Some((11_000, Some(15_000))), 17_000), Some(Some(at(15_000))));
        for (absent, agreed) in [(true, before), (false, None), (false, Some((39_000, None)))] {
            assert_eq!(rest(absent, agreed, 40_000), Some(None), "their time is over");
        }
    }
}
