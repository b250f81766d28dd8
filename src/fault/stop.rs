//! SIGTERM: a server that is asked to end, as deployments do. It may wait for its replicas
//! first (`shutdown-timeout`), and does not hand over.

use super::{FaultError, Field};
use crate::model::NodeName;

pub async fn stop(field: Field<'_>, name: &NodeName) -> Result<(), FaultError> {
    field.backend.stop(name).await?;
    field.active.forget_pauses(name).await;
    Ok(())
}
