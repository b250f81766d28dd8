//! From figures to verdicts, each with its reason.

use std::collections::BTreeMap;

use crate::check::Finding;
use crate::model::catalogue::{Better, Busy, Known, known, of_finding};
use crate::model::event::{Compare, End, Expectation, Phase};
use crate::model::{Measure, Nanos, Unit, Verdict};

use super::data::{Disagreement, Judged, Load, Report, millis};
use super::doubt::{Doubt, Doubts};
use super::foreign;
use super::full_disk;
use super::record::Record;
use super::step_record::NOT_THE_SERVERS;
use super::stranded::STRANDED_KEYS;

// What to do about unknown results: each reason of an `unknown` verdict has such advice.

/// For a finding that no measure counts: a value that nobody can have written.
const WHOLE: &str = "let the drill end by itself, so that its history is complete";
/// For what redrill itself, or servers that waited for a processor, may have influenced.
const TOO_BUSY: &str = "the machine was too busy to tell: run it on an idle machine, or with a \
                        lower `rate`";
/// For what was not over when the load ended.
const OPEN: &str = "let the load go on for longer, with a longer `settle`";
/// For what may be the effect of a loss of redrill's own.
const LOST: &str = "redrill had lost a part of its own by then";
/// For a drill that could not go on.
const FAILED: &str = "fix that (`logs/` has the logs of the servers), and run it again";
/// For keys that redrill itself has left on nodes that do not own them.
const STRANDED: &str =
    "keep both nodes of a move reachable, or let the load go on for longer after it";
/// For a drill without an end.
const ENDLESS: &str = "wait for its end, or run it again";
/// For a drill that was interrupted.
const INTERRUPTED: &str = "run it again, to its end";

/// Compares each expectation with its measure. In a drill that did not end by itself everything
/// is unknown: an expectation that held might have broken later.
///
/// An expectation is also unknown if its result depends on what redrill itself missed. A step that
/// it did not do, or not in time, has not had its effects: that there is less than expected says
/// nothing.
pub(super) fn expectations(record: &Record, figures: &Figures) -> Vec<Judged> {
    let judge = |e| expectation(e, figures.on(e), record.completed());
    let lacking = || record.steps.iter().filter(|step| step.unsure.is_some());
    let why = match lacking().all(|step| step.own) {
        true => format!("a step could not be done; {NOT_THE_SERVERS}"),
        false => format!("a step was not done in time; {TOO_BUSY}"),
    };
    let lacks_a_step = lacking().next().is_some();
    let excuse = |judged: Judged| if lacks_a_step { excuse(judged, &why) } else { judged };
    let without =
        |judged: Judged| if record.own_lost.is_empty() { judged } else { of_a_loss(judged) };
    let judged = record.info.expect.iter().map(judge).map(excuse).map(without);
    let judged = judged.map(|judged| full_disk::excuse_bound(record, judged));
    judged.map(|judged| foreign::excuse_judged(record, judged)).collect()
}

/// What is broken in a drill that lost something of redrill's own may be the effect of that.
fn of_a_loss(judged: Judged) -> Judged {
    if judged.verdict != Verdict::Fail {
        return judged;
    }
    let was = judged.why.unwrap_or_default().replace("does not hold", "cannot be judged");
    Judged { verdict: Verdict::Unknown, why: Some(format!("{was}; {LOST}")), ..judged }
}

/// What expectations are compared with.
pub(super) struct Figures<'a> {
    pub measures: &'a BTreeMap<String, Measure>,
    pub doubts: &'a Doubts,
    pub loads: &'a [Load],
    /// By load, of the measures that each load has.
    pub of_loads: &'a [Doubts],
}

impl<'a> Figures<'a> {
    fn on(&self, e: &Expectation) -> (Option<&'a Measure>, Option<Doubt>) {
        let (measures, doubts) = match &e.load {
            None => (self.measures, self.doubts),
            Some(name) => {
                let both = self.loads.iter().zip(self.of_loads);
                let Some((load, doubts)) = both.into_iter().find(|(load, _)| load.name == *name)
                else {
                    return (None, None);
                };
                (&load.measures, doubts)
            }
        };
        (measures.get(&e.measure), doubts.get(&*e.measure).copied())
    }
}

/// What is broken because there is less than expected may be the effect of a step that redrill did
/// not do, or not in time.
fn excuse(judged: Judged, lacking: &str) -> Judged {
    let is_less = judged.value.is_some_and(|value| value < judged.bound);
    let wanted_less = known(&judged.measure).is_none_or(|known| known.better != Better::Higher);
    if judged.verdict != Verdict::Fail || !is_less || !wanted_less {
        return judged;
    }
    let was = judged.why.unwrap_or_default().replace("does not hold", "cannot be judged");
    let why = format!("{was}, and {lacking}");
    Judged { verdict: Verdict::Unknown, why: Some(why), ..judged }
}

pub(super) fn expectation(
    e: &Expectation,
    (measure, doubt): (Option<&Measure>, Option<Doubt>),
    completed: bool,
) -> Judged {
    let known = known(&e.measure);
    let value = measure.and_then(|m| m.value);
    let unit = measure.map(|m| m.unit).or(known.map(|known| known.unit));
    let unit = unit.unwrap_or(Unit::Count);
    let (verdict, why) = match value {
        Some(value) if completed => weigh(e, value, doubt, unit),
        Some(_) => (Verdict::Unknown, Some("cannot be judged: the drill did not end".into())),
        None if completed && let Some(least) = measure.and_then(|m| m.at_least) => {
            let must_end = known.is_some_and(|known| known.must_end);
            // Half of its time was starved: it may be the effect of that.
            let range = doubt.and_then(|doubt| doubt.range());
            let unsure = range.is_some_and(|[shortest, _]| shortest <= least / 2.0);
            match open(e, least, must_end, unit) {
                (Verdict::Unknown, Some(why)) if unit != Unit::Millis => {
                    let advice = known.map_or(OPEN, |known| known.advice);
                    (Verdict::Unknown, Some(format!("{why}; {advice}")))
                }
                (Verdict::Fail, why) if unsure => {
                    let was = why.unwrap_or_default().replace("does not hold", "cannot be judged");
                    (Verdict::Unknown, Some(format!("{was}; {TOO_BUSY}")))
                }
                judged => judged,
            }
        }
        None => {
            let of = e.load.as_ref().map_or(String::new(), |load| format!(" of {load}"));
            let why = format!("cannot be judged: {}{of} is not known", e.measure);
            // In a drill that broke off, only that has to be fixed.
            let advice = known.filter(|_| completed).map(|known| format!("; {}", known.advice));
            (Verdict::Unknown, Some(why + &advice.unwrap_or_default()))
        }
    };
    let why = why.map(|why| format!("`{}` {why}", e.text));
    Judged {
        text: e.text.clone(),
        measure: e.measure.clone(),
        load: e.load.clone(),
        op: e.op,
        value,
        at_least: measure.and_then(|m| m.at_least),
        bound: e.bound,
        unit,
        verdict,
        why,
    }
}

/// The verdict on what is `least` or anything from that on: a time was not over when the load
/// ended, or keys could not be read.
fn open(e: &Expectation, least: f64, must_end: bool, unit: Unit) -> (Verdict, Option<String>) {
    let is_time = unit == Unit::Millis;
    let was = match is_time {
        true => format!("it was not over when the load ended, after {}", unit.show(least)),
        false => format!("it was {} at least, and keys could not be read", unit.show(least)),
    };
    let within = e.op == Compare::Equal && least < e.bound;
    let holds = [least, f64::INFINITY].map(|value| e.op.holds(value, e.bound) || within);
    match holds {
        [true, true] if !must_end && !within => (Verdict::Pass, None),
        [false, false] => (Verdict::Fail, Some(format!("does not hold: {was}"))),
        _ if must_end => (Verdict::Fail, Some(format!("does not hold: {was}"))),
        _ if is_time => (Verdict::Unknown, Some(format!("cannot be judged: {was}; {OPEN}"))),
        _ => (Verdict::Unknown, Some(format!("cannot be judged: {was}"))),
    }
}

/// The verdict on one value, and why it is not `pass`. `doubt` says what else it could have
/// been.
fn weigh(
    e: &Expectation,
    value: f64,
    doubt: Option<Doubt>,
    unit: Unit,
) -> (Verdict, Option<String>) {
    let holds =
        |[least, most]: [f64; 2]| [value, least, most].map(|value| e.op.holds(value, e.bound));
    let own = doubt.and_then(|doubt| doubt.own).unwrap_or([value, value]);
    if holds(own) == [true; 3] {
        return (Verdict::Pass, None);
    }
    let [least, most] = doubt.and_then(|doubt| doubt.range()).unwrap_or(own);
    let within = e.op == Compare::Equal && least < e.bound && e.bound < most;
    let holds = holds([least, most]);
    let was = unit.show(value);
    if !holds.contains(&true) && !within {
        return (Verdict::Fail, Some(format!("does not hold: it was {was}")));
    }
    let range = match most.is_finite() {
        true => format!("anything from {} to {}", unit.show(least), unit.show(most)),
        false => format!("{} or anything above it", unit.show(least)),
    };
    let who = match doubt.is_some_and(|doubt| doubt.starved.is_some()) {
        true => "redrill and the servers",
        false => "redrill itself",
    };
    let why = format!(
        "cannot be judged: it was {was}, and could have been {range} had {who} \
         been run all the time; {TOO_BUSY}"
    );
    (Verdict::Unknown, Some(why))
}

/// The drill's verdict, and one sentence for each reason why it is not `pass`.
pub(super) fn verdict(
    record: &Record,
    expectations: &[Judged],
    (findings, loads): (&[Finding], &[Load]),
) -> (Verdict, Vec<String>) {
    let ended = how_it_ended(record);
    let mut reasons: Vec<(Verdict, String)> = ended.into_iter().collect();
    let zero = record.phase_at(Phase::Steps).map_or(0.0, millis);
    reasons.extend(record.crashes.iter().map(|crash| (Verdict::Fail, crash.text(zero))));
    reasons.extend(own_lost(record));
    let mut of_servers = steps(record);
    let blame = |group: &Disagreement| blamed(group.text(), &group.unsure);
    of_servers.extend(record.disagreements.iter().map(blame));
    for (verdict, why) in of_servers {
        match verdict {
            Verdict::Fail if !record.own_lost.is_empty() => {
                reasons.push((Verdict::Unknown, format!("{why}; {LOST}")));
            }
            verdict => reasons.push((verdict, why)),
        }
    }
    // For a drill that broke off, that has been said already.
    if record.completed() {
        let not_held = expectations.iter().filter_map(|e| Some((e.verdict, e.why.clone()?)));
        reasons.extend(not_held);
    }
    let counts = |f: &&Finding| set_aside(f, &record.info.reported, expectations, loads).is_none();
    let found = findings.iter().filter(|f| f.verdict != Verdict::Pass).filter(counts);
    reasons.extend(found.map(|f| match f.verdict {
        // In a drill that broke off, only that has to be fixed.
        Verdict::Unknown if record.completed() => {
            let advice = match of_finding(&f.kind) {
                Some(known) if is_excused(record, known) => TOO_BUSY,
                Some(known) => known.advice,
                None if f.kind == STRANDED_KEYS => STRANDED,
                None if f.kind == foreign::KIND => foreign::ADVICE,
                None => WHOLE,
            };
            (f.verdict, format!("{}; {advice}", f.text))
        }
        _ => (f.verdict, f.text.clone()),
    }));
    if let Some(why) = full_disk::reason(record) {
        reasons.iter_mut().for_each(|(verdict, _)| *verdict = Verdict::Unknown);
        reasons.insert(0, (Verdict::Unknown, why));
    }
    let reasons: Vec<(Verdict, String)> =
        reasons.into_iter().map(|reason| foreign::excuse(record, reason)).collect();
    let worst = match record.end {
        // The end counts more than what was seen before: it is not the drill's fault.
        Some(End::Interrupted) | None => Verdict::Unknown,
        _ => Verdict::worst(reasons.iter().map(|(verdict, _)| *verdict)),
    };
    (worst, reasons.into_iter().map(|(_, why)| why).collect())
}

/// Groups that were compared before all was carried may differ for that alone. That is the fault
/// of whoever carries, unless the machine gave nobody the time for it.
pub(super) fn excuse_late(record: &Record, findings: &mut [Finding]) {
    if !record.own_lost.is_empty() {
        for finding in findings.iter_mut().filter(|one| one.verdict == Verdict::Fail) {
            finding.verdict = Verdict::Unknown;
            finding.text += &format!("; {LOST}");
        }
    }
    let Some(why) = &record.carried_late else { return };
    let is_late = |finding: &&mut Finding| {
        let excused = of_finding(&finding.kind).is_some_and(|known| is_excused(record, known));
        excused && finding.verdict == Verdict::Fail
    };
    for finding in findings.iter_mut().filter(is_late) {
        finding.verdict = Verdict::Unknown;
        finding.text += &format!(", and were read before all was carried: {why}");
    }
}

fn is_excused(record: &Record, known: &Known) -> bool {
    record.carried_late.is_some() && known.busy() == Busy::Carried
}

/// What redrill itself lost, each with its instant.
fn own_lost(record: &Record) -> Vec<(Verdict, String)> {
    let zero = record.phase_at(Phase::Steps).unwrap_or_default();
    let reason = |(at, what): &(Nanos, String)| {
        let seconds = at.since(zero).as_secs_f64();
        (Verdict::Unknown, format!("{what}, {seconds:.1} s into the load; {NOT_THE_SERVERS}"))
    };
    record.own_lost.iter().map(reason).collect()
}

/// Why a checker's finding does not count for the verdict; `None` if it does, or if nothing is
/// wrong. An unknown result always counts.
pub(super) fn set_aside(
    finding: &Finding,
    reported: &[String],
    expectations: &[Judged],
    loads: &[Load],
) -> Option<String> {
    let measure = of_finding(&finding.kind).filter(|_| finding.verdict == Verdict::Fail)?.name;
    if reported.iter().any(|name| name == measure) {
        let is_share = |e: &&Judged| {
            let known = known(&e.measure).filter(|_| e.load.is_none());
            known.and_then(|known| known.share_of) == Some(measure)
        };
        let judged = expectations.iter().find(is_share);
        return Some(judged.map_or_else(
            || "reported, not judged".to_owned(),
            |judged| format!("judged by `{}`", judged.text),
        ));
    }
    let has = |load: &&Load| load.measures.get(measure).is_some_and(|m| m.value != Some(0.0));
    let bounds = bounds(measure, expectations, loads.iter().filter(has).map(|load| &*load.name))?;
    let held = bounds.iter().all(|bound| bound.verdict == Verdict::Pass);
    let first = bounds.first().filter(|_| held)?;
    Some(format!("within its bound `{}`", first.text))
}

/// A bound says how much of it is too much: of all loads, or of each that has any of it, which are
/// `having`.
fn bounds<'e, 'l>(
    measure: &str,
    expectations: &'e [Judged],
    having: impl Iterator<Item = &'l str>,
) -> Option<Vec<&'e Judged>> {
    let on = |load: Option<&str>| -> Vec<&'e Judged> {
        let is_on = |e: &&Judged| e.measure == measure && e.load.as_deref() == load;
        expectations.iter().filter(is_on).collect()
    };
    let of_all = on(None);
    if !of_all.is_empty() {
        return Some(of_all);
    }
    let of_each: Vec<Vec<&Judged>> = having.map(|load| on(Some(load))).collect();
    of_each.iter().all(|bounds| !bounds.is_empty()).then(|| of_each.concat())
}

fn how_it_ended(record: &Record) -> Option<(Verdict, String)> {
    // A drill that reports its end has stopped its servers already. What counts is its phase
    // before that.
    let going = |phase: &Phase| record.end.is_none() || *phase != Phase::Stop;
    let last = record.phases.iter().map(|(phase, _)| *phase).rfind(going);
    let phase = last.map_or("starting", phase_name);
    let why = match &record.end {
        Some(End::Completed) => return None,
        Some(End::Interrupted) => {
            format!("the drill was interrupted while {phase}; {}", INTERRUPTED)
        }
        Some(End::Failed { error }) => {
            format!("the drill could not go on while {phase}: {error}; {}", FAILED)
        }
        None => {
            let (zero, start) = match record.phase_at(Phase::Steps) {
                Some(line) => (line, "load"),
                None => (Nanos::ZERO, "drill"),
            };
            format!(
                "the record breaks off {:.1} s after the {start}'s start, while {phase}: redrill \
                 was killed, or still runs; {}",
                record.last.since(zero).as_secs_f64(),
                ENDLESS
            )
        }
    };
    Some((Verdict::Unknown, why))
}

/// The name of a phase for people.
pub(super) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Form => "forming the topology",
        Phase::Fill => "filling in keys",
        Phase::Steps => "playing the timeline",
        Phase::Settle => "settling",
        Phase::Drain => "waiting for the last answers",
        Phase::Sweep => "comparing copies with the origin",
        Phase::Undo => "undoing what steps left",
        Phase::Verify => "reading the final state",
        Phase::Stop => "stopping the servers",
    }
}

/// Something went wrong: the servers' fault, unless the machine was too busy to tell.
fn blamed(text: String, unsure: &Option<String>) -> (Verdict, String) {
    match unsure {
        Some(starved) => (Verdict::Unknown, format!("{text}; {starved}: {TOO_BUSY}")),
        None => (Verdict::Fail, text),
    }
}

fn steps(record: &Record) -> Vec<(Verdict, String)> {
    let mut reasons = Vec::new();
    // All for the same reason: the drill ended first.
    let mut never = record.steps.iter().filter(|step| step.error.is_none() && step.began.is_none());
    if let Some(first) = never.next() {
        let more = match never.count() {
            0 => String::new(),
            1 => ", nor was the one after it".to_owned(),
            more => format!(", nor were {more} after it"),
        };
        let text =
            format!("step `{}` was never begun{more}: the drill ended before it", first.info.text);
        reasons.push((Verdict::Unknown, text));
    }
    for step in &record.steps {
        let text = &step.info.text;
        match (&step.error, step.began, step.ended) {
            (Some(error), ..) if step.own => {
                let text = format!("step `{text}` failed: {error}; {NOT_THE_SERVERS}");
                reasons.push((Verdict::Unknown, text));
            }
            (Some(error), ..) => {
                reasons.push(blamed(format!("step `{text}` failed: {error}"), &step.unsure));
            }
            (None, Some(_), None) => {
                let text = format!("step `{text}` did not end before the drill did");
                reasons.push((Verdict::Unknown, text));
            }
            (None, None, _) | (None, Some(_), Some(_)) => {}
        }
    }
    reasons
}

/// The reasons of a report's verdict that its expectations do not show.
pub(super) fn other_reasons(report: &Report) -> Vec<&str> {
    let expectations = report.expectations.iter().filter(|e| e.is_plain());
    let told: Vec<&String> = expectations.filter_map(|e| e.why.as_ref()).collect();
    report.why.iter().filter(|why| !told.contains(why)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on `op 5,000`, of what was not over after so many milliseconds.
    fn judged(op: Compare, at_least: f64, must_end: bool) -> Verdict {
        let (text, measure) = (String::new(), String::new());
        let bound = Expectation { text, measure, load: None, op, bound: 5_000.0 };
        open(&bound, at_least, must_end, Unit::Millis).0
    }

    /// The verdict on `op 1` of a value of 5, with what it could have been.
    fn weighed(op: Compare, own: Option<[f64; 2]>, starved: Option<[f64; 2]>) -> Verdict {
        let (text, measure) = (String::new(), String::new());
        let e = Expectation { text, measure, load: None, op, bound: 1.0 };
        weigh(&e, 5.0, Some(Doubt { own, starved }), Unit::Count).0
    }

    fn on(load: Option<&str>) -> Judged {
        Judged {
            text: "lock.overlaps <= 9".to_owned(),
            measure: "lock.overlaps".to_owned(),
            load: load.map(str::to_owned),
            op: Compare::AtMost,
            value: Some(1.0),
            at_least: None,
            bound: 9.0,
            unit: Unit::Count,
            verdict: Verdict::Pass,
            why: None,
        }
    }

    #[test]
    fn bounds_of_single_loads_count_if_each_that_is_concerned_has_one() {
        let count = |expectations: &[Judged], having: &[&str]| {
            bounds("lock.overlaps", expectations, having.iter().copied()).map(|all| all.len())
        };
        assert_eq!(count(&[on(None), on(Some("a"))], &["a", "b"]), Some(1), "that of all");
        assert_eq!(count(&[on(Some("a"))], &["a"]), Some(1));
        assert_eq!(count(&[on(Some("a"))], &["a", "b"]), None, "nobody bounds b");
        assert_eq!(count(&[on(Some("a")), on(Some("b"))], &["a", "b"]), Some(2));
        assert_eq!(count(&[], &["a"]), None);
    }

    #[test]
    fn starved_time_excuses_what_is_broken_and_takes_back_nothing() {
        use Compare::{AtLeast, AtMost};
        let all = Some([0.0, 5.0]);
        assert_eq!(weighed(AtMost, None, None), Verdict::Fail);
        assert_eq!(weighed(AtMost, None, all), Verdict::Unknown);
        assert_eq!(weighed(AtLeast, None, all), Verdict::Pass, "it holds");
        assert_eq!(weighed(AtLeast, all, None), Verdict::Unknown, "redrill itself saw it late");
        assert_eq!(weighed(AtLeast, Some([5.0, 5.0]), all), Verdict::Pass);
    }

    #[test]
    fn a_count_of_what_could_be_read_breaks_a_bound_below_it_and_holds_none() {
        let judged = |bound: f64| {
            let (text, measure, op) = (String::new(), String::new(), Compare::AtMost);
            let bound = Expectation { text, measure, load: None, op, bound };
            open(&bound, 3.0, false, Unit::Count)
        };
        assert_eq!(judged(2.0).0, Verdict::Fail);
        let (verdict, why) = judged(100.0);
        assert_eq!(verdict, Verdict::Unknown);
        assert!(why.unwrap().contains("it was 3 at least, and keys could not be read"));
    }

    #[test]
    fn what_was_not_over_breaks_a_bound_below_it_and_leaves_others_open() {
        use Compare::*;
        for at_most in [AtMost, Below] {
            assert_eq!(judged(at_most, 6_000.0, false), Verdict::Fail);
            assert_eq!(judged(at_most, 4_000.0, false), Verdict::Unknown, "it may have ended next");
            assert_eq!(judged(at_most, 4_000.0, true), Verdict::Fail, "it was to end in time");
        }
        assert_eq!(judged(Equal, 6_000.0, false), Verdict::Fail);
        assert_eq!(judged(Equal, 4_000.0, false), Verdict::Unknown);
        assert_eq!(judged(AtLeast, 6_000.0, false), Verdict::Pass);
        assert_eq!(judged(AtLeast, 4_000.0, false), Verdict::Unknown);
    }
}
