//! What to do about what could not be told: every reason of an `unknown` verdict says so.

/// About a finding that no measure counts: a value that nobody can have written.
pub(super) const WHOLE: &str = "let the drill come to its end, so that its history is whole";

/// About figures that redrill itself can have moved.
pub(super) const BUSY: &str = "run it on an idle machine, or with a lower `rate`";

/// About a drill that could not go on.
pub(super) const FAILED: &str = "mend that (`logs/` has the servers' last words), and run it again";

/// About a drill without an end.
pub(super) const ENDLESS: &str = "wait for its end, or run it again";

/// About a drill that somebody ended.
pub(super) const INTERRUPTED: &str = "run it again, to its end";
