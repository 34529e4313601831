//! Keygate beside Envoy's own filters, as docs/envoy.md describes it.

use keygate_tests::client::{Connection, Response};
use keygate_tests::{Stack, client};
use serde_json::{Value, json};

use crate::support::{assert_never_trapped, key_of, upstream_header};

const PAGE: &str = "https://app.example.com";

/// The HTTP connection manager.
fn manager(bootstrap: &mut Value) -> &mut Value {
    let place = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    bootstrap.pointer_mut(place).unwrap()
}

/// A filter of Envoy without options.
fn filter(name: &str, kind: &str) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{name}.v3.{kind}");
    json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": { "@type": kind } })
}

/// The demo with another filter at this place of the chain; Keygate is the first otherwise.
fn with_filter(place: usize, filter: Value) -> Stack {
    let cors = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy";
    let allowed = json!({ "@type": cors, "allow_origin_string_match": [{ "exact": PAGE }],
        "allow_methods": "GET, POST", "allow_headers": "x-api-key", "allow_credentials": true });
    Stack::builder()
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                let manager = manager(bootstrap);
                let filters = manager["http_filters"].as_array_mut().unwrap();
                filters.insert(place, filter);
                manager["route_config"]["virtual_hosts"][0]["typed_per_filter_config"] =
                    json!({ "envoy.filters.http.cors": allowed });
            })
        })
        .start()
}

fn allowed_origin(answer: &Response) -> Option<String> {
    answer.header("access-control-allow-origin")
}

#[test]
fn a_rejection_has_cors_headers_with_cors_in_front() {
    let stack = with_filter(0, filter("cors", "Cors"));
    let from_page = |path: &str| stack.get(path).header("origin", PAGE);
    let rejected = from_page("/api/x").send();
    assert_eq!(rejected.status, 401);
    assert_eq!(allowed_origin(&rejected).as_deref(), Some(PAGE));
    assert_eq!(rejected.json()["error"]["code"], "missing_credential");
    let key = key_of(&stack, "alice").key;
    let passed = from_page("/api/x").header("x-api-key", key).send();
    assert_eq!(passed.status, 200);
    assert_eq!(allowed_origin(&passed).as_deref(), Some(PAGE));
    // Envoy answers the preflight; it reaches neither Keygate nor the upstream.
    let before = stack.echo.count();
    let preflight = client::request("OPTIONS", stack.envoy.port(), "/api/x")
        .header("origin", PAGE)
        .header("access-control-request-method", "POST")
        .send();
    assert_eq!(preflight.status, 200);
    assert_eq!(allowed_origin(&preflight).as_deref(), Some(PAGE));
    let foreign = stack.get("/api/x").header("origin", "https://evil.example");
    assert_eq!(allowed_origin(&foreign.send()), None);
    assert_eq!(stack.echo.count(), before);
}

#[test]
fn a_rejection_lacks_cors_headers_with_cors_behind() {
    let stack = with_filter(1, filter("cors", "Cors"));
    let rejected = stack.get("/api/x").header("origin", PAGE).send();
    assert_eq!((rejected.status, allowed_origin(&rejected)), (401, None));
}

#[test]
fn a_grpc_web_client_reads_the_reason_with_grpc_web_in_front() {
    let stack = with_filter(0, filter("grpc_web", "GrpcWeb"));
    let rejected = stack
        .post("/api/x")
        .header("content-type", "application/grpc-web+proto")
        .send();
    let header = |name: &str| rejected.header(name).unwrap_or_default();
    assert_eq!(header("content-type"), "application/grpc-web+proto");
    assert_eq!(header("grpc-status"), "16");
    assert!(header("grpc-message").starts_with("You are not signed in"));
}

#[test]
fn a_rejected_upload_is_not_asked_for_its_body() {
    let stack = Stack::start();
    let mut connection = Connection::open(stack.envoy.port());
    connection.send(
        "POST /api/x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
    );
    // Without proxy_100_continue this is 100.
    assert_eq!(connection.receive().status, 401);
    assert_eq!(stack.echo.count(), 0);
}

#[test]
fn an_allowed_upload_reaches_an_upstream_that_ignores_expect() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice").key;
    let passed = stack
        .post("/api/x")
        .header("x-api-key", key)
        .header("expect", "100-continue")
        .body("hello")
        .send();
    assert_eq!(passed.status, 200);
    assert_eq!(upstream_header(&passed, "expect"), ["100-continue"]);
}

/// Problem details with this status and reason that no cache keeps.
fn assert_problem(answer: &Response, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let header = |name: &str| answer.header(name).unwrap_or_default();
    assert_eq!(header("content-type"), "application/problem+json");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["reason"], reason);
    assert_eq!(problem["type"], "about:blank");
    for member in ["title", "detail"] {
        assert!(problem[member].is_string(), "{problem}");
    }
    assert!(problem.get("request_id").is_some(), "{problem}");
}

#[test]
fn envoys_own_rejections_have_the_form_of_ours() {
    let limit =
        "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
    let all = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let limit = json!({ "name": "envoy.filters.http.local_ratelimit", "typed_config": {
        "@type": limit, "stat_prefix": "limit", "filter_enabled": all, "filter_enforced": all,
        "token_bucket": { "max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "600s" } } });
    let stack = with_filter(1, limit);
    for path in ["/media/a%2Fb", "/media/a%00"] {
        assert_problem(&stack.get(path).send(), 400, "ambiguous_request");
    }
    let spelled = stack.get("/media/a").header("x_keygate_account", "root");
    assert_problem(&spelled.send(), 400, "ambiguous_request");
    assert_eq!(stack.get("/healthz").send().status, 200);
    let limited = stack.get("/healthz").send();
    assert_problem(&limited, 429, "rate_limited");
    assert_eq!(limited.header("retry-after").as_deref(), Some("1"));
}

#[test]
fn answers_of_keygate_stay_as_the_policy_says() {
    let stack = Stack::start();
    let twice = stack
        .get("/api/x")
        .header("x-api-key", "a")
        .header("authorization", "Bearer b")
        .send();
    assert_eq!(twice.status, 400);
    assert_eq!(twice.json()["error"]["code"], "ambiguous_request");
    assert_never_trapped(&stack);
}

#[test]
fn an_application_credential_reaches_the_upstream_next_to_ours() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["providers"]["app-key"]["from"] = json!([{ "header": "x-api-key" }]);
        })
        .start();
    let passed = stack
        .get("/api/x")
        .header("x-api-key", key_of(&stack, "alice").key)
        .header("authorization", "Bearer of-the-application")
        .send();
    assert_eq!(passed.status, 200);
    let authorization = upstream_header(&passed, "authorization");
    assert_eq!(authorization, ["Bearer of-the-application"]);
    assert!(upstream_header(&passed, "x-api-key").is_empty());
    assert_eq!(upstream_header(&passed, "x-keygate-account"), ["alice"]);
}
