//! The text of a dump, and its objects.

use keygate_core::UnixMillis;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

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

/// An object of a dump, and where it is.
pub(super) struct Object<'a> {
    members: &'a Map<String, Value>,
    place: String,
}

impl<'a> Object<'a> {
    /// The document, if it is an object.
    pub(super) fn root(document: &'a Value) -> Option<Self> {
        let members = document.as_object()?;
        let place = String::new();
        Some(Self { members, place })
    }

    /// The objects of a list.
    pub(super) fn each(list: &'a Value, place: &str) -> Vec<Self> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let objects = list.iter().enumerate().filter_map(|(at, value)| {
            let members = value.as_object()?;
            let place = format!("{place}/{at}");
            Some(Self { members, place })
        });
        objects.collect()
    }

    /// The objects of a member that is a list; none if there is no such member.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        let place = format!("{}/{name}", self.place);
        let list = self.members.get(name);
        list.map_or_else(Vec::new, |list| Self::each(list, &place))
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        let members = self.members.get(name)?.as_object()?;
        let place = format!("{}/{name}", self.place);
        Some(Self { members, place })
    }

    /// The members that are objects, each with its name. The name may be a key, so the place is
    /// the number in the order of names.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let members = self.members.iter().enumerate();
        members.filter_map(|(at, (name, value))| {
            let members = value.as_object()?;
            let place = format!("object {} by name", at + 1);
            Some((name.as_str(), Self { members, place }))
        })
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

    /// A time as RFC 3339; `unit` is the number of milliseconds in one of the member.
    pub(super) fn time(&self, name: &str, unit: u64) -> Option<String> {
        let number: u64 = self.get(name)?;
        let at = UnixMillis(number.checked_mul(unit)?);
        (number > 0).then(|| at.to_string())
    }

    /// The first of the members that can be the account of a key: 1 to 128 visible ASCII
    /// characters without commas.
    pub(super) fn account(&self, names: &[&str]) -> Option<String> {
        let texts = names.iter().filter_map(|name| self.text(name));
        let fits = |text: &String| {
            text.len() <= 128 && text.bytes().all(|it| it.is_ascii_graphic() && it != b',')
        };
        texts.into_iter().find(fits)
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

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
