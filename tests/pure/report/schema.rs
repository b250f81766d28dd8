//! `report.json` is what its schema says, and the schema is what is published.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use redrill::report::json;
use serde_json::Value;

use super::{fixture, made};

/// With `REDRILL_UPDATE=1` the file is written instead.
#[test]
fn the_published_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/report.json");
    let text = json::schema().unwrap();
    if std::env::var_os("REDRILL_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == text,
        "schemas/report.json is not what the code says: run this test with REDRILL_UPDATE=1. \
         If a reader of the old one would stumble, raise report::SCHEMA as well"
    );
}

#[test]
fn reports_are_what_the_schema_says() {
    let schema: Value = serde_json::from_str(&json::schema().unwrap()).unwrap();
    for plan in [fixture::reshard(), fixture::failed(), fixture::killed(), fixture::steady()] {
        let report: Value = serde_json::from_str(&json::render(&made(&plan)).unwrap()).unwrap();
        if let Err(why) = fits(&report, &schema, &schema, "") {
            panic!("{}: {why}", plan.scenario);
        }
    }
    let mut wrong = serde_json::to_value(made(&fixture::steady())).unwrap();
    wrong["verdict"] = Value::from("perhaps");
    assert!(fits(&wrong, &schema, &schema, "").is_err(), "this check checks something");
}

/// As much of JSON Schema as ours uses.
fn fits(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#'));
        fits(value, target.ok_or(format!("{reference} is nowhere"))?, root, at)?;
    }
    for any in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[any].as_array()
            && !choices.iter().any(|choice| fits(value, choice, root, at).is_ok())
        {
            return Err(format!("{at}: {value} is none of {any}"));
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(format!("{at}: {value} is not among {allowed:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return Err(format!("{at}: {value} is not {}", schema["const"]));
    }
    let types: BTreeSet<&str> = match &schema["type"] {
        Value::String(one) => [one.as_str()].into(),
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        _ => return inner(value, schema, root, at),
    };
    let fits_type = types.contains(kind(value)) || types.contains("number") && value.is_number();
    if !fits_type {
        return Err(format!("{at}: {value} is not of {types:?}"));
    }
    inner(value, schema, root, at)
}

fn inner(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    for item in value.as_array().into_iter().flatten() {
        fits(item, &schema["items"], root, &format!("{at}/[]"))?;
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.clone().find(|key| value.get(*key).is_none()) {
        return Err(format!("{at}: {missing} is missing"));
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{key}");
        match (schema["properties"].get(key), schema.get("additionalProperties")) {
            (Some(property), _) | (None, Some(property)) => fits(item, property, root, &at)?,
            (None, None) if schema.get("type").is_some() => {
                return Err(format!("{at} is not in the schema"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The keys and types of `report.json`, as a reader meets them.
#[test]
fn the_shape_of_report_json() {
    let report = serde_json::to_value(made(&fixture::failed())).unwrap();
    let mut shape = BTreeSet::new();
    walk(&report, "", &mut shape);
    insta::assert_snapshot!(shape.into_iter().collect::<Vec<_>>().join("\n"));
}

fn walk(value: &Value, at: &str, shape: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                walk(value, &format!("{at}.{key}"), shape);
            }
        }
        Value::Array(items) => items.iter().for_each(|v| walk(v, &format!("{at}[]"), shape)),
        other => {
            shape.insert(format!("{at}: {}", kind(other)));
        }
    }
}
