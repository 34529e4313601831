//! Metadata of a key: a JSON object that every reader reads alike.
//!
//! The upstream parses it with a parser of its own. A member that is given twice, a NUL or a
//! number that no `f64` holds would mean one thing to that parser and another to the owner of
//! the key, so none of them is accepted.

use std::collections::HashSet;
use std::fmt;

use keygate_core::identity::limits::MAX_METADATA;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Serialize as _, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::problem::Problem;

/// What a key without metadata has.
pub(crate) const EMPTY: &str = "{}";

/// Writes metadata, and an empty object in place of none.
pub(crate) fn serialize<S: Serializer>(
    metadata: &Option<Box<RawValue>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match metadata {
        Some(metadata) => metadata.serialize(serializer),
        None => serializer.serialize_map(Some(0))?.end(),
    }
}

/// Accepts an object of at most [`MAX_METADATA`] bytes, at most 127 levels deep.
///
/// # Errors
/// A problem of the field `metadata` that says what is wrong.
pub(crate) fn check(text: Box<RawValue>) -> Result<Box<RawValue>, Problem> {
    let wrong = |detail: String| Problem::field("metadata", detail);
    let json = text.get();
    if json.len() > MAX_METADATA {
        return Err(wrong(format!("must be at most {MAX_METADATA} bytes")));
    }
    if !json.starts_with('{') {
        return Err(wrong("must be a JSON object".to_owned()));
    }
    let mut parser = serde_json::Deserializer::from_str(json);
    match Strict.deserialize(&mut parser) {
        Ok(()) => Ok(text),
        Err(error) => {
            let message = error.to_string();
            // The place is one of the metadata, not of the body that the caller sent.
            let message = message.split(" at line ").next().unwrap_or_default();
            Err(wrong(match message {
                "number out of range" => {
                    "must not hold a number beyond the range of f64".to_owned()
                }
                "recursion limit exceeded" => "must be at most 127 levels deep".to_owned(),
                message => message.to_owned(),
            }))
        }
    }
}

/// Whether two objects are equal: the order of members and white space do not matter.
pub(crate) fn is_equal(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    matches!((read(one), read(other)), (Some(one), Some(other)) if one == other)
}

/// Reads any value and keeps nothing of it.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            text::<A::Error>(&name)?;
            if names.contains(&name) {
                let message = format_args!("must not hold the member {name:?} more than once");
                return Err(A::Error::custom(message));
            }
            names.insert(name);
            members.next_value_seed(Self)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        text(value)
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

fn text<E: serde::de::Error>(value: &str) -> Result<(), E> {
    match value.contains('\0') {
        true => Err(E::custom("must not hold the character U+0000")),
        false => Ok(()),
    }
}
