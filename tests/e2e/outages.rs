//! A key service that is away, slow, or something else: a clear 503 in bounded time.

use std::time::Duration;

use keygate_tests::fake_service::{Answer, FakeService, http, json as answer};
use keygate_tests::service::free_port;
use keygate_tests::{Stack, wait};
use serde_json::json;

use crate::support::{assert_never_trapped, call, code, genuine_key};

/// Two requests, so that a wrong answer that was remembered shows.
fn assert_unavailable(stack: &Stack, what: &str) {
    for _ in 0..2 {
        let refused = call(stack, "/api/x", &genuine_key(1));
        assert_eq!(refused.status, 503, "{what}: {}", refused.text());
        assert_eq!(code(&refused), "unavailable", "{what}");
        assert_eq!(
            refused.header("retry-after").as_deref(),
            Some("1"),
            "{what}"
        );
        assert!(
            refused.took < Duration::from_secs(5),
            "{what}: {:?}",
            refused.took
        );
    }
    assert_eq!(
        call(stack, "/beta/x", &genuine_key(1)).status,
        200,
        "{what}: simulate passes"
    );
    assert_eq!(stack.get("/healthz").send().status, 200, "{what}");
}

#[test]
fn every_answer_that_is_none_is_unavailable() {
    let fake = FakeService::start();
    let stack = Stack::builder().fake_service(&fake).concurrency(1).start();
    let record = json!({ "epoch": 1, "records": [] });
    let slow = answer(200, &record).delay(Duration::from_secs(2));
    let rows: Vec<(&str, Answer)> = vec![
        ("503", http(503, "upstream connect error").into()),
        ("504", http(504, "upstream request timeout").into()),
        ("a marked 503", answer(503, &record).into()),
        ("a marked 401", answer(401, &record).into()),
        ("a marked 404", answer(404, &record).into()),
        ("no marker", http(200, record.to_string()).into()),
        ("garbage", answer(200, &json!("garbage")).into()),
        (
            "a page",
            http(200, "<html>").header("x-keygate-service", "1").into(),
        ),
        (
            "20 MB",
            http(200, vec![b' '; 20_000_000])
                .header("x-keygate-service", "1")
                .into(),
        ),
        (
            "a Latin-1 header",
            http(200, "{}")
                .header("x-keygate-service", b"caf\xe9")
                .into(),
        ),
        (
            "a Latin-1 neighbour",
            http(200, "{}")
                .header("x-keygate-service", "1")
                .header("x", b"\xe9")
                .into(),
        ),
        ("slow", slow.into()),
        ("never", Answer::Never),
        ("closed", Answer::Close),
        ("not HTTP", Answer::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        (
            "half an answer",
            Answer::Raw(
                b"HTTP/1.1 200 OK\r\nx-keygate-service: 1\r\ncontent-length: 99\r\n\r\n{".to_vec(),
            ),
        ),
        (
            "a redirect",
            http(302, "").header("location", "/v1/elsewhere").into(),
        ),
    ];
    for (what, fault) in rows {
        fake.set("/v1/lookups", fault.clone());
        fake.set("/v1/changes", fault);
        assert_unavailable(&stack, what);
    }
    assert_never_trapped(&stack);
    // And once it answers, it is as if nothing had been.
    fake.on("/v1/lookups", |asked| {
        let request: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        let record = json!({ "hash": request["hashes"][0], "id": "id", "account": "alice",
            "status": "active", "scopes": [], "metadata": {} });
        answer(200, &json!({ "epoch": 1, "records": [record] })).into()
    });
    wait::until(
        "the key service to be used again",
        Duration::from_secs(5),
        || (call(&stack, "/api/x", &genuine_key(1)).status == 200).then_some(()),
    );
}

#[test]
fn a_key_service_that_nobody_started_is_unavailable() {
    let stack = Stack::builder().key_service_at(free_port()).start();
    assert_unavailable(&stack, "refused connections");
    assert_never_trapped(&stack);
}

#[test]
fn a_cluster_that_does_not_exist_is_unavailable_at_once() {
    let stack = Stack::builder()
        .edit_policy(|policy| policy["key_service"]["cluster"] = json!("nowhere"))
        .start();
    assert_unavailable(&stack, "an unknown cluster");
    assert_never_trapped(&stack);
}

#[test]
fn a_full_circuit_breaker_is_unavailable_at_once() {
    let fake = FakeService::start();
    fake.set("/v1/lookups", Answer::Never);
    fake.set("/v1/changes", Answer::Never);
    let stack = Stack::builder()
        .fake_service(&fake)
        .concurrency(1)
        .edit_policy(|policy| policy["key_service"]["timeout"] = json!("3s"))
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                let clusters = bootstrap["static_resources"]["clusters"]
                    .as_array_mut()
                    .unwrap();
                let keys = clusters
                    .iter_mut()
                    .find(|it| it["name"] == "keygate_keys")
                    .unwrap();
                keys["circuit_breakers"] = json!({ "thresholds": [{ "max_requests": 1,
                    "max_pending_requests": 1, "max_connections": 1 }] });
            })
        })
        .start();
    // The poll of the change feed takes the only place there is.
    wait::until("the poll", Duration::from_secs(5), || {
        (!fake.asked("/v1/changes").is_empty()).then_some(())
    });
    let refused = call(&stack, "/api/x", &genuine_key(1));
    assert_eq!(refused.status, 503);
    assert!(refused.took < Duration::from_secs(3), "{:?}", refused.took);
}
