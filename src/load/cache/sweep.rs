//! Once a load has ended, all copies are compared with the origin: in the memory of each process, on
//! hosts and in groups; again and again, until none is older.

use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use super::copy::entity::Entity;
use super::layer::near_group;
use super::process::Process;
use crate::load::client::Noted;
use crate::model::op::{Action, CacheOp, Cause};

/// What is still old after that stays so for long.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two comparisons.
const AGAIN: Duration = Duration::from_millis(1);
/// Entities that are asked for at once.
const IN_FLIGHT: usize = 64;

/// Compares what the process has, and its share of the group, and tells how long that took.
pub(super) async fn sweep(process: &Process) {
    let begun = process.clock.now();
    let (older, ended) = loop {
        let older = compare(process).await.ok();
        let now = process.clock.now();
        if older.is_none_or(|older| older == 0) || now >= begun + PATIENCE {
            break (older, now);
        }
        process.timer.until(now + AGAIN).await;
    };
    let action = Action::Cache(CacheOp::Swept { older });
    process.beside.borrow_mut().push(Noted::new(0, action, (begun, ended)));
}

/// How many copies are older than what the origin has. Errors: a server did not tell.
async fn compare(process: &Process) -> Result<u64, Cause> {
    let is_older = |(id, version): &(u64, u64)| *version < process.origin.has(*id);
    let near = process.could_serve().filter(is_older).count() as u64;
    let share = (u64::from(process.instance)..process.keys).step_by(usize::from(process.instances));
    let older = async |id: u64| {
        let (there, entity) =
            (process.origin.has(id), Entity::of(id, &process.name, &process.cache));
        let nearer = match &process.near_group {
            Some(group) => near_group::look(group, process, &entity).await?,
            None => None,
        };
        let found = [process.look(&entity).await?.0, nearer].into_iter().flatten();
        let copies = found.map(|found| found.copy).filter(|copy| copy.id == id);
        Ok(copies.filter(|copy| copy.version < there).count() as u64)
    };
    let far: Vec<Result<u64, Cause>> =
        stream::iter(share).map(older).buffer_unordered(IN_FLIGHT).collect().await;
    Ok(near + far.into_iter().sum::<Result<u64, Cause>>()?)
}
