//! `just bench`: redrill beside what a person would use instead, in one run.
//!
//! Each row times both sides in turn on this machine and prints their ratio;
//! nothing fails on a slow machine. `just bench form move` runs some rows only;
//! `--runs N` repeats each row (the median counts); `--busy N` has so many loops use the machine
//! meanwhile; `--out FILE` writes JSON.

mod atomic;
mod busy;
mod caches;
mod catch_up;
mod check;
mod containers;
mod counters;
mod deadlock;
mod drill;
mod evictions;
mod failover;
mod form;
mod front;
mod haproxy;
mod lag;
mod locks;
mod moving;
mod open_loop;
mod ours;
mod overhead;
mod peer;
mod relay;
mod replicator;
mod report;
mod table;
mod throughput;

/// Run folders without servers, as tests have them.
#[allow(dead_code)]
#[path = "../pure/report/fixture.rs"]
mod fixture;

use std::process::ExitCode;

use busy::Busy;
use table::Table;

type Outcome = Result<(), Box<dyn std::error::Error>>;
/// Measures one family of rows, each so many times, into the table.
type Family = fn(&mut Table, usize) -> Outcome;

const FAMILIES: &[(&str, Family)] = &[
    ("form", form::run),
    ("move", moving::run),
    ("atomic", atomic::run),
    ("containers", containers::run),
    ("throughput", throughput::run),
    ("open-loop", open_loop::run),
    ("overhead", overhead::run),
    ("failover", failover::run),
    ("relay", relay::run),
    ("replicator", replicator::run),
    ("lag", lag::run),
    ("catch-up", catch_up::run),
    ("check", check::run),
    ("locks", locks::run),
    ("counters", counters::run),
    ("deadlock", deadlock::run),
    ("caches", caches::run),
    ("evictions", evictions::run),
    ("report", report::run),
];

struct Options {
    families: Vec<String>,
    runs: usize,
    busy: usize,
    out: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { families: Vec::new(), runs: 3, busy: 0, out: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--bench" => {} // cargo says so itself
            "--runs" => options.runs = value()?.parse().map_err(|_| "--runs needs a number")?,
            "--busy" => options.busy = value()?.parse().map_err(|_| "--busy needs a number")?,
            "--out" => options.out = Some(value()?),
            name if FAMILIES.iter().any(|(known, _)| *known == name) => options.families.push(arg),
            _ => {
                let known: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "`{arg}` is none of {}, --runs N, --busy N, --out FILE",
                    known.join(", ")
                ));
            }
        }
    }
    Ok(options)
}

impl Options {
    /// Some rows do not take the place of all.
    fn out(&self) -> String {
        let name = self.families.iter().map(|family| format!("-{family}")).collect::<String>();
        self.out.clone().unwrap_or_else(|| format!("target/bench{name}.json"))
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("bench: {why}");
            return ExitCode::from(64);
        }
    };
    let _busy = Busy::start(options.busy);
    let mut table = Table::default();
    for (name, family) in FAMILIES {
        if !options.families.is_empty() && !options.families.iter().any(|f| f == name) {
            continue;
        }
        eprintln!("bench: {name} …");
        if let Err(error) = family(&mut table, options.runs) {
            eprintln!("bench: {name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    print!("{table}");
    let out = options.out();
    if let Err(error) = std::fs::write(&out, table.json()) {
        eprintln!("bench: {out}: {error}");
        return ExitCode::FAILURE;
    }
    println!("as JSON: {out}");
    ExitCode::SUCCESS
}
