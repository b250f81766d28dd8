//! Ctrl-C, SIGTERM and SIGHUP: the first one ends redrill cleanly. A second Ctrl-C or SIGTERM
//! ends it at once.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{exit, terminal};

/// A token that the first signal cancels. The second signal ends redrill at once: its servers
/// die with it, and `redrill gc` removes their files.
pub fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let hangup = (!hangups_are_ignored()).then(SignalKind::hangup);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()].into_iter().chain(hangup) {
        // Without a handler the signal has its usual effect.
        let Ok(signals) = signal(kind) else { continue };
        tokio::spawn(heed(signals, kind, token.clone()));
    }
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
