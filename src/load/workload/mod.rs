//! What the clients of a load do: one file for each workload, behind one seam.
//!
//! A workload begins here: a file with its [`Sessions`], a line in [`of`], and a variant of
//! [`Workload`]. Its operations are a family in [`Action`](crate::model::op::Action), which a checker judges.

mod cas;
mod counter;
mod draw;
mod plans;
mod queue;
mod register;
mod session;
mod set;
mod stream;
mod transfer;
mod values;

use super::client::Request;
use crate::model::Workload;
use crate::model::op::{Purpose, key_name};
use crate::model::slot::slot_of;
use crate::spec::scenario::Load;

pub(crate) use draw::{Draw, Plan};
pub(crate) use plans::Plans;
pub(crate) use session::{Next, Sessions};
pub(crate) use values::Values;

/// The clients of a load, who remember nothing yet.
pub(crate) fn of(load: &Load) -> Box<dyn Sessions> {
    match load.workload {
        Workload::Register => Box::new(register::Register),
        Workload::Cas => Box::<cas::Cas>::default(),
        Workload::Counter => Box::new(counter::Counter),
        Workload::Set => Box::new(set::Set),
        Workload::Queue => Box::new(queue::Queue),
        Workload::Stream => Box::<stream::Stream>::default(),
        Workload::Transfer => Box::new(transfer::Transfer { by: load.transfer }),
    }
}

/// `plan` as it is sent. What clients change is to reach replicas, if the load waits for them.
pub(crate) fn request(
    load: &Load,
    sessions: &dyn Sessions,
    plan: &Plan,
    purpose: Purpose,
    values: &mut Values,
) -> Request {
    let key = key_name(&load.keyspace.name, plan.key);
    let (commands, read) = sessions.command(&key, plan, values);
    let wait = load.wait.filter(|_| purpose == Purpose::Load);
    Request { slot: slot_of(key.as_bytes()), commands, read, wait }
}
