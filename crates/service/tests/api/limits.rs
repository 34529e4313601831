//! The limits of the operator: for each way to make a key, or to make more of one.

use keygate_core::{Millis, UnixMillis};
use keygate_service::KeyLimits;
use serde_json::{Value, json};

use crate::accounts::{by_key, configured, send, session};
use crate::support::{ADMIN, Answer, Running, START, text};

const DAY: Millis = Millis::from_secs(24 * 3600);

fn days(count: u64) -> Millis {
    Millis(DAY.0 * count)
}

pub fn limited(limits: KeyLimits) -> Running {
    configured(|config| config.key_limits = limits)
}

fn at(span: Millis) -> String {
    START.plus(span).to_string()
}

fn path(key: &Value) -> String {
    format!("/v1/keys/{}", text(key, "id"))
}

fn patch(service: &Running, key: &Value, body: &str) -> Answer {
    service.send("PATCH", &path(key), Some(ADMIN), body)
}

fn rotate(service: &Running, key: &Value, body: &str) -> Answer {
    service.post(&format!("{}/rotate", path(key)), body)
}

#[track_caller]
fn assert_beyond(answer: &Answer, pointer: &str) {
    assert_eq!(answer.problem(), (403, "beyond_limits".to_owned()));
    assert_eq!(answer.wrong(403), [pointer]);
}

#[test]
fn no_way_leads_to_a_longer_life() {
    let service = limited(KeyLimits {
        max_lifetime: Some(days(30)),
        default_lifetime: Some(days(7)),
        ..KeyLimits::default()
    });
    let create = |body: &str| service.post("/v1/keys", body);
    let key = create(r#"{"account":"alice"}"#).expect(201);
    assert_eq!(key["expires_at"], at(days(7)), "the default");
    create(r#"{"account":"alice","expires_in":"30d"}"#).expect(201);
    assert_beyond(
        &create(r#"{"account":"alice","expires_in":"31d"}"#),
        "/expires_at",
    );
    let batch = r#"{"keys":[{"account":"alice"},{"account":"alice","expires_in":"31d"}]}"#;
    assert_beyond(&service.post("/v1/keys/batch", batch), "/keys/1/expires_at");
    let by_session = r#"{"expires_in":"31d"}"#;
    let answer = send(&service, "POST", "/v1/keys", &session("alice"), by_session);
    assert_beyond(&answer, "/expires_at");

    // A change counts from the creation, also a day later.
    service.set_now(START.plus(DAY));
    patch(&service, &key, r#"{"expires_in":"29d"}"#).expect(200);
    for longer in [r#"{"expires_in":"30d"}"#, r#"{"expires_at":null}"#] {
        assert_beyond(&patch(&service, &key, longer), "/expires_at");
    }
    assert_beyond(
        &rotate(&service, &key, r#"{"expires_in":"31d"}"#),
        "/expires_at",
    );
    let next = rotate(&service, &key, "").expect(201);
    assert_eq!(next["expires_at"], at(days(31)), "30 days from now");

    let import = |end: Value| {
        let item = json!({"key": "legacy-key-0123456789", "account": "alice", "expires_at": end});
        let body = json!({ "keys": [item] }).to_string();
        service.post("/v1/keys/import", &body).expect(200)["results"][0].clone()
    };
    for end in [json!(null), json!(at(days(32)))] {
        let refused = import(end);
        assert_eq!(refused["result"], "refused");
        assert_eq!(refused["errors"][0]["pointer"], "/expires_at");
        assert_eq!(refused["errors"][0]["code"], "beyond_limits");
    }
    assert_eq!(import(json!(at(days(31))))["result"], "imported");
}

#[test]
fn a_key_without_an_end_from_before_can_be_changed_and_its_successor_ends() {
    let limits = KeyLimits {
        max_lifetime: Some(days(30)),
        ..KeyLimits::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let mut before = Running::on(&database);
    let key = before.create(r#"{"account":"alice","scopes":["a"]}"#);
    before.stop();
    before.await_end();
    drop(before);
    let service = Running::on_with(&database, |config| config.key_limits = limits);
    patch(&service, &key, r#"{"name":"x"}"#).expect(200);
    patch(&service, &key, r#"{"expires_in":"90d"}"#).expect(200);
    patch(&service, &key, r#"{"expires_in":"80d"}"#).expect(200);
    assert_beyond(
        &patch(&service, &key, r#"{"expires_at":null}"#),
        "/expires_at",
    );
    let next = rotate(&service, &key, "").expect(201);
    assert_eq!(next["expires_at"], at(days(30)));
}

#[test]
fn a_default_life_ends_no_later_than_the_key_that_asks() {
    let service = limited(KeyLimits {
        default_lifetime: Some(days(7)),
        ..KeyLimits::default()
    });
    let parent = r#"{"account":"alice","scopes":["keys:write"],"expires_in":"2d"}"#;
    let parent = service.create(parent);
    let caller = by_key(&parent, "keys:write");
    let child = send(&service, "POST", "/v1/keys", &caller, "{}").expect(201);
    assert_eq!(child["expires_at"], parent["expires_at"]);
}

#[test]
fn no_way_leads_to_a_scope_that_is_not_allowed() {
    let service = limited(KeyLimits {
        allowed_scopes: Some(vec!["read".to_owned(), "write".to_owned()]),
        ..KeyLimits::default()
    });
    let key = service.create(r#"{"account":"alice","scopes":["read"]}"#);
    let admin = r#"{"account":"alice","scopes":["read","admin"]}"#;
    assert_beyond(&service.post("/v1/keys", admin), "/scopes/1");
    assert_beyond(
        &patch(&service, &key, r#"{"scopes":["admin"]}"#),
        "/scopes/0",
    );
    patch(&service, &key, r#"{"scopes":["read","write"]}"#).expect(200);
    let item = r#"{"keys":[{"key":"legacy-key-0123456789","account":"a","scopes":["admin"]}]}"#;
    let refused = service.post("/v1/keys/import", item).expect(200)["results"][0].clone();
    assert_eq!(refused["errors"][0]["pointer"], "/scopes/0");
}

#[test]
fn no_way_leads_to_more_keys_than_an_account_may_have() {
    let service = limited(KeyLimits {
        active_keys_per_account: Some(2),
        ..KeyLimits::default()
    });
    let create = |body: &str| service.post("/v1/keys", body);
    let alice = r#"{"account":"alice"}"#;
    let full = (409, "too_many_keys".to_owned());
    let first = create(alice).expect(201);
    let pair = r#"{"keys":[{"account":"alice"},{"account":"alice"}]}"#;
    assert_eq!(service.post("/v1/keys/batch", pair).problem(), full);
    let second = create(r#"{"account":"alice","expires_in":"1d"}"#).expect(201);
    assert_eq!(create(alice).problem(), full);
    let answer = send(&service, "POST", "/v1/keys", &session("alice"), "{}");
    assert_eq!(answer.problem(), full);
    create(r#"{"account":"bob"}"#).expect(201);
    // A disabled key can be enabled, and counts.
    patch(&service, &first, r#"{"disabled":true}"#).expect(200);
    assert_eq!(create(alice).problem(), full);
    let keys = json!([
        {"key": "legacy-key-0123456789", "account": "alice"},
        {"key": "legacy-key-9876543210", "account": "bob"},
        {"key": "legacy-key-5432109876", "account": "bob"},
    ]);
    let body = json!({ "keys": keys }).to_string();
    let results = service.post("/v1/keys/import", &body).expect(200)["results"].clone();
    let refused = |at: usize| {
        assert_eq!(results[at]["result"], "refused");
        assert_eq!(results[at]["errors"][0]["pointer"], "/account");
    };
    refused(0);
    assert_eq!(results[1]["result"], "imported");
    refused(2);

    // One that has expired makes room, and gets none when it is brought back.
    service.set_now(START.plus(days(2)));
    let third = create(alice).expect(201);
    let back = r#"{"expires_in":"1d"}"#;
    assert_eq!(patch(&service, &second, back).problem(), full);
    service
        .post(&format!("{}/revoke", path(&third)), "")
        .expect(200);
    patch(&service, &second, back).expect(200);
}

#[test]
fn a_rotation_needs_no_room_and_a_chain_of_them_makes_none() {
    let service = limited(KeyLimits {
        active_keys_per_account: Some(1),
        ..KeyLimits::default()
    });
    let full = (409, "too_many_keys".to_owned());
    let first = service.create(r#"{"account":"alice"}"#);
    let second = rotate(&service, &first, r#"{"grace":"90d"}"#).expect(201);
    let third = rotate(&service, &second, r#"{"grace":"90d"}"#);
    assert_eq!(third.problem(), full, "the first is still accepted");
    service
        .post(&format!("{}/revoke", path(&first)), "")
        .expect(200);
    // The next one ends before the one that it replaces, which counts again then.
    let body = r#"{"grace":"90d","expires_in":"1d"}"#;
    rotate(&service, &second, body).expect(201);
    service.set_now(START.plus(days(2)));
    let answer = service.post("/v1/keys", r#"{"account":"alice"}"#);
    assert_eq!(answer.problem(), full);
}

#[test]
fn only_so_many_keys_a_minute_are_created() {
    let service = limited(KeyLimits {
        creations_per_account: Some(3),
        creations_per_token: Some(4),
        ..KeyLimits::default()
    });
    let post = |account: &str| {
        let body = json!({ "account": account }).to_string();
        service.post("/v1/keys", &body)
    };
    #[track_caller]
    fn assert_slow(answer: &Answer, seconds: &str, whose: &str) {
        assert_eq!(answer.problem(), (429, "too_many_creations".to_owned()));
        assert_eq!(answer.header("retry-after"), seconds);
        let detail = text(&answer.expect(429), "detail");
        assert!(detail.contains(whose), "{detail}");
    }
    let key = post("alice").expect(201);
    rotate(&service, &key, r#"{"grace":"0s"}"#).expect(201);
    let alice = session("alice");
    send(&service, "POST", "/v1/keys", &alice, "{}").expect(201);
    let answer = send(&service, "POST", "/v1/keys", &alice, "{}");
    assert_slow(&answer, "20", "for an account");
    post("bob").expect(201);
    let three = r#"{"keys":[{"account":"c"},{"account":"d"}]}"#;
    assert_slow(&service.post("/v1/keys/batch", three), "15", "with a token");
    post("c").expect(201);
    assert_slow(&post("d"), "15", "with a token");
    // What was rejected is not counted, and time brings one after the other.
    service.set_now(UnixMillis(START.0 + 15_000));
    post("d").expect(201);
    assert_slow(&post("e"), "15", "with a token");
    let listed = service.get("/v1/keys").expect(200);
    assert_eq!(listed["keys"].as_array().unwrap().len(), 6);
}

#[test]
fn a_default_life_beyond_the_longest_one_is_a_configuration_error() {
    let service = |default| {
        let mut config = crate::support::config(std::path::Path::new("absent"));
        config.key_limits.max_lifetime = Some(days(2));
        config.key_limits.default_lifetime = Some(days(default));
        config.check()
    };
    assert!(service(2).is_ok());
    assert!(service(3).is_err());
}
