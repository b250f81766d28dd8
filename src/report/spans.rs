//! The spans before, during and after on a drill's time line.

use std::time::Duration;

use crate::model::Nanos;
use crate::model::event::Phase;

use super::record::Record;
use super::step_record::StepRecord;

/// A half-open span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Nanos,
    pub to: Nanos,
}

impl Span {
    pub fn contains(&self, at: Nanos) -> bool {
        self.from <= at && at < self.to
    }

    pub fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

/// A drill's time line, from the load's start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spans {
    pub line: Span,
    /// Whether the record reaches the load's end.
    pub seen_to_the_end: bool,
    /// Until the first step began; the whole line if none did.
    pub before: Span,
    /// From the first step's start until all steps have ended, are undone and have converged; if
    /// one never did, until the line's end.
    pub during: Option<Span>,
    pub after: Option<Span>,
}

impl Spans {
    /// Before, during or after: 0, 1 or 2. What was a little before the line's beginning counts
    /// as before.
    pub fn index_of(&self, at: Nanos) -> usize {
        let begun = |span: Option<Span>| span.is_some_and(|span| at >= span.from);
        match (begun(self.during), begun(self.after)) {
            (_, true) => 2,
            (true, false) => 1,
            (false, false) => 0,
        }
    }

    /// `None` if the drill never reached its time line.
    pub fn of(record: &Record) -> Option<Spans> {
        let from = record.phase_at(Phase::Steps)?;
        let end = record.line_end();
        let line = Span { from, to: end.unwrap_or(record.last) };
        let seen_to_the_end = end.is_some();
        let begun = || record.steps.iter().filter(|step| step.began.is_some());
        let Some(first) = begun().filter_map(|step| step.began).min() else {
            return Some(Spans { line, seen_to_the_end, before: line, during: None, after: None });
        };
        // What is undone only after the load has ended is permanent for the time line.
        let undone = |step: &StepRecord| step.undone.filter(|at| *at < line.to).unwrap_or(first);
        // What did not converge goes on.
        let calm = |step: &StepRecord| Some(step.converged?.max(step.ended?).max(undone(step)));
        let calm = begun()
            .map(|step| calm(step).unwrap_or(line.to))
            .max()
            .unwrap_or(line.to)
            .clamp(first, line.to.max(first));
        Some(Spans {
            line,
            seen_to_the_end,
            before: Span { from, to: first },
            during: Some(Span { from: first, to: calm }),
            after: (calm < line.to).then_some(Span { from: calm, to: line.to }),
        })
    }
}
