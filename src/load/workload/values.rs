//! Values as they stand on the server: a number in 20 digits, a colon, and padding.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// The digits of a value's number and the colon after it.
const HEAD: usize = 21;

/// Writes values as they stand on the server.
#[derive(Debug)]
pub(crate) struct Values {
    padding: Vec<u8>,
    text: Vec<u8>,
}

impl Values {
    /// For values up to `largest` bytes.
    pub(crate) fn new(largest: usize) -> Values {
        // Random letters: a server that compresses its dumps should not gain from them.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
        let padding = (0..largest).map(|_| rng.random_range(b'a'..=b'z')).collect();
        Values { padding, text: Vec::new() }
    }

    /// Value number `number`, `size` bytes long, or 21 if `size` is less.
    pub(crate) fn text(&mut self, number: u64, size: usize) -> &[u8] {
        self.text.clear();
        let mut rest = number;
        let mut head = [b'0'; HEAD];
        head[HEAD - 1] = b':';
        for digit in head[..HEAD - 1].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.text.extend_from_slice(&head);
        let more = size.saturating_sub(HEAD).min(self.padding.len());
        self.text.extend_from_slice(&self.padding[..more]);
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::client::number_of;

    #[test]
    fn a_value_tells_its_number_and_has_its_size() {
        let mut values = Values::new(1000);
        assert!(values.text(42, 30).starts_with(b"00000000000000000042:"));
        for (number, size) in [(0, 21), (u64::MAX, 100), (123_456, 1000)] {
            let text = values.text(number, size);
            assert_eq!(text.len(), size);
            assert_eq!(number_of(text), Some(number));
        }
        assert_eq!(values.text(5, 3).len(), HEAD);
        assert_eq!(number_of(b"something else that is long"), None);
        assert_eq!(number_of(b"12"), None);
    }
}
