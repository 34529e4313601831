//! A key service that is away, slow, or something else: a clear 503 in bounded time, or a pass
//! where the policy says so.

use std::time::Duration;

use keygate_tests::fake_service::{Answer, FakeService, http, json as answer};
use keygate_tests::port::Port;
use keygate_tests::{Stack, StackBuilder, wait};
use serde_json::{Value, json};

use crate::support::{
    assert_never_trapped, call, code, counted, followed, genuine_key, key_of, upstream_header,
};

const ALLOWED: &str = "keygate_decision.allow.key_service_unavailable";

/// The demo, with a rule whose keys pass in an outage.
fn builder() -> StackBuilder {
    Stack::builder().edit_policy(|policy| {
        let rules = policy["rules"].as_array_mut().unwrap();
        let open = json!({ "name": "open", "match": { "path": "/open/**" }, "require": "app-key",
            "outage": "allow" });
        rules.insert(0, open);
    })
}

/// Two requests of each kind, so that a wrong answer that was remembered shows.
fn assert_away(stack: &Stack, what: &str) {
    for _ in 0..2 {
        let rejected = call(stack, "/api/x", &genuine_key(1));
        assert_eq!(rejected.status, 503, "{what}: {}", rejected.text());
        assert_eq!(code(&rejected), "unavailable", "{what}");
        let retry = rejected.header("retry-after");
        assert_eq!(retry.as_deref(), Some("1"), "{what}");
        let allowed = stack
            .get("/open/x")
            .header("authorization", format!("Bearer {}", genuine_key(1)))
            .header("x-keygate-account", "root")
            .send();
        assert_eq!(allowed.status, 200, "{what}: {}", allowed.text());
        let result = upstream_header(&allowed, "x-keygate-result");
        assert_eq!(result, ["allow;reason=key_service_unavailable"], "{what}");
        for hidden in ["x-keygate-account", "x-keygate-key-id", "authorization"] {
            assert_eq!(upstream_header(&allowed, hidden), [""; 0], "{what}");
        }
        for answer in [rejected, allowed] {
            assert!(answer.took < BOUND, "{what}: {:?}", answer.took);
        }
    }
    let forged = genuine_key(1).replace("kg_01", "kg_02");
    assert_eq!(call(stack, "/open/x", &forged).status, 401, "{what}");
    assert_eq!(stack.get("/open/x").send().status, 401, "{what}");
    let simulated = call(stack, "/beta/x", &genuine_key(1));
    assert_eq!(simulated.status, 200, "{what}: simulate passes");
    assert_eq!(stack.get("/healthz").send().status, 200, "{what}");
}

/// Far more than the timeout of a call and all its retries; a request that hangs takes longer.
const BOUND: Duration = Duration::from_secs(5);

/// It knows every key, as one of alice.
fn answer_well(fake: &FakeService) {
    fake.on("/v1/lookups", |asked| {
        let request: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        let record = json!({ "hash": request["hashes"][0], "id": "id", "account": "alice",
            "status": "active", "scopes": [], "metadata": {} });
        answer(200, &json!({ "epoch": 1, "records": [record] })).into()
    });
}

fn assert_back(stack: &Stack, what: &str) {
    wait::until("the key service to be used again", wait::STARTUP, || {
        (call(stack, "/api/x", &genuine_key(1)).status == 200).then_some(())
    });
    let allowed = call(stack, "/open/x", &genuine_key(1));
    let account = upstream_header(&allowed, "x-keygate-account");
    assert_eq!(account, ["alice"], "{what}");
}

#[test]
fn an_unusable_answer_counts_as_an_outage() {
    let fake = FakeService::start();
    let stack = builder().fake_service(&fake).concurrency(1).start();
    let record = json!({ "epoch": 1, "records": [] });
    let slow = answer(200, &record).delay(Duration::from_secs(2));
    let marked = "HTTP/1.1 200 OK\r\nx-keygate-service: 1\r\ncontent-length: 99999\r\n\r\n{";
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
        ("trickling", Answer::Trickle(marked.into())),
        (
            "trickling headers",
            Answer::Trickle(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        ),
        ("closed", Answer::Close),
        ("not HTTP", Answer::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        ("half an answer", Answer::Raw(marked.into())),
        (
            "a redirect",
            http(302, "").header("location", "/v1/elsewhere").into(),
        ),
    ];
    for (what, fault) in rows {
        fake.set("/v1/lookups", fault.clone());
        fake.set("/v1/changes", fault);
        let before = counted(&stack, ALLOWED);
        assert_away(&stack, what);
        assert_eq!(counted(&stack, ALLOWED), before + 2, "{what}");
    }
    assert_never_trapped(&stack);
    // And once it answers, it is as if nothing had been.
    answer_well(&fake);
    assert_back(&stack, "after all of these");
}

#[test]
fn an_unusable_record_is_not_an_outage_and_lets_no_request_pass() {
    let fake = FakeService::start();
    let stack = builder().fake_service(&fake).concurrency(1).start();
    fake.on("/v1/lookups", |asked| {
        let request: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        let record = json!({ "hash": request["hashes"][0], "id": "id", "account": "a b",
            "status": "revoked", "scopes": [], "metadata": {} });
        answer(200, &json!({ "epoch": 1, "records": [record] })).into()
    });
    assert_eq!(call(&stack, "/open/x", &genuine_key(1)).status, 503);
    assert_eq!(counted(&stack, ALLOWED), 0);
}

#[test]
fn a_key_service_that_is_not_running_is_an_outage() {
    let nowhere = Port::claim();
    let stack = builder().key_service_at(nowhere.number()).start();
    assert_away(&stack, "refused connections");
    assert_never_trapped(&stack);
}

#[test]
fn a_cluster_that_does_not_exist_is_an_outage() {
    let stack = builder()
        .edit_policy(|policy| policy["key_service"]["cluster"] = json!("nowhere"))
        .start();
    assert_away(&stack, "an unknown cluster");
    assert_never_trapped(&stack);
}

/// Changes the cluster of the key service.
fn with_cluster(stack: StackBuilder, change: impl FnOnce(&mut Value)) -> StackBuilder {
    stack.envoy(|envoy| {
        envoy.change(|bootstrap| {
            let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
            let mut clusters = clusters.unwrap().iter_mut();
            change(clusters.find(|it| it["name"] == "keygate_keys").unwrap());
        })
    })
}

#[test]
fn a_cluster_without_a_healthy_host_is_an_outage() {
    let fake = FakeService::start();
    let stack = with_cluster(builder().fake_service(&fake), |keys| {
        keys["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["health_status"] =
            json!("UNHEALTHY");
        keys["common_lb_config"] = json!({ "healthy_panic_threshold": { "value": 0 } });
    });
    let stack = stack.start();
    assert_away(&stack, "no healthy host");
    assert_never_trapped(&stack);
}

/// As when one of several is killed with a lookup under way.
#[test]
fn a_lookup_that_one_of_two_services_does_not_answer_is_sent_to_the_other() {
    let dying = FakeService::start();
    dying.set("/v1/lookups", Answer::Close);
    let stack = with_cluster(Stack::builder(), |keys| {
        let endpoints = &mut keys["load_assignment"]["endpoints"][0]["lb_endpoints"];
        let endpoints = endpoints.as_array_mut().unwrap();
        let mut other = endpoints[0].clone();
        other["endpoint"]["address"]["socket_address"]["port_value"] = json!(dying.port());
        endpoints.push(other);
    });
    let stack = stack.start();
    for _ in 0..8 {
        let key = key_of(&stack, "alice");
        assert_eq!(call(&stack, "/api/x", &key.key).status, 200);
    }
    assert!(!dying.asked("/v1/lookups").is_empty(), "it was never asked");
}

#[test]
fn a_key_that_is_known_to_be_revoked_stays_rejected_in_an_outage() {
    let stack = builder().concurrency(1).start();
    followed(&stack, 1);
    let (good, revoked) = (key_of(&stack, "alice"), key_of(&stack, "bob"));
    for key in [&good, &revoked] {
        assert_eq!(call(&stack, "/open/x", &key.key).status, 200);
    }
    let never_seen = key_of(&stack, "carol");
    for key in [&revoked, &never_seen] {
        stack.service().revoke(&key.id);
    }
    // The feed has told of both once the first is dead.
    wait::until("the revocations to arrive", wait::STARTUP, || {
        (call(&stack, "/open/x", &revoked.key).status == 401).then_some(())
    });
    // News of its creation may have come with those of others, and have dropped it.
    assert_eq!(call(&stack, "/open/x", &good.key).status, 200);
    stack.service().kill9();
    assert_eq!(call(&stack, "/open/x", &revoked.key).status, 401);
    assert_eq!(call(&stack, "/open/x", &never_seen.key).status, 503);
    let warm = call(&stack, "/open/x", &good.key);
    assert_eq!(upstream_header(&warm, "x-keygate-account"), ["alice"]);
    let unchecked = call(&stack, "/open/x", &genuine_key(9));
    assert_eq!(unchecked.status, 200, "nothing is known of it");
    // A client that passed unchecked is rejected as soon as the key service answers.
    stack.service().restart();
    wait::until("the key service to say no", wait::STARTUP, || {
        (call(&stack, "/open/x", &genuine_key(9)).status == 401).then_some(())
    });
}

#[test]
fn a_full_circuit_breaker_is_unavailable_at_once() {
    let fake = FakeService::start();
    fake.set("/v1/lookups", Answer::Never);
    let stack = builder()
        .fake_service(&fake)
        .concurrency(1)
        .edit_policy(|policy| policy["key_service"]["timeout"] = json!("3s"));
    let stack = with_cluster(stack, |keys| {
        keys["circuit_breakers"] = json!({ "thresholds": [{ "max_requests": 1,
            "max_pending_requests": 1, "max_connections": 1 }] });
    });
    let stack = stack.start();
    std::thread::scope(|scope| {
        // One lookup takes the only connection, and another waits for it.
        let first = scope.spawn(|| call(&stack, "/api/x", &genuine_key(2)));
        wait::until("the first lookup", Duration::from_secs(5), || {
            (!fake.asked("/v1/lookups").is_empty()).then_some(())
        });
        let second = scope.spawn(|| call(&stack, "/api/x", &genuine_key(3)));
        wait::until("all places to be taken", Duration::from_secs(5), || {
            let waiting = "cluster.keygate_keys.upstream_rq_pending_active";
            (stack.envoy.stat(waiting) == Some(1)).then_some(())
        });
        let rejected = call(&stack, "/api/x", &genuine_key(1));
        assert_eq!(rejected.status, 503);
        assert!(
            rejected.took < Duration::from_secs(3),
            "{:?}",
            rejected.took
        );
        let allowed = call(&stack, "/open/x", &genuine_key(1));
        let result = upstream_header(&allowed, "x-keygate-result");
        assert_eq!(result, ["allow;reason=key_service_unavailable"]);
        assert!(allowed.took < Duration::from_secs(3), "{:?}", allowed.took);
        assert_eq!(counted(&stack, "keygate_key_service.not_sent"), 2);
        let line = "the circuit breaker of the cluster keygate_keys is open";
        stack.envoy.wait_for_log(line);
        for waited in [first, second] {
            assert_eq!(waited.join().expect("an answer").status, 503);
        }
    });
    // The feed has a cluster of its own.
    assert_eq!(counted(&stack, "keygate_poll.unavailable"), 0);
}
