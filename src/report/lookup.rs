//! Questions that all formats ask a report.

use crate::check::Finding;
use crate::model::Measure;
use crate::model::catalogue::known;

use super::data::Report;
use super::judge;

impl Report {
    /// Whether the group has slots, which only a cluster has.
    pub fn has_slots(&self, group: &str) -> bool {
        let of_group = self.topology.groups.iter().filter(|known| known.name == group);
        of_group.flat_map(|known| &known.shards).any(|shard| !shard.slots.is_empty())
    }

    /// Whether any group has slots.
    pub fn has_cluster(&self) -> bool {
        self.topology.groups.iter().any(|group| self.has_slots(&group.name))
    }

    /// Whether sentinels watch a group.
    pub fn has_sentinels(&self) -> bool {
        self.topology.groups.iter().any(|group| !group.sentinels.is_empty())
    }

    /// What nodes agree on when they have converged.
    pub(super) fn agreed_on(&self) -> &'static str {
        if self.has_cluster() { "slot owners and roles" } else { "roles" }
    }

    /// What happens until a replica has taken over.
    pub fn failover_story(&self) -> &'static str {
        match (self.has_cluster(), self.has_sentinels()) {
            (false, true) => {
                "until a sentinel missed the primary, until a quorum of them agreed, until one of \
                 them had promoted a replica"
            }
            (true, false) | (false, false) => {
                "until a node suspected the primary, until a majority agreed, until a replica was \
                 elected"
            }
            (true, true) => {
                "until a node or a sentinel missed the primary, until a majority or a quorum \
                 agreed, until a replica was elected"
            }
        }
    }

    /// Whether a step acted on a node.
    pub fn has_faults(&self) -> bool {
        self.steps.iter().any(|step| !step.nodes.is_empty())
    }

    /// Why a finding does not count for the verdict; `None` if it does, or if nothing is wrong.
    pub fn set_aside(&self, finding: &Finding) -> Option<String> {
        judge::set_aside(finding, &self.reported, &self.expectations, &self.loads)
    }

    /// The same for the finding that the measure `name` counts.
    pub(super) fn measure_set_aside(&self, name: &str) -> Option<String> {
        let kind = known(name)?.finding?;
        let found = self.findings.iter().filter(|finding| finding.kind == kind);
        found.filter_map(|finding| self.set_aside(finding)).next()
    }

    /// How slots moved, if they did: `migrate`.
    pub(super) fn method(&self) -> Option<String> {
        let mut methods: Vec<&str> =
            self.steps.iter().filter_map(|step| step.method.as_deref()).collect();
        methods.dedup();
        (!methods.is_empty()).then(|| methods.join(", "))
    }

    fn measure(&self, name: &str) -> Option<&Measure> {
        debug_assert!(known(name).is_some(), "{name} is not a measure");
        self.measures.get(name)
    }

    /// The value of the measure `name`, if this drill has it and it is known.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.measure(name)?.value
    }

    /// The measure `name` as text for people; `–` if this drill does not have it.
    pub fn show(&self, name: &str) -> String {
        self.measure(name).map_or_else(|| "–".to_owned(), Measure::show)
    }

    /// Whether what `name` measures was not over when the load ended.
    pub fn is_open(&self, name: &str) -> bool {
        self.measures.get(name).is_some_and(|measure| measure.at_least.is_some())
    }

    /// Whether this drill has the measure `name`, known or not.
    pub fn has(&self, name: &str) -> bool {
        self.measure(name).is_some()
    }

    /// The texts of the warnings. Of several that differ only in their figures, the first one
    /// and the number of the others.
    pub(super) fn warnings_by_kind(&self) -> Vec<String> {
        let mut kinds: Vec<(String, &str, usize)> = Vec::new();
        for warning in &self.warnings {
            let kind = warning.text.replace(|c: char| c.is_ascii_digit(), "");
            match kinds.iter_mut().find(|(known, ..)| *known == kind) {
                Some((_, _, more)) => *more += 1,
                None => kinds.push((kind, &warning.text, 0)),
            }
        }
        let tell = |(_, text, more): (String, &str, usize)| match more {
            0 => text.to_owned(),
            more => format!("{text} (and {more} more like this)"),
        };
        kinds.into_iter().map(tell).collect()
    }
}
