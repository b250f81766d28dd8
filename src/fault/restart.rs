//! A server that ends and is back at once, as after an upgrade.

use super::{FaultError, Field, stop};
use crate::backend::Data;
use crate::model::NodeName;

pub async fn restart(field: Field<'_>, name: &NodeName, data: Data) -> Result<(), FaultError> {
    stop::stop(field, name).await?;
    Ok(field.backend.start_again(name, data).await?)
}
