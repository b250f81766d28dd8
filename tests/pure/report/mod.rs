//! Reports from run folders, which [`fixture`] makes without servers.

mod analyzed;
mod basis;
mod closed;
mod commands;
mod crashed;
mod earlier;
mod exact;
mod fixture;
mod foreign;
mod judged;
mod locks_felt;
mod logged;
mod lost;
mod order;
mod page;
mod planted;
mod read_back;
mod regions;
mod schema;
mod shown;
mod starved;
mod stranded;
mod strangers;
mod tiny;
mod torn;
mod traffic;
mod undone;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use redrill::report::{self, Report};

/// The report of `plan`, built once.
fn made(plan: &fixture::Plan) -> Report {
    static MADE: LazyLock<Mutex<HashMap<u64, Report>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    made.entry(plan.seed).or_insert_with(|| report::build(&folder(plan)).unwrap()).clone()
}

/// A folder of its own for each call, below the one that Cargo gives integration tests.
fn folder(plan: &fixture::Plan) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("report/{call}"));
    // A run before this one may have left pipes there, which would be waited for.
    if let Err(source) = std::fs::remove_dir_all(&dir) {
        assert_eq!(source.kind(), std::io::ErrorKind::NotFound, "{source}");
    }
    fixture::write(plan, &dir)
}

/// The same report as if it stood in `runs/`, for snapshots.
fn at_home(mut report: Report) -> Report {
    report.folder = PathBuf::from("runs").join(&report.id);
    report
}
