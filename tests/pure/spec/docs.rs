//! The reference in docs/ names every key, and its examples are right.

use std::fs;
use std::path::Path;

use redrill::spec::{Options, Source, schema};
use serde_json::Value;

use super::faults;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

fn keys(schema: &Value) -> Vec<String> {
    let objects = schema["$defs"].as_object().unwrap().values().chain([schema]);
    let properties = objects.filter_map(|object| object["properties"].as_object());
    properties.flat_map(|properties| properties.keys().cloned()).collect()
}

#[test]
fn every_key_has_its_place_in_the_reference() {
    for (name, schema) in
        [("topologies.md", schema::topology()), ("scenarios.md", schema::scenario())]
    {
        let text = read(name);
        for key in keys(&schema) {
            let named = [format!("`{key}`"), format!("{{ {key}: ")];
            assert!(named.iter().any(|named| text.contains(named)), "docs/{name} lacks `{key}`");
        }
    }
}

#[test]
fn every_example_is_right() {
    for name in ["topologies.md", "scenarios.md"] {
        let text = read(name);
        let examples: Vec<&str> =
            text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(examples.len() > 1, "docs/{name} has no examples");
        for example in examples {
            let faults = faults(&Source::new(name, example), &Options::default());
            assert!(faults.is_none(), "{}", faults.unwrap().render(false, 100));
        }
    }
}
