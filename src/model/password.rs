//! The password of a drill's servers.

use std::fmt;
use std::sync::Arc;

/// What every server of a drill asks of its clients. Nothing that is printed, logged or written
/// by chance shows it: only [`Password::reveal`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Arc<str>);

impl Password {
    /// 128 random bits in hexadecimal digits. The generator's seed is the operating system's, and
    /// not the drill's, which everybody may know.
    pub fn draw() -> Password {
        Password::new(&format!("{:032x}", rand::random::<u128>()))
    }

    pub fn new(text: &str) -> Password {
        Password(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_equal_and_none_is_shown() {
        let (one, other) = (Password::draw(), Password::draw());
        assert_ne!(one, other);
        assert_eq!((one.reveal().len(), format!("{one:?}")), (32, "Password(…)".to_owned()));
    }
}
