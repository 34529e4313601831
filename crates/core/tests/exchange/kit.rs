//! A policy whose links are exchanged, and what an allowed request comes to.

use std::rc::Rc;

use hmac::{Hmac, KeyInit as _};
use keygate_core::keys::wire::Record;
use keygate_core::keys::{KeyHash, KeyLookup, Knowledge, KnownKey, NoAnswer};
use keygate_core::secret::RingEntry;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_core::{Edit, Header, Policy, Reason, UnixMillis, Verdict};
use serde_json::{Value, json};
use sha2::Sha256;

use keygate_testkit::judge::{after, facts, get};

pub const LINKS: &str = "the-secret-of-the-links-0123456789abcdef";
pub const COOKIES: &str = "the-secret-of-the-cookies-0123456789abcdef";
pub const NOW: u64 = 1_767_225_600;
pub const END: u64 = NOW + 3600;

pub fn written() -> Value {
    json!({
        "version": 1,
        "secrets": {
            "links": [{ "id": "01", "env": "LINKS" }],
            "cookies": [{ "id": "c1", "env": "COOKIES" }, { "id": "c0", "env": "OLD" }],
            "keys": [{ "id": "01", "env": "KEYS" }]
        },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "link": { "type": "signed_url", "format": "keygate", "secrets": "links",
                "max_lifetime": "30d", "from": [{ "query": "kg" }, { "header": "x-link" }, { "cookie": "link" }],
                "exchange": { "secrets": "cookies", "max_session": "6h" } },
            "key": { "type": "app_key", "secrets": "keys", "from": ["bearer"] }
        },
        "rules": [
            { "name": "both", "match": { "path": "/both/**" }, "require": { "all": ["link", "key"] } },
            { "name": "open", "match": { "path": "/open/**" }, "require": "nothing" },
            { "name": "off", "match": { "path": "/off/**" }, "require": "link", "mode": "off" },
            { "name": "try", "match": { "path": "/try/**" }, "require": "link", "mode": "simulate" },
            { "name": "all", "match": { "path": "/**" }, "require": "link" }
        ],
        "unmatched": "deny"
    })
}

pub fn parse(written: &Value) -> Result<Policy, Vec<String>> {
    let environment = |name: &str| {
        let value = match name {
            "LINKS" => LINKS,
            "COOKIES" => COOKIES,
            "OLD" => "the-old-secret-of-the-cookies-0123456789abcdef",
            "SHORT" => "0123456789abcde",
            "TOKEN" => "edge-token",
            _ => "another-secret-0123456789abcdef0123456789",
        };
        Some(value.as_bytes().to_vec())
    };
    Policy::parse(written.to_string().as_bytes(), &environment)
        .map_err(|all| all.iter().map(ToString::to_string).collect())
}

/// The policy after a change.
pub fn policy(change: impl FnOnce(&mut Value)) -> Policy {
    let mut written = written();
    change(&mut written);
    parse(&written).unwrap()
}

pub fn prefix(prefix: &str) -> Terms<'_> {
    Terms {
        expires_secs: END,
        prefix: Some(prefix),
        ..Terms::default()
    }
}

pub fn token(terms: &Terms<'_>, target: &str, id: &str, secret: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let entry = RingEntry {
        id: id.to_owned(),
        key: Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap(),
        not_before: None,
        not_after: None,
    };
    let host = "example.com";
    hs256(terms, &Place { host, path, query }, &entry).unwrap()
}

/// A target with a link's token in its query.
pub fn link(terms: &Terms<'_>, target: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    format!(
        "{target}{separator}kg={}",
        token(terms, target, "01", LINKS)
    )
}

/// What an allowed request comes to.
#[derive(Debug)]
pub struct Seen {
    pub path: String,
    pub edits: Vec<Edit>,
    pub response: Vec<Edit>,
}

pub fn see(policy: &Policy, headers: &[Header], now_secs: u64) -> Result<Seen, Reason> {
    let unknown = NoAnswer(Reason::KeyServiceUnavailable);
    let client = Some("192.0.2.1".parse().unwrap());
    let facts = facts(&unknown, client, UnixMillis::from_secs(now_secs));
    match policy.decide(headers, &facts) {
        Verdict::Allow(grant) => Ok(Seen {
            path: after(headers, &grant.edits, ":path").unwrap(),
            edits: grant.edits,
            response: grant.response_edits,
        }),
        Verdict::Deny(denial) => Err(denial.reason),
        other => panic!("{other:?}"),
    }
}

/// The one `set-cookie` that the answer gets.
pub fn cookie_of(seen: &Seen) -> Option<String> {
    let set = |edit: &Edit| matches!(edit, Edit::Set(name, _) if name == "set-cookie");
    assert!(!seen.response.iter().any(set), "{:?}", seen.response);
    after(&[], &seen.response, "set-cookie")
}

/// What a browser sends back of it.
pub fn pair(set_cookie: &str) -> String {
    set_cookie.split(';').next().unwrap().to_owned()
}

/// The cookie that a link for a prefix is exchanged for.
pub fn exchanged(policy: &Policy, covered: &str) -> String {
    let target = link(&prefix(covered), &format!("{covered}index"));
    let seen = see(policy, &get(&target, &[]), NOW).unwrap();
    pair(&cookie_of(&seen).unwrap())
}

/// Knows every key as that of this account.
pub struct Known(pub &'static str);

impl KeyLookup for Known {
    fn find(&self, hashes: &[KeyHash], _: UnixMillis) -> Knowledge {
        let record: Record = serde_json::from_value(json!({
            "id": "k", "hash": hashes[0], "account": self.0, "metadata": {},
            "status": "active"
        }))
        .unwrap();
        Knowledge::Known(Rc::new(KnownKey::try_from(&record).unwrap()))
    }
}
