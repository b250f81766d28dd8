//! What was found, as findings and measures.

use crate::check::checker::{Checked, Context};
use crate::check::finding::{Examples, Zero};
use crate::model::Verdict;
use crate::model::measure::count;

use super::evidence::{Evidence, Violation};
use super::graph::Graph;
use super::judge::{Judged, judge};
use super::sweep::Limits;

/// Judges the graph and tells the result.
pub(super) fn told(mut graph: Graph, mut limits: Limits, context: &Context) -> Checked {
    let judged = judge(&mut graph, &mut limits);
    let teller = Teller {
        graph: &graph,
        judged: &judged,
        zero: context.zero,
        missing: if context.whole { 0 } else { judged.thin_air.len() },
    };
    let mut told = Checked::default();
    teller.violations(&mut told);
    teller.diverged(&mut told);
    told
}

struct Teller<'a> {
    graph: &'a Graph,
    judged: &'a Judged,
    zero: Zero,
    /// Reads of values whose writes may be among missing rows.
    missing: usize,
}

impl Teller<'_> {
    fn violations(&self, told: &mut Checked) {
        let Judged { thin_air, circles, old, beginnings, .. } = self.judged;
        let kinds = [
            (old.len(), "reads of what was known to be overwritten"),
            (beginnings.len(), "reads that missed every write to their key"),
            (thin_air.len() - self.missing, "reads of what nobody wrote"),
            (circles.len(), "circles of operations that come before themselves"),
        ];
        let wrong = kinds.iter().map(|(n, _)| n).sum();
        let all = (count(self.graph.len() as u64), count(self.graph.sessions() as u64));
        let mut text = format!(
            "{} violations of causal consistency in {} operations of {} clients",
            count(wrong as u64),
            all.0,
            all.1
        );
        let kinds: Vec<String> = kinds.iter().filter_map(|(n, what)| some(*n, what)).collect();
        if !kinds.is_empty() {
            text += &format!(": {}", kinds.join(", "));
        }
        self.tell(told, "causal.violations", (wrong, text), &self.examples());
    }

    fn diverged(&self, told: &mut Checked) {
        let knots = &self.judged.knots;
        let groups = if knots.len() == 1 { "group" } else { "groups" };
        let groups = format!("{groups} of operations on whose order clients disagree");
        let text = match some(knots.len(), &groups) {
            Some(groups) => groups,
            None => "clients can agree on one order of the writes to each key".to_owned(),
        };
        let evidence = self.evidence();
        let mut examples = Examples::counted_from(self.zero);
        for (rank, knot) in (0..).zip(knots.iter().take(Examples::MOST)) {
            evidence.show_knot(&mut examples, rank, knot);
        }
        self.tell(told, "causal.diverged", (knots.len(), text), &examples);
    }

    fn tell(
        &self,
        told: &mut Checked,
        name: &'static str,
        (wrong, mut text): (usize, String),
        examples: &Examples,
    ) {
        let unsure = self.unsure();
        unsure.iter().for_each(|why| text += &format!("; {why}"));
        let verdict = match (wrong, unsure.is_empty()) {
            (0, true) => Verdict::Pass,
            (0, false) => Verdict::Unknown,
            _ => Verdict::Fail,
        };
        told.find(name, verdict, (wrong as u64, text), examples);
        told.of_final_state(unsure.len() as u64, name, wrong as f64);
    }

    /// Why there may be more than what was found.
    fn unsure(&self) -> Vec<String> {
        let missing = some(self.missing, "reads found values whose writes are missing");
        let ambiguous = self.graph.ambiguous as usize;
        let ambiguous = some(ambiguous, "reads found values that were written more than once");
        let stopped = self.judged.stopped.map(|_| "the search was given up".to_owned());
        [missing, ambiguous, stopped].into_iter().flatten().collect()
    }

    /// The violations that were sent first.
    fn examples(&self) -> Examples {
        let Judged { thin_air, circles, old, beginnings, .. } = self.judged;
        let thin_air = thin_air.iter().map(|read| (*read, Violation::ThinAir));
        let circles = circles.iter().enumerate();
        let circles = circles.map(|(i, (group, _))| (group[0], Violation::Circle(i)));
        let old = old.iter().map(|old| (old.reader, Violation::Old(*old)));
        let beginnings = beginnings.iter();
        let beginnings = beginnings.map(|(read, known)| (*read, Violation::Beginning(*known)));
        let mut all: Vec<(u32, Violation)> =
            thin_air.chain(circles).chain(old).chain(beginnings).collect();
        all.sort_by_key(|(node, _)| (self.graph.node(*node).call.sent, *node));
        let evidence = self.evidence();
        let mut examples = Examples::counted_from(self.zero);
        for (rank, (node, violation)) in (0..).zip(all.into_iter().take(Examples::MOST)) {
            evidence.show(&mut examples, rank, node, violation);
        }
        examples
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence { graph: self.graph, judged: self.judged }
    }
}

/// `3 reads`, if there are any.
fn some(n: usize, what: &str) -> Option<String> {
    (n > 0).then(|| format!("{} {what}", count(n as u64)))
}
