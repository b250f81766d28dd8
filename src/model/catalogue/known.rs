//! What can be said of a measure in its row of the catalogue.

use crate::model::measure::Unit;
use crate::model::workload::Workload;

/// A row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub name: &'static str,
    pub unit: Unit,
    pub better: Better,
    /// Without one of these there is no such measure.
    pub needs: &'static [Need],
    /// What it is, for a person.
    pub about: &'static str,
    /// What to do where it could not be told.
    pub advice: &'static str,
    /// Whether it is shown where several runs stand side by side.
    pub side_by_side: bool,
    /// The kind of the findings that it counts. They fail a drill, unless the scenario has the
    /// measure in `reported`, or bounds it.
    pub finding: Option<&'static str>,
    /// It is to come to an end while the load goes on: if it does not, no bound on it holds.
    pub must_end: bool,
    /// What a busy machine does to it, if that does not follow from its unit.
    pub(super) busy: Option<Busy>,
    /// Its own range says what redrill's lateness can have changed. (That of a latency knows how
    /// late operations were sent, and not how late their answers were read.)
    pub knows_own_lateness: bool,
    /// It is worked out from what nodes say of each other.
    pub of_views: bool,
    /// The measure that counts findings, of which this is the share.
    pub share_of: Option<&'static str>,
    /// The span of a drill that it covers. Starved time within it may explain the measure, and
    /// starved time outside of it explains nothing.
    pub covers: Covers,
    /// How it is shown among the few figures that a reader sees first.
    pub headline: Option<Headline>,
    /// Its row and column in the table of latency. The spans of a row are shown beside its key
    /// figure too.
    pub cell: Option<(&'static str, When)>,
    /// The head of its column where a suite lists its drills.
    pub in_suite: Option<&'static str>,
}

/// The part of the time line that a measure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before,
    During,
    After,
    WorstSecond,
}

impl When {
    pub const SPANS: [When; 3] = [When::Before, When::During, When::After];

    pub fn name(self) -> &'static str {
        match self {
            When::Before => "before",
            When::During => "during",
            When::After => "after",
            When::WorstSecond => "worst second",
        }
    }
}

/// The span of a drill that a measure covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// Before the load: nobody looks for starved time then.
    Forming,
    /// From the load's start to its end.
    Throughout,
    /// From the load's start to the first step's start.
    BeforeSteps,
    /// From the first step's start until convergence; the whole load if there is no step.
    Steps,
    /// From convergence to the load's end.
    AfterSteps,
    /// From the first step's start to the load's end: it may go on long after the nodes have
    /// converged.
    SinceSteps,
    /// From the first failover's beginning until the last one is over; as [`Covers::SinceSteps`]
    /// if there was none.
    Failures,
    /// The failovers, and before them as much time as the measure says that was lost.
    Losses,
    /// From the load's end on.
    Afterwards,
}

/// What a busy machine does to a measure: how much of it may be the machine's. Starved time is
/// time in which redrill or a server was not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Nothing: the machine has no part in it.
    Spares,
    /// A count of what was done: there is no less without starved time, and there may have been more
    /// in proportion, or any number if at least half of the time was starved. (This is true of
    /// counts that something else is said of, too.)
    Counts,
    /// A time: the starved part of it may be the machine's.
    Lengthens,
    /// A rate: it may have been that of the other time.
    Slows,
    /// A share that may have been higher, by the starved share of the time.
    Lowers,
    /// A share that may have been lower, by the starved share of the time.
    Raises,
    /// A percentile: the slowest operations may have been fast, as many as the starved share.
    Quantile,
    /// Errors: those that met starved time.
    Errors,
    /// A primary that was not run was missed; or nobody had the time to replace one.
    Failovers,
    /// A worst window, or an extreme: all of it.
    MayBeAll,
    /// Keys that groups have alike, or not, at the end: all of it if they were read before
    /// everything was carried, because nobody had the time for that; else nothing.
    Carried,
    /// A share of keys that groups have alike: where replicators keep no order, what is late may
    /// look different. It may have been higher by the starved share of the time; else nothing.
    Disorders,
}

/// Which way a measure gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
    /// It only says how much there was, or speaks of the machine and not of the servers.
    Neither,
}

/// A key figure. In its notes `{NAME}` stands for another measure's value; a note with
/// `{NAME?}` is left out where that is 0 or not known. Other holes are words of the report's
/// (`report/figures.rs`), which may be left out as well.
#[derive(Clone, Copy, Debug)]
pub struct Headline {
    pub title: &'static str,
    pub notes: &'static [&'static str],
    /// It is left out in a drill that has this measure.
    pub unless: Option<&'static str>,
    /// It is left out where there is nothing of it; whatever there is, is wrong.
    pub if_any: bool,
    /// It is left out where it has no value: there was nothing of the kind to measure.
    pub if_known: bool,
}

/// What a drill must have for a measure to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Load,
    /// At least one step in the timeline.
    Step,
    /// A step that moves slots.
    Moves,
    /// A step after which a replica may become primary.
    MayFailOver,
    /// A group with replicas.
    Replicas,
    /// A load on registers: `register` or `cas`.
    Registers,
    /// A load whose writes may be lost: registers, or sets.
    Writes,
    Workload(Workload),
    /// A load that waits for replicas.
    Wait,
    /// A group of several shards.
    Shards,
    /// A second of load before the first step.
    Baseline,
    /// Loads whose rates are always the same.
    Steady,
    /// A load at a rate, whatever its clients are answered.
    Scheduled,
    /// A load whose client tells of redirects.
    SeesRedirects,
    /// A link between regions.
    Links,
    /// A group that may take the writes of another one: its copy, or a fallback.
    Successor,
    /// Groups that have the same data.
    Synced,
    /// A load on groups that all take writes.
    ActiveActive,
    /// Such a load whose writes redrill's own replicators carry.
    OwnReplicators,
    /// A load whose instances have a memory of their own.
    Near,
    /// A load whose sessions take several locks each.
    SeveralLocks,
    /// A load whose locks hand out numbers.
    Fenced,
    /// A load some of whose holders never give their locks back.
    Abandoned,
    /// A cache with a circuit breaker.
    Guarded,
    /// A step that warms a cache.
    Warms,
    /// A load whose keys are there for a time only.
    Expires,
}

/// What a drill has: made from a scenario, or from a run's record.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScenarioFacts<'a> {
    /// One for each load.
    pub workloads: &'a [Workload],
    pub waits: bool,
    pub sees_redirects: bool,
    pub steps: bool,
    pub moves: bool,
    pub may_fail_over: bool,
    pub replicas: bool,
    pub shards: bool,
    pub baseline: bool,
    pub steady: bool,
    pub scheduled: bool,
    pub links: bool,
    pub synced: bool,
    pub successor: bool,
    pub active_active: bool,
    pub own_replicators: bool,
    pub near: bool,
    pub several_locks: bool,
    pub fenced: bool,
    pub abandoned: bool,
    pub guarded: bool,
    pub warms: bool,
}

impl Need {
    pub fn is_met(self, facts: &ScenarioFacts) -> bool {
        let any = |is: &dyn Fn(Workload) -> bool| facts.workloads.iter().any(|w| is(*w));
        match self {
            Need::Load => any(&|_| true),
            Need::Step => facts.steps,
            Need::Moves => facts.moves,
            Need::MayFailOver => facts.may_fail_over,
            Need::Replicas => facts.replicas,
            Need::Registers => any(&Workload::has_registers),
            Need::Writes => any(&|workload| workload.has_registers() || workload == Workload::Set),
            Need::Workload(wanted) => any(&|workload| workload == wanted),
            Need::Wait => facts.waits,
            Need::Shards => facts.shards,
            Need::Baseline => facts.baseline,
            Need::Steady => facts.steady,
            Need::Scheduled => facts.scheduled,
            Need::SeesRedirects => facts.sees_redirects,
            Need::Links => facts.links,
            Need::Successor => facts.successor,
            Need::Synced => facts.synced,
            Need::ActiveActive => facts.active_active,
            Need::OwnReplicators => facts.own_replicators,
            Need::Near => facts.near,
            Need::SeveralLocks => facts.several_locks,
            Need::Fenced => facts.fenced,
            Need::Abandoned => facts.abandoned,
            Need::Guarded => facts.guarded,
            Need::Warms => facts.warms,
            Need::Expires => any(&Workload::expires),
        }
    }
}

impl Known {
    /// The first thing that is missing for this measure to exist; `None` if nothing is.
    pub fn lacks(&self, facts: &ScenarioFacts) -> Option<Need> {
        self.needs.iter().copied().find(|need| !need.is_met(facts))
    }

    /// What a busy machine does to it.
    pub fn busy(&self) -> Busy {
        let of_registers = self.needs.contains(&Need::Registers);
        match (self.busy, self.unit, self.better) {
            (Some(busy), ..) => busy,
            (None, Unit::Count, _) => Busy::Counts,
            (None, Unit::Millis, Better::Neither) => Busy::MayBeAll,
            (None, _, Better::Neither) => Busy::Slows,
            _ if of_registers => Busy::Spares,
            (None, Unit::Millis, _) if self.cell.is_some() => Busy::Quantile,
            (None, Unit::Millis, _) => Busy::Lengthens,
            (None, Unit::PerSecond, _) => Busy::Slows,
            (None, Unit::Percent, Better::Higher) => Busy::Lowers,
            (None, Unit::Percent, Better::Lower) => Busy::MayBeAll,
            (None, Unit::Bytes | Unit::BytesPerSecond, _) => Busy::Spares,
        }
    }

    /// Which quantile of its span's latencies it is, and of which span; `None` if it is no such
    /// figure.
    pub fn quantile(&self) -> Option<(f64, When)> {
        let (row, when) = self.cell.filter(|(_, when)| *when != When::WorstSecond)?;
        let percent: f64 = row.strip_prefix('p')?.parse().ok()?;
        Some((percent / 100.0, when))
    }

    /// The workload of the loads for each of which it is told as well; none if it is told for all
    /// loads together only.
    pub fn of_each(&self) -> Option<Workload> {
        self.needs.iter().find_map(|need| match need {
            Need::Workload(workload) => Some(*workload),
            _ => None,
        })
    }

    pub(super) const fn side_by_side(mut self) -> Known {
        self.side_by_side = true;
        self
    }

    pub(super) const fn busy_does(mut self, busy: Busy) -> Known {
        self.busy = Some(busy);
        self
    }

    pub(super) const fn knows_own_lateness(mut self) -> Known {
        self.knows_own_lateness = true;
        self
    }

    pub(super) const fn of_views(mut self) -> Known {
        self.of_views = true;
        self
    }

    pub(super) const fn share_of(mut self, other: &'static str) -> Known {
        self.share_of = Some(other);
        self
    }

    pub(super) const fn of(self, when: When) -> Known {
        self.covers(match when {
            When::Before => Covers::BeforeSteps,
            When::During | When::WorstSecond => Covers::Steps,
            When::After => Covers::AfterSteps,
        })
    }

    pub(super) const fn covers(mut self, covers: Covers) -> Known {
        self.covers = covers;
        self
    }

    pub(super) const fn must_end(mut self) -> Known {
        self.must_end = true;
        self
    }

    pub(super) const fn finding(mut self, kind: &'static str) -> Known {
        self.finding = Some(kind);
        self
    }

    pub(super) const fn headline(
        mut self,
        title: &'static str,
        notes: &'static [&'static str],
    ) -> Known {
        self.headline =
            Some(Headline { title, notes, unless: None, if_any: false, if_known: false });
        self
    }

    pub(super) const fn cell(mut self, row: &'static str, when: When) -> Known {
        self.cell = Some((row, when));
        self.of(when)
    }

    pub(super) const fn in_suite(mut self, head: &'static str) -> Known {
        self.in_suite = Some(head);
        self
    }

    pub(super) const fn if_any(mut self) -> Known {
        if let Some(headline) = &mut self.headline {
            headline.if_any = true;
        }
        self
    }

    pub(super) const fn if_known(mut self) -> Known {
        if let Some(headline) = &mut self.headline {
            headline.if_known = true;
        }
        self
    }

    pub(super) const fn unless(mut self, other: &'static str) -> Known {
        if let Some(headline) = &mut self.headline {
            headline.unless = Some(other);
        }
        self
    }
}
