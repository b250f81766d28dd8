//! What readers did that found no copy of an entity at the same time.

use super::entity::Entity;
use crate::check::checker::Checked;
use crate::check::quantile::quantile;
use crate::model::Nanos;
use crate::model::op::FoundIn;

/// Times in which the origin was asked for one entity, by one reader or several.
#[derive(Debug, Default)]
pub(super) struct Stampedes {
    times: u64,
    /// Those with more than one question.
    not_prevented: u64,
    /// The most questions in one such time.
    most: u64,
    questions: u64,
    /// Readers that waited for another one's question.
    waited: u64,
    /// How long, together and at most, in nanoseconds.
    waits: u64,
    longest: u64,
    /// How long readers that asked took to get there.
    to_ask: Vec<u64>,
}

impl Stampedes {
    pub(super) fn add(&mut self, entity: &Entity) {
        let mut asked: Vec<(Nanos, Nanos)> = entity.asked().collect();
        asked.sort_unstable();
        let mut rest = &asked[..];
        while let Some((_, end)) = rest.first() {
            let (mut until, mut at_once) = (*end, 1);
            while let Some((_, end)) = rest.get(at_once).filter(|(from, _)| *from < until) {
                until = until.max(*end);
                at_once += 1;
            }
            rest = &rest[at_once..];
            self.times += 1;
            self.questions += at_once as u64;
            self.not_prevented += u64::from(at_once > 1);
            self.most = self.most.max(at_once as u64);
        }
        let to_ask = entity.reads.iter().filter_map(|read| Some(read.asked?.0.since(read.sent)));
        self.to_ask.extend(to_ask.map(|took| took.as_nanos() as u64));
        let waited = entity.reads.iter().filter(|read| read.is_ok && read.from == FoundIn::Other);
        for read in waited {
            let nanos = read.done.since(read.sent).as_nanos() as u64;
            self.waited += 1;
            self.waits += nanos;
            self.longest = self.longest.max(nanos);
        }
    }

    pub(super) fn join(&mut self, other: Stampedes) {
        self.times += other.times;
        self.not_prevented += other.not_prevented;
        self.most = self.most.max(other.most);
        self.questions += other.questions;
        self.waited += other.waited;
        self.waits += other.waits;
        self.longest = self.longest.max(other.longest);
        self.to_ask.extend(other.to_ask);
    }

    pub(super) fn told(&mut self, told: &mut Checked) {
        told.measure("stampede.computations.max", Some(self.most as f64));
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64 * 100.0);
        // One of each time has to ask.
        let spared = self.waited + self.questions - self.times;
        told.measure("stampede.spared", share(self.waited, spared));
        let prevented = share(self.times - self.not_prevented, self.times);
        told.measure("stampede.prevented", prevented);
        self.to_ask.sort_unstable();
        let to_ask = quantile(&self.to_ask, 0.95).map(|nanos| nanos as f64 / 1e6);
        told.measure("stampede.lock.p95", to_ask);
        let mean = (self.waited > 0).then(|| self.waits as f64 / self.waited as f64 / 1e6);
        told.measure("stampede.wait.mean", mean);
        told.measure("stampede.wait.max", mean.map(|_| self.longest as f64 / 1e6));
    }
}
