//! Templates of the operator: what they add to a request, and what they do not grant.

use std::collections::BTreeMap;

use keygate_service::{Ambient, Template};
use serde_json::{Value, json};

use crate::accounts::{self, by_key, session};
use crate::support::{Running, START, text};

fn template(fields: Value) -> Template {
    let Value::Object(fields) = fields else {
        panic!("an object")
    };
    Template::new(&fields).unwrap()
}

fn templates() -> BTreeMap<String, Template> {
    let ci = json!({
        "scopes": ["files:read", "keys:read"], "labels": ["team=core"], "rate_limit": "5/1m",
        "expires_in": "30d", "metadata": { "plan": "gold" },
    });
    let user = json!({ "name": "mine", "expires_in": "1d" });
    let staging = json!({ "space": "staging", "scopes": ["files:read"] });
    BTreeMap::from([
        ("ci".to_owned(), template(ci)),
        ("user".to_owned(), template(user)),
        ("staging".to_owned(), template(staging)),
    ])
}

fn running() -> Running {
    Running::configured(Ambient::real().randomness, |config| {
        config.templates = templates();
    })
}

fn days(count: u64) -> Value {
    let span = keygate_core::Millis::from_secs(count * 24 * 3600);
    START.plus(span).to_string().into()
}

#[test]
fn a_template_completes_a_request_and_the_batch_around_it() {
    let service = running();
    let key = service.create(r#"{"account":"a","template":"ci"}"#);
    assert_eq!(key["scopes"], json!(["files:read", "keys:read"]));
    assert_eq!(key["labels"], json!(["team=core"]));
    assert_eq!(key["metadata"], json!({ "plan": "gold" }));
    assert_eq!(
        (&key["rate_limit"], &key["name"]),
        (&json!("5/1m"), &Value::Null)
    );
    assert_eq!(key["expires_at"], days(30));
    let body = json!({ "keys": [
        { "account": "a", "template": "ci", "scopes": [], "expires_at": null },
        { "account": "a", "template": "ci", "name": "own", "expires_in": "2d", "metadata": {} },
        { "account": "a" },
    ] });
    let batch = service
        .post("/v1/keys/batch", &body.to_string())
        .expect(201);
    let keys = batch["keys"].as_array().unwrap();
    assert_eq!(
        (&keys[0]["scopes"], &keys[0]["expires_at"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(
        (&keys[1]["metadata"], &keys[1]["expires_at"]),
        (&json!({}), &days(2))
    );
    assert_eq!(keys[1]["labels"], json!(["team=core"]));
    assert_eq!(keys[2]["labels"], json!([]));
}

#[test]
fn an_unknown_template_is_named_with_those_there_are() {
    let service = running();
    let answer = service.post("/v1/keys", r#"{"account":"a","template":"gold"}"#);
    assert_eq!(answer.wrong(400), ["/template"]);
    let told = "there is no template gold; expected one of: ci, staging, user";
    assert!(answer.text.contains(told), "{}", answer.text);
    let body = r#"{"keys":[{"account":"a"},{"account":"a","template":"gold"}]}"#;
    let answer = service.post("/v1/keys/batch", body);
    assert_eq!(answer.wrong(400), ["/keys/1/template"]);
    for body in [
        r#"{"account":"a","template":7}"#,
        r#"{"account":"a","template":"ci","template":"ci"}"#,
    ] {
        assert_eq!(
            service.post("/v1/keys", body).wrong(400),
            ["/template"],
            "{body}"
        );
    }
    let none = Running::start();
    let answer = none.post("/v1/keys", r#"{"account":"a","template":"gold"}"#);
    assert!(answer.text.contains("; there are none"), "{}", answer.text);
}

#[test]
fn a_template_of_a_space_makes_keys_of_that_space_alone() {
    let service = running();
    let key = service.create(r#"{"account":"a","template":"staging"}"#);
    assert_eq!(key["space"], "staging");
    let other = r#"{"account":"a","template":"staging","space":"default"}"#;
    assert_eq!(service.post("/v1/keys", other).wrong(400), ["/space"]);
    let bound = |space: &str| {
        let body = json!({ "name": "x", "role": "creator", "space": space }).to_string();
        text(&service.post("/v1/tokens", &body).expect(201), "token")
    };
    let (own, other) = (bound("staging"), bound("default"));
    let create = |token: &str, template: &str| {
        let body = json!({ "account": "a", "template": template }).to_string();
        service.send("POST", "/v1/keys", Some(token), &body)
    };
    assert_eq!(create(&own, "staging").expect(201)["space"], "staging");
    assert_eq!(create(&own, "ci").expect(201)["space"], "staging");
    let answer = create(&other, "staging");
    assert_eq!(answer.wrong(400), ["/template"]);
    assert!(
        answer.text.contains("expected one of: ci, user"),
        "{}",
        answer.text
    );
}

#[test]
fn a_template_gives_an_account_nothing_that_it_could_not_ask_for() {
    let service = accounts::configured(|config| config.templates = templates());
    let parent = service.create(r#"{"account":"alice","scopes":["keys:write"]}"#);
    let key = by_key(&parent, "keys:write");
    let session = session("alice");
    let create =
        |caller: &str, body: &str| accounts::send(&service, "POST", "/v1/keys", caller, body);
    for caller in [&key, &session] {
        let answer = create(caller, r#"{"template":"ci"}"#);
        let mut wrong = answer.wrong(403);
        wrong.sort();
        assert_eq!(wrong, ["/metadata", "/scopes/0", "/scopes/1"]);
        let made = create(caller, r#"{"template":"user"}"#).expect(201);
        assert_eq!(
            (&made["name"], &made["expires_at"]),
            (&json!("mine"), &days(1))
        );
    }
}
