//! Forms groups of servers, finds out which node owns which slot, and moves slots.

mod error;
pub mod form;
pub mod gossip;
pub mod health;
pub mod moving;
pub mod members;
mod network;
pub mod node_view;
mod nodes_conf;
mod places;
pub mod plan;
mod ready;
pub mod roles;
mod servers;
pub mod view;

pub use error::FormError;
pub use form::{DeployedGroup, Deployment, bring_up, bring_up_most};
pub use network::{Network, NetworkError};
pub use nodes_conf::even_slots;
#[cfg(test)]
pub(crate) use places::tests::two_regions;
pub use places::{Newcomers, Places};
pub use servers::{node_names, sentinel_names};
