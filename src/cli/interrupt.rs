//! Ctrl-C and SIGTERM: once to end cleanly, twice to end at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit;

/// A token that the first signal cancels. The second one ends redrill on the
/// spot: its servers die with it, and `redrill gc` removes their files.
pub fn token() -> CancellationToken {
    let token = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        // Without the handler the signal does what it always does.
        let Ok(mut signals) = signal(kind) else { continue };
        let token = token.clone();
        tokio::spawn(async move {
            signals.recv().await;
            if token.is_cancelled() {
                std::process::exit(exit::INTERRUPTED.into());
            }
            eprintln!("redrill: ending; once more to end at once");
            token.cancel();
            signals.recv().await;
            std::process::exit(exit::INTERRUPTED.into());
        });
    }
    token
}
