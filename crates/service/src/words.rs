//! Enums that have words.

/// Declares an enum whose variants have a word in the API and in the store. Their
/// documentation tells users what they mean.
macro_rules! words {
    ($(#[$meta:meta])* $Enum:ident {
        $($(#[doc = $line:literal])+ $Variant:ident = $word:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Enum {
            $($(#[doc = $line])+ $Variant,)*
        }

        impl $Enum {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$Variant),*];

            /// All words.
            pub const WORDS: &[&str] = &[$($word),*];

            /// Each word, and what it means in a sentence.
            pub const MEANINGS: &[(&str, &str)] =
                &[$(($word, concat!($($line),+).trim_ascii())),*];

            /// The word of it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$Variant => $word,)*
                }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$Variant),)*
                    _ => None,
                }
            }
        }

        impl schemars::JsonSchema for $Enum {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($Enum).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let lines: &[&str] = &[$(concat!("- `", $word, "`:", $($line),+)),*];
                let about = lines.join("\n");
                schemars::json_schema!({ "type": "string", "enum": Self::WORDS, "description": about })
            }
        }

        impl serde::Serialize for $Enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    };
}

pub(crate) use words;
