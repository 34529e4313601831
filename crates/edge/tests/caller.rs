//! What the host says of a request beside its headers: when it is asked, and what is kept.

use std::cell::Cell;

use keygate_core::Client;
use keygate_core::identity::Claims;
use serde_json::{Value, json};

use crate::worker::{LOOKUPS, address, key, lookup, policy, start_polled};

/// A session of one account, which counts how often it is looked at.
struct Session<'a>(&'a Cell<u32>);

impl Claims for Session<'_> {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.0.set(self.0.get() + 1);
        path.ends_with(&["sub"]).then(|| b"bob".to_vec())
    }
}

/// A key, or else a session.
fn either() -> Value {
    let mut policy = policy();
    policy["providers"]["session"] = json!({ "type": "jwt", "account_claim": "sub" });
    policy["rules"][0]["require"] = json!({ "any": ["key", "session"] });
    policy
}

fn bearer(number: u8) -> String {
    format!("Bearer {}", key(number).text.as_str())
}

#[test]
fn a_decision_that_needs_no_address_asks_for_none() {
    let mut worker = start_polled(&policy());
    let asked = Cell::new(0);
    let ask = || {
        asked.set(asked.get() + 1);
        address("192.0.2.1")
    };
    let none = Session(&Cell::new(0));
    for path in ["/healthz", "/api/x", "/nothing"] {
        let headers = [(":method", "GET"), (":path", path)];
        worker.request_from(&headers, Client::Asked(&ask), &none);
    }
    assert_eq!((asked.get(), none.0.get()), (0, 0));
}

#[test]
fn the_address_of_a_paused_request_is_kept_for_a_key_that_is_bound_to_one() {
    let mut worker = start_polled(&policy());
    let bearer = bearer(1);
    let headers = [
        (":method", "GET"),
        (":path", "/api/x"),
        ("authorization", &*bearer),
    ];
    let asked = Cell::new(0);
    let mut send = |text: &str| {
        let ask = || {
            asked.set(asked.get() + 1);
            address(text)
        };
        worker.request_from(&headers, Client::Asked(&ask), &Session(&Cell::new(0)))
    };
    let (inside, outside) = (send("10.1.2.3"), send("192.0.2.1"));
    worker.turn();
    let mut answer = lookup(10, &[&key(1)]);
    answer["records"][0]["allowed_ips"] = json!(["10.0.0.0/8"]);
    worker.answer_only(LOOKUPS, &answer);
    assert_eq!(worker.status(inside), Some(200));
    assert_eq!(worker.status(outside), Some(403));
    assert_eq!(asked.get(), 2, "once for each");
}

#[test]
fn the_claims_of_a_paused_request_are_kept() {
    let mut worker = start_polled(&either());
    let bearer = bearer(1);
    let headers = [
        (":method", "GET"),
        (":path", "/api/x"),
        ("authorization", &*bearer),
    ];
    let looked = Cell::new(0);
    let request = worker.request_from(&headers, Client::Known(None), &Session(&looked));
    let before = looked.get();
    worker.turn();
    worker.answer_only(LOOKUPS, &json!({ "epoch": 10, "records": [] }));
    assert_eq!(worker.status(request), Some(200), "by the session");
    let account = worker.added(request, "x-keygate-account");
    assert_eq!(account.as_deref(), Some("bob"));
    assert_eq!(looked.get(), before, "the host is not asked any more");
}

#[test]
fn the_claims_of_sessions_that_the_rule_does_not_name_are_kept_too() {
    let mut policy = policy();
    policy["providers"]["session"] = json!({ "type": "jwt", "account_claim": "sub",
        "strip": ["authorization"] });
    policy["providers"]["key"]["from"] = json!([{ "header": "x-key" }]);
    let mut worker = start_polled(&policy);
    let key_text = key(1).text.to_string();
    let headers = [
        (":method", "GET"),
        (":path", "/api/x"),
        ("x-key", &*key_text),
        ("authorization", "Bearer a-token-of-a-session"),
    ];
    let looked = Cell::new(0);
    let request = worker.request_from(&headers, Client::Known(None), &Session(&looked));
    worker.turn();
    worker.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
    assert_eq!(worker.status(request), Some(200));
    assert!(
        worker.removed(request, "authorization"),
        "the token of a verified session does not pass on"
    );
}
