//! What it takes to have copies as bytes, and whether they were read as they had been written.

use super::entity::{Coded, Entity};
use crate::check::checker::Checked;
use crate::check::finding::{Example, Examples};

#[derive(Debug, Default)]
pub(super) struct Formats {
    coded: Coded,
    /// For how long operations took, in nanoseconds.
    worked: u64,
    pub(super) broken: u64,
}

impl Formats {
    pub(super) fn add(&mut self, at: (u8, u64), entity: &Entity, examples: &mut Examples) {
        self.coded += entity.coded;
        self.worked += entity.worked;
        self.broken += entity.broken.len() as u64;
        for broken in &entity.broken {
            examples.offer((broken.0, 0, at.0, at.1), |zero| {
                let told = zero.tell(*broken);
                let text = format!("what was found at {told} in the place of entity {}", at.1);
                Example::new(at.0, at.1, *broken, text)
            });
        }
    }

    pub(super) fn join(&mut self, other: Formats) {
        let Formats { coded, worked, broken } = other;
        self.coded += coded;
        self.worked += worked;
        self.broken += broken;
    }

    pub(super) fn told(&self, told: &mut Checked) {
        let Coded { copies, bytes, nanos } = self.coded;
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        // Where nobody has encoded anything, nothing is known of it.
        let of_time = share(nanos, self.worked).filter(|_| copies > 0);
        told.measure("format.share", of_time.map(|share| share * 100.0));
        told.measure("format.bytes", share(bytes, copies));
        told.measure("format.broken", Some(self.broken as f64));
    }
}
