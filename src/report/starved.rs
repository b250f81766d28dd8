//! When the machine was too busy for the drill: redrill itself was not run, or could not read in
//! time what nodes say of each other; or a server that was ready to run waited for a processor.
//!
//! What happens then says little of the servers. So expectations on speed that are broken, and
//! would hold without these times, are unknown, and so is what redrill could not see or do then.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::catalogue::{Better, Busy, CATALOGUE, Known};
use crate::model::{Measure, Nanos, NodeName, Unit};

use super::covered;
use super::data::{Failover, Starved, millis};
use super::doubt::Doubts;
use super::sent::Errors;
use super::span_tally::Since;
use super::spans::{Span, Spans};
use super::tally::Tally;

/// From so much of a second on, in percent, it is told that a server waited. The second counts
/// as starved as a whole: other servers may have waited in the rest of it.
const WAITED: f64 = 50.0;
/// From here on it is not told, and may still be why an answer took a quarter of a second.
const SLOWED: f64 = 25.0;
/// The same for redrill itself, in milliseconds. Of these only the time itself counts.
const BLIND: f64 = 50.0;
/// How often both are told.
const SECOND: Duration = Duration::from_secs(1);
/// From this share of a time on, what happened in it may be the effect of the starved part.
const DECIDES: f64 = 0.5;
/// A primary that was not run may be missed so long later: some time-outs are that long.
const MISSES: Duration = Duration::from_secs(5);
/// How far a time may be from what it explains.
const NEAR: Duration = Duration::from_secs(1);

/// Starved times in their order; those of redrill and those of servers overlap.
#[derive(Debug, Default)]
pub(super) struct StarvedTimes(Vec<Time>);

#[derive(Debug)]
struct Time {
    span: Span,
    /// How much of it counts.
    lost: Duration,
    who: Who,
}

#[derive(Debug, PartialEq)]
enum Who {
    /// The thread of redrill that probes. It stands for all of redrill.
    Redrill,
    /// The thread of redrill that reads views. What it says of nodes is all that it explains.
    Watcher,
    /// A server that waited for so much of the time, in percent.
    Server(NodeName, f64),
}

impl StarvedTimes {
    /// redrill was not run for so long since the last second.
    pub fn blind(&mut self, at: Nanos, blind: Duration) {
        if blind.as_secs_f64() * 1e3 >= BLIND {
            let span = Span { from: at - SECOND.max(blind), to: at };
            self.0.push(Time { span, lost: blind, who: Who::Redrill });
        }
    }

    /// The thread that reads views was behind for so long since the last second.
    pub fn behind(&mut self, at: Nanos, behind: Duration) {
        if behind.as_secs_f64() * 1e3 >= BLIND {
            let span = Span { from: at - SECOND.max(behind), to: at };
            self.0.push(Time { span, lost: behind, who: Who::Watcher });
        }
    }

    /// `node` was the server that waited longest in the last second.
    pub fn waited(&mut self, at: Nanos, node: NodeName, percent: f64) {
        if percent >= SLOWED {
            let span = Span { from: at - SECOND, to: at };
            self.0.push(Time { span, lost: SECOND, who: Who::Server(node, percent) });
        }
    }

    /// How much of `span` was starved, as far as `of` asks for it.
    fn lost(&self, span: Span, of: impl Fn(&Who) -> bool) -> Duration {
        let lost = |time: &Time| {
            let both = time.span.to.min(span.to).since(time.span.from.max(span.from));
            both.min(time.lost)
        };
        let sum = |is: fn(&Who) -> bool| {
            let times = self.0.iter().filter(|time| is(&time.who) && of(&time.who));
            times.map(lost).sum::<Duration>()
        };
        // Both threads of redrill may have been late at the same time.
        let own = sum(|who| *who == Who::Redrill).max(sum(|who| *who == Who::Watcher));
        (own + sum(|who| matches!(who, Who::Server(..)))).min(span.length())
    }

    /// What the machine kept from running, if that was at least half of the time from one instant
    /// to another; else `None`.
    pub fn decides(&self, from: Nanos, to: Nanos) -> Option<String> {
        let span = Span { from, to };
        let lost = self.lost(span, everybody);
        (!lost.is_zero() && lost >= span.length().mul_f64(DECIDES))
            .then(|| self.tell(span, everybody))
    }

    /// What was amiss around that time, as a person would say it; `None` if nothing was.
    pub fn around(&self, from: Nanos, to: Nanos) -> Option<String> {
        let span = Span { from: from - NEAR, to: to + NEAR };
        (!self.lost(span, everybody).is_zero()).then(|| self.tell(span, everybody))
    }

    /// `redrill itself was not run for 793 ms, and cache/1/0 waited …`
    fn tell(&self, span: Span, of: fn(&Who) -> bool) -> String {
        let meets =
            |time: &&Time| time.span.from < span.to && time.span.to > span.from && of(&time.who);
        let lost = |who: Who, text: &str| {
            let times = self.0.iter().filter(meets).filter(|time| time.who == who);
            let sum: Duration = times.map(|time| time.lost).sum();
            (!sum.is_zero()).then(|| format!("{text} {}", Unit::Millis.show(ms(sum))))
        };
        let waited = self.0.iter().filter(meets).filter_map(|time| match &time.who {
            Who::Server(node, percent) => Some((node, percent)),
            Who::Redrill | Who::Watcher => None,
        });
        let worst = waited.max_by(|a, b| a.1.total_cmp(b.1)).map(|(node, percent)| {
            format!("{node} stood ready for {percent:.0} % of a second with no processor free")
        });
        let own = lost(Who::Redrill, "redrill itself was not run for");
        let views = lost(Who::Watcher, "redrill was too busy to read what nodes say for");
        [own, views, worst].into_iter().flatten().collect::<Vec<_>>().join(", and ")
    }

    /// Starved times, each a second longer: an operation that met one may have failed because of
    /// it.
    pub fn met(&self) -> Vec<Span> {
        let times = self.0.iter().filter(|time| time.who != Who::Watcher);
        times.map(|time| Span { from: time.span.from, to: time.span.to + NEAR }).collect()
    }

    /// For the page's banner; `None` if there is nothing to say.
    pub fn banner(&self, line: Span) -> Option<String> {
        let lost = self.lost(line, on_load);
        let [lost_s, of] = [lost, line.length()].map(|time| time.as_secs_f64());
        (!lost.is_zero()).then(|| {
            format!(
                "The machine was too busy for {lost_s:.1} s of the load's {of:.0} s: {}. Figures \
                 of these times are not the servers' alone.",
                self.tell(line, on_load)
            )
        })
    }

    pub fn list(&self) -> Vec<Starved> {
        let row = |time: &Time| {
            let (node, waited_percent) = match &time.who {
                Who::Server(node, percent) => (Some(node.clone()), Some(*percent)),
                Who::Redrill | Who::Watcher => (None, None),
            };
            let [from_ms, to_ms] = [time.span.from, time.span.to].map(millis);
            Starved { from_ms, to_ms, lost_ms: ms(time.lost), node, waited_percent }
        };
        self.0.iter().filter(|time| on_load(&time.who)).map(row).collect()
    }

    /// Adds what the measures of speed could have been without these times.
    pub fn widen(
        &self,
        doubts: &mut Doubts,
        seen: &Seen<'_>,
        measures: &BTreeMap<String, Measure>,
    ) {
        for known in CATALOGUE.iter().filter(|known| known.busy() != Busy::Spares) {
            let Some(measure) = measures.get(known.name) else { continue };
            if known.busy() == Busy::Carried {
                let told = measure.value.or(measure.at_least).filter(|_| seen.carried_late);
                let range = told.map(|value| match known.better {
                    // The share of keys that are alike, in percent.
                    Better::Higher => [value, 100.0],
                    Better::Lower | Better::Neither => [0.0, value],
                });
                widened(doubts, known, range);
                continue;
            }
            let Some(span) = covered::span(known, measure, seen.spans, seen.failovers) else {
                continue;
            };
            let of_single_answers = matches!(known.busy(), Busy::MayBeAll | Busy::Errors);
            let lost = self.lost(span, |who| match who {
                Who::Server(..) => of_single_answers || everybody(who),
                Who::Redrill => !known.knows_own_lateness,
                Who::Watcher => known.of_views,
            });
            let without = match (measure.value, measure.at_least) {
                (Some(value), _) if known.busy() == Busy::Failovers => {
                    self.without_failovers(value, seen, (lost, span.length()))
                }
                (Some(value), _) => without(known, value, seen, (lost, span.length())),
                (None, Some(least)) if known.unit == Unit::Millis => {
                    [least - ms(lost), f64::INFINITY]
                }
                (None, _) => continue,
            };
            // An operation that met a starved time may be of the second after it, too.
            let is_apart = seen.apart.contains_key(known.name) || known.busy() == Busy::Errors;
            let from = if is_apart { span.from - NEAR } else { span.from };
            let any = is_apart && !self.lost(Span { from, ..span }, on_answers).is_zero();
            widened(doubts, known, Some(without).filter(|_| any || !lost.is_zero()));
        }
    }

    /// Those that a starved time came shortly before may be due to it. If half of the time was
    /// starved, nobody may have had the time to replace a primary.
    fn without_failovers(
        &self,
        value: f64,
        seen: &Seen<'_>,
        (lost, of): (Duration, Duration),
    ) -> [f64; 2] {
        let at = |ms: f64| Nanos((ms * 1e6) as u64);
        let excused = seen.failovers.iter().filter(|one| {
            let Some(elected) = one.elected_ms.filter(|_| one.to.is_some()) else { return false };
            let from = at(one.suspected_ms.unwrap_or(elected)) - MISSES;
            !self.lost(Span { from, to: at(elected) }, everybody).is_zero()
        });
        let most = if lost >= of.mul_f64(DECIDES) { value + 1.0 } else { value };
        [value - excused.count() as f64, most]
    }
}

/// What else is known of a drill, where a busy machine may explain a measure.
pub(super) struct Seen<'a> {
    pub spans: &'a Spans,
    pub tally: Option<&'a Tally>,
    /// Measures of the operations that met no starved time.
    pub apart: &'a BTreeMap<&'static str, f64>,
    pub failovers: &'a [Failover],
    /// What groups held at the end was compared before all was carried, as nobody had the time.
    pub carried_late: bool,
    /// Replicators may change the order of writes.
    pub out_of_order: bool,
}

/// Says of a measure that it could have been anything in the range, if there is one.
fn widened(doubts: &mut Doubts, known: &Known, range: Option<[f64; 2]>) {
    if let Some([least, most]) = range {
        doubts.entry(known.name).or_default().starved = Some([least.max(0.0), most]);
    }
}

/// But for servers that waited so little that only latency can be due to it.
fn everybody(who: &Who) -> bool {
    !matches!(who, Who::Server(_, percent) if *percent < WAITED)
}

/// Whoever can have an effect on a single operation.
fn on_answers(who: &Who) -> bool {
    *who != Who::Watcher
}

/// Whoever can have an effect on operations.
fn on_load(who: &Who) -> bool {
    *who != Who::Watcher && everybody(who)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The best and the worst that a measure of speed could have been without the `lost` part of
/// its time.
fn without(
    known: &Known,
    value: f64,
    seen: &Seen<'_>,
    (lost, of): (Duration, Duration),
) -> [f64; 2] {
    let tally = seen.tally;
    let share = (lost.as_secs_f64() / of.as_secs_f64()).min(1.0);
    let percent = share * 100.0;
    let [least, most] = match known.busy() {
        // What was not carried in time was told apart.
        Busy::Spares | Busy::Carried => [value, value],
        Busy::Disorders if !seen.out_of_order => [value, value],
        Busy::Lengthens => [value - ms(lost), value],
        Busy::Counts => [value, value],
        Busy::Slows => [value, value / (1.0 - share)],
        Busy::Lowers | Busy::Disorders => [value, (value + percent).min(100.0)],
        Busy::Raises => [value - percent, value],
        // What was slow then may have been fast, and then another operation is the slow one.
        Busy::Quantile => {
            [tally.and_then(|tally| quantile(known, tally, share)).unwrap_or(0.0), value]
        }
        Busy::Errors => {
            let of_servers = tally.map(|tally| tally.errors(Errors::OfServers));
            let least = of_servers.into_iter().flatten().find(|(name, _)| *name == known.name);
            [least.and_then(|(_, value)| value).unwrap_or(value), value]
        }
        Busy::Failovers => [0.0, value],
        Busy::MayBeAll if known.better == Better::Higher => [value, 100.0],
        Busy::MayBeAll => [seen.apart.get(known.name).copied().unwrap_or(0.0), value],
    };
    [
        least,
        if known.busy() == Busy::Spares { most } else { most.max(at_most(known, value, share)) },
    ]
}

/// How much more there could have been of what is counted.
fn at_most(known: &Known, value: f64, share: f64) -> f64 {
    match known.unit {
        Unit::Count if share >= DECIDES => f64::INFINITY,
        Unit::Count => value / (1.0 - share),
        _ => value,
    }
}

/// The quantile that is left if the slowest `share` of its span's operations had been fast.
pub(super) fn quantile(known: &Known, tally: &Tally, share: f64) -> Option<f64> {
    let (q, when) = known.quantile()?;
    (share < q).then(|| tally.band(when)?.quantile(Since::Intended, q - share))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    fn span(from: u64, to: u64) -> Span {
        Span { from: at(from), to: at(to) }
    }

    const SPANS: Spans = Spans {
        line: Span { from: Nanos(0), to: Nanos(10_000_000_000) },
        seen_to_the_end: true,
        before: Span { from: Nanos(0), to: Nanos(1_000_000_000) },
        during: None,
        after: None,
    };

    fn seen(failovers: &[Failover]) -> Seen<'_> {
        static APART: BTreeMap<&str, f64> = BTreeMap::new();
        let (carried_late, out_of_order) = (false, false);
        Seen { spans: &SPANS, tally: None, apart: &APART, failovers, carried_late, out_of_order }
    }

    fn times() -> StarvedTimes {
        let mut times = StarvedTimes::default();
        times.blind(at(2_000), Duration::from_millis(49));
        times.waited(at(2_000), NodeName::new("c", 0, 0), 49.0);
        times.blind(at(5_000), Duration::from_millis(300));
        times.waited(at(8_000), NodeName::new("c", 0, 1), 80.0);
        times.waited(at(9_000), NodeName::new("c", 0, 2), 60.0);
        times
    }

    #[test]
    fn the_starved_part_of_a_span_is_known() {
        let times = times();
        assert_eq!(times.lost(span(0, 4_000), everybody), Duration::ZERO, "little is ordinary");
        assert_eq!(times.lost(span(0, 10_000), everybody), Duration::from_millis(2_300));
        assert_eq!(times.lost(span(7_500, 7_600), everybody), Duration::from_millis(100));
        assert_eq!(times.lost(span(4_900, 5_500), everybody), Duration::from_millis(100));
    }

    #[test]
    fn a_watcher_that_is_behind_explains_what_nodes_say_and_no_latency() {
        let mut times = StarvedTimes::default();
        times.behind(at(1_000), Duration::from_millis(49));
        times.behind(at(2_000), Duration::from_millis(900));
        times.blind(at(2_000), Duration::from_millis(300));
        let told = times.decides(at(1_000), at(2_000)).unwrap();
        let words = "redrill itself was not run for 300 ms, and redrill was too busy to read what \
                     nodes say for 900 ms";
        assert_eq!(told, words);
        let lost = |of: fn(&Who) -> bool| times.lost(span(0, 2_000), of).as_millis();
        assert_eq!((lost(everybody), lost(on_load)), (900, 300), "the same time counts once");
        assert_eq!((times.met().len(), times.list().len()), (1, 1));
        assert!(!times.banner(span(0, 2_000)).unwrap().contains("nodes say"));
    }

    #[test]
    fn a_server_that_waited_for_a_quarter_of_a_second_may_have_been_slow_and_not_down() {
        let told = |value| Measure { value: Some(value), at_least: None, unit: Unit::Millis };
        let measures = ["latency.p99.worst", "load.downtime.max"];
        let measures: BTreeMap<_, _> =
            measures.map(|name| (name.to_owned(), told(511.0))).into_iter().collect();
        let mut times = StarvedTimes::default();
        times.waited(at(8_000), NodeName::new("c", 0, 1), 40.0);
        let mut doubts = Doubts::new();
        times.widen(&mut doubts, &seen(&[]), &measures);
        let doubt = |name: &str| doubts.get(name).and_then(|doubt| doubt.starved);
        assert_eq!(doubt("latency.p99.worst"), Some([0.0, 511.0]));
        assert_eq!(doubt("load.downtime.max"), None);
        assert!(times.banner(span(0, 10_000)).is_none() && times.list().is_empty());
        assert_eq!(times.met().len(), 1);
    }

    #[test]
    fn what_was_not_over_in_the_end_is_not_excused_by_what_was_before_it() {
        let open = Measure { value: None, at_least: Some(4_000.0), unit: Unit::Millis };
        let measures = BTreeMap::from([("load.recovered".to_owned(), open)]);
        let doubt = |at_ms: u64| {
            let mut times = StarvedTimes::default();
            times.blind(at(at_ms), Duration::from_secs(3));
            let mut doubts = Doubts::new();
            times.widen(&mut doubts, &seen(&[]), &measures);
            doubts.get("load.recovered").and_then(|doubt| doubt.starved)
        };
        assert_eq!(doubt(5_000), None);
        assert_eq!(doubt(9_000), Some([1_000.0, f64::INFINITY]));
    }

    #[test]
    fn a_share_of_all_writes_is_of_the_whole_line() {
        let (line, during) = (span(0, 10_000), span(1_000, 4_000));
        let seen_to_the_end = true;
        let spans =
            Spans { line, seen_to_the_end, before: line, during: Some(during), after: None };
        let told = Measure { value: Some(500.0), at_least: None, unit: Unit::Millis };
        let known = |name| crate::model::catalogue::known(name).unwrap();
        let of = |name| covered::span(known(name), &told, &spans, &[]).unwrap();
        assert_eq!((of("writes.lost.share"), of("convergence")), (line, during));
        assert_eq!(of("load.recovered"), span(1_000, 10_000), "it may come back later than nodes");
        assert_eq!(of("rpo").from, at(500), "what was lost may be older than the first fault");
    }

    #[test]
    fn each_measure_is_excused_in_its_own_way() {
        let of = |name, value| {
            let known = crate::model::catalogue::known(name).unwrap();
            without(known, value, &seen(&[]), (Duration::from_secs(2), Duration::from_secs(10)))
        };
        assert_eq!(of("crashes", 1.0), [1.0, 1.0], "the machine ends no server");
        assert_eq!(of("convergence", 5_000.0), [3_000.0, 5_000.0]);
        assert_eq!(of("throughput.during", 800.0), [800.0, 1_000.0]);
        assert_eq!(of("schedule.held", 75.0), [75.0, 95.0]);
        assert_eq!(of("writes.lost.share", 30.0), [10.0, 30.0]);
        assert_eq!(of("latency.p99.worst", 900.0), [0.0, 900.0]);
        assert_eq!(of("errors.total", 7.0), [7.0, 8.75], "no error met a starved time");
        assert_eq!(of("writes.acknowledged", 80.0), [80.0, 100.0]);
        assert_eq!(of("writes.lost", 8.0), [8.0, 10.0], "what is lost is lost");
        assert_eq!(of("cache.hits", 80.0), [80.0, 100.0]);
    }

    #[test]
    fn a_starved_machine_may_cause_a_failover_soon_after_and_seldom_prevents_one() {
        let times = times();
        let without = |elected: f64, (lost, of): (u64, u64)| {
            let failover = Failover {
                elected_ms: Some(elected),
                to: Some(NodeName::new("c", 0, 1)),
                ..Failover::default()
            };
            let (lost, of) = (Duration::from_secs(lost), Duration::from_secs(of));
            times.without_failovers(1.0, &seen(&[failover]), (lost, of))
        };
        assert_eq!(without(6_000.0, (2, 10)), [0.0, 1.0]);
        assert_eq!(without(3_000.0, (2, 10)), [1.0, 1.0], "it was before");
        assert_eq!(without(20_000.0, (2, 10)), [1.0, 1.0], "it was long after");
        assert_eq!(without(3_000.0, (6, 10)), [1.0, 2.0]);
    }

    #[test]
    fn what_it_decides_is_told_with_the_worst_of_it() {
        let times = times();
        let told = times.decides(at(4_500), at(9_000)).unwrap();
        let words = "redrill itself was not run for 300 ms, and c/0/1 stood ready for 80 % of a \
                     second with no processor free";
        assert_eq!(told, words);
        assert_eq!(times.decides(at(0), at(10_000)), None, "there was time for all");
        assert_eq!(times.decides(at(0), at(4_000)), None);
        assert_eq!(times.around(at(4_500), at(4_600)).unwrap(), words[..37]);
        assert_eq!(times.around(at(1_000), at(2_000)), None);
    }
}
