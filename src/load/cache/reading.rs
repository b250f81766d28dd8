//! A read, layer by layer: the nearest one that has a copy answers, and those before it keep one.

use std::rc::Rc;

use super::copy::entity::{Copy, Entity};
use super::found::{Found, Trace};
use super::invalidation::news;
use super::layer::near_group::{self, Asked};
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
        if let Some((copy, until)) = copies.get(entity.id) {
            keep(questions, (copy, until));
            return Ok(Found { copy, from: copies.place, kept: Some(copy.until), by: None });
        }
        questions.push(copies.ask(entity.id));
    }
    let found = read_nearer(process, entity, trace).await?;
    if news::is_heard(process, &found) {
        keep(questions, (found.copy, found.copy.until));
    }
    Ok(found)
}

/// Past the memory of the process: from the nearer group, if there is one.
async fn read_nearer(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let Some(group) = &process.near_group else {
        return read_guarded(process, entity, trace).await;
    };
    let asked = near_group::ask(group, process, entity).await;
    if let Asked::Found(found) = asked {
        return Ok(found);
    }
    let found = read_guarded(process, entity, trace).await?;
    if let Asked::May(token) = asked {
        near_group::keep(group, process, (entity, found.copy), &token).await;
    }
    Ok(found)
}

/// From the farthest layer or behind it, as its circuit breaker has it.
async fn read_guarded(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let (Some(guard), Some(without)) = (&process.servers.guard, process.cache.without) else {
        return read_behind(process, entity, trace).await;
    };
    let found = match (process.in_group(entity).await, guard.is_open(), without) {
        (None, true, Without::Origin) => flight::miss(process, entity, trace).await,
        (None, true, Without::Stale) => match guard.last_seen(entity.id) {
            Some(copy) => Ok(Found { copy, from: FoundIn::Process, kept: None, by: None }),
            None => flight::miss(process, entity, trace).await,
        },
        (None, true, Without::Error) => Err(Cause::Refused),
        (found, ..) => found_in_group(process, entity, trace, found).await,
    };
    if let Ok(found) = &found {
        guard.saw(found.copy);
    }
    found
}

/// Past the memory of the process.
async fn read_behind(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
) -> Result<Found, Cause> {
    let found = process.in_group(entity).await;
    found_in_group(process, entity, trace, found).await
}

/// What comes of a read that found this in the group.
async fn found_in_group(
    process: &Rc<Process>,
    entity: &Entity,
    trace: &Rc<Trace>,
    found: Option<Found>,
) -> Result<Found, Cause> {
    let way = process.cache.stampede;
    match found {
        Some(found) => {
            if way == Stampede::Early && early::is_due(process, &found.copy) {
                return process.ask_origin(entity, trace).await;
            }
            if refresh::is_due(process, &found.copy) {
                refresh::begin(process, entity);
            }
            Ok(found)
        }
        None => match way {
            Stampede::None | Stampede::Early => process.ask_origin(entity, trace).await,
            Stampede::Lock | Stampede::StaleWhileRevalidate => {
                lock::miss(process, entity, trace).await
            }
            Stampede::SingleFlight => flight::miss(process, entity, trace).await,
            Stampede::Lease => lease::miss(process, entity, trace).await,
        },
    }
}
