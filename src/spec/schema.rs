//! JSON schemas of the files that users write, for editors.
//!
//! They come from the same declarations as the decoders, so both accept the same files.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::decode::{Decode, Of};
use super::file::scenario::ScenarioFile;
use super::file::topology::TopologyFile;

/// The schema of a topology file.
pub fn topology() -> Value {
    schema::<TopologyFile>("redrill topology")
}

/// The schema of a scenario file.
pub fn scenario() -> Value {
    schema::<ScenarioFile>("redrill scenario")
}

fn schema<T: Decode>(title: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Of<T>>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}
