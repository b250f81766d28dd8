//! Expectations: a measure, a comparison and a bound, as in
//! `downtime.write.max <= 500ms`; or a measure of one load, as in
//! `lock.overlaps of redlock == 0`.

use std::time::Duration;

use crate::model::catalogue::{Known, Need, ScenarioFacts, known};
use crate::model::event::{Compare, Expectation};
use crate::model::{Unit, Workload};
use crate::spec::decode::{At, Misread, Scalar};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::scenario::LoadMap;
use crate::spec::nearest;
use crate::spec::quantity::{Bytes, PerSecond, Percent, Time, number};
use crate::spec::source::Span;

/// A baseline needs about this much time before the first step.
pub const BASELINE: Duration = Duration::from_secs(1);

/// What the expectations are on: what the scenario has, and its loads.
type Drilled<'a> = (&'a ScenarioFacts<'a>, &'a [(At<String>, LoadMap)]);

/// The expectations that `texts` mean.
pub fn check(texts: &[At<String>], of: Drilled, errors: &mut Diagnostics) -> Vec<Expectation> {
    let mut expectations: Vec<Expectation> = Vec::new();
    for text in texts {
        let Some(expectation) = parse(text, of, errors) else { continue };
        // Both ends of a measure may be bounded, but not the same one twice.
        let side = |op: Compare| match op {
            Compare::AtMost | Compare::Below => 0,
            Compare::AtLeast | Compare::Above => 1,
            Compare::Equal => 2,
        };
        let same = |known: &Expectation| {
            is_on_the_same(known, &expectation) && side(known.op) == side(expectation.op)
        };
        if let Some(first) = expectations.iter().find(|known| same(known)) {
            let of = expectation.load.as_ref().map_or(String::new(), |load| format!(" of {load}"));
            let message = format!("`{}{of}` has a bound already", expectation.measure);
            let advice = format!("keep one of them; the other is `{}`", first.text);
            errors.add(&text.span, message, advice);
        }
        expectations.push(expectation);
    }
    expectations
}

fn is_on_the_same(one: &Expectation, other: &Expectation) -> bool {
    (&one.measure, &one.load) == (&other.measure, &other.load)
}

/// `own` in place of those of `base` that are on the same measures.
pub fn overridden(base: Vec<Expectation>, own: Vec<Expectation>) -> Vec<Expectation> {
    let mut result: Vec<Expectation> = Vec::new();
    for expectation in base {
        if !own.iter().any(|by| is_on_the_same(by, &expectation)) {
            result.push(expectation);
        } else if !result.iter().any(|kept| is_on_the_same(kept, &expectation)) {
            result.extend(own.iter().filter(|by| is_on_the_same(by, &expectation)).cloned());
        }
    }
    let added = own.into_iter().filter(|by| !result.iter().any(|e| is_on_the_same(e, by)));
    let added: Vec<Expectation> = added.collect();
    result.extend(added);
    result
}

fn parse(
    text: &At<String>,
    (has, loads): Drilled,
    errors: &mut Diagnostics,
) -> Option<Expectation> {
    let Some((asked, op, bound)) = split(&text.value) else {
        let message = format!("`{}` is not an expectation", text.value);
        errors.add(&text.span, message, form_of(&text.value));
        return None;
    };
    let (measure, load) = match asked.split_once(" of ") {
        Some((measure, load)) => (measure.trim_end(), Some(load.trim_start())),
        None => (asked, None),
    };
    let Some(known) = known(measure) else {
        let advice = nearest::measure_advice(measure, |known| known.lacks(has).is_none());
        let message = format!("there is no measure `{measure}`");
        errors.add(&part(text, measure), message, advice);
        return None;
    };
    errors.add_if(&part(text, measure), lacking(known, has));
    let wrong = load.and_then(|load| not_told_of(known, load, loads));
    if let Some((message, advice)) = wrong {
        errors.add(&part(text, asked), message, advice);
        return None;
    }
    let value = read_bound(known.unit, bound);
    let value = value.map_err(|why| {
        let message = format!("{}, and `{}` is one", why.message, known.name);
        let advice =
            match [" and ", " or ", "&&", "||", ","].iter().any(|join| bound.contains(join)) {
                true => "write each expectation as a line of its own".to_owned(),
                false => why.advice,
            };
        errors.add(&part(text, bound), message, advice);
    });
    let (text, measure) = (text.value.clone(), known.name.to_owned());
    Some(Expectation { text, measure, load: load.map(str::to_owned), op, bound: value.ok()? })
}

/// How an expectation is written, for a text that is none.
fn form_of(text: &str) -> String {
    let form =
        "write MEASURE <= VALUE, like `downtime.write.max <= 500ms`; <, >=, > and == do as well";
    let parts: Vec<&str> = text.split(['=', ':', '<', '>', '!', '~']).map(str::trim).collect();
    let is_measure = |name: &str| known(name.split(" of ").next().unwrap_or(name).trim()).is_some();
    match (&parts[..], text.contains(['<', '>', '!'])) {
        ([measure, bound], false) if is_measure(measure) && !bound.is_empty() => {
            format!("write `{measure} == {bound}`, or `<=` for a bound")
        }
        _ => form.to_owned(),
    }
}

/// Why the measure is not told of this load, and what to do.
fn not_told_of(
    known: &Known,
    load: &str,
    loads: &[(At<String>, LoadMap)],
) -> Option<(String, String)> {
    let name = known.name;
    let Some(workload) = known.of_each() else {
        let message = format!("`{name}` is not told of single loads");
        return Some((message, format!("leave ` of {load}` out")));
    };
    let Some((_, map)) = loads.iter().find(|(other, _)| other.value == load) else {
        let names: Vec<&str> = loads.iter().map(|(name, _)| &*name.value).collect();
        let message = format!("there is no load `{load}`");
        return Some((message, nearest::advice("loads", load, &names)));
    };
    let has = map.workload.or(Workload::Register);
    if has != workload {
        let message = format!("`{name}` is of the workload `{}`", workload.word());
        return Some((message, format!("the workload of `{load}` is `{}`", has.word())));
    }
    let root = map.shares.given()?;
    let message = format!("the keys of `{load}` are those of `{}`", root.value);
    Some((message, format!("write `{name} of {}`: they are judged together", root.value)))
}

/// Measure, comparison and bound of an expectation's text.
fn split(text: &str) -> Option<(&str, Compare, &str)> {
    let start = text.find(['<', '>', '='])?;
    let end = start + text[start..].find(|c| !matches!(c, '<' | '>' | '='))?;
    let (measure, bound) = (text[..start].trim(), text[end..].trim());
    let op = Compare::ALL.into_iter().find(|op| op.word() == &text[start..end])?;
    (!measure.is_empty() && !bound.is_empty()).then_some((measure, op, bound))
}

/// Where `part` of the expectation is; the whole of it if the part is not found.
fn part(text: &At<String>, part: &str) -> Span {
    let span = &text.span;
    match span.text().find(part) {
        Some(at) => span.source.span(span.start + at, span.start + at + part.len()),
        None => span.clone(),
    }
}

/// The bound in the measure's own unit; times in milliseconds.
fn read_bound(unit: Unit, text: &str) -> Result<f64, Misread> {
    match unit {
        Unit::Millis => Time::read(text).map(|time| time.0.as_secs_f64() * 1e3),
        Unit::Percent => Percent::read(text).map(|percent| percent.0),
        Unit::PerSecond => PerSecond::read(text).map(|rate| rate.0),
        Unit::Bytes => Bytes::read(text).map(|bytes| bytes.0 as f64),
        Unit::BytesPerSecond => {
            let bytes = text.strip_suffix("/s").map(|size| Bytes::read(size.trim_end()));
            let misread =
                || Misread::new(format!("`{text}` is not a flow"), "write it like 10mb/s");
            bytes.ok_or_else(misread)?.map(|bytes| bytes.0 as f64)
        }
        Unit::Count => number(text).ok_or_else(|| {
            Misread::new(format!("`{text}` is not a count"), "write it like 0 or 100")
        }),
    }
}

/// Why the scenario cannot produce the measure, and what to do.
fn lacking(known: &Known, has: &ScenarioFacts) -> Option<(String, &'static str)> {
    const ADD_LOAD: &str = "add one under `loads:`, or leave the expectation out";
    const ADD_STEP: &str = "add one to `timeline:`, or leave the expectation out";
    let name = known.name;
    let none = |what: &str| format!("`{name}` needs {what}, and there is none");
    Some(match known.lacks(has)? {
        Need::Load => (none("a load"), ADD_LOAD),
        Need::Step => (none("a step"), ADD_STEP),
        Need::Moves => (none("a step that moves slots"), ADD_STEP),
        Need::MayFailOver => (none("a step that does something to nodes, like `kill`"), ADD_STEP),
        Need::Replicas => (
            none("a group with replicas"),
            "take a topology with replicas, or leave the expectation out",
        ),
        Need::Registers => (
            none("a load of the workload `register` or `cas`"),
            "each workload has measures of its own, see docs/measures.md",
        ),
        Need::Writes => (
            none("a load of the workload `register`, `cas` or `set`"),
            "each workload has measures of its own, see docs/measures.md",
        ),
        Need::Workload(workload) => {
            (none(&format!("a load of the workload `{}`", workload.word())), ADD_LOAD)
        }
        Need::Wait => (
            none("a load that waits for replicas"),
            "give one `wait: { replicas: 1 }`, or leave the expectation out",
        ),
        Need::Baseline => (
            format!("`{name}` needs a second of load before the first step"),
            "let the first step start at 1s or later; 5s is usual",
        ),
        Need::Links => (
            none("a link between regions"),
            "take a topology with `links`, like `two-regions`, or leave the expectation out",
        ),
        Need::Successor => (
            none("a group that may take the writes of another one"),
            "take a topology like `standby-2r`, give a load a `fallback`, or leave the expectation \
             out",
        ),
        Need::Synced => (
            none("a data set that several groups have"),
            "take a topology with `sync`, like `standby-2r`, or leave the expectation out",
        ),
        Need::ActiveActive => (
            none("a load on groups that all take writes"),
            "take a topology with `sync: { strategy: active-active }`, like `active-active-2r`",
        ),
        Need::OwnReplicators => (
            format!("`{name}` is told by redrill's own replicators, and there are none"),
            "use `sync: { strategy: active-active }`, or leave the expectation out",
        ),
        Need::Near => (
            none("a load whose instances have a memory"),
            "give one `near: tracking`, or leave the expectation out",
        ),
        Need::SeveralLocks => (
            none("a load whose sessions take several locks"),
            "give one `lock: { take: 2 }`, or leave the expectation out",
        ),
        Need::Fenced => (
            none("a load whose locks hand out numbers"),
            "give one `lock: { kind: fenced }`, or leave the expectation out",
        ),
        Need::Abandoned => (
            none("a load some of whose holders never give their locks back"),
            "give one `lock: { abandon: 10% }`, or leave the expectation out",
        ),
        Need::Shards => (
            none("a group of several shards"),
            "take a topology like `cluster-3x1`, or leave the expectation out",
        ),
        Need::Steady => (
            format!(
                "`{name}` compares times, and the rate of a load is not the same in all of them"
            ),
            "give all loads one rate, or leave the expectation out",
        ),
        Need::Scheduled => (
            format!("`{name}` needs a load with a schedule, and clients close each of these"),
            "give a load a rate, like `rate: 1000/s`, or leave the expectation out",
        ),
        Need::Guarded => (
            none("a cache with a circuit breaker"),
            "give one `guard: breaker`, or leave the expectation out",
        ),
        Need::Warms => (
            format!("`{name}` takes a step that warms a cache"),
            "add a step `warm`, or leave the expectation out",
        ),
        Need::Expires => (
            none("a load whose keys are there for a time only"),
            "give one `workload: cache` or `workload: expiry`, or leave the expectation out",
        ),
        Need::SeesRedirects => (
            format!("`{name}` cannot be seen through a library's client"),
            "a library follows redirects itself; use `client: redrill` for one load",
        ),
    })
}
