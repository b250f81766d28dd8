//! Ctrl-C and SIGTERM: once to end cleanly, twice to end at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{exit, terminal};

/// A token that the first signal cancels. The second one ends redrill on the
/// spot: its servers die with it, and `redrill gc` removes their files.
pub fn token() -> CancellationToken {
    let token = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        // Without the handler the signal does what it always does.
        let Ok(signals) = signal(kind) else { continue };
        tokio::spawn(heed(signals, token.clone()));
    }
    token
}

async fn heed(mut signals: Signal, token: CancellationToken) {
    while signals.recv().await.is_some() {
        if token.is_cancelled() {
            terminal::clear();
            std::process::exit(exit::INTERRUPTED.into());
        }
        terminal::say("redrill: ending; once more to end at once");
        token.cancel();
    }
}
