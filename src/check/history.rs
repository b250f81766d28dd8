//! Where the rows of a history come from.

use crate::model::Nanos;
use crate::model::op::Op;

/// Where rows come from, as often as they are asked for.
///
/// Any closure that opens a history and hands out its rows is one.
pub trait History {
    type Error;
    /// All rows, from the first one, in any order.
    fn rows(&self) -> Result<impl Iterator<Item = Result<Op, Self::Error>>, Self::Error>;

    /// The instant that sentences count from. Rows and figures do not.
    fn zero(&self) -> Nanos {
        Nanos::ZERO
    }
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

/// A history of which people are told as counted from `zero`.
pub struct CountedFrom<H> {
    pub zero: Nanos,
    pub rows: H,
}

impl<H: History> History for CountedFrom<H> {
    type Error = H::Error;
    fn rows(&self) -> Result<impl Iterator<Item = Result<Op, H::Error>>, H::Error> {
        self.rows.rows()
    }

    fn zero(&self) -> Nanos {
        self.zero
    }
}
