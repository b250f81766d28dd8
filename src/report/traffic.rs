//! The traffic matrix: who sent how much to whom, and when.

use std::collections::BTreeMap;

use crate::model::Nanos;
use crate::model::event::Grain;
use crate::model::traffic::{Class, Crossing};

use super::data::millis;
use super::data::{Traffic, TrafficSeries};

type Pair = (String, String, Class);

/// All traffic events, collected.
#[derive(Debug, Default)]
pub(super) struct TrafficFold {
    places: Vec<Crossing>,
    nodes: Vec<Crossing>,
    /// The instants of the events, and the bytes until then.
    told: Vec<(Nanos, BTreeMap<Pair, u64>)>,
}

impl TrafficFold {
    pub fn hear(&mut self, at: Nanos, by: Grain, crossings: Vec<Crossing>) {
        match by {
            Grain::Nodes => self.nodes = crossings,
            Grain::Places => {
                let bytes = |c: &Crossing| ((c.from.clone(), c.to.clone(), c.class), c.bytes);
                self.told.push((at, crossings.iter().map(bytes).collect()));
                self.places = crossings;
            }
        }
    }

    /// `None` without any.
    pub fn done(&self) -> Option<Traffic> {
        let pairs = self.told.last()?.1.keys();
        Some(Traffic {
            places: self.places.clone(),
            nodes: self.nodes.clone(),
            at_ms: self.told.iter().skip(1).map(|(at, _)| millis(*at)).collect(),
            series: pairs.map(|pair| self.series(pair)).collect(),
        })
    }

    fn series(&self, pair: &Pair) -> TrafficSeries {
        let so_far = |sums: &BTreeMap<Pair, u64>| sums.get(pair).copied().unwrap_or(0);
        let rate = |two: &[(Nanos, BTreeMap<Pair, u64>)]| {
            let seconds = two[1].0.since(two[0].0).as_secs_f64();
            let bytes = so_far(&two[1].1).saturating_sub(so_far(&two[0].1));
            if seconds > 0.0 { bytes as f64 / seconds } else { 0.0 }
        };
        let (from, to, class) = pair.clone();
        TrafficSeries { from, to, class, bytes_per_s: self.told.windows(2).map(rate).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn crossing(class: Class, bytes: u64) -> Crossing {
        let (from, to) = ("clients".to_owned(), "nodes".to_owned());
        Crossing { from, to, class, bytes, connections: 2, resets: 1 }
    }

    #[test]
    fn rates_are_between_two_tellings_and_sums_the_last() {
        let mut fold = TrafficFold::default();
        assert_eq!(fold.done(), None);
        for (ms, bytes) in [(1_000, 100), (2_000, 300), (2_500, 300)] {
            let at = Nanos::ZERO + Duration::from_millis(ms);
            fold.hear(at, Grain::Places, vec![crossing(Class::Client, bytes)]);
        }
        let traffic = fold.done().unwrap();
        assert_eq!(traffic.at_ms, [2_000.0, 2_500.0]);
        assert_eq!(traffic.series[0].bytes_per_s, [200.0, 0.0]);
        assert_eq!((traffic.places[0].bytes, traffic.nodes.len()), (300, 0));
    }
}
