//! The content of files before it is checked: one type for each kind of map in a topology or
//! scenario, with the place of every value. Those of steps are in [`crate::spec::step`].

pub mod scenario;
pub mod topology;
