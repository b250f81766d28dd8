//! The source of a history's rows.

use crate::model::op::Op;

/// Why a history could not be read: its reader's own error.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// Rows that can be read as often as needed.
///
/// They are passed on one by one and not as an iterator, so that a checker takes any history
/// (`&dyn History`). One call for each row costs nothing that the bench shows.
pub trait History {
    /// Passes all rows to `hear`, from the first one, in any order.
    ///
    /// # Errors
    /// Those of the reader. The rows before the error prove nothing.
    fn each(&self, hear: &mut dyn FnMut(&Op)) -> Result<(), ReadError>;
}

impl<F> History for F
where
    F: Fn(&mut dyn FnMut(&Op)) -> Result<(), ReadError>,
{
    fn each(&self, hear: &mut dyn FnMut(&Op)) -> Result<(), ReadError> {
        self(hear)
    }
}

/// Rows that are in memory.
impl History for &[Op] {
    fn each(&self, hear: &mut dyn FnMut(&Op)) -> Result<(), ReadError> {
        self.iter().for_each(hear);
        Ok(())
    }
}

/// The rows of some loads only.
pub(super) struct OfLoads<'a> {
    pub history: &'a dyn History,
    /// For each load, whether its rows are wanted.
    pub wanted: Vec<bool>,
}

impl History for OfLoads<'_> {
    fn each(&self, hear: &mut dyn FnMut(&Op)) -> Result<(), ReadError> {
        self.history.each(&mut |op| {
            if self.wanted.get(usize::from(op.load)).is_some_and(|wanted| *wanted) {
                hear(op);
            }
        })
    }
}
