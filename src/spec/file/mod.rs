//! The content of files before it is checked: one type for each kind of map in a topology or
//! scenario, with the place of every value.

pub mod chaos;
pub mod hardship;
pub mod moves;
pub mod network_step;
pub mod node_fault;
pub mod rolling;
pub mod scale;
pub mod scenario;
pub mod step;
pub mod topology;
