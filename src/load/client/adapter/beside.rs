//! An adapter that takes locks, and beside it redrill's own client, which reads and writes the
//! accounts that the locks guard.

use std::rc::Rc;

use super::Adapter;
use crate::load::client::{Answer, Client, Front, Request};
use crate::load::workload::Doing;
use crate::model::op::{Action, Cause, LockOp, Outcome};

/// The client of one group: of the first group it has the adapter, which takes all locks, and of
/// the accounts' group redrill's own client.
pub(crate) struct Beside {
    pub(crate) adapter: Option<Rc<Adapter>>,
    pub(crate) own: Option<Rc<Front>>,
}

/// Who carries it out.
pub(crate) enum By {
    Adapter(<Adapter as Client>::Form),
    Own(Request),
}

impl Client for Beside {
    type Form = By;

    fn request(doing: Doing<'_>) -> By {
        match doing.plan.action {
            Action::Lock(LockOp::Read { .. } | LockOp::Write { .. }) => By::Own(doing.request()),
            _ => By::Adapter(Adapter::request(doing)),
        }
    }

    async fn perform(&self, request: &By) -> Answer {
        match (request, &self.adapter, &self.own) {
            (By::Adapter(form), Some(adapter), _) => adapter.perform(form).await,
            (By::Own(request), _, Some(own)) => own.perform(request).await,
            (By::Adapter(_), None, _) | (By::Own(_), _, None) => {
                Answer::of(Outcome::Fail(Cause::Other))
            }
        }
    }

    fn reconnects(&self) -> u64 {
        self.own.as_ref().map_or(0, |own| own.reconnects())
    }

    async fn look_again(&self) {
        if let Some(own) = &self.own {
            own.look_again().await;
        }
    }

    fn stop(&self) {
        if let Some(adapter) = &self.adapter {
            adapter.stop();
        }
    }

    async fn end(&self) {
        if let Some(adapter) = &self.adapter {
            adapter.end().await;
        }
    }
}
