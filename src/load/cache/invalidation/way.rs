//! What a way to invalidate consists of. Each one is a file beside this one.

use std::rc::Rc;

use async_trait::async_trait;

use crate::load::cache::copy::entity::{Copy, Entity};
use crate::load::cache::found::{Found, Trace};
use crate::load::cache::process::Process;
use crate::load::client::Topic;

#[async_trait(?Send)]
pub(in crate::load::cache) trait Way {
    /// Whether a process may keep what it found so: where it is told of changes, only if it is told of
    /// changes of that.
    fn may_keep(&self, process: &Process, found: &Found) -> bool;

    /// Where a process listens, besides the connections on which it reads.
    fn listens(&self, _process: &Process) -> Option<(At, Topic)> {
        None
    }

    /// Whom a writer tells, once it has dropped its own copy and changed the one in the group.
    async fn tell(&self, _process: &Process, _written: &Written<'_>, _trace: &Trace) {}

    /// What a process does that is told a text: it drops the copy of the entity of that name.
    fn told(&self, process: &Rc<Process>, text: &str) {
        process.forget_named(text);
    }
}

pub(in crate::load::cache) struct Written<'a> {
    pub(in crate::load::cache) entity: &'a Entity,
    pub(in crate::load::cache) copy: Copy,
    /// Whether it is known that the group's copy was changed.
    pub(in crate::load::cache) is_changed: bool,
}

/// The nodes of the group at which each process listens.
pub(in crate::load::cache) enum At {
    /// All nodes of a cluster pass on what is published at one of them.
    OneNode,
    EachNode,
}
