//! Somebody changes entities in the origin at once, past the users of the application, as a bulk job
//! does. A process empties the caches in its own way.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::sync::{mpsc, oneshot};

use super::family::Family;
use super::pattern;
use super::publish::publish_change;
use crate::load::cache::copy::entity::Entity;
use crate::load::cache::found::Trace;
use crate::load::cache::process::Process;
use crate::load::cache::writing::change::change;
use crate::load::cache::writing::follow;
use crate::log::OrUnheard;
use crate::model::op::{Cause, Outcome, key_name};
use crate::spec::cache::{Chosen, FoundBy, Write};

/// Entities whose copies are emptied at once.
const IN_FLIGHT: usize = 64;
/// Somebody who does not confirm keeps nobody waiting for longer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(in crate::load::cache) struct Job {
    pub(in crate::load::cache) chosen: Chosen,
    pub(in crate::load::cache) done: oneshot::Sender<Result<Changed, Cause>>,
}

/// What was changed.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    pub entities: usize,
    /// From the origin's answer until the caches were emptied.
    pub took: Duration,
}

/// For as long as somebody may order something.
pub(in crate::load::cache) async fn listen(
    process: Rc<Process>,
    mut jobs: mpsc::UnboundedReceiver<Job>,
) {
    while let Some(Job { chosen, done }) = jobs.recv().await {
        done.send(carry_out(&process, &chosen).await).or_unheard();
    }
}

async fn carry_out(process: &Process, chosen: &Chosen) -> Result<Changed, Cause> {
    let trace = Trace::default();
    let changing = process.unless_restarted(change_all(process, chosen, &trace));
    let (outcome, changed) = match tokio::time::timeout(PATIENCE, changing).await {
        Ok(Some(Ok(changed))) => (Outcome::Ok, Ok(changed)),
        Ok(Some(Err(cause))) => (Outcome::Fail(cause), Err(cause)),
        Ok(None) => (Outcome::Unknown(Cause::ConnectionLost), Err(Cause::ConnectionLost)),
        Err(_) => (Outcome::Unknown(Cause::Timeout), Err(Cause::Timeout)),
    };
    process.note_changed(&trace, outcome, |_| true);
    changed
}

async fn change_all(process: &Process, chosen: &Chosen, trace: &Trace) -> Result<Changed, Cause> {
    let entities = entities(process, chosen);
    let by = (&process.timer, process.clock);
    let asked = process.origin.takes(by, entities.iter().copied(), &trace.wrote).await?;
    let answered = process.clock.now();
    entities.iter().for_each(|id| process.forget(*id));
    match (process.cache.invalidate.found_by(), chosen) {
        (FoundBy::Pattern, Chosen::All) => {
            empty_matching(process, &pattern::of_all(&process.name), trace).await?;
        }
        (FoundBy::Pattern, Chosen::Pattern(pattern)) => {
            empty_matching(process, pattern, trace).await?;
        }
        (FoundBy::Name | FoundBy::Generation | FoundBy::Tag | FoundBy::Pattern, _) => {
            empty_each(process, &entities, asked, trace).await?;
        }
    }
    Ok(Changed { entities: entities.len(), took: process.clock.now().since(answered) })
}

async fn empty_matching(process: &Process, pattern: &str, trace: &Trace) -> Result<(), Cause> {
    let emptied = pattern::empty(process, trace, pattern).await;
    publish_change(process, 0, pattern.to_owned(), trace).await;
    emptied
}

/// As writers of these entities do it; one of each family, if all of it goes.
async fn empty_each(
    process: &Process,
    entities: &[u64],
    asked: u64,
    trace: &Trace,
) -> Result<(), Cause> {
    let mut seen = BTreeSet::new();
    let is_of_families = process.cache.invalidate.is_of_families();
    let first = entities.iter().filter(|id| !is_of_families || seen.insert(Family::of(**id)));
    let empty = async |id: u64| {
        let entity = Entity::of(id, &process.name, &process.cache);
        let (version, _) = trace.wrote.of(id);
        let copy = process.new_copy(&entity, version, asked);
        // The group has no newer copy yet.
        if process.cache.write == Write::Behind {
            change(process, &entity, copy, trace).await?;
        }
        follow(process, &entity, copy, trace).await
    };
    let emptied: Vec<Result<(), Cause>> =
        stream::iter(first.copied()).map(empty).buffer_unordered(IN_FLIGHT).collect().await;
    emptied.into_iter().collect()
}

/// By a pattern exactly what matches goes, if copies are looked for by it. Otherwise all goes that a
/// writer would change with it.
fn entities(process: &Process, chosen: &Chosen) -> Vec<u64> {
    let (keys, name, found_by) = (process.keys, &process.name, process.cache.invalidate.found_by());
    let chosen: Vec<u64> = match (chosen, found_by) {
        (Chosen::First(count), _) => (0..keys.min(*count)).collect(),
        (Chosen::These(entities), _) => entities.clone(),
        (Chosen::Tag(user), _) => Family(*user).members(keys).collect(),
        (Chosen::Pattern(pattern), FoundBy::Pattern) => {
            return pattern::matches(name, pattern, keys);
        }
        (Chosen::Pattern(pattern), FoundBy::Tag) => pattern::matches(name, pattern, keys),
        (Chosen::Pattern(pattern), FoundBy::Name | FoundBy::Generation) => {
            pattern::matching(pattern, keys, |id| key_name(name, id))
        }
        (Chosen::All, _) => (0..keys).collect(),
    };
    let all = chosen.into_iter().flat_map(|id| process.changes_with(id));
    all.collect::<BTreeSet<u64>>().into_iter().collect()
}
