//! What the checkers say of a run's history. Which of them are asked, the workloads of its
//! loads decide.

use std::path::Path;

use crate::check::{self, CountedFrom, Delivery, Finding, OverTime, Sides};
use crate::load::history::{self, HistoryError};
use crate::model::event::DrillInfo;
use crate::model::op::Op;
use crate::model::{Nanos, Verdict, Workload};

use super::series::EVERY;

/// Of each workload that a load had.
#[derive(Default)]
pub(super) struct Checks {
    pub registers: Option<Registers>,
    pub counters: Option<check::Counters>,
    pub sets: Option<check::Sets>,
    pub queues: Option<check::Queues>,
    pub streams: Option<check::Queues>,
    /// Nothing of the history is missing.
    pub whole: bool,
    pub findings: Vec<Finding>,
}

pub(super) struct Registers {
    pub lost: check::LostWrites,
    pub stale: check::StaleReads,
    pub orders: check::Orders,
}

impl Checks {
    /// Of each window of the load of this `index`, how many writes that were acknowledged in it
    /// are lost; empty where that is not known.
    pub fn lost_over_time(&self, index: usize) -> &[u64] {
        let known = |found: &&Registers| found.lost.verdict() != Verdict::Unknown;
        let registers = self.registers.as_ref().filter(known);
        registers.map_or(&[], |found| found.lost.over_time.counts(index))
    }

    /// Sentences count from `zero`, the load's start; `begins` are those of each load's windows.
    pub fn read(
        path: &Path,
        whole: bool,
        (info, zero): (&DrillInfo, Nanos),
        sides: &Sides,
        begins: Vec<Vec<Nanos>>,
    ) -> Result<Checks, HistoryError> {
        let loads: Vec<Workload> = info.loads.iter().map(|load| load.workload).collect();
        let has = |is: fn(Workload) -> bool| loads.iter().any(|workload| is(*workload));
        let mut checks = Checks { whole, ..Checks::default() };
        if has(Workload::has_registers) {
            let judged = |(begins, workload): (_, &Workload)| match workload.has_registers() {
                true => begins,
                false => Vec::new(),
            };
            let begins = begins.into_iter().zip(&loads).map(judged).collect();
            let rows = of(path, (&loads, zero), Workload::has_registers);
            checks.registers(&rows, sides, OverTime::new(EVERY, begins))?;
        }
        if has(|workload| workload == Workload::Counter) {
            let found = check::counters(&of(path, (&loads, zero), |w| w == Workload::Counter))?;
            checks.findings.push(found.finding());
            checks.counters = Some(found);
        }
        if has(|workload| workload == Workload::Set) {
            let found = check::sets(&of(path, (&loads, zero), |w| w == Workload::Set))?;
            checks.findings.push(found.finding());
            checks.sets = Some(found);
        }
        if has(|workload| workload == Workload::Queue) {
            let rows = of(path, (&loads, zero), |w| w == Workload::Queue);
            let found = check::queues(&rows, Delivery::AtMostOnce)?;
            checks.findings.push(found.finding());
            checks.queues = Some(found);
        }
        if has(|workload| workload == Workload::Stream) {
            let rows = of(path, (&loads, zero), |w| w == Workload::Stream);
            let found = check::queues(&rows, Delivery::AtLeastOnce)?;
            checks.findings.push(found.finding());
            checks.streams = Some(found);
        }
        Ok(checks)
    }

    fn registers(
        &mut self,
        rows: &impl check::History<Error = HistoryError>,
        sides: &Sides,
        over_time: OverTime,
    ) -> Result<(), HistoryError> {
        let whole = self.whole;
        let lost = check::lost_writes_beside(rows, sides, over_time)?;
        let stale = check::stale_reads(rows)?;
        let orders = check::orders(rows)?;
        self.findings.extend(lost.findings(whole));
        self.findings.extend(stale.findings(whole));
        self.findings.push(orders.linearizable.finding(whole));
        self.findings.extend(orders.sessions.findings());
        self.registers = Some(Registers { lost, stale, orders });
        Ok(())
    }
}

/// The rows of loads whose workload `is` one that is looked for.
fn of<'a>(
    path: &'a Path,
    (loads, zero): (&'a [Workload], Nanos),
    is: fn(Workload) -> bool,
) -> impl check::History<Error = HistoryError> {
    let rows = move || {
        let wanted = move |row: &Result<Op, HistoryError>| match row {
            Ok(op) => loads.get(usize::from(op.load)).is_some_and(|workload| is(*workload)),
            Err(_) => true,
        };
        Ok::<_, HistoryError>(history::read(path)?.of_loads(loads).filter(wanted))
    };
    CountedFrom { zero, rows }
}
