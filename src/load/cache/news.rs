//! What a writer does with the copies of what it wrote, and how processes hear of that.

use std::rc::Rc;

use redis::{PushInfo, PushKind};

use super::entity::Entity;
use super::process::Process;
use crate::load::Targets;
use crate::load::client::{ClientOptions, Ear, Listener, Topic, done, of};
use crate::spec::cache::Invalidate;

/// After the origin has it.
pub(super) async fn tell(process: &Process, entity: &Entity) {
    if process.cache.invalidate == Invalidate::Ttl {
        return;
    }
    if let Some(near) = &process.near {
        near.forget(entity.id);
    }
    // What is not heard of stays until its time is over: a drill shows that.
    let _ = process.send(entity.slot, of("DEL", &entity.key).into(), done).await;
    if process.cache.invalidate == Invalidate::Publish {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(channel(&process.name)).arg(entity.id);
        let _ = process.send(entity.slot, publish.into(), done).await;
    }
}

fn channel(load: &str) -> String {
    format!("{load}:changed")
}

/// Hears of writes, if processes tell each other.
pub(super) fn listen(
    process: &Rc<Process>,
    targets: &Targets,
    instance: u16,
    options: ClientOptions,
) {
    let of_all = process.cache.invalidate == Invalidate::Publish;
    if !of_all || process.near.is_none() || targets.nodes.is_empty() {
        return;
    }
    // All nodes of a cluster pass on what one of them is told.
    let node = usize::from(instance) % targets.nodes.len();
    let ear = Ear {
        node: node as u16,
        address: targets.nodes[node],
        from: targets.from(instance),
        topic: Topic::Channel(channel(&process.name)),
    };
    let password = targets.password.clone();
    tokio::task::spawn_local(ear.listen(process.clone(), password, options));
}

impl Listener for Process {
    fn hears(&self, _: u16) {
        self.hears.set(true);
    }

    fn told(&self, told: &PushInfo) {
        let id = told.data.last().and_then(|id| redis::from_redis_value_ref::<u64>(id).ok());
        if let (PushKind::Message, Some(id), Some(near)) = (&told.kind, id, &self.near) {
            near.forget(id);
        }
    }

    /// What was written meanwhile is not heard of.
    fn loses(&self, _: u16) {
        self.hears.set(false);
        if let Some(near) = &self.near {
            near.forget_all();
        }
    }
}
