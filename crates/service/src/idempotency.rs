//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again
//! creates nothing again.
//!
//! What is stored of a request are two hashes: of its caller with the key, so that no caller meets
//! the requests of another, and of its body. A raw key is never stored, so that only the memory of
//! this process can repeat it, for [`SHOWN`] and for at most [`MAX_KEPT`] keys.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName};
use keygate_core::{Millis, UnixMillis};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::auth::{digest, sent_token};
use crate::rights::Caller;
use crate::wrong::Errors;

/// The header.
const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Most characters of its value.
const MAX_VALUE: usize = 255;

/// How long a request is remembered.
pub(crate) const REMEMBERED: Millis = Millis::from_secs(24 * 3600);

/// How long a new key is shown again.
pub(crate) const SHOWN: Millis = Millis::from_secs(600);

/// Most new keys in memory. The oldest is forgotten for one more.
const MAX_KEPT: usize = 1000;

/// A request that is not to be done twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// Of the caller and its key.
    pub slot: [u8; 32],
    /// Of what it asks for.
    pub body: [u8; 32],
}

impl Once {
    /// Reads the header; `None` if there is none. `body` is JSON.
    pub(crate) fn of(
        headers: &HeaderMap,
        caller: &Caller,
        body: &str,
    ) -> Result<Option<Self>, Errors> {
        let mut sent = headers.get_all(HEADER).iter();
        let Some(value) = sent.next() else {
            return Ok(None);
        };
        // A string of RFC 9651, or the same without its quotes, as many clients send it.
        let value = value.as_bytes();
        let inner = value
            .strip_prefix(b"\"")
            .and_then(|it| it.strip_suffix(b"\""));
        let value = inner.unwrap_or(value);
        let fits = (1..=MAX_VALUE).contains(&value.len())
            && value.iter().all(|it| it.is_ascii_graphic() && *it != b'"');
        if !fits || sent.next().is_some() {
            let detail = "must be given once, and be 1 to 255 visible ASCII characters in quotes";
            return Err(Errors::of_header(HEADER.as_str(), detail));
        }
        Ok(Some(Self {
            slot: slot(caller, headers, value),
            body: Sha256::digest(canonical(body)).into(),
        }))
    }
}

/// A caller is a token, an account by a session, or a key of an account.
fn slot(caller: &Caller, headers: &HeaderMap, value: &[u8]) -> [u8; 32] {
    let Caller::Account(assertion) = caller else {
        let token = digest(sent_token(headers).unwrap_or_default());
        return hash(&[b"token", &token, value]);
    };
    let account = assertion.account.as_bytes();
    match &assertion.key_id {
        None => hash(&[b"session", account, value]),
        Some(id) => hash(&[b"key", account, id.as_bytes(), value]),
    }
}

/// Each part with its length, so that no two lists of parts are the same bytes.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The same text for the same JSON: white space and the order of members do not matter. A body that
/// is no object stays as it is.
fn canonical(body: &str) -> String {
    let members: Result<BTreeMap<String, serde_json::Value>, _> = serde_json::from_str(body);
    let sorted = members.and_then(|it| serde_json::to_string(&it));
    sorted.unwrap_or_else(|_| body.to_owned())
}

/// The text of new keys, by their ids. Cleared from memory when it is forgotten.
#[derive(Default)]
pub(crate) struct NewKeys(Mutex<HashMap<String, (UnixMillis, Zeroizing<String>)>>);

impl NewKeys {
    /// Keeps the text of a key.
    pub(crate) fn keep(&self, id: &str, text: &Zeroizing<String>, now: UnixMillis) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, (since, _)| is_shown(*since, now));
        if keys.len() >= MAX_KEPT {
            let oldest = keys.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                keys.remove(&id);
            }
        }
        keys.insert(id.to_owned(), (now, text.clone()));
    }

    /// The text of the key with this id, if it is still kept.
    pub(crate) fn text(&self, id: &str, now: UnixMillis) -> Option<Zeroizing<String>> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, text) = keys.get(id)?;
        is_shown(*since, now).then(|| text.clone())
    }

    /// Forgets the text of the key with this id.
    pub(crate) fn forget(&self, id: &str) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.remove(id);
    }
}

/// Also false where the clock was set back.
fn is_shown(since: UnixMillis, now: UnixMillis) -> bool {
    since <= now && now < since.plus(SHOWN)
}

impl fmt::Debug for NewKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_keys_are_bounded_and_forgotten() {
        let keys = NewKeys::default();
        let at = |millis| UnixMillis(1_000_000 + millis);
        for number in 0..=MAX_KEPT as u64 {
            let text = Zeroizing::new(format!("secret-{number}"));
            keys.keep(&number.to_string(), &text, at(number));
        }
        let now = at(MAX_KEPT as u64);
        assert_eq!(keys.text("0", now), None, "the oldest made place");
        assert_eq!(keys.text("1", now).unwrap().as_str(), "secret-1");
        assert_eq!(keys.text("1", at(SHOWN.0 + 1)), None);
        assert_eq!(keys.text("9", at(0)), None, "the clock was set back");
        assert_eq!(keys.0.lock().unwrap().len(), MAX_KEPT);
        keys.keep("new", &Zeroizing::new("x".to_owned()), at(2 * SHOWN.0));
        assert_eq!(keys.0.lock().unwrap().len(), 1);
        assert_eq!(format!("{keys:?}"), "NewKeys(..)");
        keys.forget("new");
        assert_eq!(keys.text("new", at(2 * SHOWN.0)), None);
    }

    #[test]
    fn the_same_json_has_one_text() {
        let one = canonical(r#"{"b": {"y":1,"x":[1, 2]}, "a":"\u0061"}"#);
        assert_eq!(one, canonical(r#"{"a":"a","b":{"x":[1,2],"y":1}}"#));
        assert_ne!(one, canonical(r#"{"a":"a","b":{"x":[2,1],"y":1}}"#));
    }
}
