//! From the tree to typed values. All errors are collected.
//!
//! A type that can stand in a file defines both how it is read and its JSON schema, so that the
//! two always agree. [`Scalar`] is for single values; [`object!`](crate::spec::decode::object)
//! declares a map with fixed keys.

use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::nearest;
use super::set;
use super::source::Span;
use super::tree::{Entry, Node, Value};

/// A type that can stand in a file.
pub trait Decode: Sized {
    /// The value of `node`; `None` if an error leaves no value.
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<Self>;

    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// What to write where `node` stands for a list of these values.
    fn as_list(node: &Node) -> Option<String> {
        one_as_list(node)
    }

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

    /// What to write where `node` stands for a list of these values.
    fn as_list(node: &Node) -> Option<String> {
        one_as_list(node)
    }

    /// What to write where `node`, a list or a map, stands for one of these values.
    fn as_one(node: &Node) -> Option<String> {
        let what = match &node.value {
            Value::Scalar(_) => return None,
            Value::List(_) => "without `[`, `]` and dashes",
            Value::Map(_) => "without keys of its own",
        };
        Some(format!("write one value, {what}"))
    }
}

/// A list with the one value `node` in it, as it is written.
fn one_as_list(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar(scalar) if !node.is_null() => Some(format!("write `[{}]`", scalar.text)),
        Value::Map(_) => Some("write each item behind a dash, on a line of its own".to_owned()),
        _ => None,
    }
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
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<T> {
        let Value::Scalar(scalar) = &node.value else {
            errors.push(expected("a single value", node).advise_if(T::as_one(node)));
            return None;
        };
        if node.is_null() {
            errors.push(expected("a value", node));
            return None;
        }
        let value = T::read(&scalar.text);
        value.map_err(|why| errors.add(&node.span, why.message, why.advice)).ok()
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }

    fn as_list(node: &Node) -> Option<String> {
        T::as_list(node)
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

    /// Where its value is, if it has one.
    pub fn span(&self) -> Option<&Span> {
        self.given().map(|at| &at.span)
    }

    pub fn is_missing(&self) -> bool {
        matches!(self, Field::Missing)
    }
}

impl<T: PartialOrd + Display> Field<T> {
    /// An error, unless the value is from `least` to `most`. `why` says what the bounds are for.
    pub fn check_range(
        &self,
        what: &str,
        (least, most): (T, T),
        why: &str,
        errors: &mut Diagnostics,
    ) -> &Field<T> {
        if let Field::Given(At { value, span }) = self
            && (*value < least || *value > most)
        {
            let message = format!("{what} is {value}, but must be from {least} to {most}");
            errors.add(span, message, why);
        }
        self
    }
}

impl<T: Clone> Field<T> {
    /// The value; `default` without one. (After an error, the value does not matter.)
    pub fn or(&self, default: T) -> T {
        self.given().map_or(default, |at| at.value.clone())
    }
}

impl<T: Decode> Decode for At<T> {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<At<T>> {
        T::decode(node, errors).map(|value| At { value, span: node.span.clone() })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }

    fn schema_name() -> Option<&'static str> {
        T::schema_name()
    }
}

impl<T: Decode> Decode for Vec<At<T>> {
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<Vec<At<T>>> {
        let Value::List(items) = &node.value else {
            errors.push(expected("a list", node).advise_if(T::as_list(node)));
            return None;
        };
        Some(items.iter().filter_map(|item| At::decode(item, errors)).collect())
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
    fn decode(node: &Node, errors: &mut Diagnostics) -> Option<Named<T>> {
        let Value::Map(entries) = &node.value else {
            let advice = match &node.value {
                Value::List(_) => {
                    Some("write each with its name as the key, `NAME: …`, without a dash")
                }
                _ => None,
            };
            let diagnostic = expected("a map of names and what they stand for", node);
            errors.push(diagnostic.advise_if(advice.map(str::to_owned)));
            return None;
        };
        let named = |entry: &Entry| {
            let name = At { value: entry.key.clone(), span: entry.key_span.clone() };
            Some((name, T::decode(&entry.value, errors)?))
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
    errors: &mut Diagnostics,
) -> Option<&'n [Entry]> {
    let Value::Map(entries) = &node.value else {
        let first = known.first().unwrap_or(&"KEY");
        let advice =
            format!("write a map, like `{{ {first}: … }}`; known keys: {}", known.join(", "));
        errors.push(expected(what, node).advise(advice));
        return None;
    };
    // A merge key has been reported already.
    for entry in entries.iter().filter(|e| e.key != "<<" && !known.contains(&&*e.key)) {
        let message = format!("{what} has no key `{}`", entry.key);
        let diagnostic = Diagnostic::new(&entry.key_span, message);
        let meant = nearest::meant(&entry.key, known).map(str::to_owned);
        let advice = match set::path_before(&entry.key_span) {
            Some(path) => {
                let known: Vec<String> = known.iter().map(|key| format!("{path}{key}")).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let meant = meant.as_ref().map(|key| format!("did you mean `{path}{key}`? "));
                format!("{}known keys: {}", meant.unwrap_or_default(), known.join(", "))
            }
            None => nearest::advice("keys", &entry.key, known),
        };
        errors.push(Diagnostic { meant, ..diagnostic.advise(advice) });
    }
    Some(entries)
}

/// The value of `key` among `entries`.
pub fn field<T: Decode>(entries: &[Entry], key: &str, errors: &mut Diagnostics) -> Field<T> {
    match entries.iter().find(|entry| entry.key == key) {
        // One mistake, one message: what was meant is not missing as well.
        None if errors.mean(entries.iter().map(|entry| entry.key_span.clone()), key) => Field::Bad,
        None => Field::Missing,
        Some(entry) => At::decode(&entry.value, errors).map_or(Field::Bad, Field::Given),
    }
}

/// Adds the range of a value that could not be read to the advice about it.
pub fn advise_range<T: Display>((least, most): (T, T), errors: &mut Diagnostics) {
    errors.advise_last(|advice| match advice {
        Some(advice) if advice.ends_with("is the most") => format!("{most} is the most"),
        Some(advice) => format!("{advice} (from {least} to {most})"),
        None => format!("write a value from {least} to {most}"),
    });
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

/// A map with fixed keys, as [`keys!`] declares it.
pub trait Object: Sized {
    /// The type's own name.
    const NAME: &str;
    /// `a load`, for messages.
    const WHAT: &str;
    const ABOUT: &[&str];
    const KEYS: &[&str];

    /// Its keys among `entries`. If one that it needs is missing, that is an error of `what`,
    /// which stands at `node`.
    fn read(node: &Node, entries: &[Entry], what: &str, errors: &mut Diagnostics) -> Self;

    fn schema_keys(generator: &mut SchemaGenerator) -> Vec<Key>;
}

/// Declares the keys of a map: a struct for their values, how they are read, and their schemas.
///
/// Each key is `required` or not (`optional`, `default`). Its field is a [`Field`] either way,
/// because a required key may be missing or wrong. `#[range(LEAST, MOST, WHY)]` bounds its value;
/// the last is the advice if it is outside.
macro_rules! keys {
    (
        $(#[doc = $about:literal])*
        $name:ident $what:literal {
            $(
                $(#[doc = $key_about:literal])*
                $(#[range($least:expr, $most:expr, $why:expr)])?
                $need:ident $key:literal $field:ident : $type:ty,
            )*
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

        #[allow(unused_variables, reason = "some steps have no keys of their own")]
        impl $crate::spec::decode::Object for $name {
            const NAME: &str = stringify!($name);
            const WHAT: &str = $what;
            const ABOUT: &[&str] = &[$($about),*];
            const KEYS: &[&str] = &[$($key),*];

            fn read(
                node: &$crate::spec::tree::Node,
                entries: &[$crate::spec::tree::Entry],
                what: &str,
                errors: &mut $crate::spec::diagnostic::Diagnostics,
            ) -> $name {
                let read = $name {
                    span: node.span.clone(),
                    $( $field: {
                        let before = errors.len();
                        let field = $crate::spec::decode::field(entries, $key, errors);
                        $( if before + 1 == errors.len() {
                            $crate::spec::decode::advise_range(($least, $most), errors);
                        } )?
                        field
                    }, )*
                };
                $( if stringify!($need) == "required" && read.$field.is_missing() {
                    let message = format!("{what} needs the key `{}`", $key);
                    errors.push($crate::spec::Diagnostic::new(&node.span, message));
                } )*
                $( $( read.$field.check_range($key, ($least, $most), $why, errors); )? )*
                read
            }

            fn schema_keys(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<$crate::spec::decode::Key> {
                vec![$( $crate::spec::decode::Key {
                    name: $key,
                    required: stringify!($need) == "required",
                    about: &[$($key_about),*],
                    schema: $crate::spec::decode::schema_of::<$type>(generator),
                } ),*]
            }
        }
    };
}
pub(crate) use keys;

/// Declares a map that has no other keys than these, see [`keys!`].
macro_rules! object {
    ($(#[doc = $about:literal])* $name:ident $what:literal { $($keys:tt)* }) => {
        $crate::spec::decode::keys! { $(#[doc = $about])* $name $what { $($keys)* } }

        impl $crate::spec::decode::Decode for $name {
            fn decode(
                node: &$crate::spec::tree::Node,
                errors: &mut $crate::spec::diagnostic::Diagnostics,
            ) -> Option<$name> {
                use $crate::spec::decode::Object;
                let entries = $crate::spec::decode::entries(node, $what, $name::KEYS, errors)?;
                Some($name::read(node, entries, $what, errors))
            }

            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use $crate::spec::decode::Object;
                $crate::spec::decode::object_schema($name::ABOUT, $name::schema_keys(generator))
            }

            fn schema_name() -> Option<&'static str> {
                Some(stringify!($name))
            }
        }
    };
}
pub(crate) use object;

/// Declares how an enum is read: one word for each of its values.
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

/// The same for an enum that has its words already (`model::words`).
macro_rules! its_words {
    ($type:ty as $what:literal) => {
        impl $crate::spec::decode::Scalar for $type {
            fn read(text: &str) -> Result<Self, $crate::spec::decode::Misread> {
                let words = <$type>::ALL.map(<$type>::word);
                <$type>::ALL.into_iter().find(|value| value.word() == text).ok_or_else(|| {
                    $crate::spec::decode::Misread::new(
                        format!(concat!("there is no ", $what, " `{}`"), text),
                        $crate::spec::nearest::advice("words", text, &words),
                    )
                })
            }

            fn schema() -> schemars::Schema {
                schemars::json_schema!({ "enum": <$type>::ALL.map(<$type>::word) })
            }
        }
    };
}
pub(crate) use its_words;

/// Declares an enum, and the word by which each of its values is read and written.
macro_rules! word_enum {
    (
        $(#[$meta:meta])*
        $type:ident $what:literal { $($(#[$about:meta])* $value:ident $word:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[$about])* $value,)+
        }

        $crate::spec::decode::words!($type as $what { $($word => $type::$value),+ });

        impl $type {
            pub const WORDS: &[&str] = &[$($word),+];
            pub const ALL: &[$type] = &[$($type::$value),+];

            /// As it is written in a file.
            pub fn word(self) -> &'static str {
                match self { $($type::$value => $word,)+ }
            }
        }

        impl $crate::spec::yaml::Yaml for $type {
            fn yaml(&self) -> Option<String> {
                Some(self.to_string())
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use word_enum;
