//! Malicious requests: each gets a clear rejection, never a trap.

use std::time::Duration;

use keygate_core::signed_url::keygate::sign::Terms;
use keygate_tests::fake_service::{FakeService, json as answer};
use keygate_tests::{Stack, client};
use serde_json::json;

use crate::support::{
    assert_never_trapped, call, counted, followed, genuine_key, key_of, native, now, sign,
    upstream_header,
};

#[test]
fn bytes_that_are_no_text_are_rejected_in_every_header_path_and_cookie() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice").key;
    for (name, value) in [
        ("authorization", &b"Bearer caf\xe9"[..]),
        ("authorization", b"Basic \xff\xfe"),
        ("authorization", b"\xff"),
        ("x-api-key", b"\xc3\x28"),
        ("cookie", b"app_key=\xff\xff"),
        ("cookie", b"\xff\xff=x; app_key"),
    ] {
        let rejected = stack.get("/api/x").header(name, value).send();
        assert_eq!(rejected.status, 401, "{name}");
    }
    // Where it is none of our business, it passes as it is.
    let passed = stack
        .get("/api/x")
        .header("authorization", format!("Bearer {key}"))
        .header("x-other", b"caf\xe9")
        .header("accept", b"\xff")
        .send();
    assert_eq!(passed.status, 200);
    assert_eq!(stack.echo.last().values("x-other").len(), 1);
    for path in [&b"/api/caf\xe9"[..], b"/media/\xff?verify=\xff"] {
        assert_eq!(stack.get(path).send().status, 400);
    }
    assert_eq!(stack.get("/media/%ff").send().status, 400);
    assert_never_trapped(&stack);
}

#[test]
fn two_credentials_are_rejected() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice").key;
    let bearer = format!("Bearer {key}");
    for headers in [
        vec![
            ("authorization", bearer.clone()),
            ("authorization", bearer.clone()),
        ],
        vec![
            ("authorization", bearer.clone()),
            ("x-api-key", key.clone()),
        ],
        vec![("cookie", format!("app_key={key}; app_key={key}"))],
        vec![
            ("cookie", format!("app_key={key}")),
            ("cookie", format!("app_key={key}")),
        ],
        vec![
            ("authorization", bearer.clone()),
            ("authorization", "Digest x".to_owned()),
        ],
    ] {
        let mut request = stack.get("/api/x");
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let rejected = request.send();
        assert_eq!(rejected.status, 400, "{}", rejected.text());
        assert_eq!(crate::support::code(&rejected), "ambiguous_request");
    }
    assert_eq!(stack.echo.count(), 0);
}

#[test]
fn identity_headers_of_a_client_never_arrive_in_any_mode() {
    // A user's Envoy may let underscores pass; the filter removes that spelling too.
    let stack = Stack::builder()
        .edit_policy(|policy| {
            let off = json!({ "name": "off", "match": { "path": "/off/**" }, "require": "app-key", "mode": "off" });
            policy["rules"].as_array_mut().unwrap().push(off);
            policy["unmatched"] = json!("allow");
        })
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
                    ["typed_config"]["common_http_protocol_options"]
                    ["headers_with_underscores_action"] = json!("ALLOW");
            })
        })
        .start();
    let key = key_of(&stack, "alice").key;
    for target in [
        "/healthz",
        "/beta/x",
        "/off/x",
        "/elsewhere",
        &sign("/media/a", &[]),
    ] {
        let passed = stack
            .get(target)
            .header("x-keygate-account", "root")
            .header("X-Keygate-Account", "root2")
            .header("x_keygate_account", "root")
            .header("x-keygate_scopes", "admin")
            .header("X.Keygate.Account", "root")
            .header("x!keygate~account", "root")
            .header("x-keygate-anything", "1")
            .send();
        assert_eq!(passed.status, 200, "{target}");
        assert!(
            !passed.text().contains("root") && !passed.text().contains("admin"),
            "{target}"
        );
        assert_eq!(upstream_header(&passed, "x-keygate-anything").len(), 0);
    }
    let passed = stack
        .get("/api/x")
        .header("authorization", format!("Bearer {key}"))
        .header("x-keygate-account", "root")
        .send();
    assert_eq!(upstream_header(&passed, "x-keygate-account"), ["alice"]);
}

#[test]
fn no_credential_reaches_the_upstream_under_any_rule() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["unmatched"] = json!("allow");
            policy["providers"]["native"] = json!({
                "type": "signed_url", "format": "keygate", "secrets": "media",
                "max_lifetime": "7d", "from": [{ "query": "kg" }, { "header": "x-link" }]
            });
            policy["providers"]["session"] =
                json!({ "type": "jwt", "strip": [{ "cookie": "session" }] });
            policy["rules"].as_array_mut().unwrap().extend([
                json!({ "name": "off", "match": { "path": "/off/**" }, "require": "app-key",
                        "mode": "off" }),
                json!({ "name": "links", "match": { "path": "/links/**" }, "require": "native",
                        "mode": "simulate" }),
            ]);
        })
        .start();
    let key = key_of(&stack, "alice").key;
    let terms = Terms {
        expires_secs: now() + 600,
        ..Terms::default()
    };
    let token = native(&terms, "media.example", "/film");
    let good = sign("/media/a", &[]);
    for (name, value) in [
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("Bearer\t{key}")),
        ("authorization", format!("Bearer {key},Bearer {key}")),
        ("x-api-key", key.clone()),
        ("x.api.key", key.clone()),
        ("cookie", format!("app_key=\"{key}\"; app_key={key}")),
        ("x-link", token.clone()),
        ("cookie", "session=secret-session".to_owned()),
    ] {
        for target in [
            "/healthz",
            "/elsewhere",
            "/off/x",
            "/beta/x",
            "/links/x",
            &good,
        ] {
            let passed = stack.get(target).header(name, &value).send();
            assert_eq!(passed.status, 200, "{target} {name}: {value}");
            let text = passed.text();
            for secret in [&*key, &token, "secret-session"] {
                assert!(!text.contains(secret), "{target} {name}: {text}");
            }
        }
    }
    for (target, expected) in [
        (format!("/healthz?a=1&kg={token}"), "/healthz?a=1"),
        (format!("/links/x?kg=wrong&a=1;kg={token}"), "/links/x?a=1"),
        (
            "/healthz?token=reset&verify=1&kg=10".to_owned(),
            "/healthz?token=reset&verify=1&kg=10",
        ),
    ] {
        assert_eq!(stack.get(&target).send().status, 200, "{target}");
        assert_eq!(stack.echo.last().path, expected);
    }
    // What others have to say to the upstream stays.
    stack
        .get("/healthz")
        .header("authorization", "Basic YTpi")
        .send();
    assert_eq!(stack.echo.last().values("authorization"), ["Basic YTpi"]);
}

#[test]
fn an_upgrade_cannot_hide_the_identity_from_the_upstream() {
    let stack = Stack::builder()
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
                    ["typed_config"]["upgrade_configs"] = json!([{ "upgrade_type": "websocket" }]);
            })
        })
        .start();
    let key = key_of(&stack, "alice").key;
    let upgrade = |connection: &str| {
        stack
            .get("/api/x")
            .header("authorization", format!("Bearer {key}"))
            .header("connection", connection)
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .send();
        stack.echo.last()
    };
    // Envoy forwards `connection` with an upgrade: a proxy behind it would obey.
    let plain = upgrade("Upgrade, x-unknown");
    assert_eq!(plain.values("connection"), ["Upgrade, x-unknown"]);
    let named = upgrade("Upgrade, X-Keygate-Account, x.keygate_scopes");
    assert_eq!(named.values("connection"), ["Upgrade"]);
    assert_eq!(named.values("upgrade"), ["websocket"]);
    assert_eq!(named.values("x-keygate-account"), ["alice"]);
}

/// A key service that answers a lookup only after a while.
fn slow_service(delay: Duration, status: &'static str) -> FakeService {
    let fake = FakeService::start();
    let changes = json!({ "epoch": 1, "reset": false, "more": false, "changed": [] });
    fake.set("/v1/changes", answer(200, &changes));
    fake.on("/v1/lookups", move |asked| {
        let request: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        let records: Vec<_> = request["hashes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hash| {
                json!({ "hash": hash, "id": "AbCdEfGhIj", "account": "alice",
                    "status": status, "scopes": [], "metadata": {} })
            })
            .collect();
        answer(200, &json!({ "epoch": 1, "records": records }))
            .delay(delay)
            .into()
    });
    fake
}

#[test]
fn no_byte_of_a_body_passes_before_the_verdict() {
    for stops_iteration in [false, true] {
        for (status, expected) in [("active", 200), ("revoked", 401)] {
            let fake = slow_service(Duration::from_millis(200), status);
            let builder = Stack::builder().fake_service(&fake);
            let stack = match stops_iteration {
                true => builder
                    .envoy(|it| it.allow_on_headers_stop_iteration())
                    .start(),
                false => builder.start(),
            };
            let bearer = format!("Bearer {}", genuine_key(9));
            let body = vec![b'x'; 500_000];
            let post = stack
                .post("/api/x")
                .header("authorization", bearer)
                .body(&body);
            let mut connection = client::Connection::open(stack.envoy.port());
            connection.send(post.bytes());
            keygate_tests::wait::until("the lookup", Duration::from_secs(5), || {
                (!fake.asked("/v1/lookups").is_empty()).then_some(())
            });
            assert_eq!(stack.echo.count(), 0, "bytes passed before the verdict");
            assert_eq!(connection.receive().status, expected);
            match expected {
                200 => assert_eq!(stack.echo.last().body.len(), body.len()),
                _ => assert_eq!(stack.echo.count(), 0),
            }
        }
    }
}

#[test]
fn clients_that_disconnect_while_waiting_affect_no_other_request() {
    let fake = slow_service(Duration::from_millis(200), "active");
    let stack = Stack::builder()
        .edit_policy(|policy| policy["key_service"]["timeout"] = json!("3s"))
        .fake_service(&fake)
        .concurrency(1)
        .start();
    followed(&stack, 1);
    let request = stack
        .get("/api/x")
        .header("authorization", format!("Bearer {}", genuine_key(9)));
    let mut gone: Vec<_> = (0..10)
        .map(|_| client::Connection::open(stack.envoy.port()))
        .collect();
    for connection in &mut gone {
        connection.send(request.bytes());
    }
    keygate_tests::wait::until("the lookup", Duration::from_secs(5), || {
        (!fake.asked("/v1/lookups").is_empty()).then_some(())
    });
    drop(gone);
    assert_eq!(request.send().status, 200);
    assert_eq!(fake.asked("/v1/lookups").len(), 1);
    assert_never_trapped(&stack);
}

#[test]
fn requests_without_a_path_or_with_two_hosts_do_not_pass() {
    let stack = Stack::builder()
        .edit_policy(|policy| policy["unmatched"] = json!("allow"))
        .start();
    let port = stack.envoy.port();
    let rows: [&[u8]; 4] = [
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET /healthz#x HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    for bytes in rows {
        let status = client::raw(port, bytes).status;
        assert!(
            (400..500).contains(&status),
            "{status} {}",
            String::from_utf8_lossy(bytes)
        );
    }
    assert_eq!(stack.echo.count(), 0);
    assert_eq!(counted(&stack, "keygate_decision.allow.verified"), 0);
    assert_never_trapped(&stack);
}

#[test]
fn a_flood_of_headers_and_long_cookies_is_no_trouble() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice").key;
    let mut request = stack
        .get("/api/x")
        .header("cookie", format!("{}; app_key={key}", "a=b; ".repeat(4000)));
    for number in 0..80 {
        request = request.header(format!("x-{number}"), "y".repeat(300));
    }
    assert_eq!(request.send().status, 200);
    assert_eq!(call(&stack, "/api/x", &key).status, 200);
    assert_never_trapped(&stack);
}
