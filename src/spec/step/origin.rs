//! Steps that are done to the origin behind the cache of a load, which is redrill's own.

use super::declare::{Keys, Rule, step};
use super::shared::Context;
use crate::spec::cache::OriginChange;
use crate::spec::quantity::{PerSecond, Percent, Times};

step! {
    /// Makes the origin behind a cache slow, narrow, or fail.
    Origin OriginStepMap "an origin step" [For] {
        /// The load whose entities it has.
        required "load" load: String,
        /// From beginning with a request to its answer, meanwhile.
        optional "latency" latency: Times,
        /// Requests a second, meanwhile.
        #[range(PerSecond(0.001), PerSecond(1_000_000.0), "an origin that answers nobody is none")]
        optional "capacity" capacity: PerSecond,
        /// The share of requests that it answers with an error, meanwhile.
        #[range(Percent(0.0), Percent(100.0), "it is a share of all requests")]
        optional "failing" failing: Percent,
    }
}

impl Rule for Origin {
    fn check(map: &OriginStepMap, context: &mut Context<'_>) -> Option<Origin> {
        context.cache(&map.load);
        if map.latency.is_missing() && map.capacity.is_missing() && map.failing.is_missing() {
            let message = "an origin step needs the key `latency`, `capacity` or `failing`";
            let advice = "write `latency: 200ms` for a slow one, `capacity: 50/s` for a narrow one";
            context.errors.add(&context.step.span, message, advice);
        }
        map.filled()
    }

    fn amount(&self) -> String {
        format!(" of {}", self.load)
    }

    fn how(&self) -> String {
        let latency = self.latency.map(|Times(least, most)| match least == most {
            true => format!(", answers after {least}"),
            false => format!(", answers after {least} to {most}"),
        });
        let capacity = self.capacity.map(|rate| format!(", {rate} at most"));
        let failing = self.failing.map(|share| format!(", {share} fail"));
        [latency, capacity, failing].into_iter().flatten().collect()
    }

    fn is_of_no_group(&self) -> bool {
        true
    }
}

impl Origin {
    /// What is different while it lasts.
    pub fn change(&self) -> OriginChange {
        OriginChange {
            latency: self.latency.map(|Times(least, most)| (least.0, most.0)),
            capacity: self.capacity.map(|rate| rate.0),
            failing: self.failing.map(|share| share.0 / 100.0),
        }
    }
}
