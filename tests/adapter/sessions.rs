//! What another filter has verified, as the host hands it over.

use serde_json::json;

use crate::host::Worker;
use crate::{header, policy};

/// A worker whose API is for sessions.
fn start() -> Worker {
    let mut policy = policy();
    policy["providers"]["session"] = json!({
        "type": "jwt", "metadata_key": "payload", "account_claim": "sub", "scopes_claim": "groups"
    });
    policy["rules"][1]["require"] = json!("session");
    Worker::start(&policy.to_string()).unwrap()
}

const PAYLOAD: [&str; 4] = [
    "metadata",
    "filter_metadata",
    "envoy.filters.http.jwt_authn",
    "payload",
];

/// A list as Envoy gives it: a count, two sizes for each item, and the texts.
fn list(items: &[&str]) -> Vec<u8> {
    let number = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
    let mut bytes = number(items.len()).to_vec();
    for item in items {
        bytes.extend([number(item.len()), number(0)].concat());
    }
    for item in items {
        bytes.extend([item.as_bytes(), b"\0\0"].concat());
    }
    bytes
}

/// The scopes that arrive of a session with this claim; `None` when it is rejected.
fn scopes(claim: &[u8], items: &[&str]) -> Option<String> {
    let worker = start();
    let path = |rest: &[&'static str]| [&PAYLOAD[..], rest].concat();
    worker.leave_property(&path(&["sub"]), b"alice");
    worker.leave_property(&path(&["groups"]), claim);
    for (place, item) in items.iter().enumerate() {
        let place = ["0", "1", "2"][place];
        worker.leave_property(&path(&["groups", place]), item.as_bytes());
    }
    let headers: [(&str, &[u8]); 3] = [
        (":method", b"GET"),
        (":path", b"/api/x"),
        (":authority", b"h"),
    ];
    let (request, passes) = worker.request(&headers);
    let scopes = header(&worker.exchange(request), "x-keygate-scopes");
    passes.then(|| scopes.unwrap_or_default())
}

#[test]
fn a_list_with_an_empty_scope_is_no_shorter_list() {
    let of_list = |items: &[&str]| scopes(&list(items), items);
    assert_eq!(of_list(&["one", "two"]).as_deref(), Some("one two"));
    assert_eq!(of_list(&[]).as_deref(), Some(""));
    for items in [&[""][..], &["one", ""], &["", "one"], &["one", "", "two"]] {
        assert_eq!(of_list(items), None, "{items:?}");
    }
}

#[test]
fn what_is_neither_text_nor_list_brings_no_scopes() {
    for claim in [12.0_f64, 0.1, f64::MAX].map(f64::to_le_bytes) {
        assert_eq!(scopes(&claim, &[]).as_deref(), Some(""), "{claim:?}");
    }
    for claim in [&b""[..], b"\x01", b"\x01\0\0\0"] {
        assert_eq!(scopes(claim, &[]).as_deref(), Some(""), "{claim:?}");
    }
    assert_eq!(scopes(b"one two", &[]).as_deref(), Some("one two"));
}
