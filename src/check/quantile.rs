//! A percentile that is one of the values.

/// The least of `all`, which are in order, that this share of them does not exceed.
pub(super) fn quantile(all: &[u64], share: f64) -> Option<u64> {
    let place = ((all.len() as f64 * share).ceil() as usize).checked_sub(1)?;
    all.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_them() {
        let all: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&all, 0.5), Some(50));
        assert_eq!(quantile(&all, 0.99), Some(99));
        assert_eq!(quantile(&all, 1.0), Some(100));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
