//! Files that other users of the machine can neither write nor plant.
//!
//! [`make`] makes files and folders for this user alone, and writes through no link that somebody
//! else has put there. [`read`] reads what may come from anybody: no pipe that never ends, no link
//! out of a run folder, no line and no file above a bound, which the error states.

pub mod make;
pub mod read;
