//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again
//! creates nothing again.
//!
//! What is stored of a request are two hashes: of its caller with the key, so that no caller meets
//! the requests of another, and of its body. A raw key is never stored, so that only the memory of
//! this process can repeat it, for [`SHOWN`] and for at most [`MAX_KEPT`] keys.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName};
use keygate_core::{Millis, UnixMillis};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::bearer::{digest, sent_token};
use crate::rights::Caller;
use crate::wrong::Errors;

/// The header.
const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Most characters of its value.
const MAX_VALUE: usize = 255;

/// How long a request is remembered.
pub(crate) const REMEMBERED: Millis = Millis::from_secs(24 * 3600);

/// How long a new key is shown again.
const SHOWN: Millis = Millis::from_secs(600);

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

    /// The digest of a body is stored for a day. Of a short secret in it, the digest would tell all.
    pub(crate) fn not_with_secrets() -> Errors {
        let detail = "cannot be combined with sealed, of which nothing may be remembered: create \
                      the key, then seal for it at the client";
        Errors::of_header(HEADER.as_str(), detail)
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
pub(crate) struct NewKeys(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    keys: HashMap<String, NewKey>,
    /// Whether somewhere a loop [sweeps](NewKeys::sweep).
    is_swept: bool,
}

/// The text of a new key.
struct NewKey {
    /// By the clock, which may jump.
    since: UnixMillis,
    /// From when on it is not in memory, even if nothing else happens.
    end: Instant,
    text: Zeroizing<String>,
}

impl NewKeys {
    /// Keeps the text of a key. Returns whether the caller must begin to sweep.
    pub(crate) fn keep(&self, id: &str, text: &Zeroizing<String>, now: UnixMillis) -> bool {
        let mut kept = self.lock();
        kept.keys.retain(|_, key| is_shown(key.since, now));
        if kept.keys.len() >= MAX_KEPT {
            let oldest = kept.keys.iter().min_by_key(|(_, key)| key.since);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                kept.keys.remove(&id);
            }
        }
        let key = NewKey {
            since: now,
            end: Instant::now() + Duration::from_millis(SHOWN.0),
            text: text.clone(),
        };
        kept.keys.insert(id.to_owned(), key);
        !std::mem::replace(&mut kept.is_swept, true)
    }

    /// The text of the key with this id, if it is still kept.
    pub(crate) fn text(&self, id: &str, now: UnixMillis) -> Option<Zeroizing<String>> {
        let kept = self.lock();
        let key = kept.keys.get(id)?;
        is_shown(key.since, now).then(|| key.text.clone())
    }

    /// Forgets the text of the key with this id.
    pub(crate) fn forget(&self, id: &str) {
        self.lock().keys.remove(id);
    }

    /// Forgets the texts whose time is over at this instant. Returns when to sweep again; `None`
    /// when none are kept, so that sweeping ends.
    pub(crate) fn sweep(&self, at: Instant) -> Option<Instant> {
        let mut kept = self.lock();
        kept.keys.retain(|_, key| at < key.end);
        let next = kept.keys.values().map(|key| key.end).min();
        kept.is_swept = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(keys.lock().keys.len(), MAX_KEPT);
        keys.keep("new", &Zeroizing::new("x".to_owned()), at(2 * SHOWN.0));
        assert_eq!(keys.lock().keys.len(), 1);
        assert_eq!(format!("{keys:?}"), "NewKeys(..)");
        keys.forget("new");
        assert_eq!(keys.text("new", at(2 * SHOWN.0)), None);
    }

    #[test]
    fn one_sweeper_forgets_all_keys_and_ends() {
        let keys = NewKeys::default();
        let text = Zeroizing::new("secret".to_owned());
        let now = UnixMillis(1_000_000);
        assert!(keys.keep("a", &text, now), "the first key needs a sweeper");
        assert!(!keys.keep("b", &text, now));
        let first = keys.sweep(Instant::now()).unwrap();
        let last = keys.sweep(first).unwrap_or(first);
        assert_eq!(keys.text("a", now), None);
        assert_eq!(keys.sweep(last), None);
        assert!(keys.lock().keys.is_empty());
        assert!(keys.keep("c", &text, now), "and so does the next one");
    }

    #[test]
    fn the_same_json_has_one_text() {
        let one = canonical(r#"{"b": {"y":1,"x":[1, 2]}, "a":"\u0061"}"#);
        assert_eq!(one, canonical(r#"{"a":"a","b":{"x":[1,2],"y":1}}"#));
        assert_ne!(one, canonical(r#"{"a":"a","b":{"x":[2,1],"y":1}}"#));
    }
}
