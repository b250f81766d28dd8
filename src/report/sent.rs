//! How many sessions were sent, and how many of them did not end ok.

/// Sessions that were sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub all: u64,
    /// Those that did not end ok, by [`Errors`].
    pub failed: [u64; 2],
}

impl Sent {
    /// The share of those that did not end ok, in percent; `None` if none was sent.
    pub fn failed(&self, errors: Errors) -> Option<f64> {
        share(self.failed[errors as usize], self.all)
    }
}

/// Which errors: an index of counts that are kept for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errors {
    All,
    /// Without those that met a starved time on their way: the machine may be to blame.
    OfServers,
}

/// In percent; `None` of nothing.
pub(super) fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64 * 100.0)
}
