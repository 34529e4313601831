//! The filter against a host of the test's own, for what a real Envoy cannot be made
//! to do at will: answers held back, host calls that fail, callbacks that get lost.
//! What holds for every host is tested in crates/edge/tests, and here once for each callback.
#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

mod by_rule;
mod ends;
mod faults;
mod feed;
mod gate;
mod heap;
mod host;
mod leaks;
mod lookups;
mod once;
mod queries;
mod sealed;
mod sessions;
mod workers;

use host::{Call, Exchange, Worker};
use keygate_core::Secret;
use keygate_core::keys::{KeyRingId, MasterSecret, NewAppKey, Prefix};
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
        "identity": { "filter_state": true },
        "unmatched": "deny"
    })
}

fn start() -> Worker {
    Worker::start(&policy().to_string()).unwrap()
}

/// A worker that has heard from the change feed: epoch 10.
fn start_polled() -> Worker {
    polled(&policy())
}

/// The same, with another policy.
fn polled(policy: &Value) -> Worker {
    let worker = Worker::start(&policy.to_string()).unwrap();
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
    assert!(values.next().is_none(), "{name} is given more than once");
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
