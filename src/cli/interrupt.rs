//! Ctrl-C, SIGTERM and SIGHUP: once to end cleanly. Ctrl-C or SIGTERM once more: to end
//! at once.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{exit, terminal};

/// A token that the first signal cancels. The second one ends redrill on the
/// spot: its servers die with it, and `redrill gc` removes their files.
pub fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let hangup = (!hangups_are_ignored()).then(SignalKind::hangup);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()].into_iter().chain(hangup) {
        // Without the handler the signal does what it always does.
        let Ok(signals) = signal(kind) else { continue };
        tokio::spawn(heed(signals, kind, token.clone()));
    }
    token
}

/// Whether redrill was started with `nohup`: a drill goes on then when its terminal is
/// closed.
fn hangups_are_ignored() -> bool {
    // A mask in hexadecimal, whose lowest bit is that of signal 1, SIGHUP.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

async fn heed(mut signals: Signal, kind: SignalKind, token: CancellationToken) {
    while signals.recv().await.is_some() {
        if token.is_cancelled() {
            // A terminal that is closed may say so twice: by its shell and by itself.
            if kind == SignalKind::hangup() {
                continue;
            }
            terminal::clear();
            terminal::say("redrill: ended at once; `redrill gc` removes what it left");
            std::process::exit(exit::INTERRUPTED.into());
        }
        terminal::say("redrill: ending; once more to end at once");
        token.cancel();
    }
}
