//! What an account and its keys may change.

use super::*;

fn change(service: &Running, key: &Value, token: &str, body: &Value) -> Answer {
    let path = format!("/v1/keys/{}", text(key, "id"));
    send(service, "PATCH", &path, token, &body.to_string())
}

#[test]
fn a_key_makes_of_another_none_that_can_do_more_than_itself() {
    let service = start();
    let weak = service.create(
        r#"{"account":"alice","scopes":["keys:write","a"],"allowed_ips":["10.0.0.0/8"],
            "expires_in":"1d"}"#,
    );
    let strong = service.create(
        r#"{"account":"alice","scopes":["a","b"],"metadata":{"plan":"gold"},"expires_in":"9d"}"#,
    );
    let token = by_key(&weak, "keys:write a");
    // What narrows it, describes it or switches it off is free.
    for body in [
        json!({ "name": "other" }),
        json!({ "scopes": ["b"] }),
        json!({ "expires_in": "8d" }),
        json!({ "allowed_ips": ["192.0.2.0/24"] }),
        json!({ "allowed_referrers": ["a.example"] }),
        json!({ "disabled": true }),
    ] {
        change(&service, &strong, &token, &body).expect(200);
    }
    for (body, wrong) in [
        (
            json!({ "disabled": false }),
            &["/scopes/0", "/metadata", "/allowed_ips", "/expires_at"][..],
        ),
        (
            json!({ "scopes": ["a", "b"], "metadata": {}, "expires_in": "9d" }),
            &["/scopes/1", "/allowed_ips", "/expires_at"],
        ),
        (
            json!({ "scopes": ["a"], "metadata": {}, "allowed_ips": ["10.0.0.0/9"] }),
            &["/expires_at"],
        ),
    ] {
        let answer = change(&service, &strong, &token, &body);
        assert_eq!(answer.wrong(403), wrong, "{body}");
    }
    let own = change(&service, &weak, &token, &json!({ "expires_in": "2d" }));
    assert_eq!(own.wrong(403), ["/expires_at"], "nor of itself");
    let stranger = service.create(r#"{"account":"bob"}"#);
    let answer = change(&service, &stranger, &token, &json!({ "name": "x" }));
    assert_eq!(answer.problem(), (404, "no_such_key".to_owned()));
}

#[test]
fn a_key_gets_by_rotation_none_that_can_do_more_than_itself() {
    let service = start();
    let weak = service.create(r#"{"account":"alice","scopes":["keys:write"],"expires_in":"2d"}"#);
    let strong = service.create(r#"{"account":"alice","scopes":["b"],"expires_in":"1d"}"#);
    let gold =
        service.create(r#"{"account":"alice","metadata":{"plan":"gold"},"expires_in":"1d"}"#);
    let token = by_key(&weak, "keys:write b");
    let rotate = |key: &Value, token: &str, body: &str| {
        let path = format!("/v1/keys/{}/rotate", text(key, "id"));
        send(&service, "POST", &path, token, body)
    };
    assert_eq!(rotate(&strong, &token, "{}").wrong(403), ["/scopes/0"]);
    assert_eq!(rotate(&gold, &token, "{}").wrong(403), ["/metadata"]);
    let long = rotate(&weak, &token, r#"{"expires_in":"3d"}"#);
    assert_eq!(long.wrong(403), ["/expires_at"]);
    // The account itself may keep what an admin wrote.
    let kept = rotate(&gold, &session("alice"), "{}").expect(201);
    assert_eq!(kept["metadata"], json!({ "plan": "gold" }));
    assert_eq!(rotate(&kept, &session("bob"), "{}").problem().0, 404);

    // A key that replaces itself lives no longer, and falls with itself.
    service.set_now(UnixMillis(START.0 + 30_000));
    let new = rotate(&weak, &token, "{}").expect(201);
    assert_eq!(new["expires_at"], weak["expires_at"]);
    assert_eq!(new["created_by"], weak["id"]);
    service.post(&revoke_path(&weak), "{}").expect(200);
    let path = format!("/v1/keys/{}", text(&new, "id"));
    assert_eq!(service.get(&path).expect(200)["status"], "revoked");
}

#[test]
fn a_key_that_an_admin_disabled_stays_so_for_its_account() {
    let service = start();
    let key = service.create(r#"{"account":"alice"}"#);
    let path = format!("/v1/keys/{}", text(&key, "id"));
    let admin = |body: &str| service.send("PATCH", &path, Some(ADMIN), body).expect(200);
    let account = |disabled: bool| {
        let body = json!({ "disabled": disabled });
        change(&service, &key, &session("alice"), &body)
    };
    account(true).expect(200);
    account(false).expect(200);
    account(true).expect(200);
    // The word of an admin stands above that of the account, even if it comes later.
    admin(r#"{"disabled":true}"#);
    account(true).expect(200);
    assert_eq!(
        account(false).problem(),
        (403, "disabled_by_admin".to_owned())
    );
    admin(r#"{"disabled":false}"#);
    assert_eq!(service.get(&path).expect(200)["status"], "active");
}

#[test]
fn a_key_that_was_narrowed_gives_no_more_than_it_has_now() {
    let service = start();
    let parent = service.create(r#"{"account":"alice","scopes":["keys:write","a"]}"#);
    let token = by_key(&parent, "keys:write a");
    let create = || send(&service, "POST", "/v1/keys", &token, r#"{"scopes":["a"]}"#);
    create().expect(201);
    let path = format!("/v1/keys/{}", text(&parent, "id"));
    let body = r#"{"scopes":["keys:write"]}"#;
    service.send("PATCH", &path, Some(ADMIN), body).expect(200);
    assert_eq!(create().wrong(403), ["/scopes/0"]);
    let body = r#"{"disabled":true}"#;
    service.send("PATCH", &path, Some(ADMIN), body).expect(200);
    assert_eq!(create().problem(), (401, "invalid_assertion".to_owned()));
}

#[test]
fn a_key_that_has_lost_a_scope_makes_no_call_that_needs_it() {
    let service = start();
    let parent = service.create(r#"{"account":"alice","scopes":["keys:read","keys:write","a"]}"#);
    let other = service.create(r#"{"account":"alice","name":"ci"}"#);
    // As the edge had read the key.
    let token = by_key(&parent, "keys:read keys:write a");
    let (parent, other) = (text(&parent, "id"), text(&other, "id"));
    let path = format!("/v1/keys/{other}");
    let of_path = |of: &str| format!("{path}{of}");
    let narrow = |scopes: Value| {
        let body = json!({ "scopes": scopes }).to_string();
        let path = format!("/v1/keys/{parent}");
        service.send("PATCH", &path, Some(ADMIN), &body).expect(200);
    };
    let rejected = |calls: &[(&str, &str, &str)]| {
        for (method, path, body) in calls {
            let answer = send(&service, method, path, &token, body);
            let invalid = (401, "invalid_assertion".to_owned());
            assert_eq!(answer.problem(), invalid, "{method} {path}");
        }
    };
    let reads = [("GET", "/v1/keys", ""), ("GET", path.as_str(), "")];
    let many = r#"{"filter":{"name_prefix":"ci"},"expect":1}"#;
    // It is not even told how many there are.
    let others = r#"{"filter":{"name_prefix":"ci"},"expect":7}"#;
    let (rotate, revoke) = (of_path("/rotate"), of_path("/revoke"));
    let changes = [
        ("POST", "/v1/keys", "{}"),
        ("PATCH", path.as_str(), r#"{"name":"x"}"#),
        ("POST", rotate.as_str(), "{}"),
        ("POST", revoke.as_str(), "{}"),
        ("POST", "/v1/keys/revoke", many),
        ("POST", "/v1/keys/revoke", others),
    ];
    narrow(json!(["keys:read", "a"]));
    rejected(&changes);
    send(&service, "GET", &path, &token, "").expect(200);
    narrow(json!(["keys:write"]));
    rejected(&reads);
    rejected(&changes[4..]);
    send(&service, "POST", "/v1/keys", &token, "{}").expect(201);
    assert_eq!(service.get(&path).expect(200)["status"], "active");
}
