//! The failovers of a drill: how long each of their phases took, and their story in words.

use crate::model::event::{Canary, FailoverPhase};
use crate::model::op::Access;
use crate::model::{NodeName, Unit};

use super::data::{Failover, millis};
use super::failover_fold::OpenFailover;
use super::record::Record;
use super::spans::Span;

/// One row for each failover, in the order in which they began.
pub(super) fn rows(record: &Record) -> Vec<Failover> {
    let rows = record.failovers.open.iter().filter(|row| !row.is_a_mistake(&record.steps));
    rows.map(|row| whole(row, record)).collect()
}

fn whole(row: &OpenFailover, record: &Record) -> Failover {
    let (told, outages, canaries) = (&record.failovers, &record.outages, &record.canaries);
    let cause = told.cause(row);
    let began = cause.map_or(row.began, |one| one.at);
    let end = record.load_ended().unwrap_or(record.last);
    let span = Span { from: began, to: told.until(row, began.max(row.began), end) };
    let of_shard = |canary: usize| {
        let mine = |c: &Canary| record.owner(c, row.began) == row.shard.shard;
        canaries.get(canary).is_some_and(|c| c.group == row.shard.group && mine(c))
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
        seen_until_ms: Some(millis(told.seen_until(row, began.max(row.began), end))),
        lost: None,
        rpo_ms: None,
    }
}

/// A part of a failover.
pub(super) enum Part {
    /// It took so many milliseconds.
    Ended(f64),
    /// It was not over when it was last seen, after so many milliseconds.
    Open(f64),
    /// It did not come to it, or nobody saw it.
    Missing,
}

impl Part {
    pub fn ended(self) -> Option<f64> {
        if let Part::Ended(ms) = self { Some(ms) } else { None }
    }

    pub fn open(self) -> Option<f64> {
        if let Part::Open(ms) = self { Some(ms) } else { None }
    }
}

type PartOf = fn(&Failover) -> Part;

/// The parts by the names of their measures.
impl Failover {
    pub(super) const PARTS: [(&str, PartOf); 7] = [
        ("failover.detect", |f| f.until_served(f.detect(), f.injected_ms)),
        ("failover.agree", |f| f.until_served(f.agree(), f.suspected_ms)),
        ("failover.elect", |f| f.until_served(f.elect(), f.agreed_ms)),
        ("failover.propagate", |f| f.part(f.propagate(), f.elected_ms)),
        ("failover.reconnect", |f| f.until_served(f.reconnect(), f.elected_ms)),
        ("failover.served", |f| f.until_served(between(f.injected_ms, f.served_ms), f.injected_ms)),
        ("failover.redundant", |f| f.part(f.redundant(), f.injected_ms.filter(|_| f.to.is_some()))),
    ];

    /// A part that took so long, or began at `from`.
    fn part(&self, took: Option<f64>, from: Option<f64>) -> Part {
        match (took, between(from, self.seen_until_ms)) {
            (Some(ms), _) => Part::Ended(ms),
            (None, Some(ms)) => Part::Open(ms),
            (None, None) => Part::Missing,
        }
    }

    /// The same of a part that need not come if the old primary serves again before it.
    fn until_served(&self, took: Option<f64>, from: Option<f64>) -> Part {
        self.part(took, from.filter(|_| self.unserved_until_ms.is_some()))
    }
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

    /// `served after 3,975 ms`; `None` if no outage was seen.
    pub(super) fn outcome(&self) -> Option<String> {
        let how =
            if self.unserved_until_ms.is_some() { "not served again in" } else { "served after" };
        self.served().map(|ms| format!("{how} {}", Unit::Millis.show(ms)))
    }

    /// ` · 12 writes lost, of the last 8.20 ms`
    fn lost_text(&self) -> String {
        let Some(lost) = self.lost.filter(|lost| *lost > 0) else { return String::new() };
        let of = self
            .rpo_ms
            .map_or_else(String::new, |ms| format!(", of the last {}", Unit::Millis.show(ms)));
        let writes = if lost == 1 { "write" } else { "writes" };
        format!(" · {} {writes} lost{of}", Unit::Count.show(lost as f64))
    }

    /// What happened: `served after 3,975 ms: detect 2,010 ms · agree 24.1 ms · …`
    pub(super) fn story(&self) -> String {
        let outcome = match (self.outcome(), self.unserved_until_ms, &self.to) {
            (Some(served), None, None) => format!("no replica took over, and it was {served}"),
            (Some(served), ..) => served,
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
            (None, Some(_)) => " · no linked replica again before the drill ended".to_owned(),
            (None, None) => String::new(),
        };
        format!("{outcome}{parts}{redundant}{}", self.lost_text())
    }
}

fn between(from: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(to? - from?)
}
