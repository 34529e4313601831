//! Two edges of two spaces, each with a token that is bound to its own.

use std::time::Duration;

use keygate_core::keys::{AppKey, MasterSecret, Prefix};
use keygate_core::secret::{KeyRing, RingEntry};
use keygate_core::{Secret, UnixMillis};
use keygate_tests::envoy::Envoy;
use keygate_tests::service::{ADMIN_TOKEN, APP_KEYS, CreatedKey, keygate};
use keygate_tests::{Stack, StackBuilder, client, leaks, wait};
use serde_json::{Value, json};

use crate::support::{assert_envoy_never_trapped, assert_never_trapped, code};

/// A token for an edge of this space.
fn token(stack: &Stack, space: &str) -> String {
    let body = json!({ "name": space, "role": "edge", "space": space });
    let answer = stack
        .service()
        .request("POST", "/v1/tokens", ADMIN_TOKEN, Some(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    leaks::credential("token", token.as_bytes());
    token
}

/// An edge of this space, named after it.
fn edge(stack: &Stack, space: &str) -> Envoy {
    let token = token(stack, space);
    let node = json!({ "id": space, "cluster": "edges" });
    let envoy = |config: keygate_tests::envoy::EnvoyConfig| {
        config
            .env("KEYGATE_EDGE_TOKEN", &token)
            .change(|config| config["node"] = node)
    };
    let builder: StackBuilder = Stack::builder().concurrency(1).envoy(envoy);
    let envoy = Envoy::start(builder.config_for(stack));
    wait::until("the change feed to be followed", wait::STARTUP, || {
        let begun = envoy.stat("wasmcustom.keygate_feed.begun").unwrap_or(0);
        (begun > 1).then_some(())
    });
    envoy
}

fn key(stack: &Stack, space: &str) -> CreatedKey {
    let body = json!({ "account": "alice", "space": space });
    stack.service().create_key(&body)
}

/// The status, and the reason of a rejection.
fn ask(envoy: &Envoy, key: &CreatedKey) -> (u16, Option<String>) {
    let authorization = format!("Bearer {}", key.key);
    let answer = client::get(envoy.port(), "/api/x")
        .header("authorization", authorization)
        .send();
    let reason = (answer.status != 200).then(|| code(&answer));
    (answer.status, reason)
}

/// The hash under which an edge looks a key up.
fn hash(key: &CreatedKey) -> String {
    let master = MasterSecret::derive(&Secret::new(APP_KEYS.into())).unwrap();
    let ring = KeyRing(vec![RingEntry {
        id: "01".to_owned(),
        key: master,
        not_before: None,
        not_after: None,
    }]);
    let prefix = Prefix::parse("kg").unwrap();
    let key = AppKey::parse(key.key.as_bytes(), &prefix).unwrap();
    ring.authenticate(&key, UnixMillis(0)).unwrap().to_string()
}

#[test]
fn an_edge_accepts_keys_of_its_space_and_hears_of_their_revocation_alone() {
    let stack = Stack::builder().concurrency(1).start();
    let (staging, production) = (edge(&stack, "staging"), edge(&stack, "production"));
    let (ours, theirs) = (key(&stack, "staging"), key(&stack, "production"));
    let unknown = (401, Some("invalid_credential".to_owned()));
    for (edge, own, other) in [(&staging, &ours, &theirs), (&production, &theirs, &ours)] {
        assert_eq!(ask(edge, own), (200, None));
        assert_eq!(ask(edge, other), unknown, "as if there were no such key");
    }
    // The edge of the environment's token sees both.
    assert_eq!(ask(&stack.envoy, &ours).0, 200);
    assert_eq!(ask(&stack.envoy, &theirs).0, 200);

    let revoke = |key: &CreatedKey| {
        let done = std::process::Command::new(keygate())
            .args(["keys", "revoke", &key.id, "--wait=10s"])
            .env(
                "KEYGATE_SERVICE",
                format!("http://127.0.0.1:{}", stack.service().port()),
            )
            .env("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN)
            .output()
            .unwrap();
        leaks::command(&done);
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    };
    let edges = || {
        let list = stack
            .service()
            .request("GET", "/v1/edges", ADMIN_TOKEN, None);
        list.json()
    };
    let before = edges()["epoch"].as_u64().unwrap();
    let (status, told) = revoke(&ours);
    assert_eq!(status, Some(0), "{told}");
    // The one of the other space is not waited for.
    assert!(told.contains("2 edges reject"), "{told}");
    assert_eq!(ask(&staging, &ours), unknown);
    assert_eq!(ask(&stack.envoy, &ours), unknown);
    assert_eq!(ask(&production, &theirs), (200, None));

    // The epoch of the other goes on without a change of its own.
    wait::until("each edge to be current", Duration::from_secs(10), || {
        let list = edges();
        let is_current = |edge: &Value| edge["epoch"] == list["epoch"];
        let all = list["edges"].as_array().unwrap();
        (all.len() == 3 && all.iter().all(is_current)).then_some(())
    });
    let changes = |space: &str| {
        let path = format!("/v1/changes?after={before}");
        let token = token(&stack, space);
        stack.service().request("GET", &path, &token, None).json()
    };
    let other = changes("production");
    assert_eq!(other["changed"], json!([]), "of another space: {other}");
    assert_eq!(other["reset"], false);
    assert_eq!(changes("staging")["changed"], json!([hash(&ours)]));
    for envoy in [&staging, &production] {
        let resets = envoy.stat("wasmcustom.keygate_feed.reset").unwrap_or(0);
        assert_eq!(resets, 0);
        assert_envoy_never_trapped(envoy);
    }
    assert_never_trapped(&stack);
}
