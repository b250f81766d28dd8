//! Why reads found no copy: each cause, how much of it there is, and what to change.

use super::data::Report;
use super::table::{Cell, Column, Table};
use crate::model::Unit;

/// What is to be changed about misses of each cause.
const ADVICE: &[(&str, &str)] = &[
    (
        "cache.misses.cold",
        "nobody had read these before: warm the cache (`warm: priority`), or let the load go on for longer",
    ),
    (
        "cache.misses.expired",
        "copies end before they are read again: a longer `ttl`, or `write: ahead` and \
         `stampede: stale-while-revalidate`, which replace them before anybody waits",
    ),
    (
        "cache.misses.invalidated",
        "writes empty what is read: `write: through` leaves the new version in its place",
    ),
    (
        "cache.misses.evicted",
        "the servers have no room: more `maxmemory`, smaller copies (`format`), a `maxmemory-policy` \
         that keeps what is read often",
    ),
    (
        "cache.misses.lost",
        "servers lost their data, or their role: replicas that are near, data on disk, or a warm cache \
         before readers come back (`do: warm`)",
    ),
    (
        "cache.misses.gone",
        "nobody can tell why these were gone: look at what was done to the servers then",
    ),
];

/// A row for each cause that there is, the largest one first; nothing if all reads found copies.
pub(super) fn causes(r: &Report) -> Table {
    let columns = vec![
        Column::text("cause"),
        Column::figure("misses"),
        Column::figure("share of misses"),
        Column::figure("hits lost"),
        Column::sentence("what to change"),
    ];
    let value = |name: &str| r.measures.get(name).and_then(|measure| measure.value);
    let of_all = value("cache.misses").unwrap_or_default();
    let lost = value("cache.hits").map_or(0.0, |hits| 100.0 - hits);
    let mut found: Vec<(&str, f64, &str)> = ADVICE
        .iter()
        .filter_map(|(name, advice)| Some((*name, value(name)?, *advice)))
        .filter(|(_, misses, _)| *misses > 0.0)
        .collect();
    found.sort_by(|(_, a, _), (_, b, _)| b.total_cmp(a));
    let row = |(name, misses, advice): (&str, f64, &str)| {
        let share = misses / of_all;
        vec![
            Cell::from(name.trim_start_matches("cache.misses.")),
            Cell::count(Some(misses as u64)),
            Cell::figure(Some(share * 100.0), Unit::Percent, 1),
            Cell::figure(Some(share * lost), Unit::Percent, 1),
            Cell::from(advice),
        ]
    };
    Table { columns, rows: found.into_iter().map(row).collect() }
}
