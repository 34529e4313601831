//! What a rule can match and need, on a real Envoy.

use keygate_tests::{Stack, client};
use serde_json::{Value, json};

use crate::support::{call, code};

fn with_rule(rule: Value) -> Stack {
    Stack::builder()
        .edit_policy(|policy| policy["rules"].as_array_mut().unwrap().insert(0, rule))
        .start()
}

#[test]
fn scopes_are_needed_by_method() {
    let stack = with_rule(json!({
        "name": "files", "match": { "path": "/files/**" }, "require": "app-key",
        "scopes": [
            { "methods": ["GET", "HEAD"], "need": "files:read" },
            { "need": "files:write OR admin" }
        ]
    }));
    let reader = json!({ "account": "alice", "scopes": ["files:read"] });
    let reader = stack.service().create_key(&reader).key;
    let owner = json!({ "account": "alice", "scopes": ["files:*"] });
    let owner = stack.service().create_key(&owner).key;
    let post = |key: &str| {
        let bearer = format!("Bearer {key}");
        stack
            .post("/files/x")
            .header("authorization", bearer)
            .body("x")
            .send()
    };
    assert_eq!(call(&stack, "/files/x", &reader).status, 200);
    assert_eq!(post(&owner).status, 200);
    let rejected = post(&reader);
    assert_eq!(
        (rejected.status, code(&rejected).as_str()),
        (403, "insufficient_scope")
    );
    let challenge = rejected.header("www-authenticate").unwrap();
    assert!(
        challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(
        challenge.ends_with("scope=\"files:write admin\""),
        "{challenge}"
    );
}

#[test]
fn host_and_header_choose_the_rule() {
    let stack = with_rule(json!({
        "name": "probe", "require": "nothing",
        "match": { "path": "/api/**", "hosts": ["*.internal"], "headers": [{ "name": "x-probe", "value": "1" }] }
    }));
    let status = |host: &str, probe: &str| {
        let request = format!(
            "GET /api/x HTTP/1.1\r\nhost: {host}\r\nx-probe: {probe}\r\nconnection: close\r\n\r\n"
        );
        client::raw(stack.envoy.port(), request).status
    };
    assert_eq!(status("a.internal:10000", "1"), 200);
    assert_eq!(status("A.Internal", "1"), 200);
    assert_eq!(status("a.internal", "2"), 401);
    assert_eq!(status("internal", "1"), 401);
    assert_eq!(status("a.internal.evil", "1"), 401);
}

#[test]
fn identity_headers_may_have_other_names() {
    let stack = Stack::builder()
        .edit_policy(|policy| policy["identity"] = json!({ "account": "x-user" }))
        .start();
    let key = crate::support::key_of(&stack, "alice").key;
    stack
        .get("/api/x")
        .header("authorization", format!("Bearer {key}"))
        .header("x-user", "root")
        .send();
    assert_eq!(stack.echo.last().values("x-user"), ["alice"]);
    stack.get("/healthz").header("x-user", "root").send();
    assert_eq!(stack.echo.last().header("x-user"), None);
}
