//! `promote` and `fail-back` of clusters, shard by shard: each is given a new term, in which another
//! group takes its writes.
//!
//! A promotion asks nobody: the new term begins in the group that is promoted, and replicators
//! bring it to the others, which refuse writes from then on. A handing back first waits until
//! everything that was there when it began has been carried. Then nobody takes writes until the
//! rest has been, too. So it loses nothing, and if replicators are dead, writes go on where they
//! are.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::error::FaultError;
use super::life::Site;
use crate::cluster::DeployedGroup;
use crate::cluster::view::shards_now;
use crate::model::NodeName;
use crate::node::{Admin, Node};
use crate::sync::carried::{self, Told};
use crate::sync::shard::{Shard, Tag};
use crate::sync::term::{self, Term};

/// How long everything that was there may take to be carried.
const COPIED: Duration = Duration::from_secs(60);
/// How long nobody may take writes, while the rest is carried.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may take to tell. One that is paused is not waited for.
const TO_TELL: Duration = Duration::from_millis(250);
/// How long replicas may take to get what their primary was told.
const TO_REPLICATE: Duration = Duration::from_millis(200);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Terms are given one step after the other, so that two steps never give the same one.
static TURN: Mutex<()> = Mutex::const_new(());

/// What came of a step: the nodes that take the writes, and a note.
pub type Done = (Vec<NodeName>, Option<String>);

/// A shard of all groups.
struct Of<'a> {
    number: u32,
    tag: Tag,
    groups: Vec<&'a DeployedGroup>,
}

/// Of a handing over: from whom, and since when nobody takes the writes.
struct Pending {
    old: usize,
    stopped: Term,
}

fn shards<'a>(site: Site<'a>) -> Vec<Of<'a>> {
    let groups = site.deployment.followers(site.group);
    let all = (0..).zip(Shard::all_of(&site.group.spec));
    all.map(|(number, shard)| Of { number, tag: shard.tag, groups: groups.clone() }).collect()
}

/// Gives the group the writes of each shard.
pub async fn promote(site: Site<'_>) -> Result<Done, FaultError> {
    let _turn = TURN.lock().await;
    let all = shards(site);
    // One that cannot be promoted keeps no other one from it.
    let promoted = join_all(all.iter().map(Of::promote)).await;
    let promoted: Vec<_> = promoted.into_iter().collect::<Result<_, FaultError>>()?;
    let took_already = promoted.iter().all(|(_, is_new)| !is_new);
    let note = took_already.then(|| "it took the writes already".to_owned());
    Ok((promoted.into_iter().map(|(node, _)| node).collect(), note))
}

/// Hands the writes of all shards over to the group, or of none.
pub async fn fail_back(site: Site<'_>) -> Result<Done, FaultError> {
    let all = shards(site);
    let nodes = || try_join_all(all.iter().map(Of::head));
    let sources = try_join_all(all.iter().map(Of::source)).await?;
    if sources.iter().all(|old| *old == 0) {
        return Ok((nodes().await?, Some("it took the writes already".to_owned())));
    }
    let began = Instant::now();
    try_join_all(all.iter().zip(&sources).map(|(shard, old)| shard.copied(*old, began))).await?;
    let (copied, stopping) = (began.elapsed(), Instant::now());
    let handed = hand_over(&all, &sources).await;
    let held = stopping.elapsed();
    handed?;
    let from = &all[0].groups[sources.into_iter().find(|old| *old > 0).unwrap_or(0)].spec.name;
    let note = format!(
        "it had all that {from} had after {:.2} s, and then writes waited for {:.2} s",
        copied.as_secs_f64(),
        held.as_secs_f64()
    );
    Ok((nodes().await?, Some(note)))
}

/// Nobody takes writes until the first group has everything. If that takes too long, they go on
/// where they were.
async fn hand_over(all: &[Of<'_>], sources: &[usize]) -> Result<(), FaultError> {
    let turn = TURN.lock().await;
    let moving = all.iter().zip(sources).filter(|(_, old)| **old > 0);
    let begun = moving.map(|(shard, old)| async move {
        let pending = Pending { old: *old, stopped: shard.latest().await.nobodys() };
        let stopped = shard.stop(&pending).await;
        ((shard, pending), stopped)
    });
    let (begun, stopped): (Vec<_>, Vec<_>) = join_all(begun).await.into_iter().unzip();
    drop(turn);
    let mut outcome = stopped.into_iter().collect::<Result<(), FaultError>>();
    if outcome.is_ok() {
        let waiting = begun.iter().map(|(shard, pending)| shard.has_all(pending));
        outcome = try_join_all(waiting).await.map(drop);
    }
    let _turn = TURN.lock().await;
    let ended = begun.iter().map(|(shard, pending)| {
        let taker = if outcome.is_ok() { 0 } else { pending.old };
        shard.end(pending, taker)
    });
    let ended: Result<(), FaultError> = join_all(ended).await.into_iter().collect();
    outcome.and(ended)
}

impl Of<'_> {
    fn name(&self, group: usize) -> &str {
        &self.groups[group].spec.name
    }

    /// The nodes of a group that this shard may be led by.
    fn nodes(&self, group: usize) -> impl Iterator<Item = &Node> {
        self.groups[group].born().filter(|node| node.shard() == Some(self.number))
    }

    /// The node that leads the shard in the group that is meant.
    async fn head(&self) -> Result<NodeName, FaultError> {
        until_led(|| self.head_now()).await
    }

    async fn head_now(&self) -> Result<NodeName, FaultError> {
        let view = shards_now(self.groups[0]).await.into_iter().find(|v| v.shard == self.number);
        view.and_then(|view| view.primary).ok_or_else(|| self.no_head(0))
    }

    fn no_head(&self, group: usize) -> FaultError {
        let (group, shard) = (self.name(group).to_owned(), self.number);
        FaultError::NoShardHead { group, shard }
    }

    /// What the primary of the shard in a group tells; none if there is none, or it does not
    /// answer.
    async fn told(&self, group: usize) -> Option<Told> {
        let apart = |node: &Node| node.admin.apart().with_timeout(TO_TELL);
        let nodes: Vec<Admin> = self.nodes(group).map(apart).collect();
        carried::ask(nodes.iter(), &self.tag).await
    }

    /// The latest term that any group tells.
    async fn latest(&self) -> Term {
        let told = join_all((0..self.groups.len()).map(|group| self.told(group))).await;
        told.into_iter().flatten().map(|told| told.term).max().unwrap_or_default()
    }

    /// Tells the primary of a group and its replicas of a term, and which it knows then.
    async fn tell(&self, group: usize, term: &Term) -> Result<(NodeName, Term), FaultError> {
        until_led(|| self.tell_once(group, term)).await
    }

    async fn tell_once(&self, group: usize, term: &Term) -> Result<(NodeName, Term), FaultError> {
        let replicas = self.groups[group].spec.replicas();
        let told = term::tell_all(term, &self.tag, (replicas, TO_REPLICATE));
        let telling = self.nodes(group).map(async |node| {
            let admin = node.admin.apart().with_timeout(TO_TELL + TO_REPLICATE);
            let (known, _) = admin.pipeline::<term::AnswerOfAll>(&told).await.ok()?;
            Some((node.name.clone(), Term::from(known)))
        });
        // Replicas refuse.
        let told = join_all(telling).await.into_iter().flatten().next();
        told.ok_or_else(|| self.no_head(group))
    }

    /// Begins a term in which the first group takes the writes, and whether it has not before.
    async fn promote(&self) -> Result<(NodeName, bool), FaultError> {
        let mut latest = self.latest().await;
        let is_new = latest.taker != self.name(0);
        let began = Instant::now();
        loop {
            let own = latest.taker == self.name(0);
            let term = if own { latest } else { latest.next(self.name(0)) };
            let (node, known) = self.tell(0, &term).await?;
            if known.taker == self.name(0) {
                return Ok((node, is_new));
            }
            // Whoever knew of it did not tell in time.
            latest = known;
            if began.elapsed() >= PATIENCE {
                return Err(self.overtaken(latest));
            }
        }
    }

    /// The group that takes the writes.
    async fn source(&self) -> Result<usize, FaultError> {
        until_led(|| self.source_now()).await
    }

    async fn source_now(&self) -> Result<usize, FaultError> {
        let latest = self.latest().await;
        let source = (0..self.groups.len()).find(|group| self.name(*group) == latest.taker);
        source.ok_or(FaultError::NoSource(self.head_now().await?))
    }

    /// Returns when the first group has all that the group `old` has now.
    async fn copied(&self, old: usize, began: Instant) -> Result<(), FaultError> {
        if old == 0 {
            return Ok(());
        }
        // A shard may be failing over.
        let mut source = None;
        loop {
            if source.is_none() {
                source = self.told(old).await;
            }
            if let (Some(source), Some(target)) = (&source, self.told(0).await)
                && self.has(&target, old, source)
            {
                return Ok(());
            }
            if began.elapsed() >= COPIED {
                source.ok_or_else(|| self.no_head(old))?;
                return Err(FaultError::NotCopied { name: self.head().await?, waited: COPIED });
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn has(&self, target: &Told, old: usize, source: &Told) -> bool {
        target.has_all_of(self.name(0), (self.name(old), source))
    }

    /// Begins the term in which nobody takes the writes.
    async fn stop(&self, Pending { old, stopped }: &Pending) -> Result<(), FaultError> {
        let (_, known) = self.tell(*old, stopped).await?;
        if known == *stopped { Ok(()) } else { Err(self.overtaken(known)) }
    }

    /// Returns when the first group has all that the old one took before it stopped. A replica that
    /// has become the primary of the old one meanwhile is told to stop as well.
    async fn has_all(&self, Pending { old, stopped }: &Pending) -> Result<(), FaultError> {
        let began = Instant::now();
        loop {
            if let (Some(source), Some(target)) = tokio::join!(self.told(*old), self.told(0)) {
                if source.term > *stopped {
                    return Err(self.overtaken(source.term));
                }
                if source.term < *stopped {
                    self.tell(*old, stopped).await?;
                } else if self.has(&target, *old, &source) {
                    return Ok(());
                }
            }
            if began.elapsed() >= PATIENCE {
                return Err(FaultError::NotCarried { name: self.head().await?, waited: PATIENCE });
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Begins a term in which the group `taker` takes the writes, unless there is a later one.
    async fn end(&self, pending: &Pending, taker: usize) -> Result<(), FaultError> {
        let latest = self.latest().await;
        if latest > pending.stopped {
            return Err(self.overtaken(latest));
        }
        let next = pending.stopped.next(self.name(taker));
        let (_, known) = self.tell(taker, &next).await?;
        if known == next { Ok(()) } else { Err(self.overtaken(known)) }
    }

    fn overtaken(&self, latest: Term) -> FaultError {
        FaultError::Overtaken { shard: self.number, by: latest.taker }
    }
}

/// Asks until somebody leads the shard: it may be failing over, or a busy server is slow to tell.
async fn until_led<T, F>(ask: impl Fn() -> F) -> Result<T, FaultError>
where
    F: Future<Output = Result<T, FaultError>>,
{
    let began = Instant::now();
    loop {
        match ask().await {
            Err(_) if began.elapsed() < PATIENCE => sleep(LOOK_AGAIN).await,
            told => return told,
        }
    }
}
