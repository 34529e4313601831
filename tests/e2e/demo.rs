//! The demo policy, as `make run` shows it and as a user copies it.

use keygate_tests::{Stack, client};

use crate::support::{
    assert_never_trapped, call, code, counted, genuine_key, key_of, sign, upstream_header,
};

#[test]
fn the_health_check_needs_nothing() {
    let stack = Stack::start();
    assert_eq!(stack.get("/healthz").send().status, 200);
    assert_eq!(counted(&stack, "keygate_decision.allow.anonymous"), 1);
}

#[test]
fn a_signed_link_passes_and_the_token_does_not_reach_the_upstream() {
    let stack = Stack::start();
    let answer = stack.get(sign("/media/cat.jpg?size=2", &[])).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["path"], "/media/cat.jpg?size=2");
    let head = client::request("HEAD", stack.envoy.port(), sign("/media/cat.jpg", &[])).send();
    assert_eq!(head.status, 200);
}

#[test]
fn a_rejected_link_is_a_page_that_no_cache_keeps() {
    let stack = Stack::start();
    let rejected = stack
        .get("/media/cat.jpg")
        .header("accept", "text/html")
        .send();
    assert_eq!(rejected.status, 403);
    let header = |name| rejected.header(name).unwrap_or_default();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    assert!(rejected.text().contains("<h1>This link is incomplete</h1>"));
    assert_eq!(stack.echo.count(), 0);
    // The log says more than the client learns.
    stack
        .envoy
        .wait_for_log("keygate_denied{reason=missing_credential,rule=media}");
}

#[test]
fn a_link_is_for_get_and_head_only() {
    let stack = Stack::start();
    let rejected = stack.post(sign("/media/cat.jpg", &[])).body("x").send();
    assert_eq!(
        (rejected.status, code(&rejected).as_str()),
        (403, "not_allowed_here")
    );
}

#[test]
fn an_app_key_passes_with_its_identity_in_every_carrier() {
    let stack = Stack::start();
    let created = stack.service().create_key(&serde_json::json!({
        "account": "alice", "name": "laptop", "scopes": ["files:read", "files:write"],
        "metadata": { "plan": "pro" }
    }));
    let key = &created.key;
    let basic = base64_of(&format!("alice:{key}"));
    for (name, value, left) in [
        ("authorization", format!("Bearer {key}"), vec![]),
        ("Authorization", format!("bearer {key}"), vec![]),
        ("authorization", format!("Basic {basic}"), vec![]),
        ("x-api-key", key.clone(), vec![]),
        (
            "cookie",
            format!("theme=dark; app_key={key}; lang=en"),
            vec!["theme=dark; lang=en"],
        ),
        ("cookie", format!("app_key={key}"), vec![]),
    ] {
        let answer = stack.get("/api/files?a=%20b").header(name, &value).send();
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let upstream = |name: &str| upstream_header(&answer, name);
        assert_eq!(
            upstream(&name.to_lowercase()),
            left,
            "the credential is stripped"
        );
        assert_eq!(upstream("x-keygate-account"), ["alice"]);
        assert_eq!(upstream("x-keygate-key-id"), [created.id.as_str()]);
        assert_eq!(upstream("x-keygate-scopes"), ["files:read files:write"]);
        assert_eq!(upstream("x-keygate-metadata").len(), 1);
        assert_eq!(upstream("x-keygate-result"), ["allow"]);
        assert_eq!(answer.json()["path"], "/api/files?a=%20b");
        assert!(
            !answer.text().contains(key.as_str()),
            "the key reached the upstream"
        );
    }
}

#[test]
fn basic_with_another_user_name_is_rejected() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice").key;
    let basic = base64_of(&format!("bob:{key}"));
    let rejected = stack
        .get("/api/x")
        .header("authorization", format!("Basic {basic}"))
        .send();
    assert_eq!(
        (rejected.status, code(&rejected).as_str()),
        (401, "invalid_credential")
    );
}

#[test]
fn a_rejected_key_is_json_with_the_id_of_the_request() {
    let stack = Stack::start();
    let rejected = stack.get("/api/x").send();
    assert_eq!(rejected.status, 401);
    assert_eq!(
        rejected.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(
        rejected.header("www-authenticate").as_deref(),
        Some("Bearer realm=\"keygate\"")
    );
    let error = &rejected.json()["error"];
    assert_eq!(error["code"], "missing_credential");
    let id = error["request"].as_str().unwrap();
    assert_eq!(id.len(), 36, "Envoy's request id");
    stack.envoy.wait_for_log(id);
}

#[test]
fn unknown_forged_and_revoked_keys_are_answered_alike() {
    let stack = Stack::start();
    let revoked = key_of(&stack, "alice");
    stack.service().revoke(&revoked.id);
    let (unknown, forged) = (
        genuine_key(7),
        format!("{}AAAAAA", "kg_01aaaaaaaaaa_".to_owned() + &"b".repeat(40)),
    );
    let answers = [&revoked.key, &unknown, &forged].map(|key| {
        let answer = call(&stack, "/api/x", key);
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| name != "date");
        let body = answer.text();
        let id = answer.json()["error"]["request"]
            .as_str()
            .unwrap()
            .to_owned();
        (answer.status, headers, body.replace(&id, "ID"))
    });
    assert_eq!(answers[0].0, 401);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    for reason in ["revoked_key", "unknown_key", "malformed_credential"] {
        assert_eq!(
            counted(&stack, &format!("keygate_decision.deny.{reason}")),
            1,
            "{reason}"
        );
    }
}

#[test]
fn simulate_passes_everything_and_reports_the_verdict() {
    let stack = Stack::start();
    let answer = stack
        .get("/beta/x")
        .header("x-keygate-account", "root")
        .send();
    assert_eq!(answer.status, 200);
    let result = "would-deny;reason=missing_credential";
    assert_eq!(upstream_header(&answer, "x-keygate-result"), [result]);
    assert_eq!(
        upstream_header(&answer, "x-keygate-account"),
        Vec::<String>::new()
    );
    let answer = call(&stack, "/beta/x", &key_of(&stack, "alice").key);
    assert_eq!(upstream_header(&answer, "x-keygate-account"), ["alice"]);
}

#[test]
fn anything_else_is_denied_in_the_form_that_the_client_prefers() {
    let stack = Stack::start();
    let program = stack.get("/secret").send();
    assert_eq!(program.status, 403);
    assert_eq!(
        program.header("content-type").as_deref(),
        Some("application/problem+json")
    );
    assert_eq!(program.json()["reason"], "not_allowed_here");
    let person = stack
        .get("/secret")
        .header("accept", "text/html,*/*;q=0.8")
        .send();
    assert_eq!(
        person.header("content-type").as_deref(),
        Some("text/html; charset=utf-8")
    );
    let grpc = stack
        .post("/api/x")
        .header("content-type", "application/grpc")
        .send();
    assert_eq!(
        (grpc.status, grpc.header("grpc-status").as_deref()),
        (200, Some("16"))
    );
    assert_eq!(
        grpc.header("grpc-message").as_deref(),
        Some("You are not signed in. Sign in, or send an API key.")
    );
    assert_eq!(stack.echo.count(), 0);
    assert_never_trapped(&stack);
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
