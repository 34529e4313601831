//! Pages and browsers on a real Envoy: preflights, referrers, keys in a URL.

use keygate_tests::client::{self, Request, Response};
use keygate_tests::{Stack, wait};
use serde_json::{Value, json};

use crate::support::{assert_never_trapped, code, counted, followed, key_of, upstream_header};

const HERE: &str = "https://app.example.com/map?x";

/// The demo's `api` takes preflights, and a key in the query from one site.
fn with_query(policy: &mut Value) {
    policy["providers"]["app-key"]["from"] = json!(["bearer", { "query": "key" }]);
    policy["providers"]["app-key"]["query_referrers"] = json!(["https://app.example.com"]);
    policy["rules"][2]["preflight"] = json!("allow");
}

fn preflight(stack: &Stack, path: &str) -> Request {
    client::request("OPTIONS", stack.envoy.port(), path)
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "PUT")
}

fn rejected(response: &Response) -> (u16, String) {
    (response.status, code(response))
}

#[test]
fn a_preflight_passes_without_a_credential_and_nothing_else_does() {
    let stack = Stack::builder().edit_policy(with_query).start();
    let passed = preflight(&stack, "/api/x?key=SECRET&a=1")
        .header("x-keygate-account", "root")
        .send();
    assert_eq!(passed.status, 200, "{}", passed.text());
    assert_eq!(passed.json()["method"], "OPTIONS");
    assert_eq!(passed.json()["path"], "/api/x?a=1");
    assert!(upstream_header(&passed, "x-keygate-account").is_empty());
    assert_eq!(counted(&stack, "keygate_decision.allow.anonymous"), 1);

    let bare = client::request("OPTIONS", stack.envoy.port(), "/api/x");
    let origin = ("origin", "https://app.example.com");
    for request in [
        bare.clone(),
        bare.clone().header(origin.0, origin.1),
        bare.header("access-control-request-method", "PUT"),
        preflight(&stack, "/api/x").header("origin", "https://b.example"),
        preflight(&stack, "/api/x").header("access-control-request-method", "GET"),
        preflight(&stack, "/api/x").header("x-http-method-override", "PUT"),
        preflight(&stack, "/media/x").header("x-a", "b"),
        client::post(stack.envoy.port(), "/api/x")
            .header(origin.0, origin.1)
            .header("access-control-request-method", "PUT"),
    ] {
        let answer = request.send();
        assert!([401, 403].contains(&answer.status), "{}", answer.text());
    }
    assert_eq!(stack.echo.count(), 1);
}

#[test]
fn a_key_is_rejected_from_other_pages_also_when_it_is_warm() {
    let stack = Stack::builder().concurrency(1).start();
    followed(&stack, 1);
    let body = json!({ "account": "alice",
        "allowed_referrers": ["https://*.example.com/map/**", "http://localhost:3000"] });
    let key = stack.service().create_key(&body).key;
    let from = |name: &str, page: &str| {
        let request = stack
            .get("/api/x")
            .header("authorization", format!("Bearer {key}"));
        request.header(name, page).send()
    };
    let not_here = (403, "not_allowed_here".to_owned());
    for page in [
        HERE,
        "https://a.b.example.com/map/x",
        "http://localhost:3000/a",
    ] {
        assert_eq!(from("referer", page).status, 200, "{page}");
    }
    assert_eq!(from("origin", "http://localhost:3000").status, 200);
    for page in [
        "https://example.com/map",
        "https://app.example.com/",
        "https://app.example.com.evil/map",
        "https://app.example.com@evil/map",
        "http://app.example.com/map",
        "https://app.example.com:8443/map",
        "http://localhost/",
        "null",
    ] {
        assert_eq!(rejected(&from("referer", page)), not_here, "{page}");
        assert_eq!(rejected(&from("origin", page)), not_here, "{page}");
    }
    assert_eq!(rejected(&from("x-a", "b")), not_here);
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 1, "it was warm");
    stack.envoy.wait_for_log("reason=referrer_not_allowed");
}

#[test]
fn a_rule_is_for_its_pages_only() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["rules"][0]["allowed_referrers"] = json!(["https://app.example.com"]);
        })
        .start();
    let from = |page: &str| stack.get("/healthz").header("referer", page).send();
    assert_eq!(from(HERE).status, 200);
    assert_eq!(from("https://evil.example/").status, 403);
    assert_eq!(stack.get("/healthz").send().status, 403);
    let origin = stack
        .get("/healthz")
        .header("origin", "https://app.example.com");
    assert_eq!(origin.send().status, 200);
}

#[test]
fn a_key_in_the_query_reaches_neither_upstream_nor_log_nor_cache() {
    let stack = Stack::builder()
        .concurrency(1)
        .edit_policy(with_query)
        // Envoy's own format of the access log has the whole path.
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                let manager =
                    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
                let log = "/access_log/0/typed_config/log_format/text_format_source/inline_string";
                let format = bootstrap.pointer_mut(&format!("{manager}{log}")).unwrap();
                *format =
                    json!("LINE %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE_DETAILS%\n");
            })
        })
        .start();
    let key = key_of(&stack, "alice").key;
    // Cold, then warm.
    for (query, left) in [
        ("?key=KEY", ""),
        ("?key=KEY&b=", "?b="),
        ("?a=1&key=KEY&b=", "?a=1&b="),
        ("?a=1&key=KEY", "?a=1"),
        ("?mykey=%20&key=KEY&&c", "?mykey=%20&&c"),
    ] {
        let path = format!("/api/x{}", query.replace("KEY", &key));
        let answer = stack.get(path).header("referer", HERE).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["path"], format!("/api/x{left}"));
        assert_eq!(upstream_header(&answer, "x-keygate-account"), ["alice"]);
        let header = |name| answer.header(name);
        assert_eq!(header("referrer-policy").as_deref(), Some("no-referrer"));
        assert_eq!(
            header("cache-control").as_deref(),
            Some("private, no-store")
        );
    }
    let by_header = crate::support::call(&stack, "/api/x", &key);
    assert_eq!(by_header.header("referrer-policy"), None);

    let path = format!("/api/x?key={key}");
    let twice = stack
        .get(format!("{path}&key={key}"))
        .header("referer", HERE);
    assert_eq!(
        rejected(&twice.send()),
        (400, "ambiguous_request".to_owned())
    );
    for page in ["https://evil.example/", "https://app.example.com.evil/"] {
        let answer = stack.get(&path).header("referer", page).send();
        assert_eq!(rejected(&answer), (403, "not_allowed_here".to_owned()));
    }
    assert_eq!(stack.get(&path).send().status, 403);
    stack.envoy.wait_for_log("reason=duplicate_credential");
    wait::until("every line of the access log", wait::STARTUP, || {
        (stack.envoy.log().matches("LINE /api/x").count() == 10).then_some(())
    });
    assert!(!stack.envoy.log().contains(&key), "the log holds a key");
    assert_never_trapped(&stack);
}

#[test]
fn a_key_in_the_query_is_nothing_unless_the_policy_says_so() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice").key;
    let answer = stack
        .get(format!("/api/x?key={key}"))
        .header("referer", HERE);
    assert_eq!(
        rejected(&answer.send()),
        (401, "missing_credential".to_owned())
    );
}
