//! Moves slots by the servers' own [`job`](super::job)s, and follows these to their end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt, stream};

use super::job::{self, Dialect, Job, JobState, Status};
use super::layout::{Layout, Member};
use super::progress::{MoveError, MoveReport, Reason, Tally};
use super::{Route, keys};
use crate::log::OrLogged;
use crate::model::event::Moved;
use crate::model::slot::SlotSet;
use crate::node::Node;

/// How often a job's state is requested. Its phases are exact to this.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a server may not answer about its job.
const SILENT: Duration = Duration::from_secs(3);
/// A job that stays in one phase for longer is given up.
const STUCK: Duration = Duration::from_secs(120);

/// The kind of jobs that all primaries of `nodes` offer; `None` if they offer none, or
/// different ones.
pub async fn offered(nodes: &[Node]) -> Option<Dialect> {
    let layout = Layout::of(nodes).await;
    let ask = layout.primaries().map(|(_, member)| Dialect::of(&member.node.admin));
    let mut all = join_all(ask).await.into_iter().map(|offered| offered.ok().flatten());
    let first = all.next()??;
    all.all(|other| other == Some(first)).then_some(first)
}

/// As [`super::move_slots`], by jobs. A cancel cancels the jobs, and their slots stay.
pub async fn move_slots(
    dialect: Dialect,
    routes: &[Route],
    nodes: &[Node],
    heard: &(dyn Fn(MoveReport) + Sync),
    cancel: &(dyn Fn() -> bool + Sync),
) -> Result<Moved, MoveError> {
    let tally = Tally::without_bytes(|moved| heard(MoveReport::Moved(moved)));
    let layout = Layout::of(nodes).await;
    let pairs = pairs(&layout, routes).map_err(|reason| MoveError::stable(tally.now(), reason))?;
    tally.begin(pairs.values().map(|slots| slots.len() as u64).sum());
    let jobs = pairs.into_iter().map(|((from, to), slots)| {
        let (from, to) = (&layout.members[from], &layout.members[to]);
        let move_one = Move { dialect, from, to, slots: slots.into_iter().collect(), nodes };
        let tally = &tally;
        async move {
            if move_one.run(heard, cancel).await? {
                let slots: Vec<u16> = move_one.slots.iter().collect();
                let keys = keys::count(&move_one.to.node.admin, &slots).await?;
                tally.add(slots.len(), keys.iter().sum::<u64>() as usize, 0);
            }
            Ok::<(), Reason>(())
        }
    });
    let done: Vec<_> = stream::iter(jobs).buffer_unordered(dialect.at_once()).collect().await;
    let failed = done.into_iter().find_map(Result::err);
    let moved = tally.finish();
    match failed {
        Some(reason) => Err(MoveError::stable(moved, reason)),
        None => Ok(moved),
    }
}

/// The slots to move for each pair of members. Slots that are in place already are left out.
fn pairs(
    layout: &Layout,
    routes: &[Route],
) -> Result<BTreeMap<(usize, usize), BTreeSet<u16>>, Reason> {
    let mut pairs: BTreeMap<(usize, usize), BTreeSet<u16>> = BTreeMap::new();
    for route in routes {
        let to = layout.primary(route.to).ok_or(Reason::NoPrimary(route.to))?;
        for slot in route.slots.iter() {
            let from = layout.owner(slot).ok_or(Reason::NoOwner(slot))?;
            if from != to {
                pairs.entry((from, to)).or_default().insert(slot);
            }
        }
    }
    Ok(pairs)
}

/// Slots of one source for one target.
struct Move<'a> {
    dialect: Dialect,
    from: &'a Member,
    to: &'a Member,
    slots: SlotSet,
    nodes: &'a [Node],
}

impl Move<'_> {
    /// Returns whether the slots have moved; `false` if that was cancelled.
    async fn run(
        &self,
        heard: &(dyn Fn(MoveReport) + Sync),
        cancel: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool, Reason> {
        let Some(job) = self.order(cancel).await? else { return Ok(false) };
        let (mut phase, mut since, mut cancelled) = (String::new(), Instant::now(), false);
        loop {
            if cancel() && !cancelled {
                // The job may have ended meanwhile; the next look shows it.
                job.cancel().await.or_logged("cancel a job");
                cancelled = true;
            }
            let Some(status) = self.status(&job).await? else { return self.has_moved().await };
            if status.state_text != phase {
                phase.clone_from(&status.state_text);
                since = Instant::now();
                if let (Some(from), Some(to)) = (self.from.node.shard(), self.to.node.shard()) {
                    heard(MoveReport::Job { from, to, state: status.state_text.clone() });
                }
            }
            match status.state() {
                JobState::Done => return Ok(true),
                JobState::Cancelled | JobState::Failed => {
                    let taken = self.target_took_them(&job, &status).await;
                    let given_up = cancelled && status.state() == JobState::Cancelled;
                    return if taken || given_up { Ok(taken) } else { Err(self.failed(&status)) };
                }
                JobState::UnderWay if since.elapsed() > STUCK => {
                    job.cancel().await.or_logged("cancel a job");
                    return Err(self.failed(&status));
                }
                JobState::UnderWay => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// The job; `None` if that was cancelled. A server of Redis takes one at a time, and is busy
    /// for a while after the one before has ended.
    async fn order(&self, cancel: &(dyn Fn() -> bool + Sync)) -> Result<Option<Job<'_>>, Reason> {
        let began = Instant::now();
        while !cancel() {
            match Job::order(self.dialect, self.from, self.to, &self.slots).await {
                Err(error) if job::is_busy(&error) && began.elapsed() < STUCK => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                ordered => return Ok(Some(ordered?)),
            }
        }
        Ok(None)
    }

    /// The job's state as the server reports it. `None` if the server does not know the job: it
    /// was restarted, or a new primary has taken its place.
    async fn status(&self, job: &Job<'_>) -> Result<Option<Status>, Reason> {
        let began = Instant::now();
        loop {
            match job.look().await {
                Ok(status) => return Ok(status),
                Err(error) if began.elapsed() > SILENT => {
                    // Nobody follows the job any more, so it is cancelled.
                    job.cancel().await.or_logged("cancel a job");
                    return Err(self.ended("its server does not answer", &error.to_string()));
                }
                Err(_) => tokio::time::sleep(10 * LOOK_EVERY).await,
            }
        }
    }

    /// Whether the target took the slots. A target that was just being given the slots takes
    /// them, whatever the source reports, so its report counts once its own part is over.
    async fn target_took_them(&self, job: &Job<'_>, status: &Status) -> bool {
        let began = Instant::now();
        while began.elapsed() < SILENT {
            match job.look_at_target(status).await {
                Ok(Some(part)) if part.state() == JobState::UnderWay => {}
                Ok(_) => break,
                Err(_) => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.are_there().await
    }

    /// Whether the slots have moved according to the nodes, if no server knows the job any
    /// more.
    async fn has_moved(&self) -> Result<bool, Reason> {
        match self.are_there().await {
            true => Ok(true),
            false => Err(self.ended("forgotten", "the server knows nothing of it any more")),
        }
    }

    async fn are_there(&self) -> bool {
        let layout = Layout::of(self.nodes).await;
        let there = self.to.node.shard().and_then(|shard| layout.primary(shard));
        self.slots.iter().all(|slot| layout.owner(slot) == there && there.is_some())
    }

    fn failed(&self, status: &Status) -> Reason {
        self.ended(&status.state_text, &status.message)
    }

    fn ended(&self, state: &str, message: &str) -> Reason {
        let ends = Box::new([self.from.node.name.clone(), self.to.node.name.clone()]);
        let why = match message {
            "" => state.to_owned(),
            message => format!("{state}: {message}"),
        };
        Reason::Job { ends, why }
    }
}
