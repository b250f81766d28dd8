//! SIGKILL: what a crash or a power cut is to everybody else.

use super::{FaultError, Field};
use crate::model::NodeName;

pub async fn kill(field: Field<'_>, name: &NodeName) -> Result<(), FaultError> {
    field.backend.kill(name).await?;
    field.active.forget_pauses(name).await;
    Ok(())
}
