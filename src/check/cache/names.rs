//! Entities whose names in the group are those of others too.

use super::entity::Entity;
use crate::check::checker::Checked;
use crate::check::quantile::quantile;

#[derive(Debug, Default)]
pub(super) struct Names {
    /// From sending a read until it was seen that the copy is another one's, in nanoseconds.
    met: Vec<u64>,
    /// Those of these reads that got the right entity in the end.
    resolved: u64,
}

impl Names {
    pub(super) fn add(&mut self, entity: &Entity) {
        for read in &entity.reads {
            let Some(met) = read.met else { continue };
            self.met.push(met.since(read.sent).as_nanos() as u64);
            self.resolved += u64::from(read.is_ok && read.version.is_some());
        }
    }

    pub(super) fn join(&mut self, other: Names) {
        let Names { met, resolved } = other;
        self.met.extend(met);
        self.resolved += resolved;
    }

    pub(super) fn told(&mut self, told: &mut Checked) {
        self.met.sort_unstable();
        let collided = self.met.len() as f64;
        told.measure("keys.collided", Some(collided));
        let detected = quantile(&self.met, 0.99).map(|nanos| nanos as f64 / 1e6);
        told.measure("keys.detected.p99", detected);
        let share = (collided > 0.0).then(|| self.resolved as f64 / collided * 100.0);
        told.measure("keys.resolved", share);
    }
}
