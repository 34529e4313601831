//! The text of a dump, and its objects.

use keygate_core::UnixMillis;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Converted;

/// A dump: JSON, several JSON values (as lines, for instance) as a list, or YAML.
///
/// # Errors
/// It is none of these. No part of it is repeated, since it contains keys.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the dump is not UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.collect::<Result<Vec<_>, _>>() {
        Ok(mut values) if values.len() == 1 => Ok(values.remove(0)),
        Ok(values) if !values.is_empty() => Ok(Value::Array(values)),
        Ok(_) => Err("the dump is empty".to_owned()),
        Err(error) => serde_saphyr::from_str(text).map_err(|_| {
            let (line, column) = (error.line(), error.column());
            format!("the dump is neither JSON (see line {line}, column {column}) nor YAML")
        }),
    }
}

const NO_OBJECT: &str = "it is not an object";

/// A member decides whether a key is valid, and it cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable;

/// An object of a dump, and where it is.
pub(super) struct Object<'a> {
    members: &'a Map<String, Value>,
    place: String,
}

impl<'a> Object<'a> {
    /// The document, if it is an object.
    pub(super) fn root(document: &'a Value) -> Option<Self> {
        Self::at(document, String::new())
    }

    /// The value at a place, if it is an object.
    pub(super) fn at(value: &'a Value, place: String) -> Option<Self> {
        let members = value.as_object()?;
        Some(Self { members, place })
    }

    /// The objects of a list. What else is in it is left out.
    pub(super) fn each(list: &'a Value, place: &str, converted: &mut Converted) -> Vec<Self> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut objects = Vec::new();
        for (at, value) in list.iter().enumerate() {
            let place = format!("{place}/{at}");
            match value.as_object() {
                Some(members) => objects.push(Self { members, place }),
                None => converted.leave_out_at(place, NO_OBJECT),
            }
        }
        objects
    }

    /// The objects of a member that is a list; none if there is no such member.
    pub(super) fn list(&self, name: &str, converted: &mut Converted) -> Vec<Self> {
        let place = format!("{}/{name}", self.place);
        let list = self.members.get(name);
        list.map_or_else(Vec::new, |list| Self::each(list, &place, converted))
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        let members = self.members.get(name)?.as_object()?;
        let place = format!("{}/{name}", self.place);
        Some(Self { members, place })
    }

    /// The members that are objects, each with its name. The name may be a key, so the place is
    /// the number in the order of names. What is no object is left out.
    pub(super) fn objects(&self, converted: &mut Converted) -> Vec<(&'a str, Self)> {
        let mut objects = Vec::new();
        for (at, (name, value)) in self.members.iter().enumerate() {
            let place = format!("object {} by name", at + 1);
            match value.as_object() {
                Some(members) => objects.push((name.as_str(), Self { members, place })),
                None => converted.leave_out_at(place, NO_OBJECT),
            }
        }
        objects
    }

    /// The names of the members.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.members.keys().map(String::as_str)
    }

    /// Where it is: a JSON pointer.
    pub(super) fn place(&self) -> String {
        match self.place.as_str() {
            "" => "/".to_owned(),
            place => place.to_owned(),
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|it| !is_empty(it))
    }

    /// A member of this type; `None` if it is absent or has another one.
    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.value(name)?).ok()
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name)
    }

    /// A member that is true or false, in any of the ways that exporters write it; `None` if it is
    /// absent.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Unreadable> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match plain(value).as_deref() {
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            _ => Err(Unreadable),
        }
    }

    /// A number, also if an exporter wrote it as a text; `None` if it is absent.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, Unreadable> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let number = plain(value).and_then(|text| text.parse().ok());
        number.map(Some).ok_or(Unreadable)
    }

    /// The end of a key as RFC 3339: a number since 1970, of which each is `unit` milliseconds, or
    /// a text with the time in UTC. `None` if it is absent, 0 or -1: the key does not expire.
    pub(super) fn end(&self, name: &str, unit: u64) -> Result<Option<String>, Unreadable> {
        let Some(text) = self.value(name).map(|it| plain(it).ok_or(Unreadable)) else {
            return Ok(None);
        };
        let text = text?;
        if matches!(text.as_str(), "0" | "-1") {
            return Ok(None);
        }
        let number = text.parse().ok().and_then(|it: u64| it.checked_mul(unit));
        let read = || {
            UnixMillis::parse(&format!(
                "{}Z",
                text.trim_end_matches('Z').replace(' ', "T")
            ))
            .ok()
        };
        let at = number.map(UnixMillis).or_else(read).ok_or(Unreadable)?;
        Ok(Some(at.to_string()))
    }

    /// A member that can be the account of a key: 1 to 128 visible ASCII characters without commas.
    pub(super) fn account(&self, name: &str) -> Option<String> {
        let fits = |text: &String| {
            text.len() <= 128 && text.bytes().all(|it| it.is_ascii_graphic() && it != b',')
        };
        self.text(name).filter(fits)
    }

    /// The names of the other members that say something.
    pub(super) fn others(&self, known: &[&str]) -> Vec<&'a str> {
        let members = self.members.iter();
        let others = members.filter(|(name, value)| {
            let is_known = known.contains(&name.as_str());
            let is_nothing = value.as_bool() == Some(false) || value.as_u64() == Some(0);
            !is_known && !is_empty(value) && !is_nothing
        });
        others.map(|(name, _)| name.as_str()).collect()
    }
}

/// A number, text or truth value as text; a number without a fraction of zero.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(it) => Some(it.to_string()),
        Value::Number(it) => {
            let text = it.to_string();
            Some(text.strip_suffix(".0").map_or(text.clone(), str::to_owned))
        }
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
