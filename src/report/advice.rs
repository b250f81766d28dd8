//! What to do about unknown results. Every reason of an `unknown` verdict has such advice.

/// For a finding that no measure counts: a value that nobody can have written.
pub(super) const WHOLE: &str = "let the drill end by itself, so that its history is complete";

/// For figures that redrill itself may have influenced.
pub(super) const BUSY: &str = "run it on an idle machine, or with a lower `rate`";

/// For a drill that could not go on.
pub(super) const FAILED: &str = "fix that (`logs/` has the logs of the servers), and run it again";

/// For a drill without an end.
pub(super) const ENDLESS: &str = "wait for its end, or run it again";

/// For a drill that was interrupted.
pub(super) const INTERRUPTED: &str = "run it again, to its end";
