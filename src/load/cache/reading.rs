//! A read, layer by layer: the nearest one that has a copy answers, and those before it keep one.

use std::rc::Rc;

use super::copy::entity::{Copy, Entity};
use super::found::{Found, Trace};
use super::invalidation;
use super::layer::copies::Near;
use super::layer::guard::Guard;
use super::layer::near_group::{self, Asked};
use super::layer::servers::NearGroup;
use super::process::Process;
use super::stampede::{early, flight, lease, lock, refresh};
use crate::model::Nanos;
use crate::model::op::{Cause, FoundIn};
use crate::spec::cache::{Stampede, Without};

pub(super) async fn read(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let mut questions = Vec::new();
    let keep = |questions: Vec<u64>, found: (Copy, Nanos)| {
        for (copies, question) in process.copies.iter().zip(questions) {
            copies.keep(question, found, found.0.size(process.size));
        }
    };
    for copies in &process.copies {
        if let Some(Near { copy, until, source, .. }) = copies.get(entity.id) {
            keep(questions, (copy, until));
            return Ok(Found { copy, from: copies.place, kept: Some(source), by: None });
        }
        questions.push(copies.ask(entity.id));
    }
    let found = read_nearer(process, entity, trace).await?;
    if invalidation::of(process.cache.invalidate).may_keep(process, &found) {
        keep(questions, (found.copy, found.copy.until));
    }
    Ok(found)
}

/// Past the memory of the process: from the nearer group, if there is one. What most reads do not come
/// to is in a box.
async fn read_nearer(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    match &process.near_group {
        None => read_far(process, entity, trace).await,
        Some(group) => Box::pin(read_near_group(group, process, entity, trace)).await,
    }
}

async fn read_near_group(
    group: &NearGroup,
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let asked = near_group::ask(group, process, entity).await;
    if let Asked::Found(found) = asked {
        return Ok(found);
    }
    let found = read_far(process, entity, trace).await?;
    if let Asked::May(token) = asked {
        near_group::keep(group, process, (entity, found.copy), &token).await;
    }
    Ok(found)
}

/// From the farthest layer or behind it, as its circuit breaker has it.
async fn read_far(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let guard = process.servers.guard.as_ref().zip(process.cache.without);
    let found = match (process.in_group(entity).await, guard) {
        (None, Some((guard, without))) if guard.is_open() => {
            Box::pin(read_without(process, entity, trace, (guard, without))).await
        }
        (found, _) => match found.filter(|found| may_be_served(process, entity, found)) {
            Some(found) => Ok(found),
            None => Box::pin(miss(process, entity, trace)).await,
        },
    };
    if let (Ok(found), Some((guard, _))) = (&found, guard) {
        guard.saw(found.copy);
    }
    found
}

/// The circuit breaker is open, and no layer has a copy.
async fn read_without(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
    (guard, without): (&Guard, Without),
) -> Result<Found, Cause> {
    match (without, guard.last_seen(entity.id)) {
        (Without::Error, _) => Err(Cause::Refused),
        (Without::Stale, Some(copy)) => {
            Ok(Found { copy, from: FoundIn::Process, kept: None, by: None })
        }
        (Without::Stale, None) | (Without::Origin, _) => flight::miss(process, entity, trace).await,
    }
}

/// Unless it is this reader's turn to ask the origin early. A refresh begins if it is time for one.
fn may_be_served(process: &Rc<Process>, entity: &Entity, found: &Found) -> bool {
    if process.cache.stampede == Stampede::Early && early::is_due(process, &found.copy) {
        return false;
    }
    if refresh::is_due(process, &found.copy) {
        refresh::begin(process, entity);
    }
    true
}

async fn miss(process: &Rc<Process>, entity: &Entity, trace: &Rc<Trace>) -> Result<Found, Cause> {
    match process.cache.stampede {
        Stampede::None | Stampede::Early => process.ask_origin(entity, trace).await,
        Stampede::Lock | Stampede::StaleWhileRevalidate => lock::miss(process, entity, trace).await,
        Stampede::SingleFlight => flight::miss(process, entity, trace).await,
        Stampede::Lease => lease::miss(process, entity, trace).await,
    }
}
