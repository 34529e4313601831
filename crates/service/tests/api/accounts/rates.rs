//! The rate limit of a key: what an account may set, and what a key passes on.

use super::*;

/// The limit of a key that was created so.
fn created(service: &Running, token: &str, body: &str) -> Value {
    let answer = send(service, "POST", "/v1/keys", token, body);
    answer.expect(201)["rate_limit"].clone()
}

#[test]
fn a_key_passes_its_limit_on_or_a_lower_one() {
    let service = start();
    let parent = r#"{"account":"alice","scopes":["keys:write"],"rate_limit":"100/60s"}"#;
    let token = by_key(&service.create(parent), "keys:write");
    assert_eq!(created(&service, &token, "{}"), "100/1m");
    assert_eq!(
        created(&service, &token, r#"{"rate_limit":"10/1m"}"#),
        "10/1m"
    );
    for beyond in ["101/1m", "100/59s", "1000/1h"] {
        let body = json!({ "rate_limit": beyond }).to_string();
        let answer = send(&service, "POST", "/v1/keys", &token, &body);
        assert_eq!(
            code(&answer),
            (403, "beyond_own_rights".to_owned()),
            "{beyond}"
        );
        assert_eq!(answer.wrong(403), ["/rate_limit"]);
    }
}

#[test]
fn a_key_lowers_the_limit_of_another_and_removes_none() {
    let service = start();
    let parent = r#"{"account":"alice","scopes":["keys:write"],"rate_limit":"10/1m"}"#;
    let token = by_key(&service.create(parent), "keys:write");
    let other = service.create(r#"{"account":"alice","rate_limit":"1000/1m"}"#);
    let path = format!("/v1/keys/{}", text(&other, "id"));
    let patch = |body: &str| send(&service, "PATCH", &path, &token, body);
    let lower = patch(r#"{"rate_limit":"500/1m"}"#);
    assert_eq!(lower.expect(200)["rate_limit"], "500/1m");
    assert_eq!(code(&patch(r#"{"rate_limit":"501/1m"}"#)).0, 403);
    let kept = patch(r#"{"rate_limit":null}"#);
    assert_eq!(kept.expect(200)["rate_limit"], "10/1m", "its own limit");
}

#[test]
fn a_limit_is_a_number_and_a_span_of_at_most_a_day() {
    let service = start();
    for wrong in [
        "100",
        "0/1m",
        "1000001/1m",
        "5/500ms",
        "5/25h",
        "5/0s",
        "many/1m",
    ] {
        let body = json!({ "account": "alice", "rate_limit": wrong }).to_string();
        assert_eq!(
            service.post("/v1/keys", &body).wrong(400),
            ["/rate_limit"],
            "{wrong}"
        );
    }
}
