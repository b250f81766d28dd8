//! Too little of the processor: a neighbour that takes it, or a machine that is too small.

use super::active::Applied;

/// The share of one CPU that is left to a server, if there is such a bound.
pub(super) fn share(left: &[&Applied]) -> Option<f64> {
    let shares = left.iter().filter_map(|what| match what {
        Applied::Cpu(share) => Some(*share),
        _ => None,
    });
    shares.min_by(f64::total_cmp)
}
