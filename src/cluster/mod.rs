//! Forming groups of servers, seeing who owns which slot, moving slots.

pub mod form;
mod nodes_conf;
pub mod moving;
pub mod plan;
mod ready;
pub mod view;

pub use form::{DeployedGroup, Deployment, FormError, bring_up};
