//! The text that is sealed: `{"headers":{"authorization":"Bearer …"}}`, padded with spaces.
//!
//! serde_json finds the members. Their values are taken out by hand: where a string has an escape,
//! serde_json copies it into a buffer that it frees without overwriting it.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{BLOCK, MAX_TEXT};
use crate::http::edit::SecretValue;
use crate::http::header_name::is_sealable;
use crate::text::hex;

/// Headers with their values, in order; at least one. Names are in lower case.
pub struct SealedHeaders(Vec<(String, SecretValue)>);

/// Why headers cannot be sealed. Never carries a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSealable {
    /// There is none.
    #[error("must have at least one header")]
    Empty,
    /// A name that this is not for.
    #[error(
        "must be the name of a header in lower case, such as \"authorization\", that neither frames \
         a message nor is set by proxies"
    )]
    Name,
    /// A name that is there already.
    #[error("is given more than once")]
    Duplicate,
    /// A value of other characters.
    #[error("must be visible ASCII characters, with spaces only between them")]
    Value,
    /// All of them take more than the format allows.
    #[error("must be at most 2048 bytes as JSON")]
    TooLong,
}

impl SealedHeaders {
    /// No header yet; [`Self::add`] adds one.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a header.
    ///
    /// # Errors
    /// [`NotSealable`] for its name or its value.
    pub fn add(&mut self, name: String, value: Zeroizing<Vec<u8>>) -> Result<(), NotSealable> {
        if !is_sealable(&name) {
            return Err(NotSealable::Name);
        }
        if self.0.iter().any(|(taken, _)| *taken == name) {
            return Err(NotSealable::Duplicate);
        }
        if !is_value(&value) {
            return Err(NotSealable::Value);
        }
        self.0.push((name, SecretValue::new(value)));
        Ok(())
    }

    /// Whether all of them together can be sealed.
    ///
    /// # Errors
    /// [`NotSealable::Empty`] and [`NotSealable::TooLong`].
    pub fn check(&self) -> Result<(), NotSealable> {
        self.padded().map(drop)
    }

    /// The headers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SecretValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The headers, given away.
    pub(crate) fn into_headers(self) -> impl Iterator<Item = (String, SecretValue)> {
        self.0.into_iter()
    }

    /// The text to seal.
    pub(super) fn padded(&self) -> Result<Zeroizing<Vec<u8>>, NotSealable> {
        if self.0.is_empty() {
            return Err(NotSealable::Empty);
        }
        // Enough from the start: a buffer that grows leaves copies behind.
        let escaped = |value: &SecretValue| value.expose().len().saturating_mul(2);
        let sizes = self.0.iter();
        let sizes = sizes.map(|(name, value)| name.len().saturating_add(escaped(value)));
        let most = sizes.fold(MAX_TEXT, |all, one| {
            all.saturating_add(one).saturating_add(16)
        });
        let mut text = Zeroizing::new(Vec::with_capacity(most));
        text.extend_from_slice(b"{\"headers\":{");
        for (at, (name, value)) in self.0.iter().enumerate() {
            text.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b"\":\"");
            for &byte in value.expose() {
                if matches!(byte, b'"' | b'\\') {
                    text.push(b'\\');
                }
                text.push(byte);
            }
            text.push(b'"');
        }
        text.extend_from_slice(b"}}");
        if text.len() > MAX_TEXT {
            return Err(NotSealable::TooLong);
        }
        let padded = text.len().next_multiple_of(BLOCK);
        text.resize(padded, b' ');
        Ok(text)
    }

    /// Reads the text that was sealed; `None` for anything else.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        // serde reads a list as a struct, too.
        if !text.starts_with('{') {
            return None;
        }
        let Text { headers } = serde_json::from_str(text).ok()?;
        (!headers.0.is_empty()).then_some(headers)
    }
}

impl fmt::Debug for SealedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// Every text that is a value of a header as it stands (RFC 9110 section 5.5), in ASCII.
fn is_value(value: &[u8]) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    is_edge(value.first())
        && is_edge(value.last())
        && value.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    headers: SealedHeaders,
}

impl<'de> Deserialize<'de> for SealedHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = SealedHeaders;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<SealedHeaders, M::Error> {
                let mut headers = SealedHeaders::none();
                while let Some((name, json)) = map.next_entry::<String, &RawValue>()? {
                    let value = unescaped(json.get()).ok_or_else(|| wrong(NotSealable::Value))?;
                    headers.add(name, value).map_err(wrong)?;
                }
                Ok(headers)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

fn wrong<E: de::Error>(error: NotSealable) -> E {
    E::custom(error)
}

/// The characters of a JSON string, of which it is known that it is JSON. No escape of a control
/// character or beyond ASCII has a place in a value.
fn unescaped(json: &str) -> Option<Zeroizing<Vec<u8>>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut value = Zeroizing::new(Vec::with_capacity(inside.len()));
    let mut bytes = inside.iter().copied();
    while let Some(byte) = bytes.next() {
        value.push(match byte {
            b'\\' => match bytes.next()? {
                escaped @ (b'"' | b'\\' | b'/') => escaped,
                b'u' => {
                    let mut digit = || hex::digit(bytes.next()?);
                    match (digit()?, digit()?, digit()?, digit()?) {
                        (0, 0, high, low) => (high << 4) | low,
                        _ => return None,
                    }
                }
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(value)
}
