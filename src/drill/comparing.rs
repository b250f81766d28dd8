//! Which commands the servers of a load's locks have that compare, where the load asks for them.

use redis::Value;

use crate::cluster::Deployment;
use crate::spec::lock::{Comparing, LockBy};
use crate::spec::scenario::Load;

use super::context::Halt;

/// The load, which knows those commands if it needs them.
///
/// # Errors
/// A server has none, or cannot be asked, or servers have different ones.
pub async fn known(mut load: Load, deployment: &Deployment) -> Result<Load, Halt> {
    let name = load.name.clone();
    let Some(lock) = load.lock.as_mut().filter(|lock| lock.by == LockBy::Command) else {
        return Ok(load);
    };
    let groups = load.groups[..lock.groups].iter().filter_map(|group| deployment.group(group));
    for node in groups.flat_map(|group| group.born()) {
        let mut about = redis::cmd("COMMAND");
        about.arg("INFO").arg(Comparing::ALL.map(Comparing::deletes).as_slice());
        let known: Vec<Value> = node.admin.query(&about).await.map_err(Halt::failed)?;
        let mut offered =
            Comparing::ALL.into_iter().zip(&known).filter(|(_, it)| **it != Value::Nil);
        let Some((offered, _)) = offered.next() else {
            return Err(Halt::failed(format_args!(
                "load `{name}`: `{}` has no command that deletes a key only if it has a certain \
                 value (Redis 8.4 has DELEX, Valkey 9.0 has DELIFEQ); use `by: script`, or another \
                 server",
                node.name
            )));
        };
        if lock.comparing.is_some_and(|other| other != offered) {
            return Err(Halt::failed(format_args!(
                "load `{name}`: its servers compare by different commands; use `by: script`"
            )));
        }
        lock.comparing = Some(offered);
    }
    Ok(load)
}
