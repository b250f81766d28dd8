//! Forming groups of servers, seeing who owns which slot, moving slots.

pub mod form;
pub mod moving;
mod network;
mod nodes_conf;
mod places;
pub mod plan;
mod ready;
mod seats;
mod servers;
pub mod view;

pub use form::{DeployedGroup, Deployment, FormError, bring_up};
pub use network::{Network, NetworkError};
pub use nodes_conf::even_slots;
pub use places::Places;
#[cfg(test)]
pub(crate) use places::tests::two_regions;
