//! From the tree to typed values. All errors are collected.
//!
//! A type that can stand in a file defines both how it is read and its JSON schema, so that the
//! two always agree. [`Scalar`] is for single values; [`object!`](crate::spec::decode::object)
//! declares a map with fixed keys.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::diagnostic::Diagnostic;
use super::nearest;
use super::source::Span;
use super::tree::{Entry, Node, Value};

/// A type that can stand in a file.
pub trait Decode: Sized {
    /// The value of `node`; `None` if an error leaves no value.
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Self>;

    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// The name under which the schema is shared; `None` writes it out in place.
    fn schema_name() -> Option<&'static str> {
        None
    }
}

/// A type that is written as one word, number or quantity.
pub trait Scalar: Sized {
    /// Reads the value from `text`.
    fn read(text: &str) -> Result<Self, Misread>;

    fn schema() -> Schema;
}

/// Why a scalar could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Misread {
    pub message: String,
    pub advice: String,
}

impl Misread {
    pub fn new(message: impl Into<String>, advice: impl Into<String>) -> Misread {
        Misread { message: message.into(), advice: advice.into() }
    }
}

impl<T: Scalar> Decode for T {
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<T> {
        let Value::Scalar(scalar) = &node.value else {
            diagnostics.push(expected("a single value", node));
            return None;
        };
        if node.is_null() {
            diagnostics.push(expected("a value", node));
            return None;
        }
        let value = T::read(&scalar.text);
        value
            .map_err(|why| {
                diagnostics.push(Diagnostic::new(&node.span, why.message).advise(why.advice))
            })
            .ok()
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

/// The error for a node of the wrong kind.
pub fn expected(what: &str, node: &Node) -> Diagnostic {
    let diagnostic =
        Diagnostic::new(&node.span, format!("{what} is wanted here, not {}", node.kind()));
    if node.is_null() {
        diagnostic.advise("write a value, or leave the key out")
    } else {
        diagnostic
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
}

/// A key of an object as it was found.
#[derive(Clone, Debug)]
pub enum Field<T> {
    Missing,
    /// It was there, and its error has been reported.
    Bad,
    Given(At<T>),
}

impl<T> Field<T> {
    pub fn given(&self) -> Option<&At<T>> {
        match self {
            Field::Given(at) => Some(at),
            _ => None,
        }
    }

    pub fn is_missing(&self) -> bool {
        matches!(self, Field::Missing)
    }
}

impl<T: Clone> Field<T> {
    /// The value; `default` without one. (After an error, the value does not matter.)
    pub fn or(&self, default: T) -> T {
        self.given().map_or(default, |at| at.value.clone())
    }
}

impl<T: Decode> Decode for At<T> {
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<At<T>> {
        T::decode(node, diagnostics).map(|value| At { value, span: node.span.clone() })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }

    fn schema_name() -> Option<&'static str> {
        T::schema_name()
    }
}

impl<T: Decode> Decode for Vec<At<T>> {
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<At<T>>> {
        let Value::List(items) = &node.value else {
            diagnostics.push(expected("a list", node));
            return None;
        };
        Some(items.iter().filter_map(|item| At::decode(item, diagnostics)).collect())
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": schema_of::<T>(generator) })
    }
}

/// A map whose keys a person chooses: groups, loads, directives.
#[derive(Clone, Debug)]
pub struct Named<T>(pub Vec<(At<String>, T)>);

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named(Vec::new())
    }
}

impl<T: Decode> Decode for Named<T> {
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Named<T>> {
        let Value::Map(entries) = &node.value else {
            diagnostics.push(expected("a map of names and what they stand for", node));
            return None;
        };
        let named = |entry: &Entry| {
            let name = At { value: entry.key.clone(), span: entry.key_span.clone() };
            Some((name, T::decode(&entry.value, diagnostics)?))
        };
        Some(Named(entries.iter().filter_map(named).collect()))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": schema_of::<T>(generator),
        })
    }
}

/// The entries of a map that may have only the keys `known`. Other keys are errors.
pub fn entries<'n>(
    node: &'n Node,
    what: &str,
    known: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<&'n [Entry]> {
    let Value::Map(entries) = &node.value else {
        let advice = format!("write a map of keys and values; known keys: {}", known.join(", "));
        diagnostics.push(expected(what, node).advise(advice));
        return None;
    };
    // A merge key has been reported already.
    for entry in entries.iter().filter(|e| e.key != "<<" && !known.contains(&&*e.key)) {
        let message = format!("{what} has no key `{}`", entry.key);
        let advice = nearest::advice("keys", &entry.key, known);
        diagnostics.push(Diagnostic::new(&entry.key_span, message).advise(advice));
    }
    Some(entries)
}

/// The value of `key` among `entries`.
pub fn field<T: Decode>(
    entries: &[Entry],
    key: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Field<T> {
    match entries.iter().find(|entry| entry.key == key) {
        None => Field::Missing,
        Some(entry) => At::decode(&entry.value, diagnostics).map_or(Field::Bad, Field::Given),
    }
}

/// A key of an object, for its schema.
pub struct Key {
    pub name: &'static str,
    pub required: bool,
    pub about: &'static [&'static str],
    pub schema: Schema,
}

/// The schema of an object that allows only these keys.
pub fn object_schema(about: &[&str], keys: Vec<Key>) -> Schema {
    let required: Vec<_> = keys.iter().filter(|k| k.required).map(|k| k.name).collect();
    let properties: serde_json::Map<_, _> = keys
        .into_iter()
        .map(|mut key| {
            key.schema.insert("description".to_owned(), describe(key.about).into());
            (key.name.to_owned(), key.schema.to_value())
        })
        .collect();
    let mut schema = json_schema!({
        "type": "object",
        "description": describe(about),
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

fn describe(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The schema of `T`, or a reference to it if it is shared.
pub fn schema_of<T: Decode>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Of<T>>()
}

/// Lets schemars' machinery (names, references) work on a [`Decode`] type.
pub struct Of<T>(PhantomData<T>);

impl<T: Decode> JsonSchema for Of<T> {
    fn inline_schema() -> bool {
        T::schema_name().is_none()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name().unwrap_or("value").into()
    }

    fn schema_id() -> Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

/// Declares a map with fixed keys: its struct, how it is decoded, and its schema.
///
/// Each key is `required` or `optional`. Its field is a [`Field`] either way, because a
/// required key may be missing or wrong.
macro_rules! object {
    (
        $(#[doc = $about:literal])*
        $name:ident $what:literal {
            $( $(#[doc = $key_about:literal])* $need:ident $key:literal $field:ident : $type:ty, )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug)]
        pub struct $name {
            /// What to mark when a key is missing.
            #[allow(dead_code, reason = "not every map is marked as a whole")]
            pub span: $crate::spec::source::Span,
            $( $(#[doc = $key_about])* pub $field: $crate::spec::decode::Field<$type>, )*
        }

        impl $name {
            /// The keys that it may have.
            pub const KEYS: &[&str] = &[$($key),*];
        }

        impl $crate::spec::decode::Decode for $name {
            fn decode(
                node: &$crate::spec::tree::Node, diagnostics: &mut Vec<$crate::spec::diagnostic::Diagnostic>,
            ) -> Option<$name> {
                use $crate::spec::decode::{entries, field, object};
                let entries = entries(node, $what, $name::KEYS, diagnostics)?;
                let read = $name {
                    span: node.span.clone(),
                    $( $field: field(entries, $key, diagnostics), )*
                };
                $( object!(@ $need, &read.$field, $what, $key, node, diagnostics); )*
                Some(read)
            }

            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use $crate::spec::decode::{Key, object_schema, schema_of};
                let keys = vec![$( Key {
                    name: $key,
                    required: stringify!($need) == "required",
                    about: &[$($key_about),*],
                    schema: schema_of::<$type>(generator),
                } ),*];
                object_schema(&[$($about),*], keys)
            }

            fn schema_name() -> Option<&'static str> {
                Some(stringify!($name))
            }
        }
    };
    (@ optional, $field:expr, $what:literal, $key:literal, $node:expr, $diagnostics:expr) => {};
    (@ required, $field:expr, $what:literal, $key:literal, $node:expr, $diagnostics:expr) => {
        if $field.is_missing() {
            let message = concat!($what, " needs the key `", $key, "`");
            $diagnostics.push($crate::spec::diagnostic::Diagnostic::new(&$node.span, message));
        }
    };
}
pub(crate) use object;

/// An enum that is written as one word for each of its values, see [`word_enum`].
pub trait Word {
    const WORDS: &[&str];

    /// As it is written in a file.
    fn word(&self) -> &'static str;
}

/// Declares how an enum is written: one word for each of its values.
macro_rules! words {
    ($type:ty as $what:literal { $($word:literal => $value:expr),+ $(,)? }) => {
        impl $crate::spec::decode::Scalar for $type {
            fn read(text: &str) -> Result<Self, $crate::spec::decode::Misread> {
                match text {
                    $($word => Ok($value),)+
                    _ => Err($crate::spec::decode::Misread::new(
                        format!(concat!("there is no ", $what, " `{}`"), text),
                        $crate::spec::nearest::advice("words", text, &[$($word),+]),
                    )),
                }
            }

            fn schema() -> schemars::Schema {
                schemars::json_schema!({ "enum": [$($word),+] })
            }
        }
    };
}
pub(crate) use words;

/// The same, for an enum whose values are written back to files too.
macro_rules! word_enum {
    ($type:ty as $what:literal { $($word:literal => $value:path),+ $(,)? }) => {
        $crate::spec::decode::words!($type as $what { $($word => $value),+ });

        impl $crate::spec::decode::Word for $type {
            const WORDS: &[&str] = &[$($word),+];

            fn word(&self) -> &'static str {
                match self { $($value => $word,)+ }
            }
        }

        impl $crate::spec::yaml::Yaml for $type {
            fn yaml(&self) -> Option<String> {
                Some($crate::spec::decode::Word::word(self).to_owned())
            }
        }
    };
}
pub(crate) use word_enum;
