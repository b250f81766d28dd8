//! Moves slots between the primaries of a cluster.
//!
//! The protocol is that of the Redis Cluster specification ("live resharding"). A mover may die
//! at any point if its successor can read the state that it left. So a move is a loop: ask
//! every node for its own state, work out what is left to do (half-moved slots first, whoever
//! left them), do it, look again, until nothing is left. Errors, failovers and restarts are
//! handled the same way: by looking again.
//!
//! <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>

pub mod atomic;
mod control;
mod job;
mod keys;
mod lane;
mod layout;
mod marks;
mod pace;
mod leftovers;
mod strays;
mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::{Either, join_all, select};

pub use progress::{MoveError, MoveReport, Reason};
pub use strays::Remains;

use self::lane::{Lane, OpenSlots};
use self::layout::{Layout, Task};
use self::pace::{Pacer, Pacing};
use self::progress::Tally;
use super::plan::Route;
use crate::model::event::Moved;
use crate::model::slot::SlotSet;
use crate::node::Node;
use crate::spec::step::{Method, Pace};

/// Between an error and the next look.
const PAUSE: Duration = Duration::from_millis(200);
/// How long errors without progress in between are tolerated.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same while a shard's primary is gone and a replica may take its place.
const FAILOVER_PATIENCE: Duration = Duration::from_secs(20);
/// The same after a cancel.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// How many looks may find work without the work getting less.
const IDLE_LOOKS: usize = 50;

/// Moves slots along `routes` by `method`, after finishing all half-moved slots. `auto` is
/// atomic if all primaries offer that.
///
/// # Errors
/// As [`move_slots`]. Also if `atomic` is asked for and not offered; then nothing has moved.
pub async fn carry_out(
    routes: &[Route],
    nodes: &[Node],
    (method, pace): (Method, Pace),
    heard: impl Fn(MoveReport) + Sync,
    cancel: impl Fn() -> bool + Sync,
) -> Result<Moved, MoveError> {
    let offered = match method {
        Method::Migrate => None,
        Method::Auto | Method::Atomic => atomic::offered(nodes).await,
    };
    match (offered, method) {
        (Some(dialect), _) => {
            heard(MoveReport::Method(Method::Atomic));
            // Servers refuse jobs while a slot is half moved.
            move_slots(&[], nodes, pace, |_| (), &cancel).await?;
            atomic::move_slots(dialect, routes, nodes, &heard, &cancel).await
        }
        (None, Method::Atomic) => Err(MoveError::stable(Moved::default(), Reason::NotAtomic)),
        (None, _) => {
            heard(MoveReport::Method(Method::Migrate));
            move_slots(routes, nodes, pace, heard, cancel).await
        }
    }
}

/// Moves slots along `routes`, after finishing all half-moved slots. `nodes` are all nodes of
/// the group, replicas too. A slot goes to the shard that its route names, from whichever node
/// owns it.
///
/// Slots that are in place already count neither as moved nor in the total. `heard` is told the
/// progress about ten times a second, and the last state. Once `cancel` returns true, no
/// further slot is opened; those in flight are finished, and the result has fewer `slots` than
/// `slots_total`.
///
/// However it ends, no key is stranded. Slots that cannot be finished are closed if no key of them
/// has gone; the others stay open, so that clients find all their keys, and the error names them.
pub async fn move_slots(
    routes: &[Route],
    nodes: &[Node],
    pace: Pace,
    heard: impl Fn(MoveReport) + Sync,
    cancel: impl Fn() -> bool + Sync,
) -> Result<Moved, MoveError> {
    let wanted: BTreeMap<u16, u32> = routes
        .iter()
        .flat_map(|route| route.slots.iter().map(move |slot| (slot, route.to)))
        .collect();
    let tally = Tally::new(|moved| heard(MoveReport::Moved(moved)));
    let unmet = |kept| heard(MoveReport::Unmet(kept));
    let pacing = Pacing::new(pace, &cancel, &unmet);
    let open = OpenSlots::default();
    let mover = Mover { wanted, nodes, pacing, tally, cancel: &cancel, open };
    let ended = mover.run().await;
    heard(MoveReport::Pace(mover.pacing.kept()));
    match ended {
        Ok(()) => Ok(mover.tally.finish()),
        Err(reason) => {
            let open = mover.give_up().await;
            Err(MoveError { moved: mover.tally.finish(), reason, open })
        }
    }
}

/// Finishes the half-moved slots whose nodes answer; while clients read and write, too.
///
/// # Errors
/// As [`move_slots`]. Those that it names are still open.
pub async fn finish_open(nodes: &[Node]) -> Result<Moved, MoveError> {
    move_slots(&[], nodes, Pace::Fast, |_| (), || true).await
}

/// Finishes all half-moved slots, or takes their keys back. Of `slots`, which were half moved once,
/// all keys come to the slot's owner. While they do, clients may miss keys.
pub async fn finish(nodes: &[Node], slots: &SlotSet) -> Remains {
    let moved = move_slots(&[], nodes, Pace::Fast, |_| (), || false).await;
    strays::collect(nodes, slots, moved.is_err()).await
}

struct Mover<'a, P> {
    /// The shard that each slot must get to.
    wanted: BTreeMap<u16, u32>,
    nodes: &'a [Node],
    pacing: Pacing<'a>,
    tally: Tally<P>,
    cancel: &'a (dyn Fn() -> bool + Sync),
    open: OpenSlots,
}

/// What the last look found to do.
type Tasks = BTreeMap<u16, Task>;

impl<P: Fn(Moved) + Sync> Mover<'_, P> {
    /// Looks and works until nothing is left to do.
    async fn run(&self) -> Result<(), Reason> {
        let mut layout = Layout::of(self.nodes).await;
        let there = |(slot, shard): &(&u16, &u32)| {
            layout.owner(**slot).is_some_and(|at| Some(at) == layout.primary(**shard))
        };
        self.tally.begin(self.wanted.iter().filter(|slot| !there(slot)).count() as u64);
        let mut last = (self.tally.now(), layout.heads());
        let mut since = Instant::now();
        let mut idle = 0;
        loop {
            self.count_arrived(&layout);
            let cancelled = (self.cancel)();
            let outcome = match self.tasks(&layout, cancelled) {
                Ok(tasks) if tasks.is_empty() => return Ok(()),
                Ok(tasks) if idle > IDLE_LOOKS => Err(self.stuck(&layout, &tasks)),
                Ok(tasks) => self.work(&layout, &tasks, cancelled).await,
                Err(reason) => Err(reason),
            };
            // A new primary counts as progress, too.
            let now = (self.tally.now(), layout.heads());
            idle += 1;
            if now != last {
                (last, since, idle) = (now, Instant::now(), 0);
            }
            if let Err(reason) = outcome {
                if since.elapsed() > self.patience(&layout, cancelled) {
                    return Err(reason);
                }
                tokio::time::sleep(PAUSE).await;
            }
            layout = Layout::of(self.nodes).await;
        }
    }

    /// Counts slots that arrived although an error hid it from the mover: the target took them,
    /// and then its connection broke.
    fn count_arrived(&self, layout: &Layout) {
        let marked: BTreeSet<u16> = layout.marked().collect();
        let arrived = |slot: u16, shard: u32| {
            let owner = layout.owner(slot);
            owner.is_some() && owner == layout.primary(shard) && !marked.contains(&slot)
        };
        let mut closed = 0;
        self.open.lock().retain(|&slot, &mut shard| {
            let keep = !arrived(slot, shard);
            closed += usize::from(!keep && self.wanted.get(&slot) == Some(&shard));
            keep
        });
        self.tally.add(closed, 0, 0);
    }

    /// Half-moved slots come first. If one of them has to go on to another shard, the next look
    /// finds it.
    fn tasks(&self, layout: &Layout, cancelled: bool) -> Result<Tasks, Reason> {
        let mut tasks = layout.half_moved()?;
        let open = self.open.lock().clone();
        let fresh = self.wanted.iter().filter(|_| !cancelled);
        for (&slot, &shard) in open.iter().chain(fresh) {
            let from = layout.owner(slot).ok_or(Reason::NoOwner(slot))?;
            let to = layout.primary(shard).ok_or(Reason::NoPrimary(shard))?;
            if from != to {
                tasks.entry(slot).or_insert(Task::Move { from, to });
            }
        }
        Ok(tasks)
    }

    async fn work(&self, layout: &Layout, tasks: &Tasks, cancelled: bool) -> Result<(), Reason> {
        let mut lanes: BTreeMap<usize, BTreeMap<usize, Vec<u16>>> = BTreeMap::new();
        let mut getting = BTreeSet::new();
        for (&slot, &task) in tasks {
            match task {
                // A member that gets slots may take a new epoch, and with it claims all that it
                // owns, also slots that it has just given away. So no member both gives and
                // gets; one that would has to wait for the next look.
                Task::Move { from, .. } if getting.contains(&from) => {}
                Task::Move { to, .. } if lanes.contains_key(&to) => {}
                Task::Move { from, to } => {
                    getting.insert(to);
                    lanes.entry(from).or_default().entry(to).or_default().push(slot);
                }
                Task::Tidy { at, to } => {
                    let owner = layout.owner(slot).ok_or(Reason::NoOwner(slot))?;
                    let [at, to, owner] = [at, to, owner].map(|index| &layout.members[index]);
                    leftovers::tidy(at, to, owner, slot).await?;
                }
            }
        }
        if lanes.is_empty() {
            return Ok(());
        }
        let pacers: Vec<Pacer<'_>> =
            lanes.iter().map(|(from, to)| self.pacer(layout, *from, to)).collect();
        let sources = lanes.iter().zip(&pacers).map(async |((&from, to), pacer)| {
            self.pacing.known().await;
            self.source(layout, from, to, (pacer, cancelled)).await
        });
        // Asked first, so that it measures before anything moves.
        let (keeping, moving) = (pin!(self.pacing.keep(&pacers)), pin!(join_all(sources)));
        match select(keeping, moving).await {
            Either::Right((outcomes, _)) => outcomes.into_iter().collect(),
            Either::Left((never, _)) => match never {},
        }
    }

    /// The pace of one source and its targets.
    fn pacer(&self, layout: &Layout, from: usize, to: &BTreeMap<usize, Vec<u16>>) -> Pacer<'_> {
        let heard = std::iter::once(&from).chain(to.keys());
        let servers = heard.map(|&member| layout.members[member].node.admin.apart());
        Pacer::new(&self.pacing, servers.collect())
    }

    /// All tasks of one source, at one pace.
    async fn source(
        &self,
        layout: &Layout,
        from: usize,
        targets: &BTreeMap<usize, Vec<u16>>,
        (pacer, cancelled): (&Pacer<'_>, bool),
    ) -> Result<(), Reason> {
        // After a cancel, only slots that are open already come here.
        let stop = || !cancelled && (self.cancel)();
        let lanes = targets.iter().map(|(&to, slots)| {
            let lane = Lane {
                from: &layout.members[from],
                to: &layout.members[to],
                others: layout.primaries_except(from, to),
                pacer,
                tally: &self.tally,
                stop: &stop,
                open: &self.open,
                wanted: &self.wanted,
            };
            async move { lane.run(slots).await }
        });
        join_all(lanes).await.into_iter().collect()
    }

    fn stuck(&self, layout: &Layout, tasks: &Tasks) -> Reason {
        let slot = tasks.keys().next().copied().unwrap_or_default();
        match layout.owner(slot) {
            Some(owner) => Reason::Stuck { slot, from: layout.members[owner].node.name.clone() },
            None => Reason::NoOwner(slot),
        }
    }

    fn patience(&self, layout: &Layout, cancelled: bool) -> Duration {
        if cancelled {
            return LAST_PATIENCE;
        }
        let headless = |shard| layout.primary(shard).is_none() && layout.may_recover(shard);
        let failing_over = self.nodes.iter().filter_map(Node::shard).any(headless);
        if failing_over { FAILOVER_PATIENCE } else { PATIENCE }
    }

    /// Closes the open slots that are whole on their owner, and returns those that stay open. A
    /// node that does not answer may have some of their keys, and come back with them.
    async fn give_up(&self) -> SlotSet {
        let layout = Layout::of(self.nodes).await;
        let mut pairs: BTreeMap<(usize, usize), Vec<u16>> = BTreeMap::new();
        let mut left = Vec::new();
        let open = self.open.lock().clone();
        let slots: BTreeSet<u16> = open.into_keys().chain(layout.marked()).collect();
        for slot in slots {
            match (layout.owner(slot), layout.importers(slot)) {
                (None, _) => left.push(slot),
                (Some(_), importers) if importers.is_empty() => {
                    left.extend(layout.is_given_away(slot).then_some(slot));
                }
                (Some(owner), importers) => {
                    let of_slot = importers.into_iter().map(|to| (owner, to));
                    of_slot.for_each(|pair| pairs.entry(pair).or_default().push(slot));
                }
            }
        }
        for ((from, to), slots) in pairs {
            let [from, to] = [from, to].map(|index| &layout.members[index]);
            left.extend(leftovers::close(from, to, &slots).await.unwrap_or(slots));
        }
        left.into_iter().collect()
    }
}
