//! Events: which are sent, to which URL, how often, and what they never contain.

mod expiring;
mod unused;

use keygate_core::{Millis, UnixMillis};
use keygate_service::{Ambient, Endpoint, EventTarget, EventType, ServiceConfig, WebhookSecrets};
use serde_json::{Value, json};

use crate::keys::revoke_path;
use crate::receiver::{Got, Receiver, Reply, secret, until};
use crate::secrecy::holds_a_part;
use crate::support::{ADMIN, Raw, Running, START, hash, is_postgres, text};

const KEY: &str = r#"{"account":"a"}"#;
const DAY: u64 = 24 * 3600;

pub fn target(receiver: &Receiver, types: &[EventType]) -> EventTarget {
    EventTarget {
        endpoint: Endpoint::parse(&receiver.url("/events")).unwrap(),
        secrets: WebhookSecrets::parse(&secret()).unwrap(),
        types: types.to_vec(),
    }
}

/// A service that sends every event to these receivers.
fn publishing(receivers: &[&Receiver]) -> Running {
    let targets = receivers.iter().map(|it| target(it, EventType::ALL));
    let targets = targets.collect();
    with_targets(targets)
}

fn with_targets(targets: Vec<EventTarget>) -> Running {
    Running::configured(Ambient::real().randomness, to(targets))
}

fn to(targets: Vec<EventTarget>) -> impl FnOnce(&mut ServiceConfig) {
    |config| config.events = targets
}

fn after(seconds: u64) -> UnixMillis {
    START.plus(Millis::from_secs(seconds))
}

fn rows(service: &Running, table: &str) -> i64 {
    let raw = service.raw();
    raw.read(&format!("SELECT count(*) FROM {table}"), &[])
}

/// Waits until so many attempts for the only delivery are written.
#[track_caller]
fn until_tried(service: &Running, attempts: i64) {
    until(&format!("attempt {attempts}"), || {
        let raw = service.raw();
        let read = "SELECT attempts FROM deliveries";
        let found: i64 = raw.read(read, &[]);
        (found == attempts).then_some(())
    });
}

#[track_caller]
fn until_none_waits(service: &Running) {
    until("empty outbox", || {
        (rows(service, "deliveries") == 0).then_some(())
    });
    assert_eq!(rows(service, "events"), 0);
}

/// The events of a type, in no order.
fn of(got: &[Got], r#type: &str) -> Vec<Value> {
    let events = got.iter().map(Got::json);
    events.filter(|it| it["type"] == r#type).collect()
}

fn metric(service: &Running, name: &str) -> Option<String> {
    let text = service.send("GET", "/metrics", None, "").text;
    let mut lines = text.lines();
    lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
}

#[test]
fn each_change_of_a_key_is_sent_with_a_valid_signature() {
    let receiver = Receiver::start();
    let service = publishing(&[&receiver]);
    let created = service.create(r#"{"account":"a","name":"ci","metadata":{"tier":"gold"}}"#);
    let id = text(&created, "id");
    let path = format!("/v1/keys/{id}");
    let change = r#"{"name":"cd","scopes":["read"],"disabled":true}"#;
    service
        .send("PATCH", &path, Some(ADMIN), change)
        .expect(200);
    let change = r#"{"disabled":false}"#;
    service
        .send("PATCH", &path, Some(ADMIN), change)
        .expect(200);
    let rotated = service.post(&format!("{path}/rotate"), "").expect(201);
    let answer = service.post(&revoke_path(&rotated), r#"{"reason":"key_compromise"}"#);
    answer.expect(200);
    let import = r#"{"keys":[{"key":"legacy-key-0123456789","account":"a"}]}"#;
    service.post("/v1/keys/import", import).expect(200);

    let got = receiver.wait_for(7);
    until_none_waits(&service);
    assert_eq!(receiver.got().len(), 7, "each once");
    let mut ids = Vec::new();
    for request in &got {
        assert!(request.is_signed(), "{request:?}");
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.path, "/events");
        let seconds = (START.0 / 1000).to_string();
        assert_eq!(request.header("webhook-timestamp"), seconds);
        let event = request.json();
        assert_eq!(event["timestamp"], START.to_string());
        assert_eq!(event["data"]["actor"], "environment");
        assert!(event["data"]["request_id"].is_string(), "{event}");
        ids.push(request.header("webhook-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7, "an event has an id of its own");

    let mut first = created.clone();
    first.as_object_mut().unwrap().remove("key");
    let created = of(&got, "key.created");
    assert_eq!(created.len(), 2, "one is imported");
    assert!(created.iter().any(|it| it["data"]["key"] == first));
    let changed = of(&got, "key.changed");
    let fields = |it: &Value| it["data"]["changed"].clone();
    let mut fields: Vec<Value> = changed.iter().map(fields).collect();
    fields.sort_by_key(Value::to_string);
    let expected = [json!(["enabled"]), json!(["name", "scopes", "disabled"])];
    assert_eq!(fields, expected);
    let [event] = &of(&got, "key.rotated")[..] else {
        panic!("{got:?}");
    };
    assert_eq!(event["data"]["key"]["id"], rotated["id"]);
    assert_eq!(event["data"]["replaced"]["id"], *id);
    assert_eq!(event["data"]["replaced"]["replaced_by"], rotated["id"]);
    let revoked = of(&got, "key.revoked");
    assert_eq!(revoked.len(), 2, "the key that it replaces as well");
    for event in revoked {
        assert_eq!(event["data"]["key"]["status"], "revoked");
        assert_eq!(event["data"]["key"]["revoked_reason"], "key_compromise");
    }
}

#[test]
fn an_event_contains_no_part_of_a_key_and_no_hash() {
    let receiver = Receiver::start();
    let service = publishing(&[&receiver]);
    let created = service.create(KEY);
    let rotate = format!("/v1/keys/{}/rotate", text(&created, "id"));
    let rotated = service.post(&rotate, r#"{"grace":"0s"}"#).expect(201);
    let got = receiver.wait_for(3);
    let mut bytes = service.stored();
    for request in got {
        bytes.extend(format!("{:?}{}", request.headers, request.body).into_bytes());
        for key in [&created, &rotated] {
            assert!(!request.body.contains(&hash(key)), "{}", request.body);
        }
    }
    for key in [created, rotated] {
        let key = text(&key, "key");
        let (_, secret) = key.rsplit_once('_').unwrap();
        assert!(!holds_a_part(&bytes, secret.as_bytes()));
    }
}

#[test]
fn a_receiver_gets_only_the_configured_types() {
    let (all, revoked) = (Receiver::start(), Receiver::start());
    let targets = vec![
        target(&all, EventType::ALL),
        target(&revoked, &[EventType::Revoked]),
    ];
    let service = with_targets(targets);
    let created = service.create(KEY);
    service.post(&revoke_path(&created), "").expect(200);
    assert_eq!(all.wait_for(2).len(), 2);
    let got = revoked.wait_for(1);
    until_none_waits(&service);
    assert_eq!(revoked.got().len(), 1);
    assert_eq!(got[0].json()["type"], "key.revoked");
    let same = all.got();
    let ids = same.iter().map(|it| it.header("webhook-id"));
    let ids: Vec<&str> = ids.collect();
    assert!(ids.contains(&got[0].header("webhook-id")), "the same event");
}

#[test]
fn a_rejected_change_sends_no_event() {
    let receiver = Receiver::start();
    let service = publishing(&[&receiver]);
    let created = service.create(KEY);
    service.post("/v1/keys", "{}").expect(400);
    let path = format!("/v1/keys/{}", text(&created, "id"));
    let headers = [
        ("authorization", &*format!("Bearer {ADMIN}")),
        ("content-type", "application/json"),
        ("if-match", "\"7\""),
    ];
    let stale = service.send_with("PATCH", &path, &headers, r#"{"name":"x"}"#);
    stale.expect(412);
    receiver.wait_for(1);
    until_none_waits(&service);
    assert_eq!(receiver.got().len(), 1);
}

#[test]
fn an_event_that_fails_twice_is_delivered_with_its_id() {
    let receiver = Receiver::replying(|number, _| match number {
        0 => Reply::Status(500),
        1 => Reply::To("/elsewhere".to_owned()),
        _ => Reply::Status(200),
    });
    let service = publishing(&[&receiver]);
    service.create(KEY);
    until_tried(&service, 1);
    service.set_now(after(6));
    until_tried(&service, 2);
    service.set_now(after(60));
    receiver.wait_for(3);
    until_none_waits(&service);
    let got = receiver.got();
    assert_eq!(got.len(), 3);
    for (request, seconds) in got.iter().zip([0, 6, 60]) {
        assert_eq!(request.path, "/events", "no redirect is followed");
        assert!(request.is_signed());
        assert_eq!(request.header("webhook-id"), got[0].header("webhook-id"));
        assert_eq!(request.body, got[0].body);
        let at = (after(seconds).0 / 1000).to_string();
        assert_eq!(request.header("webhook-timestamp"), at);
    }
    for (result, count) in [("failed", "2"), ("delivered", "1")] {
        let name =
            format!("keygate_service_event_deliveries_total{{url=\"1\",result=\"{result}\"}}");
        assert_eq!(metric(&service, &name).as_deref(), Some(count), "{result}");
    }
}

#[test]
fn a_receiver_that_never_answers_delays_nothing_else() {
    let (silent, receiver) = (Receiver::replying(|_, _| Reply::Never), Receiver::start());
    let service = publishing(&[&silent, &receiver]);
    for _ in 0..20 {
        service.create(KEY);
    }
    receiver.wait_for(20);
    silent.wait_for(4);
    until("only those of the silent one", || {
        (rows(&service, "deliveries") == 20).then_some(())
    });
    let waiting = metric(&service, "keygate_service_event_deliveries_waiting");
    assert_eq!(waiting.as_deref(), Some("20"));
    assert_eq!(silent.got().len(), 4, "so many at once");
}

#[test]
fn an_event_is_given_up_after_24_hours_and_10_attempts() {
    let receiver = Receiver::replying(|_, _| Reply::Status(503));
    let service = publishing(&[&receiver]);
    service.create(KEY);
    let given_up = "keygate_service_event_deliveries_total{url=\"1\",result=\"given_up\"}";
    for attempt in 1..10 {
        until_tried(&service, attempt);
        assert_eq!(metric(&service, given_up), None, "{attempt}");
        service.set_now(after(attempt.unsigned_abs() * DAY));
    }
    until_none_waits(&service);
    assert_eq!(receiver.got().len(), 10);
    assert_eq!(metric(&service, given_up).as_deref(), Some("1"));
}

#[test]
fn the_oldest_of_too_many_events_is_dropped() {
    let receiver = Receiver::replying(|_, _| Reply::Status(503));
    let service = publishing(&[&receiver]);
    service.create(KEY);
    receiver.wait_for(1);
    let raw = service.raw();
    raw.batch_of(
        "UPDATE sqlite_sequence SET seq = 100000 WHERE name = 'events'",
        "SELECT setval('events_seq_seq', 100000)",
    );
    service.create(KEY);
    receiver.wait_for(2);
    assert_eq!(rows(&service, "events"), 1);
    assert_eq!(rows(&service, "deliveries"), 1);
    let dropped = metric(&service, "keygate_service_events_dropped_total");
    assert_eq!(dropped.as_deref(), Some("1"));
}

#[test]
fn events_for_a_url_that_was_removed_are_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let (dead, receiver) = (Receiver::replying(|_, _| Reply::Never), Receiver::start());
    let both = || {
        vec![
            target(&dead, EventType::ALL),
            target(&receiver, EventType::ALL),
        ]
    };
    let service = Running::on_with(&database, to(both()));
    service.create(KEY);
    dead.wait_for(1);
    drop(service);
    if is_postgres() {
        // As if the minute were over for which no other replica tries what the first one has begun.
        Raw::open(&database).batch("UPDATE deliveries SET claimed = NULL");
    }
    let service = Running::on_with(&database, to(both()));
    dead.wait_for(2);
    assert_eq!(rows(&service, "events"), 1, "a restart gives up nothing");
    drop(service);
    let service = Running::on_with(&database, to(vec![target(&receiver, EventType::ALL)]));
    until_none_waits(&service);
    drop(service);
    let service = Running::on(&database);
    service.create(KEY);
    assert_eq!(
        rows(&service, "events"),
        0,
        "without a receiver there are none"
    );
}

#[test]
fn one_url_is_given_once() {
    let receiver = Receiver::start();
    let mut config = crate::support::config(std::path::Path::new("keygate.db"));
    config.events = vec![target(&receiver, EventType::ALL); 2];
    let message = config.check().unwrap_err().to_string();
    assert!(message.contains("the same URL"), "{message}");
}

#[test]
fn the_event_of_the_page_has_the_members_that_the_service_sends() {
    let page = include_str!("../../../../docs/webhooks.md");
    let (_, shown) = page.split_once("```json\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let shown: Value = serde_json::from_str(shown).unwrap();
    let receiver = Receiver::start();
    let service = with_targets(vec![target(&receiver, &[EventType::Changed])]);
    let path = format!("/v1/keys/{}", text(&service.create(KEY), "id"));
    let change = r#"{"name":"nightly"}"#;
    service
        .send("PATCH", &path, Some(ADMIN), change)
        .expect(200);
    let sent = receiver.wait_for(1)[0].json();
    let members = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&shown), members(&sent));
    assert_eq!(members(&shown["data"]), members(&sent["data"]));
    assert_eq!(shown["type"], sent["type"]);
    assert_eq!(shown["data"]["changed"], sent["data"]["changed"]);
    for word in EventType::WORDS {
        assert!(page.contains(&format!("\n| `{word}` |")), "{word}");
    }
}
