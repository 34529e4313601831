//! A JSON object as a struct, each rejection a variant: serde's derived code says by its calls
//! whether a field is missing, duplicate or unknown, and no text of an error is searched for it.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess};
use serde_json::value::RawValue;

use crate::members::Members;

/// Why a text is not the object that was asked for.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It does not begin with a brace.
    NoObject,
    /// It is not JSON.
    Syntax(serde_json::Error),
    /// A required field is absent.
    Missing(&'static str),
    /// A field is given more than once.
    Duplicate(&'static str),
    /// A field has no name of these.
    Unknown(String, &'static [&'static str]),
    /// The value at this path has the wrong type or form. The text of serde, which may quote it.
    Value(String, String),
}

/// Reads the fields of a struct, each at most once.
pub(super) fn object<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    // serde would also take `["alice"]` for a struct, field by field.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Wrong::NoObject);
    }
    let members: Members<'_, String> = serde_json::from_str(text).map_err(Wrong::Syntax)?;
    T::deserialize(MapAccessDeserializer::new(Rest {
        members: members.0.into_iter(),
        value: None,
    }))
}

/// The members that are still to be read, and the value of the one whose name was.
struct Rest<'a> {
    members: std::vec::IntoIter<(String, &'a RawValue)>,
    value: Option<(String, &'a RawValue)>,
}

impl<'de> MapAccess<'de> for Rest<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let Some(member) = self.members.next() else {
            return Ok(None);
        };
        let (name, _) = self.value.insert(member);
        let name: StrDeserializer<'_, Wrong> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let member = self.value.take();
        let (name, value) = member.ok_or_else(|| de::Error::custom("a value before its name"))?;
        let mut json = serde_json::Deserializer::from_str(value.get());
        let mut track = serde_path_to_error::Track::new();
        let inner = serde_path_to_error::Deserializer::new(&mut json, &mut track);
        seed.deserialize(inner).map_err(|error| {
            let inner = track.path().to_string();
            let path = match inner.as_str() {
                "." => name,
                inner if inner.starts_with('[') => format!("{name}{inner}"),
                inner => format!("{name}.{inner}"),
            };
            Wrong::Value(path, error.to_string())
        })
    }
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Value(String::new(), message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Duplicate(field)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::Unknown(field.to_owned(), known)
    }
}

impl std::error::Error for Wrong {}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoObject => f.write_str("no object"),
            Self::Syntax(error) => error.fmt(f),
            Self::Missing(field) => write!(f, "{field} is missing"),
            Self::Duplicate(field) => write!(f, "{field} is given more than once"),
            Self::Unknown(field, _) => write!(f, "{field} is unknown"),
            Self::Value(path, detail) => write!(f, "{path}: {detail}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it is read counts")]
    struct Body {
        id: String,
        #[serde(default)]
        tags: Vec<String>,
        note: Option<String>,
    }

    fn wrong(text: &str) -> String {
        format!("{:?}", object::<Body>(text).unwrap_err())
    }

    #[test]
    fn each_rejection_is_a_variant() {
        assert!(object::<Body>(r#" {"id":"a","tags":["b"],"note":null} "#).is_ok());
        assert_eq!(wrong(r#"["a"]"#), "NoObject");
        assert_eq!(wrong("{}"), r#"Missing("id")"#);
        assert_eq!(wrong(r#"{"id":"a","id":"a"}"#), r#"Duplicate("id")"#);
        assert_eq!(wrong(r#"{"id":"a","\u0069d":"a"}"#), r#"Duplicate("id")"#);
        let unknown = wrong(r#"{"id":"a","missing field `x`":1}"#);
        assert!(
            unknown.starts_with(r#"Unknown("missing field `x`", ["id""#),
            "{unknown}"
        );
        for (text, path) in [
            (r#"{"id":7}"#, "id"),
            (r#"{"id":"a","tags":"b"}"#, "tags"),
            (r#"{"id":"a","tags":["b",null]}"#, "tags[1]"),
            (r#"{"id":"a","note":[]}"#, "note"),
        ] {
            let wrong = wrong(text);
            assert!(wrong.starts_with(&format!("Value({path:?}, ")), "{wrong}");
        }
        for text in [r#"{"id":"a"} x"#, r#"{"id":}"#, r#"{"id":"a",}"#, "{"] {
            assert!(wrong(text).starts_with("Syntax("), "{text}");
        }
    }
}
