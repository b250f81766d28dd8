//! A server that is not run: a stalled machine. Connections stay, and nothing answers.

use super::bearing::{self, What};
use super::{FaultError, Field};
use crate::model::NodeName;

pub async fn pause(field: Field<'_>, name: &NodeName) -> Result<bearing::Id, FaultError> {
    field.bearing.add(field.backend, &field.node(name)?, What::Paused).await
}
