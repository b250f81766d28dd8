//! A server that is not run: a stalled machine. Connections stay, and nothing answers.

use super::{FaultError, Field};
use crate::model::NodeName;

pub async fn pause(field: Field<'_>, name: &NodeName) -> Result<(), FaultError> {
    Ok(field.backend.pause(name).await?)
}
