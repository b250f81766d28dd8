//! Enums whose values are words: the same ones in files, in schemas and for people.

/// The enum with its words: `ALL`, `word()`, and the same word by `Display` and in JSON. After
/// `=>` stands what `Display` gives instead.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$about:meta])* $value:ident $word:literal $(=> $text:literal)?, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $( $(#[$about])* #[serde(rename = $word)] $value, )*
        }

        impl $name {
            /// All of them, in their order.
            pub const ALL: [$name; <[&str]>::len(&[$($word),*])] = [$($name::$value),*];

            pub fn word(self) -> &'static str {
                match self { $($name::$value => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self {
                    $($name::$value => $crate::model::words::shown!($word $($text)?),)*
                })
            }
        }
    };
}
pub(super) use words;

macro_rules! shown {
    ($word:literal) => {
        $word
    };
    ($word:literal $text:literal) => {
        $text
    };
}
pub(super) use shown;
