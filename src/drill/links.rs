//! Steps that do something to links.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::cluster::DeployedGroup;
use crate::cluster::view::shards_now;
use crate::fault::links;
use crate::fault::target::Cast;
use crate::model::event::EventKind;
use crate::net::Pairs;
use crate::node::Node;
use crate::spec::network::NetworkStep;

use super::faults::{Faults, Left, random};

impl Faults<'_> {
    /// Does to links what step number `index` says, and undoes it when its time is over.
    /// Gives what went wrong.
    pub async fn on_links(
        &self,
        group: &DeployedGroup,
        index: usize,
        step: &NetworkStep,
    ) -> Option<String> {
        let stage = self.stage;
        let cast = Cast::new(&self.deployment.places, group, shards_now(group).await);
        let found = match links::find(&step.links, &cast, &mut random(stage, index)) {
            Ok(found) => found,
            Err(error) => return Some(error.to_string()),
        };
        stage.teller.tell(EventKind::StepInjected {
            step: index,
            nodes: found.nodes,
            against: found.against,
        });
        if let (Some(every), Some(lasts)) = (step.every, step.lasts) {
            let flapped = self.flap((index, step), &found.pairs, every, lasts).await;
            if flapped.is_ok() {
                stage.teller.tell(EventKind::StepUndone { step: index, nodes: vec![] });
            }
            return flapped.err();
        }
        match self.change(step, &found.pairs).await {
            Ok(Some(left)) => self.leave(index, left),
            Ok(None) => {
                stage.teller.tell(EventKind::StepUndone { step: index, nodes: vec![] });
                return None;
            }
            Err(error) => return Some(error),
        }
        self.wait_and_undo(index, step.lasts).await
    }

    /// Does it to links; a reset leaves nothing to be undone.
    async fn change(&self, step: &NetworkStep, pairs: &Pairs) -> Result<Option<Left>, String> {
        if step.is_in_kernel() {
            let nodes: Vec<&Node> = self.deployment.nodes().collect();
            let cut = self.stage.backend.cut(links::deaf(pairs, &nodes)).await;
            return cut.map(|cut| Some(Left::Cut(cut))).map_err(|error| error.to_string());
        }
        let network = self.deployment.network.as_ref();
        let network =
            network.ok_or("the nodes are not linked by a relay; this is a bug in redrill")?;
        Ok(links::apply(step.fault, network.fabric(), pairs).map(Left::Links))
    }

    /// Does it for the first half of `every`, undoes it for the second, and so on for as long
    /// as it lasts.
    async fn flap(
        &self,
        (index, step): (usize, &NetworkStep),
        pairs: &Pairs,
        every: Duration,
        lasts: Duration,
    ) -> Result<(), String> {
        let began = Instant::now();
        let end = began + lasts;
        let tell = |holds| self.stage.teller.tell(EventKind::StepTurn { step: index, holds });
        for turn in 0.. {
            if turn > 0 {
                tell(true);
            }
            let left = self.change(step, pairs).await?;
            let goes_on = self.until(end.min(began + every * turn + every / 2)).await;
            if let Some(left) = left {
                self.repair(index, left).await?;
            }
            tell(false);
            let next = end.min(began + every * (turn + 1));
            if !goes_on || !self.until(next).await || next == end {
                break;
            }
        }
        Ok(())
    }

    /// Whether the drill goes on then.
    async fn until(&self, at: Instant) -> bool {
        tokio::select! {
            () = sleep_until(at) => true,
            () = self.stage.stop.cancelled() => false,
        }
    }
}
