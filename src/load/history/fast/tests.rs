//! What is written is read back, and what is written otherwise is left to the parser of JSON.

use proptest::prelude::*;

use super::*;
use crate::load::history::some;

proptest! {
    #[test]
    fn what_is_written_is_read(op in some::op()) {
        let line = serde_json::to_vec(&op).unwrap();
        prop_assert_eq!(super::op(&line), Some(op.clone()));
        prop_assert_eq!(super::op(&[&line[..], b"\n"].concat()), Some(op));
    }

    /// It reads nothing into a line that the parser of JSON reads in another way, or not at all.
    #[test]
    fn what_is_damaged_is_not_guessed(op in some::op(), at: usize, byte: u8) {
        let mut line = serde_json::to_vec(&op).unwrap();
        let at = at % line.len();
        line[at] = byte;
        if let Some(read) = super::op(&line) {
            prop_assert_eq!(serde_json::from_slice::<Op>(&line).ok(), Some(read));
        }
        prop_assert_eq!(super::op(&line[..at]), None);
    }
}
