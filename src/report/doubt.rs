//! The range a measure could have had if neither redrill nor a server had waited for a processor.

use std::collections::BTreeMap;

/// By measure: what else it could have been.
pub(super) type Doubts = BTreeMap<&'static str, Doubt>;

/// The smallest and the greatest value that a measure could have had.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubt {
    /// Had redrill itself looked all the time.
    pub own: Option<[f64; 2]>,
    /// Had servers not been starved either. This excuses, and takes back nothing that holds.
    pub starved: Option<[f64; 2]>,
}

impl Doubt {
    /// Of all that was in doubt.
    pub fn range(&self) -> Option<[f64; 2]> {
        let both = |[a, b]: [f64; 2], [c, d]: [f64; 2]| [a.min(c), b.max(d)];
        self.own.into_iter().chain(self.starved).reduce(both)
    }
}

impl From<[f64; 2]> for Doubt {
    fn from(range: [f64; 2]) -> Doubt {
        Doubt { own: Some(range), starved: None }
    }
}
