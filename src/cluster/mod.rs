//! Forming groups of servers, seeing who owns which slot, moving slots.

pub mod form;
pub mod moving;
mod nodes_conf;
pub mod plan;
mod ready;
mod seats;
pub mod view;

pub use form::{DeployedGroup, Deployment, FormError, bring_up};
pub use nodes_conf::even_slots;
