//! The runtimes of commands, and the signals that end them: the first Ctrl-C, SIGTERM or SIGHUP
//! ends redrill cleanly, and a second Ctrl-C or SIGTERM at once.

use std::fs;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Failure;
use super::play::{Refused, refuse};
use super::{exit, terminal};
use crate::log::OrLogged;

/// Runs `work` to its end on this thread.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let cannot = |error| Failure::new(exit::ENVIRONMENT, format_args!("cannot run: {error}"));
    Ok(runtime.map_err(cannot)?.block_on(work))
}

/// Runs a drill. Loads and probes have their own threads, so two workers are enough.
pub fn play<T>(work: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| refuse(exit::ENVIRONMENT, error))?.block_on(work)
}

/// A token that the first signal cancels. The second signal ends redrill at once: its servers
/// die with it, and `redrill gc` removes their files.
pub fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let hangup = (!hangups_are_ignored()).then(SignalKind::hangup);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()].into_iter().chain(hangup) {
        // Without a handler the signal has its usual effect.
        let Some(signals) = signal(kind).or_logged("heed a signal") else { continue };
        tokio::spawn(heed(signals, kind, token.clone()));
    }
    // By default, writing beyond the limit of a file's size ends the process, and not the write.
    let exceeded = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    signal(exceeded).or_logged("heed the limit of a file's size");
    token
}

/// Whether redrill was started with `nohup`: then a drill goes on when its terminal is closed.
fn hangups_are_ignored() -> bool {
    // A mask in hexadecimal. Its lowest bit is that of signal 1, SIGHUP.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

async fn heed(mut signals: Signal, kind: SignalKind, token: CancellationToken) {
    while signals.recv().await.is_some() {
        if token.is_cancelled() {
            // A closed terminal may send SIGHUP twice: through its shell and by itself.
            if kind == SignalKind::hangup() {
                continue;
            }
            terminal::clear();
            terminal::say("redrill: ended at once; `redrill gc` removes what it left");
            std::process::exit(exit::INTERRUPTED.into());
        }
        terminal::say("redrill: ending; press Ctrl-C again to end at once");
        token.cancel();
    }
}
