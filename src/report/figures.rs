//! The key figures: what a reader sees first, in every format.
//!
//! Which measures are among them, their titles and the notes below them stand in the catalogue.

use crate::model::catalogue::{CATALOGUE, Headline, Known};
use crate::model::event::Moved;

use super::data::Report;
use super::table::count;
use super::{adapters, longest, met};

/// One figure, with what belongs to it.
pub(super) struct Figure {
    pub title: &'static str,
    pub value: String,
    pub tone: Tone,
    /// The spans of a measure that is told apart before, during and after the steps.
    pub spans: Vec<Span>,
    pub notes: Vec<String>,
    /// It stands in the table of latency as well.
    pub in_table: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// One that nobody wants to see.
    Bad,
    Unknown,
}

pub(super) struct Span {
    pub label: &'static str,
    pub value: String,
    /// Percent of the highest of the spans.
    pub height: String,
}

/// In the order of the catalogue. Before the load there is nothing that they could tell.
pub(super) fn figures(r: &Report) -> Vec<Figure> {
    let shown = |known: &&Known| r.timeline_ms.is_some() && r.has(known.name);
    let headlines = CATALOGUE.iter().filter(shown).filter_map(|k| Some((k, k.headline?)));
    let replaced = |headline: &Headline| headline.unless.is_some_and(|other| r.has(other));
    let known = headlines.filter(|(_, h)| !replaced(h)).map(|(known, h)| figure(r, known, h));
    known.chain(adapters::shown(r).into_iter().map(of_adapter)).collect()
}

fn of_adapter((value, notes): (String, Vec<String>)) -> Figure {
    let (tone, spans) = (Tone::Plain, Vec::new());
    Figure { title: "Library silent for", value, tone, spans, notes, in_table: false }
}

fn figure(r: &Report, known: &Known, headline: Headline) -> Figure {
    let aside = r.measure_set_aside(known.name);
    let tone = match r.value(known.name) {
        None => Tone::Unknown,
        Some(wrong) if wrong > 0.0 && known.finding.is_some() && aside.is_none() => Tone::Bad,
        Some(_) => Tone::Plain,
    };
    let notes = headline.notes.iter().filter_map(|note| filled(r, note));
    Figure {
        title: headline.title,
        value: r.show(known.name),
        tone,
        spans: spans(r, headline.spans),
        notes: notes.chain(aside).collect(),
        in_table: !headline.spans.is_empty(),
    }
}

/// A note with its holes filled in; `None` where one of them leaves it out.
fn filled(r: &Report, note: &str) -> Option<String> {
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

/// What a hole stands for that is no measure, and the words if there are any.
fn word(r: &Report, name: &str) -> Option<Option<String>> {
    Some(match name {
        "longest outage" => longest::outage(r),
        "canaries" => Some(match r.probe.canaries {
            1 => "1 canary".to_owned(),
            more => format!("{more} canaries"),
        }),
        "probed every" => Some(format!("{} ms", r.probe.every_ms)),
        "errors by cause" => met::errors(r),
        "redirects and reconnects" => met::detours(r),
        "agreed on" => Some(r.agreed_on().to_owned()),
        "moved" => moved(r),
        "method" => r.method(),
        _ => return None,
    })
}

/// `1,820 slots and 222 keys in 3,100 ms`; what has moved so far where that is not the end.
fn moved(r: &Report) -> Option<String> {
    if r.value("reshard.duration").is_some() {
        let show = |name: &str| r.show(&format!("reshard.{name}"));
        return Some(format!(
            "{} slots and {} keys in {}",
            show("slots"),
            show("keys"),
            show("duration")
        ));
    }
    r.steps.iter().find(|step| step.began_ms.is_some())?;
    let sum = |of: fn(&Moved) -> u64| count(r.steps.iter().map(|step| of(&step.moved)).sum());
    let (slots, total) = (sum(|m| m.slots), sum(|m| m.slots_total));
    Some(format!("{slots} of {total} slots and {} keys so far", sum(|m| m.keys)))
}

/// One span alone says nothing that the figure does not.
fn spans(r: &Report, names: &'static [&'static str]) -> Vec<Span> {
    let highest = names.iter().filter_map(|name| r.value(name)).fold(0.0, f64::max);
    let span = |name: &&'static str| {
        let share = r.value(name).filter(|_| highest > 0.0).map_or(0.0, |v| v / highest * 100.0);
        let label = name.rsplit('.').next().unwrap_or(name);
        Span { label, value: r.show(name), height: format!("{share:.0}") }
    };
    let spans: Vec<Span> = names.iter().filter(|name| r.has(name)).map(span).collect();
    if spans.len() > 1 { spans } else { Vec::new() }
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
}
