//! Where the rows of a history come from.

use crate::model::op::Op;

/// Where rows come from, as often as they are asked for.
///
/// Any closure that opens a history and hands out its rows is one.
pub trait History {
    type Error;
    /// All rows, from the first one, in any order.
    fn rows(&self) -> Result<impl Iterator<Item = Result<Op, Self::Error>>, Self::Error>;
}

impl<F, I, E> History for F
where
    F: Fn() -> Result<I, E>,
    I: IntoIterator<Item = Result<Op, E>>,
{
    type Error = E;
    fn rows(&self) -> Result<impl Iterator<Item = Result<Op, E>>, E> {
        Ok(self()?.into_iter())
    }
}
