//! Creations that are sent again.

use std::thread;

use keygate_core::UnixMillis;
use keygate_core::identity::assertion::ASSERTION_HEADER;
use serde_json::Value;

use crate::accounts::{by_key, session, start as with_accounts};
use crate::secrecy::holds_a_part;
use crate::support::{ADMIN, Answer, Running, SECOND_ADMIN, START, text};

const ID: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";
const BODY: &str = r#"{"account":"alice","scopes":["a","b"],"expires_in":"1d"}"#;
const MINUTE: u64 = 60_000;

fn create_with(service: &Running, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers);
    service.send_with("POST", "/v1/keys", &all, body)
}

fn create(service: &Running, token: &str, id: &str, body: &str) -> Answer {
    let token = format!("Bearer {token}");
    let headers = [("authorization", &*token), ("idempotency-key", id)];
    create_with(service, &headers, body)
}

fn count(service: &Running, table: &str) -> i64 {
    let raw = service.raw();
    let count = format!("SELECT count(*) FROM {table}");
    raw.read(&count, &[])
}

#[test]
fn a_repeated_creation_gives_the_same_key_and_shows_it_for_ten_minutes() {
    let service = Running::start();
    let first = create(&service, ADMIN, ID, BODY).expect(201);
    let again = |id: &str, body: &str| create(&service, ADMIN, id, body).expect(200);
    let quoted = format!("\"{ID}\"");
    let other_order = r#"{ "expires_in":"1d","scopes":[ "a","b"],"account":"\u0061lice"}"#;
    for (id, body) in [(ID, BODY), (&*quoted, BODY), (ID, other_order)] {
        let again = again(id, body);
        assert_eq!(again["id"], first["id"]);
        assert_eq!(again["key"], first["key"]);
        assert_eq!(again["expires_at"], first["expires_at"]);
        assert_eq!(again["replayed"], true);
    }
    assert_eq!(first["replayed"], Value::Null);
    service.set_now(UnixMillis(START.0 + 10 * MINUTE));
    let later = again(ID, BODY);
    assert_eq!(later["id"], first["id"]);
    assert_eq!((later.get("key"), &later["replayed"]), (None, &true.into()));
    assert_eq!(count(&service, "keys"), 1);

    // The key is not valid any more, and still what was asked for.
    service.set_now(UnixMillis(START.0 + 24 * 60 * MINUTE - 1));
    assert_eq!(again(ID, BODY)["id"], first["id"]);
    service.set_now(UnixMillis(START.0 + 24 * 60 * MINUTE));
    let next = create(&service, ADMIN, ID, BODY).expect(201);
    assert_ne!(next["id"], first["id"]);
    assert_eq!(count(&service, "idempotency"), 1);
    service.set_now(UnixMillis(START.0 + 48 * 60 * MINUTE));
    create(&service, ADMIN, "another", BODY).expect(201);
    assert_eq!(count(&service, "idempotency"), 1, "the old one is swept");
}

#[test]
fn another_body_with_the_same_idempotency_key_is_rejected() {
    let service = Running::start();
    create(&service, ADMIN, ID, BODY).expect(201);
    for other in [
        r#"{"account":"alice"}"#,
        r#"{"account":"alice","scopes":["b","a"],"expires_in":"1d"}"#,
        "{}",
        "[",
    ] {
        let problem = create(&service, ADMIN, ID, other).problem();
        assert_eq!(problem, (422, "idempotency_mismatch".to_owned()), "{other}");
    }
    assert_eq!(count(&service, "keys"), 1);
    // A request that was rejected has created nothing, and may be corrected.
    create(&service, ADMIN, "corrected", "{}").expect(400);
    create(&service, ADMIN, "corrected", BODY).expect(201);
}

#[test]
fn no_caller_gets_the_key_of_another_by_its_idempotency_key() {
    let service = with_accounts();
    let parent = r#"{"account":"alice","scopes":["keys:write"]}"#;
    let (one, two) = (service.create(parent), service.create(parent));
    let body = r#"{"scopes":[]}"#;
    let tokens = [ADMIN, SECOND_ADMIN].map(|token| ("authorization", format!("Bearer {token}")));
    let assertions = [
        session("alice"),
        session("bob"),
        by_key(&one, "keys:write"),
        by_key(&two, "keys:write"),
    ];
    let assertions = assertions.map(|it| (ASSERTION_HEADER, it));
    let mut ids = Vec::new();
    for (name, value) in tokens.iter().chain(&assertions) {
        let body = if *name == "authorization" { BODY } else { body };
        let headers = [(*name, value.as_str()), ("idempotency-key", ID)];
        let created = create_with(&service, &headers, body).expect(201);
        let again = create_with(&service, &headers, body).expect(200);
        assert_eq!(created["key"], again["key"], "{name}");
        ids.push(text(&created, "id"));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);

    let revoke = format!("/v1/keys/{}/revoke", text(&one, "id"));
    service.post(&revoke, "").expect(200);
    let headers = [
        (ASSERTION_HEADER, assertions[2].1.as_str()),
        ("idempotency-key", ID),
    ];
    let ended = create_with(&service, &headers, body).problem();
    assert_eq!(ended, (401, "invalid_assertion".to_owned()));
}

#[test]
fn after_a_restart_the_id_is_given_again_and_the_key_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let first = create(&Running::on(&database), ADMIN, ID, BODY).expect(201);
    let service = Running::on(&database);
    let again = create(&service, ADMIN, ID, BODY).expect(200);
    assert_eq!(again["id"], first["id"]);
    assert_eq!(again.get("key"), None);
    let bytes = service.stored();
    assert!(!holds_a_part(&bytes, ID.as_bytes()));
    let key = text(&first, "key");
    let (_, secret) = key.rsplit_once('_').unwrap();
    assert!(!holds_a_part(&bytes, secret.as_bytes()));
}

#[test]
fn fifty_at_once_make_one_key_and_all_get_it() {
    let service = Running::start();
    let answers: Vec<Answer> = thread::scope(|scope| {
        let send = || create(&service, ADMIN, ID, BODY);
        let clients: Vec<_> = (0..50).map(|_| scope.spawn(send)).collect();
        clients.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let new = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(new, 1);
    let mut keys: Vec<String> = answers
        .iter()
        .map(|answer| text(&answer.expect(answer.status), "key"))
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 1);
    assert_eq!(count(&service, "keys"), 1);
    assert_eq!(count(&service, "changes"), 1);
}

#[test]
fn an_idempotency_key_is_one_line_of_visible_characters() {
    let service = Running::start();
    let long = "x".repeat(256);
    for wrong in ["", "\"\"", "a b", "a\"b", &long] {
        let answer = create(&service, ADMIN, wrong, BODY);
        assert_eq!(answer.wrong(400), ["idempotency-key"], "{wrong}");
    }
    let authorization = format!("Bearer {ADMIN}");
    let twice = [
        ("authorization", &*authorization),
        ("idempotency-key", "a"),
        ("idempotency-key", "a"),
    ];
    let answer = create_with(&service, &twice, BODY);
    assert_eq!(answer.wrong(400), ["idempotency-key"]);
    assert_eq!(count(&service, "keys"), 0);
    create(&service, ADMIN, &long[1..], BODY).expect(201);
}

#[test]
fn creations_leave_no_task_each_whether_or_not_they_are_rejected() {
    const MANY: usize = 40;
    let service = Running::start();
    create(&service, ADMIN, "first", BODY).expect(201);
    let before = service.tasks();
    for number in 0..MANY {
        create(&service, ADMIN, &format!("a{number}"), BODY).expect(201);
    }
    service.set_now(UnixMillis(0));
    for number in 0..MANY {
        let problem = create(&service, ADMIN, &format!("b{number}"), BODY).problem();
        assert_eq!(problem, (503, "clock".to_owned()));
    }
    // Tasks of connections come and go.
    let more = service.tasks().saturating_sub(before);
    assert!(more < MANY / 2, "{more} tasks more");
}
