//! A place in a config dump: a message as JSON, and the way to it.

use serde_json::{Map, Value};

/// A value that Envoy may wrap in a struct without types, with the type beside it.
const TYPED_STRUCTS: [&str; 2] = ["xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"];

/// A message and its place, such as `public/filter_chains/0`.
#[derive(Clone)]
pub struct At<'d> {
    value: &'d Value,
    /// The names on the way to it.
    pub place: String,
}

impl<'d> At<'d> {
    /// A message that stands alone.
    pub fn new(value: &'d Value, place: impl Into<String>) -> Self {
        let place = place.into();
        Self { value, place }
    }

    /// The message as JSON.
    pub fn json(&self) -> &'d Value {
        self.value
    }

    /// The members, if it is a message.
    pub fn members(&self) -> impl Iterator<Item = (&'d str, At<'d>)> + use<'d> {
        let place = self.place.clone();
        let members = self.value.as_object().into_iter().flat_map(Map::iter);
        members.map(move |(name, value)| (name.as_str(), Self::new(value, join(&place, name))))
    }

    /// A member, if it is there. Its place is that of the message and its name.
    pub fn field(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|it| !it.is_null())?;
        Some(Self::new(value, join(&self.place, name)))
    }

    /// A member whose name says nothing to a reader: its place is that of the message.
    pub fn inside(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|it| !it.is_null())?;
        Some(Self::new(value, self.place.clone()))
    }

    /// The items of a member that is a list. Their places have their names, or else their numbers.
    pub fn items(&self, name: &str) -> Vec<Self> {
        let list = self.value.get(name).and_then(Value::as_array);
        let items = list.into_iter().flatten().enumerate();
        let place = join(&self.place, name);
        let item = |(at, value): (usize, &'d Value)| {
            let name = value.get("name").and_then(Value::as_str);
            let label = name.filter(|it| !it.is_empty());
            let label = label.map_or_else(|| at.to_string(), str::to_owned);
            Self::new(value, join(&place, &label))
        };
        items.map(item).collect()
    }

    /// A member that is a text; empty if it is not there.
    pub fn text(&self, name: &str) -> &'d str {
        let text = self.value.get(name).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    /// Whether a member is there and true.
    pub fn is_true(&self, name: &str) -> bool {
        self.value.get(name).and_then(Value::as_bool) == Some(true)
    }

    /// A member that is a number without a sign; 0 if it is not there.
    pub fn number(&self, name: &str) -> u64 {
        let number = self.value.get(name).and_then(Value::as_u64);
        number.unwrap_or_default()
    }

    /// A member that is a duration, such as `15s`, in seconds; `None` if it is not there.
    pub fn seconds(&self, name: &str) -> Option<f64> {
        let text = self.text(name).strip_suffix('s')?;
        text.parse().ok()
    }

    /// The message of a `typed_config`, with its type without a prefix.
    pub fn typed(&self, name: &str) -> Option<(&'d str, Self)> {
        let config = self.inside(name)?;
        let r#type = config.r#type();
        if !TYPED_STRUCTS.contains(&r#type) {
            return Some((r#type, config));
        }
        let r#type = without_prefix(config.text("type_url"));
        let empty = Self::new(&Value::Null, config.place.clone());
        Some((r#type, config.inside("value").unwrap_or(empty)))
    }

    /// The type of a message of any type, without a prefix.
    pub fn r#type(&self) -> &'d str {
        without_prefix(self.text("@type"))
    }

    /// Every text in it, however deep.
    pub fn texts(&self) -> Vec<&'d str> {
        let mut texts = Vec::new();
        let mut rest = vec![self.value];
        while let Some(value) = rest.pop() {
            match value {
                Value::String(text) => texts.push(text.as_str()),
                Value::Array(items) => rest.extend(items),
                Value::Object(members) => rest.extend(members.values()),
                _ => {}
            }
        }
        texts
    }
}

fn without_prefix(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

fn join(place: &str, name: &str) -> String {
    match place {
        "" => name.to_owned(),
        place => format!("{place}/{name}"),
    }
}
