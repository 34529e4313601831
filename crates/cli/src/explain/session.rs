//! The session that `jwt_authn` is taken to have verified.

use keygate_core::identity::Claims;
use serde_json::{Map, Value};

/// The claims of a session.
#[derive(Clone)]
pub struct Session(Map<String, Value>);

impl Session {
    /// Parses a JSON object of claims, or `name=value` pairs with commas between them.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The text may contain personal data, so no message repeats it.
        let wrong = || "must be like sub=alice,scope=read, or a JSON object of claims".to_owned();
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text).map(Self).map_err(|_| wrong());
        }
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.into())),
            _ => Err(wrong()),
        };
        text.split(',')
            .map(pair)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// As Envoy passes them: text as it is, and everything else in bytes that are not text. The
/// filter and the key of the metadata are those of the provider.
impl Claims for Session {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        let (name, item) = match path {
            [_, _, name] => (name, None),
            [_, _, name, item] => (name, Some(item.parse::<usize>().ok()?)),
            _ => return None,
        };
        let claim = self.0.get(*name)?;
        let value = match item {
            Some(index) => claim.get(index)?,
            None => claim,
        };
        match value {
            Value::String(text) => Some(text.clone().into_bytes()),
            Value::Number(number) => Some(number.as_f64()?.to_le_bytes().into()),
            Value::Bool(is_true) => Some(vec![u8::from(*is_true)]),
            Value::Array(_) | Value::Object(_) => Some(vec![0; 4]),
            Value::Null => None,
        }
    }
}
