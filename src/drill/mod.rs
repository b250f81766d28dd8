//! Plays a scenario from start to end. The only place that knows all the parts.

mod folder;
mod hub;

pub use folder::{EventLog, FolderError, RunFolder};
pub use hub::Hub;
