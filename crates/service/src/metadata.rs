//! Metadata of a key: a JSON object that every reader reads alike.
//!
//! The upstream parses it with a parser of its own. A member that is given twice, a NUL or a
//! number that no `f64` holds would mean one thing to that parser and another to the owner of
//! the key, so none of them is accepted.

use std::collections::HashSet;

use keygate_core::identity::limits::MAX_METADATA;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::AnyJson;
use crate::members::Members;
use crate::wrong::Wrong;

/// What a key without metadata has.
const EMPTY: &str = "{}";

/// So many levels are read by serde_json and by most other parsers.
const MAX_DEPTH: usize = 127;

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

/// Accepts an object of at most [`MAX_METADATA`] bytes, at most [`MAX_DEPTH`] levels deep, or none.
///
/// # Errors
/// What is wrong with this field.
pub(crate) fn metadata(field: &str, json: Option<AnyJson>) -> Result<Metadata, Wrong> {
    let json = json.map(|AnyJson(json)| json);
    if let Some(json) = &json {
        check(json).map_err(|detail| Wrong::invalid(field, detail))?;
    }
    Ok(Metadata(json))
}

fn check(json: &RawValue) -> Result<(), String> {
    if json.get().len() > MAX_METADATA {
        return Err(format!("must be at most {MAX_METADATA} bytes"));
    }
    if !json.get().starts_with('{') {
        return Err("must be a JSON object".to_owned());
    }
    check_value(json, 1)
}

/// Checks a value on this level. That it is JSON is known, so reading one value at a time has one
/// way to fail for each kind of value.
fn check_value(json: &RawValue, level: usize) -> Result<(), String> {
    let json = json.get();
    match json.as_bytes().first() {
        Some(b'{' | b'[') if level > MAX_DEPTH => {
            Err(format!("must be at most {MAX_DEPTH} levels deep"))
        }
        Some(b'{') => {
            let Members::<&RawValue>(members) = read(json, "an object")?;
            let mut names = HashSet::new();
            for (name, value) in members {
                // Its name is not repeated: it may be a secret in a wrong place.
                if !names.insert(check_text(name.get())?) {
                    return Err("must not contain a member more than once".to_owned());
                }
                check_value(value, level + 1)?;
            }
            Ok(())
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = read(json, "a list")?;
            items
                .into_iter()
                .try_for_each(|item| check_value(item, level + 1))
        }
        Some(b'"') => check_text(json).map(|_| ()),
        Some(b'-' | b'0'..=b'9') => {
            read(json, "a number outside the range of f64").map(|_: f64| ())
        }
        _ => Ok(()),
    }
}

fn check_text(json: &str) -> Result<String, String> {
    let text: String = read(json, "half of a surrogate pair")?;
    match text.contains('\0') {
        true => Err("must not contain the character U+0000".to_owned()),
        false => Ok(text),
    }
}

/// Reads a part. `what` is what makes it unreadable.
fn read<'a, T: Deserialize<'a>>(json: &'a str, what: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|_| format!("must not contain {what}"))
}
