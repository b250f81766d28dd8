//! Waking up on time: what a measuring instrument needs of the machine before anything else.
//!
//! - `Alarm`: sleeping until an instant, to some tens of microseconds.
//! - `wake_soon`: a thread that is run soon after it wakes up, also on a busy machine.

mod alarm;
mod prompt;

pub(crate) use alarm::Alarm;
pub(crate) use prompt::wake_soon;
