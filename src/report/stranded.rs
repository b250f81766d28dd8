//! Keys that redrill's own moves of slots left where no client finds them. Checkers do not judge
//! what was done to them: they would blame the servers.

use crate::check::Finding;
use crate::model::op::{OpHead, key_name};
use crate::model::slot::slot_of;
use crate::model::{Verdict, measure::count};

use super::record::{Record, Stranded};

/// The kind of the finding.
pub(super) const STRANDED_KEYS: &str = "stranded_keys";

/// Whether the key of an operation lies in such a slot.
pub(super) fn is_stranded(record: &Record, head: OpHead) -> bool {
    if record.stranded.is_empty() {
        return false;
    }
    let Some(load) = record.info.loads.get(usize::from(head.keyspace())) else { return false };
    let slot = slot_of(key_name(&load.name, head.key).as_bytes());
    record.stranded.iter().any(|one| one.group == load.group && one.slots.contains(slot))
}

pub(super) fn findings(record: &Record) -> impl Iterator<Item = Finding> {
    record.stranded.iter().map(|Stranded { step, group, slots, keys }| {
        let step = record.steps.get(*step).map_or("a step", |step| &step.info.text);
        let text = format!(
            "redrill itself left {} keys of {group} where clients do not find them: `{step}` could \
             not finish the slots {slots}; what was done to their keys is not judged",
            count(*keys)
        );
        let (kind, verdict) = (STRANDED_KEYS.to_owned(), Verdict::Unknown);
        Finding { kind, verdict, text, count: *keys, examples: Vec::new() }
    })
}
