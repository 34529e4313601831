//! The filter against a host of the test's own, for what a real Envoy cannot be made
//! to do at will: answers held back, host calls that fail, callbacks that get lost.
#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

mod host;
mod queries;

use host::{Call, Exchange, Fault, Worker};
use keygate_core::app_key::{KeyRingId, MasterSecret, NewAppKey, Prefix};
use keygate_core::secret::Secret;
use serde_json::{Value, json};

/// Cargo sets it for the tests of this package: a text of more than 32 bytes.
const ENV: &str = "CARGO_PKG_DESCRIPTION";

fn policy() -> Value {
    json!({
        "version": 1,
        "secrets": { "app_keys": [{ "id": "01", "env": ENV }] },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "CARGO_PKG_NAME" },
        "providers": { "key": { "type": "app_key", "secrets": "app_keys", "from": ["bearer"] } },
        "rules": [
            { "name": "health", "match": { "path": "/healthz" }, "require": "nothing" },
            { "name": "api", "match": { "path": "/api/**" }, "require": "key" },
            { "name": "beta", "match": { "path": "/beta/**" }, "require": "key", "mode": "simulate" }
        ],
        "unmatched": "deny"
    })
}

fn start() -> Worker {
    Worker::start(&policy().to_string()).unwrap()
}

/// A worker that has heard from the change feed: epoch 10.
fn start_polled() -> Worker {
    let worker = start();
    worker.tick(10);
    answer_poll(
        &worker,
        &json!({ "epoch": 10, "reset": false, "more": false, "changed": [] }),
    );
    worker
}

fn key(number: u8) -> NewAppKey {
    let text = std::env::var(ENV).unwrap();
    let master = MasterSecret::derive(&Secret::new(text.into_bytes())).unwrap();
    let kid = KeyRingId::parse("01").unwrap();
    let prefix = Prefix::parse("kg").unwrap();
    master.generate(&prefix, kid, &mut |bytes| bytes.fill(number))
}

fn send(worker: &Worker, path: &str, key: Option<&NewAppKey>) -> (u32, bool) {
    let authorization = key.map(|key| format!("Bearer {}", key.text.as_str()));
    let mut headers: Vec<(&str, &[u8])> = vec![
        (":method", b"POST"),
        (":path", path.as_bytes()),
        (":authority", b"example.com"),
        ("x-keygate-account", b"root"),
    ];
    if let Some(value) = &authorization {
        headers.push(("authorization", value.as_bytes()));
    }
    worker.request(&headers)
}

/// A header as a test writes it.
type HeaderText<'a> = (&'a str, &'a [u8]);

const GENUINE: [HeaderText; 2] = [(":status", b"200"), ("x-keygate-service", b"1")];

fn lookup_answer(epoch: u64, keys: &[&NewAppKey]) -> Value {
    let record = |key: &&NewAppKey| {
        json!({ "hash": key.hash, "id": key.id, "account": "alice", "status": "active",
                "scopes": [], "metadata": {} })
    };
    json!({ "epoch": epoch, "records": keys.iter().map(record).collect::<Vec<_>>() })
}

fn answer_lookup(worker: &Worker, answer: &Value) {
    let call = only_call(worker, "/v1/lookups");
    worker.answer(&call, &GENUINE, answer.to_string().as_bytes());
}

fn answer_poll(worker: &Worker, answer: &Value) {
    let call = only_call(worker, "/v1/changes");
    worker.answer(&call, &GENUINE, answer.to_string().as_bytes());
}

fn only_call(worker: &Worker, path: &str) -> Call {
    let calls = worker.calls(path);
    assert_eq!(calls.len(), 1, "callouts to {path}");
    calls[0].clone()
}

fn header(exchange: &Exchange, name: &str) -> Option<String> {
    let mut values = exchange
        .headers
        .iter()
        .filter(|(it, _)| it == name.as_bytes());
    let first = values
        .next()
        .map(|(_, value)| String::from_utf8(value.clone()).unwrap());
    assert!(values.next().is_none(), "{name} stands twice");
    first
}

fn status(worker: &Worker, context: u32) -> Option<u32> {
    let exchange = worker.exchange(context);
    assert!(
        exchange.reply.is_none() || !exchange.is_resumed,
        "answered and let pass"
    );
    exchange.reply.map(|reply| reply.status)
}

#[test]
fn what_needs_nothing_passes_without_the_identity_of_the_client() {
    let worker = start();
    let (request, passes) = send(&worker, "/healthz", None);
    assert!(passes && worker.body(request) && worker.trailers(request));
    assert_eq!(header(&worker.exchange(request), "x-keygate-account"), None);
}

#[test]
fn nothing_passes_before_the_verdict_and_everything_after_it() {
    let worker = start_polled();
    let key = key(1);
    let (request, passes) = send(&worker, "/api/x", Some(&key));
    assert!(!passes && !worker.body(request) && !worker.trailers(request));
    worker.turn();
    assert!(!worker.body(request));
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    assert!(worker.exchange(request).is_resumed);
    assert!(worker.body(request) && worker.trailers(request));
    let exchange = worker.exchange(request);
    assert_eq!(
        header(&exchange, "x-keygate-account").as_deref(),
        Some("alice")
    );
    assert_eq!(header(&exchange, "authorization"), None);
    let account = ("keygate_account".to_owned(), "alice".to_owned());
    assert!(exchange.state.contains(&account), "{:?}", exchange.state);
}

#[test]
fn nothing_of_a_refused_request_passes() {
    let worker = start();
    let (request, passes) = send(&worker, "/api/x", None);
    assert!(!passes && !worker.body(request) && !worker.trailers(request));
    let reply = worker.exchange(request).reply.unwrap();
    assert_eq!(reply.status, 401);
    assert_eq!(
        reply.details,
        "keygate_denied{reason=missing_credential,rule=api}"
    );
    assert_eq!(
        worker.counter("keygate_decision.deny.missing_credential"),
        1
    );
}

#[test]
fn only_the_hash_of_a_key_leaves_the_edge() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    let call = only_call(&worker, "/v1/lookups");
    assert_eq!(call.cluster, "keys");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, json!({ "hashes": [key.hash] }));
    let secret = &key.text[16..48];
    assert!(!format!("{call:?}").contains(secret) && !worker.log().contains(secret));
}

#[test]
fn many_requests_with_one_cold_key_make_one_callout() {
    let worker = start_polled();
    let key = key(1);
    let requests: Vec<u32> = (0..500)
        .map(|_| send(&worker, "/api/x", Some(&key)).0)
        .collect();
    worker.turn();
    for late in 0..3 {
        send(&worker, "/api/x", Some(&key));
        worker.turn();
        assert_eq!(worker.calls("/v1/lookups").len(), 1, "after {late} more");
    }
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    for request in requests {
        assert!(worker.exchange(request).is_resumed);
    }
}

#[test]
fn different_cold_keys_share_a_callout() {
    let worker = start_polled();
    let (good, unknown) = (key(1), key(2));
    let (first, _) = send(&worker, "/api/x", Some(&good));
    let (second, _) = send(&worker, "/api/x", Some(&unknown));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&good]));
    assert!(worker.exchange(first).is_resumed);
    assert_eq!(status(&worker, second), Some(401));
    assert_eq!(worker.counter("keygate_decision.deny.unknown_key"), 1);
}

#[test]
fn a_warm_key_costs_no_callout_and_neither_does_an_unknown_one() {
    let worker = start_polled();
    let (good, unknown) = (key(1), key(2));
    send(&worker, "/api/x", Some(&good));
    send(&worker, "/api/x", Some(&unknown));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&good]));
    for _ in 0..10 {
        assert!(send(&worker, "/api/x", Some(&good)).1);
        let (request, passes) = send(&worker, "/api/x", Some(&unknown));
        assert!(!passes);
        assert_eq!(status(&worker, request), Some(401));
    }
    worker.turn();
    assert_eq!(worker.calls("/v1/lookups").len(), 0);
}

#[test]
fn whatever_is_not_an_answer_of_the_key_service_is_unavailable_and_not_remembered() {
    let key = key(1);
    let good = lookup_answer(10, &[&key]).to_string();
    let huge = vec![b' '; 3 * 1024 * 1024];
    let mut strange: Value = serde_json::from_str(&good).unwrap();
    strange["records"][0]["account"] = json!("a\r\nx-evil: 1");
    let strange = strange.to_string();
    let marked: (&str, &[u8]) = ("x-keygate-service", b"1");
    let ok: (&str, &[u8]) = (":status", b"200");
    let rows: Vec<(Vec<HeaderText>, &[u8])> = vec![
        (vec![], b""),
        (vec![ok], good.as_bytes()),
        (vec![(":status", b"503"), marked], good.as_bytes()),
        (vec![(":status", b"504")], b"upstream request timeout"),
        (vec![(":status", b"404"), marked], good.as_bytes()),
        (vec![ok, ("x-keygate-service", b"2")], good.as_bytes()),
        (vec![ok, marked, marked], good.as_bytes()),
        (vec![ok, marked], b"<html>"),
        (vec![ok, marked], b""),
        (vec![ok, marked], b"\xff\xfe"),
        (vec![ok, marked], b"{\"epoch\":10}"),
        (vec![ok, marked], strange.as_bytes()),
        (vec![ok, marked], &huge),
        (vec![ok, ("x-keygate-service", b"caf\xe9")], good.as_bytes()),
    ];
    let worker = start_polled();
    for (headers, body) in rows {
        let (request, passes) = send(&worker, "/api/x", Some(&key));
        let (simulated, _) = send(&worker, "/beta/x", Some(&key));
        assert!(!passes);
        worker.turn();
        worker.answer(&only_call(&worker, "/v1/lookups"), &headers, body);
        let reply = worker.exchange(request).reply.unwrap();
        assert_eq!(reply.status, 503, "{headers:?}");
        assert!(
            reply
                .headers
                .contains(&(b"retry-after".to_vec(), b"1".to_vec()))
        );
        let exchange = worker.exchange(simulated);
        assert!(
            exchange.is_resumed,
            "simulate passes, whatever the key service does"
        );
        let result = header(&exchange, "x-keygate-result").unwrap();
        assert_eq!(result, "would-deny;reason=key_service_unavailable");
    }
}

#[test]
fn a_callout_that_fails_at_once_is_unavailable_at_once() {
    let worker = start_polled();
    worker.fail(Fault::Call);
    let (request, _) = send(&worker, "/api/x", Some(&key(1)));
    worker.turn();
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn every_callout_is_made_by_the_root_context() {
    let worker = start_polled();
    let (first, second) = (key(1), key(2));
    send(&worker, "/api/x", Some(&first));
    worker.turn();
    let call = only_call(&worker, "/v1/lookups");
    send(&worker, "/api/x", Some(&second));
    // Settling the first makes its context the current one; the second is asked right after.
    let answer = lookup_answer(10, &[&first]).to_string();
    worker.answer(&call, &GENUINE, answer.as_bytes());
    let asked_second = only_call(&worker, "/v1/lookups").context;
    assert_eq!((call.context, asked_second), (worker.root, worker.root));
}

#[test]
fn a_client_that_goes_away_harms_nobody() {
    let worker = start_polled();
    let key = key(1);
    let (gone, _) = send(&worker, "/api/x", Some(&key));
    let (stays, _) = send(&worker, "/api/x", Some(&key));
    worker.disconnect(gone);
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    assert!(worker.exchange(stays).is_resumed);
}

#[test]
fn too_many_that_wait_are_refused_at_once() {
    let worker = start_polled();
    let key = key(1);
    for _ in 0..1024 {
        let (request, _) = send(&worker, "/api/x", Some(&key));
        assert_eq!(status(&worker, request), None);
    }
    let (request, passes) = send(&worker, "/api/x", Some(&key));
    assert!(!passes);
    assert_eq!(status(&worker, request), Some(503));
    assert_eq!(worker.counter("keygate_decision.deny.overloaded"), 1);
}

#[test]
fn a_lost_answer_is_unavailable_after_a_bound() {
    let worker = start_polled();
    let (request, _) = send(&worker, "/api/x", Some(&key(1)));
    worker.turn();
    worker.tick(1600);
    assert_eq!(status(&worker, request), None);
    worker.tick(1);
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn a_bell_that_does_not_ring_is_made_good_by_the_next_tick() {
    let worker = start_polled();
    worker.fail(Fault::Queue);
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    assert_eq!(worker.calls("/v1/lookups").len(), 0);
    worker.tick(250);
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    assert!(worker.exchange(request).is_resumed);
}

#[test]
fn a_revoked_key_is_asked_about_again_after_the_next_poll() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    assert!(send(&worker, "/api/x", Some(&key)).1);
    worker.tick(1000);
    let poll = only_call(&worker, "/v1/changes");
    assert!(
        format!("{:?}", poll.headers).contains("after=10") || {
            let path = poll
                .headers
                .iter()
                .find(|(name, _)| name == b":path")
                .unwrap();
            path.1 == b"/v1/changes?after=10"
        }
    );
    answer_poll(
        &worker,
        &json!({ "epoch": 11, "reset": false, "more": false, "changed": [key.hash] }),
    );
    let (request, passes) = send(&worker, "/api/x", Some(&key));
    assert!(!passes);
    worker.turn();
    let mut revoked = lookup_answer(11, &[&key]);
    revoked["records"][0]["status"] = json!("revoked");
    answer_lookup(&worker, &revoked);
    assert_eq!(status(&worker, request), Some(401));
    assert_eq!(worker.counter("keygate_decision.deny.revoked_key"), 1);
}

#[test]
fn an_answer_held_back_across_a_revocation_resurrects_nothing() {
    let worker = start_polled();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    let held_back = only_call(&worker, "/v1/lookups");
    worker.tick(1000);
    answer_poll(
        &worker,
        &json!({ "epoch": 11, "reset": false, "more": false, "changed": [key.hash] }),
    );
    let old = lookup_answer(10, &[&key]).to_string();
    worker.answer(&held_back, &GENUINE, old.as_bytes());
    assert!(
        !worker.exchange(request).is_resumed,
        "the old answer lets nothing pass"
    );
    let mut revoked = lookup_answer(11, &[&key]);
    revoked["records"][0]["status"] = json!("revoked");
    answer_lookup(&worker, &revoked);
    assert_eq!(status(&worker, request), Some(401));
}

#[test]
fn an_answer_that_stays_behind_the_feed_is_unavailable() {
    let worker = start_polled();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(9, &[&key]));
    assert_eq!(status(&worker, request), None);
    answer_lookup(&worker, &lookup_answer(9, &[&key]));
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn without_the_feed_a_warm_key_counts_until_the_lease_ends() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    worker.fail(Fault::Call);
    worker.tick(59_000);
    assert!(send(&worker, "/api/x", Some(&key)).1);
    worker.tick(1_000);
    let (request, passes) = send(&worker, "/api/x", Some(&key));
    assert!(!passes);
    worker.turn();
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn a_feed_that_cannot_say_what_changed_empties_the_cache() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    worker.tick(1000);
    answer_poll(
        &worker,
        &json!({ "epoch": 3, "reset": true, "more": false, "changed": [] }),
    );
    assert!(!send(&worker, "/api/x", Some(&key)).1);
}

#[test]
fn more_changes_are_fetched_at_once() {
    let worker = start();
    worker.tick(10);
    let part = json!({ "epoch": 5, "reset": false, "more": true, "changed": [] });
    answer_poll(&worker, &part);
    let path = only_call(&worker, "/v1/changes").headers;
    assert!(path.contains(&(b":path".to_vec(), b"/v1/changes?after=5".to_vec())));
}

#[test]
fn a_poll_whose_answer_is_lost_is_made_again() {
    let worker = start();
    worker.tick(10);
    assert_eq!(worker.calls("/v1/changes").len(), 1);
    worker.tick(1500);
    assert_eq!(worker.calls("/v1/changes").len(), 1);
    worker.tick(200);
    assert_eq!(worker.calls("/v1/changes").len(), 2);
}

#[test]
fn a_host_that_fails_closes_the_gate() {
    for fault in [Fault::Clock, Fault::ReadHeaders, Fault::WriteHeaders] {
        let worker = start();
        worker.fail(fault);
        let (request, passes) = send(&worker, "/healthz", None);
        assert!(!passes && !worker.body(request), "{fault:?}");
        let reply = worker.exchange(request).reply.unwrap();
        assert_eq!(reply.status, 503, "{fault:?}");
        assert_eq!(reply.details, "keygate_denied{reason=host_failure,rule=-}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_and_the_log_names_the_field() {
    let mut wrong = policy();
    wrong["rules"][1]["match"]["path"] = json!("api");
    let log = Worker::start(&wrong.to_string()).err().unwrap().join("\n");
    assert!(
        log.contains("rules[1].match.path: must start with \"/\""),
        "{log}"
    );
    for text in ["", "{", "\u{a}\u{5}"] {
        assert!(Worker::start(text).is_err(), "{text:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_and_break_nothing() {
    let worker = start();
    let whole: Vec<(&str, &[u8])> = vec![
        (":method", b"GET"),
        (":path", b"/api/x"),
        (":authority", b"h"),
    ];
    for (name, value) in [
        ("authorization", &b"Bearer caf\xe9"[..]),
        ("authorization", b"Basic \xff"),
        ("x-request-id", b"\xff\xfe"),
        ("accept", b"\xff"),
        ("x-keygate-account\u{e9}", b"\xff"),
    ] {
        let mut headers = whole.clone();
        headers.push((name, value));
        let (request, passes) = worker.request(&headers);
        assert!(!passes);
        assert_eq!(status(&worker, request), Some(401), "{name}");
    }
    for at in 0..3 {
        let mut headers = whole.clone();
        headers[at].1 = b"/\xc3\x28";
        let (request, _) = worker.request(&headers);
        assert_eq!(status(&worker, request), Some(400), "{}", headers[at].0);
    }
}
