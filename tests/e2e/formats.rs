//! What the formats of vendors meet behind a real Envoy: quotes, empty values, bodies and
//! encodings that only a peer on the way brings about.

use keygate_tests::{Stack, client, h2};
use serde_json::{Value, json};

use crate::support::{call, key_of, sign, sign_cloudflare, upstream_header};

/// A stack with a rule for each of these providers, below a path of its name.
fn stack(providers: &[(&str, Value)]) -> Stack {
    Stack::builder()
        .edit_policy(|policy| {
            for (name, provider) in providers {
                // A ring serves links of one kind.
                policy["secrets"][name] = policy["secrets"]["media"].clone();
                policy["providers"][name] = provider.clone();
                policy["providers"][name]["type"] = json!("signed_url");
                policy["providers"][name]["secrets"] = json!(name);
                let rule = json!({ "name": name, "match": { "path": format!("/{name}/**") },
                    "require": name });
                policy["rules"].as_array_mut().unwrap().push(rule);
            }
        })
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                let hcm = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
                let hcm = bootstrap.pointer_mut(hcm).unwrap();
                hcm["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
            })
        })
        .start()
}

#[test]
fn a_quoted_cookie_and_an_empty_header_hide_no_key() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice").key;
    let quoted = format!("theme=\"dark\"; app_key=\"{key}\"");
    let answer = stack.get("/api/x").header("cookie", quoted).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream_header(&answer, "cookie"), ["theme=\"dark\""]);
    assert_eq!(upstream_header(&answer, "x-keygate-account"), ["alice"]);

    let bearer = format!("Bearer {key}");
    for (name, value) in [
        ("x-api-key", ""),
        ("authorization", ""),
        ("authorization", "Bearer"),
        ("cookie", "app_key="),
        ("cookie", "app_key=\"\""),
    ] {
        let request = stack.get("/api/x").header("authorization", &bearer);
        let answer = request.header(name, value).send();
        assert_eq!(answer.status, 200, "{name}: {value}: {}", answer.text());
        let alone = stack.get("/api/x").header(name, value).send();
        assert_eq!(alone.status, 401, "{name}: {value}");
    }
    assert_eq!(call(&stack, "/api/x", "").status, 401);
    let missing = "wasmcustom.keygate_decision.deny.missing_credential";
    assert_eq!(stack.envoy.stat(missing), Some(6));
}

/// A stack with a rule for message signatures.
fn stack_of_signatures() -> Stack {
    let provider = json!({ "format": "http-signature", "algorithm": "hmac-sha256",
        "max_age": "5m", "scheme": "http" });
    stack(&[("signed", provider)])
}

/// The headers that sign a request for `/signed/a`, without a digest of its body.
fn signature(stack: &Stack, method: &str) -> Vec<(String, String)> {
    let url = format!("http://127.0.0.1:{}/signed/a", stack.envoy.port());
    let options = [
        "--format",
        "http-signature",
        "--set",
        "algorithm=hmac-sha256",
        "--set",
        "max_age=5m",
        "--set",
        "scheme=http",
        "--set",
        "content_digest=false",
        "--key-id",
        "demo",
        "--headers",
        "--method",
        method,
    ];
    let signed = sign(&url, &options);
    let lines = signed.lines().skip(1);
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    headers
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect()
}

#[test]
fn content_digest_is_asked_for_with_a_body_alone() {
    let stack = stack_of_signatures();
    for (method, body, expected) in [
        ("DELETE", None, 200),
        ("POST", None, 200),
        ("POST", Some("a body"), 403),
        ("GET", Some("a body"), 403),
    ] {
        let mut request = client::request(method, stack.envoy.port(), "/signed/a");
        for (name, value) in signature(&stack, method) {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send();
        assert_eq!(
            answer.status,
            expected,
            "{method} {body:?}: {}",
            answer.text()
        );
    }
    let malformed = "wasmcustom.keygate_decision.deny.malformed_credential";
    assert_eq!(stack.envoy.stat(malformed), Some(2));
}

#[test]
fn content_digest_is_asked_for_where_a_body_has_no_length() {
    let stack = stack_of_signatures();
    let port = stack.envoy.port();
    let host = format!("127.0.0.1:{port}");
    // The frames of the body over HTTP/2. Where the last one ends it, a body may follow when the
    // filter decides, also if it turns out to be empty.
    for (pieces, trailer, expected) in [
        (&[][..], None, 200),
        (&["a body"], None, 403),
        (&["", "a body"], None, 403),
        (&[""], None, 403),
        (&[], Some("x-sum"), 403),
    ] {
        for method in ["POST", "DELETE", "GET"] {
            let signed = signature(&stack, method).into_iter();
            let request = h2::request(method, &host, "/signed/a");
            let request = signed.fold(request, |it, (name, value)| it.header(name, value));
            let request = pieces.iter().fold(request, h2::Request::body);
            let request = trailer
                .into_iter()
                .fold(request, |it, name| it.trailer(name, "1"));
            let status = request.status(port);
            assert_eq!(status, Some(expected), "{method} {pieces:?} {trailer:?}");
        }
    }
    assert_eq!(stack.echo.count(), 3, "something else passed");
    for body in ["6\r\na body\r\n0\r\n\r\n", "0\r\n\r\n"] {
        let signed = signature(&stack, "POST").into_iter();
        let signed: String = signed
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let chunked = format!(
            "POST /signed/a HTTP/1.1\r\nhost: {host}\r\n{signed}transfer-encoding: chunked\r\n\r\n{body}"
        );
        assert_eq!(client::raw(port, chunked).status, 403, "{body:?}");
    }
    assert_eq!(stack.echo.count(), 3, "something else passed");
}

#[test]
fn a_link_for_the_path_alone_leaves_the_query_to_the_client() {
    let provider = json!({ "format": "cloudflare", "message": "path", "ttl": "1h" });
    let stack = stack(&[("worker", provider)]);
    let link = sign_cloudflare("/worker/cat.jpg?w=1", &["--set", "message=path"]);
    for query in ["w=1", "w=2&h=3", "a|b"] {
        let link = link.replace("w=1", query);
        let answer = stack.get(&link).send();
        assert_eq!(answer.status, 200, "{link}: {}", answer.text());
        assert_eq!(answer.json()["path"], format!("/worker/cat.jpg?{query}"));
    }
    let other = stack.get(link.replace("cat", "dog")).send();
    assert_eq!(other.status, 403);
}

#[test]
fn a_directory_link_of_bunny_may_encode_its_values_twice() {
    let provider = json!({ "format": "bunny", "max_lifetime": "1d" });
    let stack = stack(&[("videos", provider)]);
    let options = [
        "--format",
        "bunny",
        "--option",
        "directory=true",
        "--prefix",
        "/videos/my%20own/",
        "--expires-in",
        "1h",
    ];
    let link = sign("/videos/my%20own/a.m3u8", &options);
    assert!(
        link.contains("token_path=%2Fvideos%2Fmy%2520own%2F"),
        "{link}"
    );
    for name in ["a.m3u8", "b/1.ts"] {
        let answer = stack.get(link.replace("a.m3u8", name)).send();
        assert_eq!(answer.status, 200, "{link}: {}", answer.text());
        assert_eq!(answer.json()["path"], format!("/videos/my%20own/{name}"));
    }
    let twice = link.replace("/videos/my%20own/a", "/videos/my%2520own/a");
    assert_eq!(stack.get(twice).send().status, 400);
}
