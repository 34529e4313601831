//! What selects a rule: host, method and path, in every spelling that a peer may send.

use keygate_tests::envoy::EnvoyConfig;
use keygate_tests::{Stack, client, h2};
use serde_json::{Value, json};

use crate::support::{assert_never_trapped, counted, genuine_key, key_of};

/// One host and two methods that need a key, in front of a rule that opens everything.
fn stack() -> Stack {
    Stack::builder()
        .edit_policy(|policy| {
            policy["rules"] = json!([
                { "name": "admin", "match": { "path": "/**", "hosts": ["admin.example"] }, "require": "app-key" },
                { "name": "write", "match": { "path": "/**", "methods": ["POST", "DELETE"] }, "require": "app-key" },
                { "name": "open", "match": { "path": "/**" }, "require": "nothing" }
            ]);
        })
        .start()
}

fn status_of_host(stack: &Stack, host: &str) -> u16 {
    let request = format!("GET /x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    client::raw(stack.envoy.port(), request).status
}

#[test]
fn a_malformed_authority_reaches_no_upstream_over_either_protocol() {
    let stack = stack();
    let port = stack.envoy.port();
    for wrong in [
        "admin.example:x",
        "admin.example:80:80",
        "admin.example:-1",
        "admin.example:80x",
        "admin.example:80.",
        "admin.example::",
        "admin.example:65536",
        "admin.example..",
        "admin.example;x",
        "admin%2eexample",
    ] {
        assert_eq!(status_of_host(&stack, wrong), 400, "{wrong}");
        let over_2 = h2::status(port, "GET", wrong, "/x");
        assert!(matches!(over_2, Some(400) | None), "{wrong}: {over_2:?}");
    }
    for spelled in ["admin.example", "ADMIN.example.", "admin.example:80"] {
        assert_eq!(status_of_host(&stack, spelled), 401, "{spelled}");
        let over_2 = h2::status(port, "GET", spelled, "/x");
        assert_eq!(over_2, Some(401), "{spelled}");
    }
    assert_eq!(stack.echo.count(), 0, "something passed");
    assert_eq!(
        h2::status(port, "GET", "other.example:8443", "/x"),
        Some(200)
    );
    assert_eq!(status_of_host(&stack, "[::1]:80"), 200);
    assert!(counted(&stack, "keygate_decision.deny.unreadable_request") > 0);
    assert_never_trapped(&stack);
}

#[test]
fn a_method_in_another_case_reaches_no_upstream_over_http_2() {
    let stack = stack();
    let port = stack.envoy.port();
    for method in ["post", "dElEtE", "POST1", "PO_ST", &"A".repeat(25)] {
        let status = h2::status(port, method, "h", "/x");
        assert!(matches!(status, Some(400) | None), "{method}: {status:?}");
    }
    assert_eq!(h2::status(port, "DELETE", "h", "/x"), Some(401));
    assert_eq!(stack.echo.count(), 0, "something passed");
    assert_eq!(h2::status(port, "PATCH", "h", "/x"), Some(200));
    assert_never_trapped(&stack);
}

#[test]
fn override_headers_do_not_reach_the_upstream() {
    let stack = stack();
    let passed = stack
        .get("/x")
        .header("X-HTTP-Method-Override", "DELETE")
        .header("x-http-method", "DELETE")
        .header("x-method-override", "DELETE")
        .header("x-method", "kept")
        .send();
    assert_eq!(passed.status, 200);
    let last = stack.echo.last();
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        assert_eq!(last.header(name), None, "{name}");
    }
    assert_eq!(last.values("x-method"), ["kept"]);
}

#[test]
fn no_header_that_names_another_path_reaches_the_upstream() {
    let stack = stack();
    for name in ["x-original-url", "x-rewrite-url", "x.original.url"] {
        let request = h2::request("GET", "other.example", "/x").header(name, "/admin");
        assert_eq!(request.status(stack.envoy.port()), Some(200));
        assert_eq!(stack.echo.last().header(name), None, "{name}");
    }
}

/// Changes the HTTP connection manager.
fn manager(config: EnvoyConfig, change: impl FnOnce(&mut Value)) -> EnvoyConfig {
    config.change(|bootstrap| {
        let listener = &mut bootstrap["static_resources"]["listeners"][0];
        change(&mut listener["filter_chains"][0]["filters"][0]["typed_config"]);
    })
}

#[test]
fn envoy_decodes_every_unreserved_character() {
    let stack = stack();
    let unreserved = (0x21..0x7f_u8).map(char::from);
    let unreserved = unreserved.filter(|it| it.is_ascii_alphanumeric() || "-._~".contains(*it));
    for character in unreserved {
        for spelled in [
            format!("/x%{:02x}y", character as u32),
            format!("/x%{:02X}y", character as u32),
        ] {
            assert_eq!(stack.get(&spelled).send().status, 200, "{spelled}");
            assert_eq!(stack.echo.last().path, format!("/x{character}y"));
        }
    }
    assert_eq!(counted(&stack, "keygate_decision.deny.not_normalized"), 0);
}

#[test]
fn without_normalization_an_encoded_letter_is_rejected_and_the_log_says_why() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["rules"] = json!([
                { "name": "keys", "match": { "path": "/keys/**" }, "require": "nothing" },
                { "name": "open", "match": { "path": "/**" }, "require": "nothing" }
            ]);
        })
        .envoy(|config| manager(config, |manager| manager["normalize_path"] = json!(false)))
        .concurrency(1)
        .start();
    for path in ["/%6beys/x", "/ke%79s/x", "/x%2Dy"] {
        assert_eq!(stack.get(path).send().status, 400, "{path}");
    }
    assert_eq!(stack.echo.count(), 0, "something passed");
    assert_eq!(counted(&stack, "keygate_decision.deny.not_normalized"), 3);
    stack.envoy.wait_for_log("set normalize_path: true");
    let log = stack.envoy.log();
    assert_eq!(log.matches("set normalize_path: true").count(), 1, "{log}");
    assert_eq!(stack.get("/keys/x").send().status, 200);
    assert_never_trapped(&stack);
}

/// Paths that some server reads as one below `/api/admin`.
const ADMIN: [&str; 17] = [
    "/api/admin",
    "/api/admin/",
    "/api/admin/users",
    "/api/admin;x",
    "/api/admin;x/users",
    "/api/admin%3Bx/users",
    "/api/admin%3bx/users",
    "/api;x/admin/users",
    "/api%3Bx/admin;y/users",
    "/api/admin%2Fusers",
    "/api/admin%2fusers",
    "/api%2Fadmin/users",
    "/api;x%2Fadmin/users",
    "/api/%61dmin/users",
    "/api//admin/users",
    "/api/x/../admin/users",
    "/api/./admin/users",
];

#[test]
fn no_reading_of_a_path_slips_past_the_rbac_of_the_example() {
    let as_it_is = Stack::of_file("envoy/identity.yaml").start();
    // As an operator may have to set it for an application.
    let wide = Stack::of_file("envoy/identity.yaml")
        .edit_policy(|policy| {
            policy["allow_path_parameters"] = json!(true);
            policy["allow_encoded_slash"] = json!(true);
        })
        .envoy(|config| {
            manager(config, |manager| {
                manager["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
            })
        })
        .start();
    for stack in [&as_it_is, &wide] {
        let key = key_of(stack, "alice").key;
        for path in ADMIN {
            let request = stack
                .get(path)
                .header("authorization", format!("Bearer {key}"));
            let status = request.send().status;
            assert!([400, 403].contains(&status), "{path}: {status}");
        }
        assert_eq!(stack.echo.count(), 0, "something passed");
        let request = stack.get("/api/administer");
        let passed = request
            .header("authorization", format!("Bearer {key}"))
            .send();
        assert_eq!(passed.status, 200);
    }
}

#[test]
fn no_reading_of_a_path_slips_past_the_routes_of_self_service() {
    let stack = Stack::of_file("envoy/self-service.yaml")
        .envoy(|config| config.env("KEYGATE_ASSERTION", "an assertion secret of 32 bytes!"))
        .start();
    for path in [
        "/keys",
        "/keys;x",
        "/keys%3Bx/y",
        "/keys%2Fx",
        "/%6beys/x",
        "/app;x/y",
        "/api;x/y",
        "/api%2Fy",
    ] {
        let status = stack.get(path).send().status;
        assert!([400, 401, 403].contains(&status), "{path}: {status}");
    }
    assert_eq!(stack.echo.count(), 0, "something passed");
}

#[test]
fn no_name_of_a_header_that_is_no_text_reaches_the_filter() {
    let stack = Stack::builder()
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
                    ["typed_config"]["http_protocol_options"]["enable_trailers"] = json!(true);
            })
        })
        .start();
    let port = stack.envoy.port();
    let names = [&b"x-caf\xe9"[..], b"x\xffkeygate\xffaccount", b"\xc3\x28"];
    for name in names {
        let rejected = stack.get("/healthz").header(name, "root").send();
        assert_eq!(rejected.status, 400, "{}", name.escape_ascii());
        let over_2: [(&[u8], &[u8]); 5] = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", b"h"),
            (b":path", b"/healthz"),
            (name, b"root"),
        ];
        let over_2 = h2::of_headers(&over_2).status(port);
        assert!(matches!(over_2, None | Some(400)), "{over_2:?}");
    }
    assert_eq!(stack.echo.count(), 0);
    for name in names {
        let start = b"POST /healthz HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
        let request = [&start[..], name, b": root\r\n\r\n"].concat();
        assert_eq!(client::raw(port, request).status, 400);
    }
    assert_never_trapped(&stack);
}

#[test]
fn a_request_behind_one_that_waits_is_answered_after_it() {
    // Envoy lets none of them into the filter while it still carries out the answer before it.
    let stack = Stack::start();
    let known = key_of(&stack, "alice").key;
    for number in 1..=8 {
        let requests = [genuine_key(number), known.clone()].map(|key| {
            let request = stack.get("/api/x");
            request
                .header("authorization", format!("Bearer {key}"))
                .bytes()
        });
        let mut connection = client::Connection::open(stack.envoy.port());
        connection.send(requests.concat());
        for expected in [401, 200] {
            assert_eq!(connection.receive().status, expected);
        }
    }
    assert_never_trapped(&stack);
}
