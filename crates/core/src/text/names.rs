//! Enums that JSON writes as one of a few names.
//!
//! serde can derive the same. It would also read the form `{"name": null}`, which the schema
//! rejects, and takes two visitors for each enum: 29 kB of the module for 28 enums. Envoy compiles
//! every byte of the module when it starts, and docs/performance.md says how little of the bound on
//! that is left.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};

/// Declares an enum without fields, each variant with its name in JSON.
macro_rules! names {
    (
        $(#[$attribute:meta])*
        $vis:vis enum $Name:ident {
            $( $(#[$of_variant:meta])* $Variant:ident = $name:literal, )+
        }
    ) => {
        $(#[$attribute])*
        #[cfg_attr(
            feature = "schema",
            derive(schemars::JsonSchema, serde::Serialize),
            schemars(inline)
        )]
        $vis enum $Name {
            $(
                $(#[$of_variant])*
                #[cfg_attr(feature = "schema", serde(rename = $name))]
                $Variant,
            )+
        }

        #[allow(dead_code, reason = "most of these enums are read and never written")]
        impl $Name {
            /// Every variant.
            $vis const ALL: [Self; [$($name),+].len()] = [$(Self::$Variant),+];

            /// The name of the variant in JSON.
            $vis fn name(self) -> &'static str {
                match self {
                    $( Self::$Variant => $name, )+
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                const NAMES: &[&str] = &[$($name),+];
                match $crate::text::names::read(deserializer, NAMES)? {
                    $( $name => Ok(Self::$Variant), )+
                    // It reads none but these names.
                    other => Err(serde::de::Error::unknown_variant(other, NAMES)),
                }
            }
        }
    };
}

pub(crate) use names;

/// Reads one of these names.
pub(crate) fn read<'de, D: Deserializer<'de>>(
    deserializer: D,
    names: &'static [&'static str],
) -> Result<&'static str, D::Error> {
    struct OneOf(&'static [&'static str]);

    impl Visitor<'_> for OneOf {
        type Value = &'static str;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<&'static str, E> {
            let found = self.0.iter().find(|name| **name == text);
            found
                .copied()
                .ok_or_else(|| E::unknown_variant(text, self.0))
        }
    }

    deserializer.deserialize_str(OneOf(names))
}
