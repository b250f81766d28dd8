//! What many readers do that find no copy at once: one way a file.

pub(super) mod early;
pub(super) mod flight;
pub(super) mod lease;
pub(super) mod lock;
pub(super) mod refresh;
