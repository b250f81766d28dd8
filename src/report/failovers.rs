//! Folding what nodes told of failovers into one row for each.

use crate::model::event::{FailoverPhase, Phase};
use crate::model::op::Access;
use crate::model::{Nanos, NodeName, Unit};

use super::data::Failover;
use super::millis;
use super::record::Record;

/// A canary's first failed probe may have been sent so long before the fault took hold.
const BEFORE: std::time::Duration = std::time::Duration::from_millis(200);

/// Everything told, in order.
#[derive(Debug, Default)]
pub(super) struct Told {
    injected: Vec<Injected>,
    open: Vec<Row>,
}

#[derive(Debug)]
struct Injected {
    at: Nanos,
    step: usize,
    nodes: Vec<NodeName>,
}

/// One failover as far as it has come.
#[derive(Clone, Debug)]
struct Row {
    group: String,
    shard: u32,
    began: Nanos,
    from: Option<NodeName>,
    to: Option<NodeName>,
    /// Who suspected it first.
    by: Option<NodeName>,
    at: [Option<Nanos>; 5],
}

impl Row {
    fn at(&self, phase: FailoverPhase) -> Option<Nanos> {
        self.at[phase as usize]
    }
}

impl Told {
    pub fn injected(&mut self, at: Nanos, step: usize, nodes: Vec<NodeName>) {
        self.injected.push(Injected { at, step, nodes });
    }

    /// When the first fault was injected.
    pub fn first(&self) -> Option<Nanos> {
        self.injected.iter().map(|one| one.at).min()
    }

    pub fn hear(
        &mut self,
        at: Nanos,
        (group, shard): (String, u32),
        phase: FailoverPhase,
        (node, by): (NodeName, NodeName),
    ) {
        // Once all name a new primary, what follows but a replica is the next failover.
        let goes_on = |row: &Row| {
            let same = row.group == group && row.shard == shard;
            let over = row.at(FailoverPhase::Propagated).is_some();
            same && (phase == FailoverPhase::Redundant || !over)
        };
        let index = self.open.iter().rposition(goes_on).unwrap_or_else(|| {
            let (from, to, by, times) = (None, None, None, [None; 5]);
            self.open.push(Row { group, shard, began: at, from, to, by, at: times });
            self.open.len() - 1
        });
        let row = &mut self.open[index];
        match phase {
            FailoverPhase::Suspected => {
                // It had been trusted again: this is another suspicion.
                (row.began, row.at) = (at, [None; 5]);
                (row.from, row.by) = (Some(node), Some(by));
            }
            FailoverPhase::Agreed => row.from = Some(node),
            FailoverPhase::Elected | FailoverPhase::Propagated => row.to = Some(node),
            FailoverPhase::Redundant => {}
        }
        row.at[phase as usize] = Some(at);
    }

    /// Nobody but a node that is itself cut off or stood still has suspected the primary.
    fn is_a_mistake(&self, row: &Row) -> bool {
        let went_on = [FailoverPhase::Agreed, FailoverPhase::Elected];
        let has = |one: &Injected, node: &Option<NodeName>| {
            node.as_ref().is_some_and(|node| one.nodes.contains(node))
        };
        went_on.iter().all(|phase| row.at(*phase).is_none())
            && self.injected.iter().any(|one| has(one, &row.by) && !has(one, &row.from))
    }

    /// The fault that led to it: the last one before that hit a node of the shard.
    fn cause(&self, row: &Row) -> Option<&Injected> {
        let of_shard = |node: &NodeName| node.group == row.group && node.shard == row.shard;
        let before = self.injected.iter().filter(|one| one.at <= row.began);
        before.filter(|one| one.nodes.iter().any(of_shard)).max_by_key(|one| one.at)
    }
}

/// One row for each failover, in the order in which they began.
pub(super) fn rows(record: &Record) -> Vec<Failover> {
    let rows = record.failovers.open.iter().filter(|row| !record.failovers.is_a_mistake(row));
    rows.map(|row| whole(row, record)).collect()
}

fn whole(row: &Row, record: &Record) -> Failover {
    let (told, outages, canaries) = (&record.failovers, &record.outages, &record.canaries);
    let cause = told.cause(row);
    let since = cause.map_or(row.began, |one| one.at) - BEFORE;
    let end = record.phase_at(Phase::Verify).unwrap_or(record.last);
    let of_shard = |canary: usize| {
        canaries.get(canary).is_some_and(|c| c.group == row.group && c.shard == row.shard)
    };
    let elected = row.at(FailoverPhase::Elected);
    let served = outages.first_end(Access::Write, since, of_shard);
    let unserved = served.is_none() && outages.is_open(Access::Write, since, of_shard);
    Failover {
        group: row.group.clone(),
        shard: row.shard,
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

    /// 0 where one side elected before a node of the other told of the agreement.
    pub fn elect(&self) -> Option<f64> {
        between(self.agreed_ms, self.elected_ms).map(|ms| ms.max(0.0))
    }

    pub fn propagate(&self) -> Option<f64> {
        between(self.elected_ms, self.propagated_ms)
    }

    /// 0 where a client was served before a node that was asked told of the election.
    pub fn reconnect(&self) -> Option<f64> {
        between(self.elected_ms, self.served_ms).map(|ms| ms.max(0.0))
    }

    /// Where that was not until the load's end, the time until then: it was longer.
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

    /// What the time until a write succeeded went into, in order: each part's name and
    /// milliseconds.
    pub(super) fn parts(&self) -> Vec<(&'static str, f64)> {
        // Without an election, the rest of the time is spent waiting for what failed.
        let last = self.agreed_ms.or(self.suspected_ms);
        let waited = between(last, self.served_ms.or(self.unserved_until_ms));
        let parts = [
            ("detect", self.detect()),
            ("agree", self.agree()),
            ("elect", self.elect()),
            ("reconnect", self.reconnect()),
            ("wait", waited.filter(|_| self.elected_ms.is_none())),
        ];
        parts.into_iter().filter_map(|(name, ms)| Some((name, ms?))).collect()
    }

    /// What came to pass: `served after 3,975 ms: detect 2,010 ms · agree 24.1 ms · …`
    pub(super) fn story(&self) -> String {
        let outcome = match (self.served(), self.unserved_until_ms, &self.to) {
            (Some(ms), None, Some(_)) => format!("served after {}", Unit::Millis.show(ms)),
            (Some(ms), None, None) => {
                format!("no replica took over, and it was served after {}", Unit::Millis.show(ms))
            }
            (Some(ms), Some(_), _) => format!("not served again in {}", Unit::Millis.show(ms)),
            // After a takeover both sides serve whoever reaches them.
            (None, ..) => "no outage was seen to end".to_owned(),
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
