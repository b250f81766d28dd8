//! What an adapter tells of its library, beside what its load felt.

use std::collections::BTreeSet;

use crate::model::Unit;
use crate::model::event::EventKind;
use crate::model::measure::thousands;

use super::data::{Adapter, Load, Report, Silence};

/// So many of the errors are shown; all are in report.json.
const SHOWN: usize = 4;

impl Adapter {
    /// What the event tells of the load's adapter.
    pub(super) fn hear(adapter: &mut Option<Adapter>, told: EventKind) {
        let ms = |ns: u64| ns as f64 / 1e6;
        match (told, adapter) {
            (EventKind::Adapter { name, version, noop_p50_ns, noop_p99_ns, .. }, adapter) => {
                *adapter = Some(Adapter {
                    name,
                    version,
                    noop_p50_ms: ms(noop_p50_ns),
                    noop_p99_ms: ms(noop_p99_ns),
                    ..Adapter::default()
                });
            }
            (EventKind::AdapterTold { errors, late, own_p50_ns, own_p99_ns, .. }, Some(known)) => {
                errors
                    .into_iter()
                    .for_each(|(text, n)| *known.errors.entry(text).or_default() += n);
                known.late += late;
                (known.own_p50_ms, known.own_p99_ms) = (own_p50_ns.map(ms), own_p99_ns.map(ms));
            }
            _ => {}
        }
    }
}

/// What is shown of each adapter: its longest silence, and notes on it.
pub(super) fn shown(r: &Report) -> Vec<(String, Vec<String>)> {
    let of_load = |load: &Load| Some(figure(load.adapter.as_ref()?, load));
    r.loads.iter().filter_map(of_load).collect()
}

fn figure(adapter: &Adapter, load: &Load) -> (String, Vec<String>) {
    let mut silences: Vec<&Silence> = load.silences().map(|(_, silence)| silence).collect();
    silences.sort_by(|a, b| b.duration_ms.total_cmp(&a.duration_ms));
    // Of each shard, what the instance felt that it was silent to for longest.
    let mut told = BTreeSet::new();
    silences.retain(|silence| told.insert((&silence.group, silence.shard)));
    let of_shard = |silence: &Silence| {
        let after =
            silence.reconnect_ms.map(|after| format!(", until {} after the election", ms(after)));
        let never = if silence.to_ms.is_none() { ", until the load's end" } else { "" };
        format!("{}/{}{}{never}", silence.group, silence.shard, after.unwrap_or_default())
    };
    let mut silences = silences.into_iter();
    let longest = silences.next();
    let value = longest.map_or("unknown".to_owned(), |silence| ms(silence.duration_ms));
    let Adapter { name, version, .. } = adapter;
    let whose = longest.map_or(String::new(), |longest| format!(", {}", of_shard(longest)));
    let mut notes = vec![format!("{name} {version} for `{}`{whose}", load.name)];
    let others = silences.take(SHOWN).map(|s| format!("{} for {}", of_shard(s), ms(s.duration_ms)));
    notes.extend(others);
    notes.extend(errors(adapter));
    let cost =
        format!("doing nothing took {}, p99 {}", ms(adapter.noop_p50_ms), ms(adapter.noop_p99_ms));
    let own = adapter.own_p50_ms.zip(adapter.own_p99_ms);
    let own = own.map(|(p50, p99)| format!("the library's own time {}, p99 {}", ms(p50), ms(p99)));
    notes.extend([cost].into_iter().chain(own));
    (value, notes)
}

/// The errors, the most frequent first.
fn errors(adapter: &Adapter) -> Vec<String> {
    let mut errors: Vec<(&String, &u64)> = adapter.errors.iter().collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = errors.len().saturating_sub(SHOWN);
    let told = |(text, count): &(&String, &u64)| format!("{} {text}", thousands(**count as f64));
    let mut told: Vec<String> = errors.iter().take(SHOWN).map(told).collect();
    told.extend((more > 0).then(|| format!("{more} more kinds of errors")));
    let late = thousands(adapter.late as f64);
    told.extend((adapter.late > 0).then(|| format!("{late} answers came after their time-out")));
    told
}

fn ms(ms: f64) -> String {
    Unit::Millis.show(ms)
}
