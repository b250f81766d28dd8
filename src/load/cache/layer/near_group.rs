//! A layer in a group that stands before the farthest one.
//!
//! A reader that finds nothing there gets a token from the server and leaves its copy only while the
//! token is there, as by `stampede: lease`. A writer empties the farther group first. So a reader whose
//! copy is an old one asked the nearer group before it was emptied, and its token is gone.

use rand::RngExt;

use super::servers::NearGroup;
use crate::load::cache::copy::entity::{Copy, Entity};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::cache::replies::{any, text};
use crate::load::cache::stampede::lease::{ASK, FILL, token};
use crate::load::cache::stampede::lock::LEASE;
use crate::load::client::{Answer, Commands, ReplyValue, of, script};
use crate::model::op::{Cause, FoundIn};

/// What comes of asking it.
pub(in crate::load::cache) enum Asked {
    Found(Found),
    /// Nothing; whoever has this token may leave a copy.
    May(Vec<u8>),
    /// Nothing; somebody else is to leave one, or it does not answer.
    Not,
}

pub(in crate::load::cache) async fn ask(
    group: &NearGroup,
    process: &Process,
    entity: &Entity,
) -> Asked {
    let token = token(process);
    let millis = LEASE.as_millis().to_string();
    let ask = script(ASK, &[&entity.key], &[&token, millis.as_bytes()]);
    let Ok(answer) = group.servers.send(entity.slot, ask.into(), text).await else {
        return Asked::Not;
    };
    if matches!(&answer.told, ReplyValue::Bytes(Some(found)) if *found == token) {
        return Asked::May(token);
    }
    found(process, entity, &answer).map_or(Asked::Not, Asked::Found)
}

fn found(process: &Process, entity: &Entity, answer: &Answer) -> Option<Found> {
    let found = process.found_by(entity, answer)?;
    // It is none of the servers that tell of what they have.
    Some(Found { from: FoundIn::NearGroup, by: None, ..found })
}

/// What it has; nothing is asked for besides.
///
/// Errors: nobody told.
pub(in crate::load::cache) async fn look(
    group: &NearGroup,
    process: &Process,
    entity: &Entity,
) -> Result<Option<Found>, Cause> {
    let answer = group.servers.send(entity.slot, of("GET", &entity.key).into(), text).await?;
    Ok(found(process, entity, &answer))
}

/// For no longer than in the group that it came from.
pub(in crate::load::cache) async fn keep(
    group: &NearGroup,
    process: &Process,
    (entity, copy): (&Entity, Copy),
    token: &[u8],
) {
    let share = process.chance.borrow_mut().random_range(-group.jitter..=group.jitter);
    let left = copy.until.since(process.clock.now());
    let millis = group.ttl.mul_f64(1.0 + share).min(left).as_millis();
    if millis > 0 {
        let (whole, millis) = (process.bytes_of(copy), millis.to_string());
        let fill = script(FILL, &[&entity.key], &[token, &whole, millis.as_bytes()]);
        // Without an answer it has a copy or none: both are right.
        let _ = group.servers.send(entity.slot, fill.into(), any).await;
    }
}

/// Errors: nobody knows whether the copy is gone.
pub(in crate::load::cache) async fn forget(
    group: &NearGroup,
    entity: &Entity,
    trace: &Trace,
) -> Result<(), Cause> {
    let delete: Commands = of("DEL", &entity.key).into();
    trace.commands.set(trace.commands.get() + delete.count());
    group.servers.send(entity.slot, delete, any).await.map(drop)
}
