//! A server that is not run: a stalled machine. Connections stay, and nothing answers.

use super::active::{self, Applied};
use super::{FaultError, Field};
use crate::model::NodeName;

pub async fn pause(field: Field<'_>, name: &NodeName) -> Result<active::FaultHandle, FaultError> {
    field.active.add(field.backend, &field.node(name)?, Applied::Paused).await
}
