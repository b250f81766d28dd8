//! Slots that steps have left half moved, because a node was gone: they are finished when it is
//! back, at the latest before the final state is read.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use tokio::time::{Instant, sleep};

use crate::cluster::moving::{self, Remains};
use crate::cluster::{DeployedGroup, Deployment};
use crate::log::OrLogged;
use crate::model::event::{EventKind, Teller};
use crate::model::slot::SlotSet;

/// Between two attempts to finish them.
const AGAIN: Duration = Duration::from_secs(1);

/// The slots that steps have left half moved, and whose turn it is to move some.
pub struct HalfMoved<'a> {
    deployment: &'a Deployment,
    teller: &'a Teller,
    turn: AsyncMutex<()>,
    /// By group.
    left: Mutex<BTreeMap<String, Left>>,
}

struct Left {
    /// The step that left them last.
    step: usize,
    since: Instant,
    /// All that were ever left.
    slots: SlotSet,
    is_open: bool,
}

impl<'a> HalfMoved<'a> {
    pub fn new(deployment: &'a Deployment, teller: &'a Teller) -> HalfMoved<'a> {
        let (turn, left) = Default::default();
        HalfMoved { deployment, teller, turn, left }
    }

    /// Waits until nothing else moves slots.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The step has left these slots open.
    pub fn leave(&self, group: &str, step: usize, slots: &SlotSet) {
        if slots.is_empty() {
            return;
        }
        let mut left = self.left.lock();
        let before = left.get(group).map(|left| left.slots.clone()).unwrap_or_default();
        let slots = before.iter().chain(slots.iter()).collect();
        let new = Left { step, since: Instant::now(), slots, is_open: true };
        left.insert(group.to_owned(), new);
    }

    /// Finishes slots as soon as their nodes answer, until dropped.
    pub async fn keep_finishing(&self) -> Infallible {
        loop {
            sleep(AGAIN).await;
            let Ok(_turn) = self.turn.try_lock() else { continue };
            for group in &self.deployment.groups {
                let name = &group.spec.name;
                if !self.left.lock().get(name).is_some_and(|left| left.is_open) {
                    continue;
                }
                let finished = moving::finish_open(&group.nodes).await;
                if finished.or_logged("finish slots that were left open").is_some() {
                    self.closed(name);
                }
            }
        }
    }

    fn closed(&self, group: &str) {
        if let Some(left) = self.left.lock().get_mut(group)
            && std::mem::take(&mut left.is_open)
        {
            let text = format!(
                "the slots that it had left open were finished {:.1} s later",
                left.since.elapsed().as_secs_f64()
            );
            self.teller.tell(EventKind::StepNote { step: left.step, text });
        }
    }

    /// Finishes all slots, or takes their keys back, although clients may miss keys meanwhile: to be
    /// called when there are none. What keys are left where nobody finds them is emitted.
    pub async fn finish_all(&self) {
        for group in &self.deployment.groups {
            let Some((step, Remains { open, stranded, keys })) = self.finish(group).await else {
                continue;
            };
            if !stranded.is_empty() {
                let (group, slots) = (group.spec.name.clone(), stranded);
                self.teller.tell(EventKind::Stranded { step, group, slots, keys });
            }
            if !open.is_empty() {
                let text = format!("slots that it left open are still open at the end: {open}");
                self.teller.tell(EventKind::StepNote { step, text });
            }
        }
    }

    /// Finishes the slots of one group. Gives what remains, and the step that left it.
    pub async fn finish(&self, group: &DeployedGroup) -> Option<(usize, Remains)> {
        let name = &group.spec.name;
        let (step, slots) =
            self.left.lock().get(name).map(|left| (left.step, left.slots.clone()))?;
        let remains = moving::finish(&group.nodes, &slots).await;
        if remains.is_none() {
            self.closed(name);
        }
        Some((step, remains)).filter(|(_, remains)| !remains.is_none())
    }
}
