//! What a rejected client receives from a real Envoy.

use keygate_core::Secret;
use keygate_core::keys::{KeyRingId, MasterSecret, NewAppKey, Prefix};
use keygate_tests::client::{self, Response};
use keygate_tests::fake_service::{FakeService, json as answer};
use keygate_tests::service::APP_KEYS;
use keygate_tests::{Stack, wait};
use serde_json::{Value, json};

use crate::support::{call, code, counted, sign};

/// All values of a header, in order.
fn all(response: &Response, name: &str) -> Vec<String> {
    let named = response.headers.iter().filter(|(it, _)| it == name);
    named
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .collect()
}

fn genuine_key(number: u8) -> NewAppKey {
    let master = MasterSecret::derive(&Secret::new(APP_KEYS.into())).unwrap();
    let prefix = Prefix::parse("kg").unwrap();
    let kid = KeyRingId::parse("01").unwrap();
    master.generate(&prefix, kid, &mut |it| it.fill(number))
}

#[test]
fn the_body_is_the_one_that_the_client_prefers_and_a_head_has_none() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["responses"]["api"] = json!({
                "json": { "code": "{reason}" }, "html": "<p>{message}", "text": "{message}"
            });
        })
        .start();
    for (accept, kind, body) in [
        (
            None,
            "application/json",
            "{\"code\":\"missing_credential\"}",
        ),
        (
            Some("*/*"),
            "application/json",
            "{\"code\":\"missing_credential\"}",
        ),
        (
            Some("text/html,application/xhtml+xml,*/*;q=0.8"),
            "text/html; charset=utf-8",
            "<p>You are not signed in. Sign in, or send an API key.",
        ),
        (
            Some("application/json;q=0.2, text/plain;q=0.3"),
            "text/plain; charset=utf-8",
            "You are not signed in. Sign in, or send an API key.",
        ),
    ] {
        for method in ["GET", "HEAD"] {
            let mut request = client::request(method, stack.envoy.port(), "/api/x");
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            let rejected = request.send();
            assert_eq!(rejected.status, 401);
            assert_eq!(all(&rejected, "content-type"), [kind]);
            assert_eq!(all(&rejected, "vary"), ["accept"]);
            assert_eq!(all(&rejected, "cache-control"), ["no-store"]);
            assert_eq!(all(&rejected, "x-content-type-options"), ["nosniff"]);
            assert_eq!(all(&rejected, "content-length"), [body.len().to_string()]);
            let expected = if method == "HEAD" { "" } else { body };
            assert_eq!(rejected.text(), expected, "{method} {accept:?}");
        }
    }
}

#[test]
fn a_redirect_comes_back_to_this_site() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            let to = "https://login.example/?reason={reason}&return_to={url}";
            policy["responses"]["api"] = json!({ "redirect": to });
            policy["responses"]["page"] = json!({
                "html": "<p>", "reasons": { "missing_credential": { "redirect": "/get?u={url}", "status": 307 } }
            });
        })
        .start();
    let url = "%2Fapi%2Fx%3Fu%3Dhttps%3A%2F%2Fevil.example%26a%3D%2520";
    let expected = format!("https://login.example/?reason=missing_credential&return_to={url}");
    for (method, status) in [("GET", 302), ("HEAD", 302), ("POST", 303)] {
        let path = "/api/x?u=https://evil.example&a=%20";
        let rejected = client::request(method, stack.envoy.port(), path).send();
        assert_eq!(rejected.status, status, "{method}");
        assert_eq!(all(&rejected, "location"), [expected.as_str()]);
        assert_eq!(all(&rejected, "cache-control"), ["no-store"]);
        assert_eq!(rejected.text(), "");
    }
    let rejected = stack.get("/media/cat.jpg?a=1").send();
    assert_eq!(rejected.status, 307);
    assert_eq!(
        all(&rejected, "location"),
        ["/get?u=%2Fmedia%2Fcat.jpg%3Fa%3D1"]
    );
    let rejected = stack.get("/media/cat.jpg?kg=kg1.x.x").send();
    assert_eq!((rejected.status, rejected.text().as_str()), (403, "<p>"));
}

#[test]
fn a_reason_has_a_status_a_body_and_headers_of_its_own() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["responses"]["page"] = json!({
                "html": "<p>{message}", "headers": { "X-Support": "ask for {rule}, {status}" },
                "reasons": { "expired": { "status": 410, "text": "{status}, {reason}" } }
            });
        })
        .start();
    let expired = sign("/media/cat.jpg", &["--now", "2020-01-01T00:00:00Z"]);
    let rejected = stack.get(expired).send();
    assert_eq!(
        (rejected.status, rejected.text().as_str()),
        (410, "410, expired")
    );
    assert_eq!(all(&rejected, "x-support"), ["ask for media, 410"]);
    let rejected = stack.get("/media/cat.jpg").send();
    assert_eq!(rejected.status, 403);
    assert_eq!(all(&rejected, "x-support"), ["ask for media, 403"]);
    assert_eq!(all(&rejected, "content-security-policy").len(), 1);
}

#[test]
fn a_401_offers_each_scheme_in_a_header_of_its_own() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["realm"] = json!("the files");
            policy["providers"]["app-key"]["challenge_basic"] = json!(true);
        })
        .start();
    let rejected = stack.get("/api/x").send();
    let basic = "Basic realm=\"the files\", charset=\"UTF-8\"";
    let expected = ["Bearer realm=\"the files\"", basic];
    assert_eq!(all(&rejected, "www-authenticate"), expected);
    let rejected = call(&stack, "/api/x", "nonsense");
    let bearer = "Bearer realm=\"the files\", error=\"invalid_token\", \
         error_description=\"Your API key or sign-in is not valid. It may be incomplete, or it is no longer accepted.\"";
    assert_eq!(all(&rejected, "www-authenticate"), [bearer, basic]);
    let twice = stack
        .get("/api/x")
        .header("authorization", "Bearer a")
        .header("x-api-key", "b")
        .send();
    assert_eq!(twice.status, 400);
    let bearer = "Bearer realm=\"the files\", error=\"invalid_request\", \
         error_description=\"We can't read this request. Its address may be malformed, or it may contain more than one credential.\"";
    assert_eq!(all(&twice, "www-authenticate"), [bearer]);
}

#[test]
fn grpc_reads_the_reason_as_a_status() {
    let stack = Stack::start();
    stack.service().kill9();
    let genuine = format!("Bearer {}", genuine_key(1).text.as_str());
    for (path, headers, status, message) in [
        (
            "/api/x",
            vec![],
            "16",
            "You are not signed in. Sign in, or send an API key.",
        ),
        (
            "/api/x",
            vec![("authorization", "Bearer x")],
            "16",
            "Your API key or sign-in is not valid. It may be incomplete, or it is no longer accepted.",
        ),
        (
            "/api/x",
            vec![("authorization", "Bearer x"), ("x-api-key", "y")],
            "3",
            "We can't read this request. Its address may be malformed, or it may contain more than one credential.",
        ),
        (
            "/secret",
            vec![],
            "7",
            "You can't open this from here. This address, your network or the page that you came from is not allowed.",
        ),
        (
            "/api/x",
            vec![("authorization", genuine.as_str())],
            "14",
            "We can't check this right now. Please try again in a moment.",
        ),
    ] {
        let request = stack
            .post(path)
            .header("content-type", "application/grpc+proto");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let rejected = request.send();
        assert_eq!(rejected.status, 200);
        assert_eq!(all(&rejected, "content-type"), ["application/grpc"]);
        assert_eq!(all(&rejected, "grpc-status"), [status], "{message}");
        assert_eq!(all(&rejected, "grpc-message"), [message]);
        assert_eq!(rejected.text(), "");
    }
}

#[test]
fn problem_details_name_the_request() {
    let stack = Stack::start();
    let rejected = stack.get("/secret").send();
    assert_eq!(all(&rejected, "content-type"), ["application/problem+json"]);
    let id = rejected.json()["request_id"].as_str().unwrap().to_owned();
    let expected = json!({
        "type": "about:blank", "title": "Forbidden", "status": 403,
        "detail": "You can't open this from here. This address, your network or the page that you came from is not allowed.", "instance": format!("urn:uuid:{id}"),
        "reason": "not_allowed_here", "request_id": id
    });
    assert_eq!(rejected.json(), expected);
    stack.envoy.wait_for_log(&id);
}

/// Status, every header but the date, and the body, with the id of the request blotted out.
fn seen(response: &Response) -> (u16, Vec<(String, Vec<u8>)>, String) {
    let json = response.json();
    let id = json["error"]["request"]
        .as_str()
        .or(json["request_id"].as_str());
    let id = id.unwrap().to_owned();
    assert_eq!(id.len(), 36);
    let mut headers = response.headers.clone();
    headers.retain(|(name, _)| name != "date");
    (response.status, headers, response.text().replace(&id, "ID"))
}

#[test]
fn unknown_forged_revoked_and_disabled_keys_are_answered_byte_for_byte_alike() {
    let [unknown, revoked, disabled] = [1, 2, 3].map(genuine_key);
    let mut forged = unknown.text.to_string();
    let last = forged.pop().unwrap();
    forged.push(if last == '0' { '1' } else { '0' });
    let record = |key: &NewAppKey, status: &str| {
        json!({ "hash": key.hash.to_string(), "id": key.id, "account": "a", "status": status,
            "metadata": {} })
    };
    let records = [record(&revoked, "revoked"), record(&disabled, "disabled")];
    let fake = FakeService::start();
    fake.on("/v1/lookups", move |asked| {
        let asked: Value = serde_json::from_slice(&asked.body).unwrap();
        let hashes = asked["hashes"].as_array().unwrap();
        let known = records.iter().filter(|it| hashes.contains(&it["hash"]));
        let known: Vec<_> = known.collect();
        answer(200, &json!({ "epoch": 0, "records": known })).into()
    });
    // With the demo's JSON, and with problem details.
    for deny in [Some("api"), None] {
        let stack = Stack::builder()
            .fake_service(&fake)
            .concurrency(1)
            .edit_policy(|policy| policy["rules"][2]["deny"] = json!(deny))
            .start();
        wait::until("the feed", wait::STARTUP, || {
            let rejected = call(&stack, "/api/x", &revoked.text);
            (rejected.status == 401).then_some(())
        });
        // Cold and warm.
        for _ in 0..2 {
            let rejected = call(&stack, "/api/x", &unknown.text);
            assert_eq!(
                (rejected.status, code(&rejected).as_str()),
                (401, "invalid_credential")
            );
            for key in [forged.as_str(), &revoked.text, &disabled.text] {
                assert_eq!(seen(&call(&stack, "/api/x", key)), seen(&rejected));
            }
        }
        for reason in ["unknown_key", "revoked_key", "disabled_key"] {
            let name = format!("keygate_decision.deny.{reason}");
            assert!(counted(&stack, &name) >= 2, "{reason}");
        }
    }
}
