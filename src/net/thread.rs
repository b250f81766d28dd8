//! What the tasks of a thread of the relay share.

use std::cell::RefCell;

use crate::wake::Timer;

#[derive(Debug)]
pub(super) struct Thread {
    pub(super) timer: Timer,
    /// What they read into: nobody keeps anything in it.
    pub(super) buffer: RefCell<Vec<u8>>,
}
