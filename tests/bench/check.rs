//! Judging histories: linearizability of a million operations, and of one hot key; causality of
//! a million operations of two regions.
//!
//! What a person would use instead is Porcupine (Go), a search: for a million operations it
//! took 2.1 s and 516 MB, and for the hot key it had no answer after 100 s. It is not run
//! here; what is to be reached stands in the table as a bound, and is less than that.

use std::collections::VecDeque;
use std::time::Instant;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use redrill::check::{Causality, Checker, Context, Orders};
use redrill::model::Nanos;
use redrill::model::op::{Action, Op, Outcome, RegisterOp};

use crate::table::{Better, Side, Table};

const CLIENTS: u32 = 32;

pub fn run(table: &mut Table, runs: usize) -> crate::Outcome {
    let many = history(1_000_000, 10_000, 32);
    let (mut seconds, mut megabytes) = (Side::new("check::Orders"), Side::new("check::Orders"));
    for _ in 0..runs {
        let (took, peak) = judge(&Orders, &many)?;
        seconds.values.push(took);
        megabytes.values.push(peak);
    }
    drop(many);
    let what = "1,000,000 operations on 10,000 keys, judged";
    table.add(what, "s", Better::Lower, seconds, Side::bound(0.7), 1.0);
    let what = "the same: the whole process's memory, history and all";
    table.add(what, "MB", Better::Lower, megabytes, Side::bound(300.0), 1.0);

    let hot = history(100_000, 1, 20);
    let mut seconds = Side::new("check::Orders");
    for _ in 0..runs {
        seconds.values.push(judge(&Orders, &hot)?.0);
    }
    let what = "100,000 operations on one key, 20 at once, judged";
    table.add(what, "s", Better::Lower, seconds, Side::bound(1.0), 1.0);
    drop(hot);

    for (what, clients, each) in REGIONS {
        let ops = regions(1_000_000, 10_000, clients, each);
        let (mut seconds, mut megabytes) =
            (Side::new("check::Causality"), Side::new("check::Causality"));
        for _ in 0..runs {
            let (took, peak) = judge(&Causality, &ops)?;
            seconds.values.push(took);
            megabytes.values.push(peak);
        }
        table.add(what, "s", Better::Lower, seconds, Side::bound(5.0), 1.0);
        let what = "the same: the whole process's memory, history and all";
        table.add(what, "MB", Better::Lower, megabytes, Side::bound(500.0), 1.0);
    }
    Ok(())
}

/// So many clients at once, each of which does so many operations.
const REGIONS: [(&str, u32, u64); 2] = [
    ("1,000,000 operations of 300 clients in two regions: causality", 300, u64::MAX),
    ("the same of 50,000 clients, 300 at once: causality", 300, 20),
];

/// Seconds, and the most memory in MB that the process had meanwhile.
fn judge(checker: &dyn Checker, ops: &[Op]) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    // Forgets the peak of what was before.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let context = Context { whole: true, many_writers: true, ..Context::default() };
    let start = Instant::now();
    let found = checker.check(&ops, &context).map_err(|e| e.to_string())?;
    let took = start.elapsed().as_secs_f64();
    for finding in found.findings {
        if finding.verdict != redrill::model::Verdict::Pass {
            return Err(format!("a right history is accused: {}", finding.text).into());
        }
    }
    Ok((took, peak_megabytes()?))
}

fn peak_megabytes() -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kilobytes.parse::<f64>()? * 1024.0 / 1e6)
}

/// What clients see of registers that do each thing at one instant: as many operations at
/// once as `busy`, half of them writes, and one write of a thousand without an answer.
fn history(count: u64, keys: u64, busy: u32) -> Vec<Op> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut state = vec![None; keys as usize];
    let mut free: Vec<(u64, u32)> = (0..CLIENTS).map(|process| (0, process)).collect();
    let mut ops = Vec::with_capacity(count as usize);
    let mut next_process = CLIENTS;
    for n in 0..count {
        // One effect a microsecond, in the middle of an operation that lasts for `busy` of them.
        let effect = 100_000 + n * 1_000;
        let sent = effect - random.random_range(0..u64::from(busy) * 1_000 / 2);
        let done = effect + random.random_range(0..u64::from(busy) * 1_000 / 2);
        let at = free.iter().position(|(since, _)| *since < sent).unwrap_or(free.len());
        if at == free.len() {
            free.push((0, next_process));
            next_process += 1;
        }
        let process = free[at].1;
        free[at].0 = done;
        let key = random.random_range(0..keys);
        let held = &mut state[key as usize];
        let writes = random.random_range(0..2) == 0;
        let lost = writes && random.random_range(0..1_000) == 0;
        if writes {
            *held = Some(n);
        }
        if lost {
            free[at] = (0, next_process);
            next_process += 1;
        }
        let outcome = match lost {
            true => Outcome::Unknown(redrill::model::op::Cause::Timeout),
            false => Outcome::Ok,
        };
        let action = if writes { RegisterOp::Write(n) } else { RegisterOp::Read(*held) };
        let op = Op::new(key, Action::Register(action), Nanos(sent), Nanos(done));
        ops.push(Op { process, outcome, ..op });
    }
    ops
}

/// What clients see of two regions that pass writes on in order, 50 ms later, and where the last
/// writer wins, although the second one's clock is ahead by 5 ms. An operation every 100 µs.
fn regions(count: u64, keys: u64, clients: u32, each: u64) -> Vec<Op> {
    const LAG: u64 = 500;
    const AHEAD: u64 = 50;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(8);
    let mut held: [Vec<Option<(u64, u64)>>; 2] = [(); 2].map(|()| vec![None; keys as usize]);
    let mut on_the_way: VecDeque<(u64, usize, usize, (u64, u64))> = VecDeque::new();
    let mut processes: Vec<(u32, u64)> = (0..clients).map(|process| (process, 0)).collect();
    let mut next_process = clients;
    let mut ops = Vec::with_capacity(count as usize);
    for n in 0..count {
        while on_the_way.front().is_some_and(|(due, ..)| *due <= n) {
            if let Some((_, region, key, write)) = on_the_way.pop_front() {
                held[region][key] = held[region][key].max(Some(write));
            }
        }
        let client = random.random_range(0..processes.len());
        let region = client % 2;
        let (process, done) = &mut processes[client];
        if *done == each {
            (*process, *done) = (next_process, 0);
            next_process += 1;
        }
        *done += 1;
        let key = random.random_range(0..keys as usize);
        let action = if random.random_range(0..2) == 0 {
            let write = (n + AHEAD * region as u64, n);
            held[region][key] = held[region][key].max(Some(write));
            on_the_way.push_back((n + LAG, 1 - region, key, write));
            RegisterOp::Write(n)
        } else {
            RegisterOp::Read(held[region][key].map(|(_, value)| value))
        };
        let (sent, answered) = (Nanos(n * 100_000), Nanos(n * 100_000 + 90_000));
        let op = Op::new(key as u64, Action::Register(action), sent, answered);
        ops.push(Op { process: *process, ..op });
    }
    ops
}
