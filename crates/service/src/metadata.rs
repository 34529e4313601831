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
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::problem::Problem;

/// What a key without metadata has.
const EMPTY: &str = "{}";

/// The metadata of a key as it was sent, or none, which is as good as an empty object.
#[derive(Clone, Debug, Default)]
pub struct Metadata(Option<Box<RawValue>>);

impl Metadata {
    /// Reads what a store has kept.
    pub(crate) fn stored(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(|json| Self(Some(json)))
    }

    /// The text of it.
    pub fn text(&self) -> &str {
        self.0.as_deref().map_or(EMPTY, RawValue::get)
    }

    /// Whether it was left out.
    pub(crate) fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it says the same: the order of members and white space do not matter.
    pub(crate) fn says(&self, other: &Self) -> bool {
        let read = |it: &Self| serde_json::from_str::<Value>(it.text()).ok();
        matches!((read(self), read(other)), (Some(one), Some(other)) if one == other)
    }

    /// The JSON of it.
    pub(crate) fn into_json(self) -> Box<RawValue> {
        // An empty object is JSON.
        let empty = || RawValue::from_string(EMPTY.to_owned()).unwrap_or_default();
        self.0.unwrap_or_else(empty)
    }
}

/// By its text.
impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(json) => json.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

/// Accepts an object of at most [`MAX_METADATA`] bytes, at most 127 levels deep, or none.
///
/// # Errors
/// A problem of this field that says what is wrong.
pub(crate) fn metadata(field: &str, json: Option<Box<RawValue>>) -> Result<Metadata, Problem> {
    if let Some(json) = &json {
        check(json.get()).map_err(|detail| Problem::field(field, detail))?;
    }
    Ok(Metadata(json))
}

fn check(json: &str) -> Result<(), String> {
    if json.len() > MAX_METADATA {
        return Err(format!("must be at most {MAX_METADATA} bytes"));
    }
    if !json.starts_with('{') {
        return Err("must be a JSON object".to_owned());
    }
    let mut parser = serde_json::Deserializer::from_str(json);
    Strict.deserialize(&mut parser).map_err(|error| {
        let message = error.to_string();
        // The place is one of the metadata, not of the body that the caller sent.
        match message.split(" at line ").next().unwrap_or_default() {
            "number out of range" => {
                "must not contain a number outside the range of f64".to_owned()
            }
            "recursion limit exceeded" => "must be at most 127 levels deep".to_owned(),
            message => message.to_owned(),
        }
    })
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
                let message = format_args!("must not contain the member {name:?} more than once");
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
        true => Err(E::custom("must not contain the character U+0000")),
        false => Ok(()),
    }
}
