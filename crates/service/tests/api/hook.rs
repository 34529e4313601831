//! The hook before save: what it sees, what it can change, and what happens when it fails.

use std::thread;

use keygate_service::{Ambient, Endpoint, HookTarget, WebhookSecrets};
use serde_json::{Value, json};

use crate::accounts::{self, by_key, send as send_as, session};
use crate::keys::revoke_path;
use crate::receiver::{Got, Receiver, Reply, secret};
use crate::secrecy::holds_a_part;
use crate::support::{ADMIN, Answer, Running, hash, text};

const KEY: &str = r#"{"account":"a","scopes":["read","write"]}"#;

fn target(hook: &Receiver) -> HookTarget {
    HookTarget {
        endpoint: Endpoint::parse(&hook.url("/hook")).unwrap(),
        secrets: WebhookSecrets::parse(&secret()).unwrap(),
    }
}

fn asking(reply: impl Fn(usize, &Got) -> Reply + Send + Sync + 'static) -> (Running, Receiver) {
    let hook = Receiver::replying(reply);
    let target = target(&hook);
    let service = Running::configured(Ambient::real().randomness, |config| {
        config.hook = Some(target);
    });
    (service, hook)
}

fn answering(body: &str) -> (Running, Receiver) {
    let body = body.to_owned();
    asking(move |_, _| Reply::Body(body.clone()))
}

/// The answer to a creation when the hook answers so.
pub fn answer_to(body: &str) -> Answer {
    let (service, _hook) = answering(body);
    service.post("/v1/keys", KEY)
}

fn patch(service: &Running, key: &Value, change: &str) -> Answer {
    let path = format!("/v1/keys/{}", text(key, "id"));
    service.send("PATCH", &path, Some(ADMIN), change)
}

#[track_caller]
fn assert_no_keys(service: &Running) {
    let keys = service.get("/v1/keys").expect(200)["keys"].clone();
    assert_eq!(keys, json!([]));
}

#[test]
fn the_hook_sees_a_draft_and_narrows_it() {
    let (service, hook) = answering(
        r#"{"allow":true,"draft":{"name":"named","scopes":["read"],"metadata":{"plan":"free"},
            "labels":["team=core"],"expires_at":"2026-12-01T00:00:00Z"}}"#,
    );
    let body = r#"{"account":"a","scopes":["read","write"],"expires_in":"90d"}"#;
    let created = service.create(body);
    assert_eq!(created["name"], "named");
    assert_eq!(created["scopes"], json!(["read"]));
    assert_eq!(created["metadata"], json!({"plan": "free"}));
    assert_eq!(created["labels"], json!(["team=core"]));
    assert_eq!(created["expires_at"], "2026-12-01T00:00:00.000Z");
    let [got] = &hook.got()[..] else {
        panic!("one call");
    };
    assert!(got.is_signed());
    let asked = got.json();
    assert_eq!(asked["event"], "key.creating");
    assert_eq!(asked["actor"], "environment");
    assert_eq!(asked["draft"]["scopes"], json!(["read", "write"]));
    assert_eq!(asked["draft"]["expires_at"], "2027-02-20T00:00:00.000Z");
    assert!(asked["key"].is_null(), "{asked}");
}

#[test]
fn the_hook_never_sees_a_key_or_its_hash() {
    let (service, hook) = answering(r#"{"allow":true}"#);
    let created = service.create(KEY);
    let rotate = format!("/v1/keys/{}/rotate", text(&created, "id"));
    let rotated = service.post(&rotate, "").expect(201);
    patch(&service, &rotated, r#"{"name":"x"}"#).expect(200);
    let got = hook.got();
    assert_eq!(got.len(), 3);
    let sent: String = got
        .iter()
        .map(|it| format!("{:?}{}", it.headers, it.body))
        .collect();
    for key in [created, rotated] {
        assert!(!sent.contains(&hash(&key)));
        let key = text(&key, "key");
        let (_, secret) = key.rsplit_once('_').unwrap();
        assert!(!holds_a_part(sent.as_bytes(), secret.as_bytes()));
    }
}

#[test]
fn a_refusal_is_403_with_the_words_of_the_hook() {
    let refusal = json!({ "allow": false, "detail": format!("ask\n\u{202e}{}", "a".repeat(300)) });
    let (service, _hook) = answering(&refusal.to_string());
    let answer = service.post("/v1/keys", KEY);
    assert_eq!(answer.problem(), (403, "hook_refused".to_owned()));
    assert_eq!(
        answer.expect(403)["detail"],
        format!("ask{}", "a".repeat(253))
    );
    assert_no_keys(&service);
    let batch = format!(r#"{{"keys":[{KEY},{KEY}]}}"#);
    assert_eq!(service.post("/v1/keys/batch", &batch).problem().0, 403);
    assert_no_keys(&service);
    let metrics = service.send("GET", "/metrics", None, "").text;
    assert!(metrics.contains(r#"keygate_service_hook_calls_total{result="refused"}"#));
}

#[test]
fn any_other_answer_of_the_hook_is_503_and_no_key() {
    let allowed = |draft: &str| Reply::Body(format!(r#"{{"allow":true,"draft":{draft}}}"#));
    let replies: [fn() -> Reply; 9] = [
        || Reply::Status(200),
        || Reply::Status(204),
        || Reply::Status(500),
        || Reply::To("/elsewhere".to_owned()),
        || Reply::Body("yes".to_owned()),
        || Reply::Body("{}".to_owned()),
        || Reply::Body(r#"{"allow":true,"why":1}"#.to_owned()),
        || {
            Reply::Body(format!(
                r#"{{"allow":true,"detail":"{}"}}"#,
                "a".repeat(16 * 1024)
            ))
        },
        || Reply::Never,
    ];
    let drafts = [
        r#"{"scopes":["read","admin"]}"#,
        r#"{"expires_at":null}"#,
        r#"{"expires_at":"2027-06-01T00:00:00Z"}"#,
        r#"{"expires_at":"2020-01-01T00:00:00Z"}"#,
        r#"{"allowed_ips":[]}"#,
        r#"{"account":"b"}"#,
        r#"{"name":7}"#,
        r#"{"name":""}"#,
        r#"{"labels":["none"]}"#,
        r#"[]"#,
    ];
    let count = replies.len() + drafts.len();
    let (service, hook) = asking(move |number, got| match replies.get(number) {
        _ if got.path != "/hook" => Reply::Body(r#"{"allow":true}"#.to_owned()),
        Some(reply) => reply(),
        None => allowed(drafts[number - replies.len()]),
    });
    for number in 0..count {
        let body = r#"{"account":"a","scopes":["read"],"expires_in":"90d"}"#;
        let answer = service.post("/v1/keys", body);
        let problem = (503, "hook_failed".to_owned());
        assert_eq!(answer.problem(), problem, "{number}");
    }
    assert_eq!(hook.got().len(), count);
    assert_no_keys(&service);
}

#[test]
fn a_hook_that_never_answers_delays_no_other_call() {
    let (service, hook) = asking(|number, _| match number {
        0 => Reply::Body(r#"{"allow":true}"#.to_owned()),
        _ => Reply::Never,
    });
    let created = service.create(KEY);
    thread::scope(|scope| {
        let create = || service.post("/v1/keys", KEY).problem();
        let stuck: Vec<_> = (0..40).map(|_| scope.spawn(create)).collect();
        hook.wait_for(33);
        assert_eq!(hook.got().len(), 33, "so many at once");
        service.post(&revoke_path(&created), "").expect(200);
        service.lookup(&[hash(&created)]);
        for thread in stuck {
            assert_eq!(thread.join().unwrap(), (503, "hook_failed".to_owned()));
        }
    });
}

#[test]
fn a_change_and_a_rotation_are_asked_about() {
    let (service, hook) = asking(|_, got| {
        let asked = got.json();
        let draft = match (asked["event"].as_str(), asked["draft"]["name"].as_str()) {
            (Some("key.changing"), Some("narrow")) => json!({ "scopes": ["read"] }),
            (Some("key.changing"), Some("short")) => {
                json!({ "expires_at": "2026-12-01T00:00:00Z" })
            }
            (_, Some("never")) => return Reply::Body(r#"{"allow":false}"#.to_owned()),
            _ => json!({}),
        };
        Reply::Body(json!({ "allow": true, "draft": draft }).to_string())
    });
    let key = service.create(KEY);
    let change = r#"{"name":"narrow","scopes":["read","write","more"]}"#;
    let changed = patch(&service, &key, change).expect(200);
    assert_eq!(changed["scopes"], json!(["read"]));
    let asked = hook.got()[1].json();
    assert_eq!(asked["key"]["id"], key["id"]);
    assert_eq!(asked["key"]["scopes"], json!(["read", "write"]));
    assert_eq!(asked["draft"]["scopes"], json!(["read", "write", "more"]));
    let refused = patch(&service, &key, r#"{"name":"never"}"#);
    assert_eq!(refused.problem(), (403, "hook_refused".to_owned()));

    let rotate = |key: &Value| service.post(&format!("/v1/keys/{}/rotate", text(key, "id")), "");
    let wide = service.create(r#"{"account":"a","scopes":["read","write"]}"#);
    patch(&service, &wide, r#"{"name":"short"}"#).expect(200);
    let rotated = rotate(&wide).expect(201);
    assert_eq!(rotated["expires_at"], "2026-12-01T00:00:00.000Z");
}

#[test]
fn what_ends_access_and_an_import_are_not_asked_about() {
    let (service, hook) = asking(|number, _| match number {
        0 | 1 => Reply::Body(r#"{"allow":true}"#.to_owned()),
        _ => Reply::Body(r#"{"allow":false}"#.to_owned()),
    });
    let (key, other) = (service.create(KEY), service.create(KEY));
    patch(&service, &key, r#"{"disabled":true}"#).expect(200);
    service.post(&revoke_path(&key), "").expect(200);
    let own = json!({ "key": text(&other, "key") }).to_string();
    service.post("/v1/keys/revoke-self", &own).expect(200);
    let import = r#"{"keys":[{"key":"legacy-key-0123456789","account":"a"}]}"#;
    service.post("/v1/keys/import", import).expect(200);
    assert_eq!(hook.got().len(), 2);
    let imported = json!({ "id": service.get("/v1/keys").expect(200)["keys"][0]["id"] });
    let enable = patch(&service, &imported, r#"{"disabled":false,"name":"x"}"#);
    assert_eq!(enable.problem().0, 403);
    assert_eq!(hook.got().len(), 3);
}

#[test]
fn the_hook_gives_an_account_no_more_than_it_has() {
    let hook = Receiver::replying(|_, _| {
        Reply::Body(r#"{"allow":true,"draft":{"metadata":{"plan":"gold"}}}"#.to_owned())
    });
    let target = target(&hook);
    let service = accounts::configured(|config| config.hook = Some(target));
    let answer = send_as(&service, "POST", "/v1/keys", &session("alice"), "{}");
    assert_eq!(answer.problem(), (403, "beyond_own_rights".to_owned()));
    // What is rejected anyway is not asked about.
    let other = r#"{"scopes":["admin"]}"#;
    let admin = service.post("/v1/keys", r#"{"account":"alice","scopes":["keys:write"]}"#);
    let key = admin.expect(201);
    let asked = hook.got().len();
    let answer = send_as(
        &service,
        "POST",
        "/v1/keys",
        &by_key(&key, "keys:write"),
        other,
    );
    assert_eq!(answer.problem(), (403, "beyond_own_rights".to_owned()));
    assert_eq!(hook.got().len(), asked);
}

#[test]
fn a_creation_that_is_repeated_is_not_asked_about_again() {
    let (service, hook) = answering(r#"{"allow":true}"#);
    let headers = [
        ("authorization", &*format!("Bearer {ADMIN}")),
        ("content-type", "application/json"),
        ("idempotency-key", "a"),
    ];
    let create = || service.send_with("POST", "/v1/keys", &headers, KEY);
    create().expect(201);
    create().expect(200);
    assert_eq!(hook.got().len(), 1);
}

#[test]
fn the_call_and_the_answers_of_the_page_are_those_of_the_service() {
    let page = include_str!("../../../../docs/hook.md");
    let blocks = page.split("```json\n").skip(1);
    let blocks: Vec<String> = blocks
        .map(|it| it.split("```").next().unwrap().to_owned())
        .collect();
    let [call, allow, refuse] = &blocks[..] else {
        panic!("three blocks");
    };
    let call: Value = serde_json::from_str(call).unwrap();
    let draft = json!({
        "account": "alice", "name": "nightly", "scopes": call["draft"]["scopes"],
        "expires_at": call["draft"]["expires_at"],
    })
    .to_string();
    let (service, hook) = answering(allow);
    let created = service.create(&draft);
    let members = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let sent = hook.got()[0].json();
    assert_eq!(members(&sent), members(&call));
    assert_eq!(members(&sent["draft"]), members(&call["draft"]));
    let allowed: Value = serde_json::from_str(allow).unwrap();
    assert_eq!(created["scopes"], allowed["draft"]["scopes"]);
    assert_eq!(created["labels"], allowed["draft"]["labels"]);

    let (service, _hook) = answering(refuse);
    let refused: Value = serde_json::from_str(refuse).unwrap();
    let answer = service.post("/v1/keys", &draft).expect(403);
    assert_eq!(answer["detail"], refused["detail"]);
}
