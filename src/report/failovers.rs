//! The failovers of a drill: how long each of their phases took, and their story in words.

use crate::model::event::{FailoverPhase, Phase};
use crate::model::op::Access;
use crate::model::{NodeName, Unit};

use super::data::{Failover, millis};
use super::failover_fold::Row;
use super::record::Record;
use super::spans::Span;

/// One row for each failover, in the order in which they began.
pub(super) fn rows(record: &Record) -> Vec<Failover> {
    let rows = record.failovers.open.iter().filter(|row| !row.is_a_mistake(&record.steps));
    rows.map(|row| whole(row, record)).collect()
}

fn whole(row: &Row, record: &Record) -> Failover {
    let (told, outages, canaries) = (&record.failovers, &record.outages, &record.canaries);
    let cause = told.cause(row);
    let began = cause.map_or(row.began, |one| one.at);
    let end = record.phase_at(Phase::Verify).unwrap_or(record.last);
    let span = Span { from: began, to: told.until(row, began.max(row.began), end) };
    let of_shard = |canary: usize| {
        canaries
            .get(canary)
            .is_some_and(|c| c.group == row.shard.group && c.shard == row.shard.shard)
    };
    let elected = row.at(FailoverPhase::Elected);
    let served = outages.first_end(Access::Write, (span, row.turned()), of_shard);
    let unserved = served.is_none() && outages.is_open(Access::Write, span, of_shard);
    Failover {
        group: row.shard.group.clone(),
        shard: row.shard.shard,
        step: cause.map(|one| one.step),
        from: row.from.clone(),
        to: row.to.clone(),
        injected_ms: cause.map(|one| millis(one.at)),
        suspected_ms: row.at(FailoverPhase::Suspected).map(millis),
        agreed_ms: row.at(FailoverPhase::Agreed).map(millis),
        elected_ms: elected.map(millis),
        propagated_ms: row.at(FailoverPhase::Propagated).map(millis),
        served_ms: served.map(millis),
        unserved_until_ms: unserved.then(|| millis(end)),
        redundant_ms: row.at(FailoverPhase::Redundant).map(millis),
    }
}

/// The measures of the family `failover`: the longest of all failovers.
pub(super) fn measures(failovers: &[Failover]) -> Vec<(&'static str, Option<f64>)> {
    let longest = |part: fn(&Failover) -> Option<f64>| {
        failovers.iter().filter_map(part).max_by(f64::total_cmp)
    };
    vec![
        ("failover.detect", longest(Failover::detect)),
        ("failover.agree", longest(Failover::agree)),
        ("failover.elect", longest(Failover::elect)),
        ("failover.propagate", longest(Failover::propagate)),
        ("failover.reconnect", longest(Failover::reconnect)),
        ("failover.served", longest(Failover::served)),
        ("failover.redundant", longest(Failover::redundant)),
    ]
}

/// How long each part took, in milliseconds.
impl Failover {
    pub fn detect(&self) -> Option<f64> {
        between(self.injected_ms, self.suspected_ms)
    }

    pub fn agree(&self) -> Option<f64> {
        between(self.suspected_ms, self.agreed_ms)
    }

    /// 0 if one side elected before a node of the other reported the agreement.
    pub fn elect(&self) -> Option<f64> {
        between(self.agreed_ms, self.elected_ms).map(|ms| ms.max(0.0))
    }

    pub fn propagate(&self) -> Option<f64> {
        between(self.elected_ms, self.propagated_ms)
    }

    /// 0 if a client was served before a node reported the election.
    pub fn reconnect(&self) -> Option<f64> {
        between(self.elected_ms, self.served_ms).map(|ms| ms.max(0.0))
    }

    /// If it was not served until the load's end, the time until then: the true one is longer.
    pub fn served(&self) -> Option<f64> {
        between(self.injected_ms, self.served_ms.or(self.unserved_until_ms))
    }

    pub fn redundant(&self) -> Option<f64> {
        between(self.injected_ms, self.redundant_ms)
    }
}

/// In words, for a person.
impl Failover {
    /// `cache/1: from cache/1/0 to cache/1/1`
    pub(super) fn title(&self) -> String {
        let node = |node: &Option<NodeName>| node.as_ref().map(NodeName::to_string);
        let shard = format!("{}/{}", self.group, self.shard);
        match (node(&self.from), node(&self.to)) {
            (Some(from), Some(to)) => format!("{shard}: from {from} to {to}"),
            (None, Some(to)) => format!("{shard}: to {to}"),
            (Some(from), None) if self.agreed_ms.is_some() => format!("{shard}: {from} failed"),
            (Some(from), None) => format!("{shard}: {from} was suspected"),
            (None, None) => shard,
        }
    }

    /// The parts of the time until a write succeeded, in order: each part's name and
    /// milliseconds.
    pub(super) fn parts(&self) -> Vec<(&'static str, f64)> {
        // Without an election, the rest of the time is spent waiting for the failed primary.
        let last = self.agreed_ms.or(self.suspected_ms);
        let waited = between(last, self.served_ms.or(self.unserved_until_ms));
        // It may have been served before other nodes learned that it had failed.
        let waited = waited.map(|ms| ms.max(0.0));
        let parts = [
            ("detect", self.detect()),
            ("agree", self.agree()),
            ("elect", self.elect()),
            ("reconnect", self.reconnect()),
            ("wait", waited.filter(|_| self.elected_ms.is_none())),
        ];
        parts.into_iter().filter_map(|(name, ms)| Some((name, ms?))).collect()
    }

    /// What happened: `served after 3,975 ms: detect 2,010 ms · agree 24.1 ms · …`
    pub(super) fn story(&self) -> String {
        let outcome = match (self.served(), self.unserved_until_ms, &self.to) {
            (Some(ms), None, Some(_)) => format!("served after {}", Unit::Millis.show(ms)),
            (Some(ms), None, None) => {
                format!("no replica took over, and it was served after {}", Unit::Millis.show(ms))
            }
            (Some(ms), Some(_), _) => format!("not served again in {}", Unit::Millis.show(ms)),
            // After a takeover both sides serve the clients that reach them.
            (None, ..) => "no outage was seen".to_owned(),
        };
        let parts = self.parts().into_iter().chain(self.propagate().map(|ms| ("known to all", ms)));
        let parts: Vec<String> =
            parts.map(|(name, ms)| format!("{name} {}", Unit::Millis.show(ms))).collect();
        let parts = match parts.is_empty() {
            true => String::new(),
            false => format!(": {}", parts.join(" · ")),
        };
        let redundant = match (self.redundant(), &self.to) {
            (Some(ms), _) => format!(" · a replica again after {}", Unit::Millis.show(ms)),
            (None, Some(_)) => " · no replica again".to_owned(),
            (None, None) => String::new(),
        };
        format!("{outcome}{parts}{redundant}")
    }
}

fn between(from: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(to? - from?)
}
