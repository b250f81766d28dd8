//! Who watches a group of mode `sentinel`, and how.

use std::time::Duration;

use super::{links, ranged};
use crate::spec::decode::Field;
use crate::spec::diagnostic::Diagnostic;
use crate::spec::file::topology::{GroupMap, PlacementMap};
use crate::spec::quantity::Time;
use crate::spec::topology::{Mode, Sentinels};

const MAX_SENTINELS: u32 = 15;
/// What a group of that mode may have besides what any may.
pub const KEYS: &[&str] =
    &["replicas", "sentinels", "quorum", "down_after", "failover_timeout", "parallel_syncs"];

/// As the servers have them where nobody sets them.
const DOWN_AFTER: Duration = Duration::from_secs(30);
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(180);
/// Servers count them in milliseconds, and look at them ten times a second.
const LEAST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(3600);

pub fn count(group: &GroupMap, diagnostics: &mut Vec<Diagnostic>) -> u32 {
    let why = "sentinels vote; 3 or 5 are usual";
    ranged("sentinels", &group.sentinels, 3, (1, MAX_SENTINELS), why, diagnostics)
}

pub fn check(group: &GroupMap, diagnostics: &mut Vec<Diagnostic>) -> Sentinels {
    let count = count(group, diagnostics);
    let majority = count / 2 + 1;
    let why = "no more sentinels can agree than there are";
    let quorum = ranged("quorum", &group.quorum, majority, (1, count.max(1)), why, diagnostics);
    let mut time = |name, field: &Field<Time>, default| {
        let range = (Time(LEAST), Time(MOST));
        ranged(name, field, Time(default), range, "sentinels look ten times a second", diagnostics)
            .0
    };
    let down_after = time("down_after", &group.down_after, DOWN_AFTER);
    let failover_timeout = time("failover_timeout", &group.failover_timeout, FAILOVER_TIMEOUT);
    let why = "a replica that turns to a new primary answers nobody meanwhile";
    let parallel_syncs =
        ranged("parallel_syncs", &group.parallel_syncs, 1, (1, 10), why, diagnostics);
    Sentinels { count, quorum, down_after, failover_timeout, parallel_syncs }
}

/// The regions that the sentinels of a stretched group are dealt out to, if it names some.
pub fn placed(
    placement: &PlacementMap,
    mode: Option<&Mode>,
    regions: &[String],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<usize>> {
    let at = placement.sentinels.given()?;
    if !matches!(mode, Some(Mode::Sentinel { .. }) | None) {
        let diagnostic =
            Diagnostic::new(&at.span, "only a group of mode `sentinel` has sentinels to place");
        diagnostics.push(diagnostic.advise("leave it out, or use mode `sentinel`"));
    }
    if at.value.is_empty() {
        let diagnostic = Diagnostic::new(&at.span, "no region is named for the sentinels");
        diagnostics
            .push(diagnostic.advise("name one, or leave it out: they are where the primaries are"));
    }
    let places: Vec<usize> =
        at.value.iter().filter_map(|region| links::region(region, regions, diagnostics)).collect();
    (!places.is_empty()).then_some(places)
}
