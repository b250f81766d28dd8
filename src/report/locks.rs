//! The tables of locks: what those of each load were like, and what was wrong under each step.

use crate::check::{LockFigures, LocksOfStep, LocksWrong};
use crate::model::Unit;

use super::data::{Load, Report, Step};
use super::table::{Cell, Column, NOTHING, Table};

fn of_locks(r: &Report) -> impl Iterator<Item = (&Load, &LockFigures)> {
    r.loads.iter().filter_map(|load| Some((load, load.locks.as_ref()?)))
}

/// Of steps that began at once, so many are named.
const SHOWN: usize = 3;

/// A row for each load that takes locks.
pub(super) fn by_load(r: &Report) -> Table {
    let mut columns = vec![Column::text("locks of")];
    columns.extend(["acquired", "a second"].map(Column::figure));
    columns.push(Column::figure("p50").wide());
    columns.push(Column::figure("p99"));
    columns.extend(["in vain", "commands each"].map(|head| Column::figure(head).wide()));
    columns.push(Column::figure("held twice"));
    columns.push(Column::figure("perhaps twice").wide());
    columns.extend(["updates lost", "refused"].map(Column::figure));
    let row = |(load, f): (&Load, &LockFigures)| {
        let LocksWrong { overlaps, possible, lost, caught } = f.wrong;
        let mut row = vec![
            Cell::from(&*load.name),
            Cell::count(Some(f.acquired)),
            Cell::figure(f.per_second, Unit::PerSecond, 1),
            Cell::figure(f.acquire_p50_ms, Unit::Millis, 3),
            Cell::figure(f.acquire_p99_ms, Unit::Millis, 3),
            Cell::count(Some(f.in_vain)),
            Cell::from(f.commands.map_or(NOTHING.to_owned(), |n| format!("{n:.1}"))),
        ];
        row.extend([overlaps, possible, lost, caught].map(|n| Cell::count(Some(n))));
        row
    };
    Table { columns, rows: of_locks(r).map(row).collect() }
}

/// A row for each step, a column for each load; nothing if nothing was wrong.
pub(super) fn by_step(r: &Report) -> Table {
    let mut columns = vec![Column::sentence("since this step")];
    columns.extend(of_locks(r).map(|(load, _)| Column::text(&*load.name)));
    let any = of_locks(r).any(|(_, f)| !f.by_step.is_empty());
    let steps: Vec<(usize, &Step)> = r.steps.iter().enumerate().filter(|_| any).collect();
    // What began at once is told of the first one.
    let at_once = steps.chunk_by(|(_, a), (_, b)| a.planned_ms == b.planned_ms);
    let row = |steps: &[(usize, &Step)]| {
        let of = |f: &LockFigures| {
            let is_of = |one: &&LocksOfStep| steps.iter().any(|(index, _)| *index == one.step);
            let found = f.by_step.iter().find(is_of);
            Cell::from(found.map_or(NOTHING.to_owned(), |one| told(one.wrong)))
        };
        let texts = steps.iter().take(SHOWN).map(|(_, step)| &*step.text);
        let shown = texts.collect::<Vec<_>>().join("; ");
        let first = Cell::from(match steps.len().saturating_sub(SHOWN) {
            0 => shown,
            more => format!("{shown}; and {more} more"),
        });
        [first].into_iter().chain(of_locks(r).map(|(_, f)| of(f))).collect()
    };
    Table { columns, rows: at_once.map(row).collect() }
}

/// `3 held twice, 2 updates lost`.
fn told(wrong: LocksWrong) -> String {
    let LocksWrong { overlaps, possible, lost, caught } = wrong;
    let all = [
        (overlaps, "held twice"),
        (possible, "perhaps held twice"),
        (lost, "updates lost"),
        (caught, "refused"),
    ];
    let some = all.into_iter().filter(|(n, _)| *n > 0);
    some.map(|(n, what)| format!("{n} {what}")).collect::<Vec<_>>().join(", ")
}
