//! Results that nobody handles, and why that is right.

use std::fmt::Display;
use std::panic::Location;

use tracing::info;

/// For what fails only because the receiver has ended, or because there was nothing to do. Nothing
/// needs to be done then.
pub trait OrUnheard {
    fn or_unheard(self);
}

impl<T, E> OrUnheard for Result<T, E> {
    fn or_unheard(self) {}
}

/// For what redrill can do without.
pub trait OrLogged<T> {
    /// What came of `what`, if it went well. If not, the reason is in the log.
    fn or_logged(self, what: &str) -> Option<T>;
}

impl<T, E: Display> OrLogged<T> for Result<T, E> {
    #[track_caller]
    fn or_logged(self, what: &str) -> Option<T> {
        let at = Location::caller();
        self.inspect_err(|error| info!(%error, %at, "failed to {what}")).ok()
    }
}
