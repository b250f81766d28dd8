//! Waking up on time. A measuring instrument needs this before anything else.
//!
//! - `Alarm`: sleeps until an instant, exact to some tens of microseconds.
//! - `wake_soon`: the kernel runs this thread soon after it wakes up, also on a busy machine.

mod alarm;
mod prompt;

pub(crate) use alarm::Alarm;
pub(crate) use prompt::wake_soon;
