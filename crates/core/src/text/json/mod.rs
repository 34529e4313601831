//! The JSON (RFC 8259) of tokens and link policies, which is untrusted input, and the escapes of
//! a JSON template. serde_json reads it into a tree that keeps every member: its own `Value` keeps
//! the last of two with one name, and here both are rejected.
//!
//! The derives of serde were considered in place of the tree: they pass over the values of unknown
//! members without a look at their depth or their text. With `serde_json::Value` the two
//! known documents of links cost 8 % more instructions than with this tree.

mod write;

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

pub(crate) use write::escape;

/// What serde_json says of a text, without the place in it, for a text that the reader of the
/// message has not written. serde_json appends the place and gives the rest nowhere alone.
pub fn without_place(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let mut message = error.to_string();
    if message.ends_with(&place) {
        message.truncate(message.len().saturating_sub(place.len()));
    }
    message
}

/// A value.
#[derive(Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object, with every member that was written.
    Object(Members),
}

/// The members of an object in their order.
pub type Members = Vec<(String, Value)>;

impl Value {
    /// Reads a text that holds one value and nothing else. `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// Returns the text.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a whole number that fits, without fraction or exponent.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// Returns the items of an array.
    pub fn list(self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the members of an object.
    pub fn members(self) -> Option<Members> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the members of these names of an object that has each once at most, and no others.
    pub fn closed<const COUNT: usize>(self, names: [&str; COUNT]) -> Option<[Option<Self>; COUNT]> {
        let mut found = [const { None }; COUNT];
        for (name, value) in self.members()? {
            let mut slots = found.iter_mut().zip(names);
            let (slot, _) = slots.find(|(_, known)| *known == name)?;
            if slot.replace(value).is_some() {
                return None;
            }
        }
        Some(found)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        let number = Number::from_f64(number);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests;
