//! The key figures: what a reader sees first, in every format.
//!
//! Which measures are among them, their titles and the notes below them stand in the catalogue.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::catalogue::{CATALOGUE, Headline, Known, When};
use crate::model::event::Moved;
use crate::model::op::Cause;
use crate::model::{Unit, Verdict};

use super::adapters;
use super::data::{Load, Outage, Report, Step};
use super::table::count;

/// One figure, with what belongs to it.
pub(super) struct Figure {
    pub title: &'static str,
    pub value: String,
    /// `fail` for one that nobody wants to see.
    pub tone: Option<Verdict>,
    /// The spans of a measure that is told apart before, during and after the steps.
    pub spans: Vec<SpanBar>,
    pub notes: Vec<String>,
    /// It stands in the table of latency as well.
    pub in_table: bool,
}

pub(super) struct SpanBar {
    pub label: &'static str,
    pub value: String,
    /// Percent of the highest of the spans.
    pub height: String,
}

/// In the order of the catalogue. Before the load there is nothing that they could tell.
pub(super) fn figures(r: &Report) -> Vec<Figure> {
    let shown = |known: &&Known| r.timeline_ms.is_some() && r.has(known.name);
    let headlines = CATALOGUE.iter().filter(shown).filter_map(|k| Some((k, k.headline?)));
    let left_out = |known: &Known, headline: &Headline| {
        headline.unless.is_some_and(|other| r.has(other))
            || headline.if_any && r.value(known.name).is_none_or(|value| value == 0.0)
            || headline.if_known && r.value(known.name).is_none()
    };
    let known =
        headlines.filter(|(known, h)| !left_out(known, h)).map(|(known, h)| figure(r, known, h));
    known.chain(adapters::shown(r).into_iter().map(of_adapter)).collect()
}

fn of_adapter((value, notes): (String, Vec<String>)) -> Figure {
    let (title, spans) = ("Library silent for", Vec::new());
    Figure { title, value, tone: None, spans, notes, in_table: false }
}

fn figure(r: &Report, known: &Known, headline: Headline) -> Figure {
    let aside = r.measure_set_aside(known.name);
    let counts = headline.if_any || known.finding.is_some() && aside.is_none();
    let tone = match r.value(known.name) {
        None if known.must_end && r.is_open(known.name) => Some(Verdict::Fail),
        None => Some(Verdict::Unknown),
        Some(wrong) => (wrong > 0.0 && counts).then_some(Verdict::Fail),
    };
    let notes = headline.notes.iter().filter_map(|note| note_of(r, note));
    Figure {
        title: headline.title,
        value: r.show(known.name),
        tone,
        spans: known.cell.map_or(Vec::new(), |(row, _)| spans(r, row)),
        notes: notes.chain(aside).collect(),
        in_table: known.cell.is_some(),
    }
}

/// The parts of a note that their holes do not leave out.
fn note_of(r: &Report, note: &str) -> Option<String> {
    let parts: Vec<String> = note.split(" · ").filter_map(|part| filled(r, part)).collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// A text with its holes filled in; `None` where one of them leaves it out.
pub(super) fn filled(r: &Report, note: &str) -> Option<String> {
    let Some((before, rest)) = note.split_once('{') else { return Some(note.to_owned()) };
    let (hole, after) = rest.split_once('}')?;
    let (name, optional) = hole.strip_suffix('?').map_or((hole, false), |name| (name, true));
    let told = match word(r, name) {
        Some(told) => told?,
        None if optional => {
            r.value(name).filter(|value| *value > 0.0)?;
            r.show(name)
        }
        None => r.show(name),
    };
    Some(format!("{before}{told}{}", filled(r, after)?))
}

/// The text for a hole that names no measure. The outer `None`: there is no such hole. The inner
/// one: there is nothing to say.
fn word(r: &Report, name: &str) -> Option<Option<String>> {
    Some(match name {
        "longest outage" => longest_outage(r),
        "canaries" => Some(match r.probe.canaries {
            1 => "1 canary".to_owned(),
            more => format!("{more} canaries"),
        }),
        "probed" => {
            // Older drills probed all canaries at every tick.
            let each_shard = if r.probe.turn_ms.is_some() { "each shard " } else { "" };
            let ms = r.probe.turn_ms.unwrap_or(r.probe.every_ms);
            Some(format!(", {each_shard}probed every {ms} ms"))
        }
        "errors by cause" => errors(r),
        // Percentiles count what failed as well.
        "time-outs" => Some(match r.value("errors.total") {
            Some(errors) if errors > 0.0 => "; failures count as their time-outs".to_owned(),
            _ => String::new(),
        }),
        "reconnects" => reconnects(r),
        "crashed" => crashed(r),
        "final read" => r.final_read.and_then(|read| read.text()),
        "closed loads" => closed_loads(r),
        "slowest load" => slowest_load(r),
        "longest silence" => longest_silence(r),
        "agreed on" => Some(r.agreed_on().to_owned()),
        "moved so far" => moved_so_far(r),
        "luck" => luck(r),
        "method" => r.method(),
        _ => return None,
    })
}

/// Whether others wanted the locks that servers lacked. If nobody did, it is luck that no two clients
/// held one.
fn luck(r: &Report) -> Option<String> {
    let lacked = r.value("lock.lacked").filter(|lacked| *lacked > 0.0)?;
    let wanted = r.value("lock.lacked.wanted")?;
    let nobody = wanted == 0.0 && r.value("lock.overlaps") == Some(0.0);
    Some(match nobody {
        true => "that none was held twice is luck: nobody else wanted them".to_owned(),
        false => format!(
            "{} of {} wanted by others meanwhile",
            count(wanted as u64),
            count(lacked as u64)
        ),
    })
}

/// The nodes whose servers have crashed.
fn crashed(r: &Report) -> Option<String> {
    let nodes: BTreeSet<String> = r.crashes.iter().map(|crash| crash.node.to_string()).collect();
    (!nodes.is_empty()).then(|| nodes.into_iter().collect::<Vec<_>>().join(", "))
}

/// Whose latencies leave out the waiting that a slower server causes (coordinated omission).
fn closed_loads(r: &Report) -> Option<String> {
    let closed = r.loads.iter().filter(|load| load.think_ms.is_some());
    let closed: Vec<&str> = closed.map(|load| &*load.name).collect();
    let closed = (!closed.is_empty()).then(|| closed.join(" and "))?;
    Some(format!("coordinated omission: clients of {closed} send nothing while they wait"))
}

/// Which loads did not come back, or else which was the slowest to do so.
fn slowest_load(r: &Report) -> Option<String> {
    let gone = r.loads.iter().filter(|load| load.down_for_ms.is_some());
    let gone: Vec<&str> = gone.map(|load| &*load.name).collect();
    if !gone.is_empty() {
        return Some(format!("{} did not come back", gone.join(" and ")));
    }
    let after = |load: &Load| load.recovered_ms.filter(|ms| *ms > 0.0);
    let slow = r.loads.iter().filter_map(|load| Some((after(load)?, load)));
    slow.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, load)| load.name.clone())
}

/// Who had no good answer for longest: `instance 2 of app, from cache/0, at 5.03 s of the load`.
fn longest_silence(r: &Report) -> Option<String> {
    let of_load = |load: &Load| (load.name.clone(), load.instances.len());
    let all = r.loads.iter().flat_map(|load| load.silences().map(move |s| (of_load(load), s)));
    let longest = all.max_by(|(_, (_, a)), (_, (_, b))| a.duration_ms.total_cmp(&b.duration_ms));
    let ((load, instances), (instance, silence)) = longest?;
    let who = if instances > 1 { format!("instance {instance} of {load}") } else { load };
    let at = (silence.from_ms - r.timeline_ms.unwrap_or(0.0)) / 1e3;
    let shard = format!("{}/{}", silence.group, silence.shard);
    // A load with a cache may wait for either.
    let origin = if r.has("origin.worst") { " or the origin" } else { "" };
    let open = if silence.to_ms.is_none() { ", not over when the load ended" } else { "" };
    Some(format!("{who}, from {shard}{origin}, at {at:.2} s of the load{open}"))
}

/// `812 of 1,820 slots and 222 keys so far`, until all steps that move slots have ended.
fn moved_so_far(r: &Report) -> Option<String> {
    r.steps.iter().find(|step| step.began_ms.is_some())?;
    let sum = |of: fn(&Moved) -> u64| count(r.steps.iter().map(|step| of(&step.moved)).sum());
    let (slots, total) = (sum(|m| m.slots), sum(|m| m.slots_total));
    r.value("reshard.duration")
        .is_none()
        .then(|| format!("{slots} of {total} slots and {} keys so far", sum(|m| m.keys)))
}

/// One span alone says nothing that the figure does not.
fn spans(r: &Report, row: &str) -> Vec<SpanBar> {
    let of_row = |known: &&Known| {
        let when = known.cell.filter(|(its, _)| *its == row).map(|(_, when)| when);
        when.is_some_and(|when| When::SPANS.contains(&when)) && r.has(known.name)
    };
    let spans: Vec<&Known> = CATALOGUE.iter().filter(of_row).collect();
    let highest = spans.iter().filter_map(|known| r.value(known.name)).fold(0.0, f64::max);
    let span = |known: &&Known| {
        let share = r.value(known.name).filter(|_| highest > 0.0).map_or(0.0, |v| v / highest);
        let label = known.cell.map_or("", |(_, when)| when.name());
        SpanBar { label, value: r.show(known.name), height: format!("{:.0}", share * 100.0) }
    };
    if spans.len() > 1 { spans.iter().map(span).collect() } else { Vec::new() }
}

/// The longest outage of all: `at 2.30 s of the load (0.70 s before the step), cache/1, slot 9000: timed out`.
/// `None` if there is none, or if it is not listed.
fn longest_outage(r: &Report) -> Option<String> {
    let longest = r.outages.iter().max_by(|a, b| a.duration_ms.total_cmp(&b.duration_ms))?;
    let worst = [r.value("downtime.write.max"), r.value("downtime.read.max")];
    let worst = worst.into_iter().flatten().fold(0.0, f64::max);
    // Only the first outages are listed.
    (longest.duration_ms >= worst).then(|| place(r, longest))
}

/// Where and when it was.
fn place(r: &Report, outage: &Outage) -> String {
    let Outage { group, shard, slot, .. } = outage;
    let from = outage.region.as_ref().map_or(String::new(), |region| format!(" from {region}"));
    let at = (outage.from_ms - r.timeline_ms.unwrap_or(0.0)) / 1e3;
    let slot = match (r.ownership.is_empty(), outage.moves) {
        (true, _) => String::new(),
        (false, true) => format!(", moving slot {slot}"),
        (false, false) => format!(", slot {slot}"),
    };
    let cause = outage.cause.map_or(String::new(), |cause| format!(": {cause}"));
    let open = if outage.to_ms.is_none() { ", not over when the load ended" } else { "" };
    let unseen = match outage.blind_ms {
        0.0 => String::new(),
        blind => format!("; redrill itself was not run for {} of it", Unit::Millis.show(blind)),
    };
    let moment = moment(r, outage);
    format!("at {at:.2} s of the load ({moment}), {group}/{shard}{slot}{from}{cause}{open}{unseen}")
}

/// Steps that begin within this time were to begin together.
const TOGETHER_MS: f64 = 50.0;

/// The position of an outage's beginning relative to the steps: `0.70 s before the step`. Of steps
/// that began together, the one that hit the outage's group counts.
fn moment(r: &Report, outage: &Outage) -> String {
    let at_ms = outage.from_ms;
    let begun: Vec<&Step> = r.steps.iter().filter(|step| step.began_ms.is_some()).collect();
    let last = begun.iter().rposition(|step| step.began_ms.is_some_and(|began| began <= at_ms));
    let together = |i: usize| {
        let began = |i: usize| begun[i].began_ms.unwrap_or_default();
        (0..=i).rev().take_while(move |one| began(i) - began(*one) < TOGETHER_MS)
    };
    let hits = |i: &usize| begun[*i].nodes.iter().any(|node| node.group == outage.group);
    let last = last.map(|i| together(i).find(hits).unwrap_or(i));
    let name = |i: usize| match r.steps.len() {
        1 => "the step".to_owned(),
        _ => format!("step {}", i + 1),
    };
    let Some(i) = last else {
        let first = begun.first().and_then(|step| step.began_ms);
        return match first {
            Some(began) => format!("{:.2} s before {}", (began - at_ms) / 1e3, name(0)),
            None => "with no step begun".to_owned(),
        };
    };
    let (began, ended) = (begun[i].began_ms.unwrap_or(at_ms), begun[i].ended_ms);
    match ended.filter(|ended| *ended <= at_ms) {
        Some(ended) => format!("{:.2} s after {}", (at_ms - ended) / 1e3, name(i)),
        None => format!("{:.2} s into {}", (at_ms - began) / 1e3, name(i)),
    }
}

/// Errors of all loads by their cause, the most frequent first: `401 timed out · 3 refused`.
fn errors(r: &Report) -> Option<String> {
    let mut causes: BTreeMap<Cause, u64> = BTreeMap::new();
    for (cause, count) in r.loads.iter().flat_map(|load| &load.met.causes) {
        *causes.entry(*cause).or_default() += count;
    }
    // What was never sent is no error.
    let is_error = |(cause, n): &(Cause, u64)| *n > 0 && *cause != Cause::Shed;
    let mut causes: Vec<(Cause, u64)> = causes.into_iter().filter(is_error).collect();
    causes.sort_by_key(|(_, count)| Reverse(*count));
    let texts: Vec<String> =
        causes.iter().map(|(cause, n)| format!("{} {cause}", count(*n))).collect();
    (!texts.is_empty()).then(|| texts.join(" · "))
}

/// Connections that all loads made again; they are no errors.
fn reconnects(r: &Report) -> Option<String> {
    match r.loads.iter().filter_map(|load| load.met.reconnects).sum() {
        0 => None,
        1 => Some("1 reconnect".to_owned()),
        more => Some(format!("{} reconnects", count(more))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalogue::known;

    /// A hole that nothing fills would be shown as nothing.
    #[test]
    fn every_hole_of_a_note_is_filled() {
        let r = crate::report::json::read("tests/pure/report/before.json".as_ref()).unwrap();
        for headline in CATALOGUE.iter().filter_map(|known| known.headline) {
            for note in headline.notes {
                let holes = note.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
                for hole in holes {
                    let name = hole.trim_end_matches('?');
                    assert!(known(name).is_some() || word(&r, name).is_some(), "{hole}: {note}");
                }
            }
        }
        assert_eq!(filled(&r, "of {set.acknowledged} all").unwrap(), "of 39 all");
        assert_eq!(filled(&r, "{set.lost?} of {set.acknowledged} lost"), None, "nothing is lost");
        assert_eq!(filled(&r, "{set.lost} of {set.acknowledged} lost").unwrap(), "0 of 39 lost");
    }

    #[test]
    fn of_steps_that_begin_together_the_one_that_hit_the_group_is_named() {
        let r = crate::report::json::read("tests/pure/report/before.json".as_ref()).unwrap();
        let step = |began: f64, node: &str| Step {
            began_ms: Some(began),
            ended_ms: None,
            nodes: vec![node.parse().unwrap()],
            ..r.steps[0].clone()
        };
        let steps = vec![
            step(1_000.0, "us/0/0"),
            step(1_000.3, "us-to-eu/actor/0"),
            step(3_000.0, "eu/0/0"),
        ];
        let r = Report { steps, ..r };
        let at = |from_ms| {
            let outage = r.outages[0].clone();
            moment(&r, &Outage { group: "us".to_owned(), from_ms, ..outage })
        };
        assert_eq!(at(1_500.0), "0.50 s into step 1");
        assert_eq!(at(3_500.0), "0.50 s into step 3", "that one began later");
    }
}
