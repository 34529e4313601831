//! The life of a key at a real Envoy: each change arrives within 2 s, and what was not changed
//! passes all the while.

use std::time::Duration;

use keygate_tests::client::{Connection, Request};
use keygate_tests::service::{ADMIN_TOKEN, CreatedKey};
use keygate_tests::{Stack, wait};
use serde_json::{Value, json};

use crate::support::{followed, key_of};

/// Within this time, each change is known everywhere.
const BOUND: Duration = Duration::from_secs(2);

/// A proxy with two workers, and connections to both.
struct Edge {
    stack: Stack,
    connections: Vec<Connection>,
}

impl Edge {
    fn start() -> Self {
        let stack = Stack::builder().concurrency(2).start();
        followed(&stack, 2);
        let open = |_| Connection::open(stack.envoy.port());
        Self {
            connections: (0..16).map(open).collect(),
            stack,
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let service = self.stack.service();
        let answer = service.request(method, path, ADMIN_TOKEN, Some(body));
        assert!(answer.status < 300, "{}", answer.text());
        answer.json()
    }

    fn request(&self, key: &str) -> Request {
        let authorization = format!("Bearer {key}");
        self.stack
            .get("/api/x")
            .header("authorization", authorization)
    }

    /// Waits until the key has this status on every connection.
    #[track_caller]
    fn until(&mut self, what: &str, key: &str, status: u16, bound: Duration) {
        let request = self.request(key);
        let connections = &mut self.connections;
        wait::until(what, bound, || {
            let statuses = connections
                .iter_mut()
                .map(|it| it.exchange(&request).status);
            let statuses: Vec<u16> = statuses.collect();
            statuses.iter().all(|it| *it == status).then_some(())
        });
    }
}

fn path(key: &CreatedKey) -> String {
    format!("/v1/keys/{}", key.id)
}

#[test]
fn a_key_is_disabled_enabled_and_narrowed_within_2_s() {
    let mut edge = Edge::start();
    let key = key_of(&edge.stack, "alice");
    let other = key_of(&edge.stack, "bob");
    for key in [&key, &other] {
        edge.until("the key to pass", &key.key, 200, wait::STARTUP);
    }
    edge.call("PATCH", &path(&key), &json!({ "disabled": true }));
    edge.until("the disabled key to be rejected", &key.key, 401, BOUND);
    edge.call("PATCH", &path(&key), &json!({ "disabled": false }));
    edge.until("the enabled key to pass", &key.key, 200, BOUND);
    edge.call(
        "PATCH",
        &path(&key),
        &json!({ "allowed_ips": ["192.0.2.0/24"] }),
    );
    edge.until("the narrowed key to be rejected", &key.key, 403, BOUND);
    edge.call("PATCH", &path(&key), &json!({ "allowed_ips": [] }));
    edge.until("the widened key to pass", &key.key, 200, BOUND);
    edge.until(
        "another key to pass",
        &other.key,
        200,
        Duration::from_millis(500),
    );
}

#[test]
fn a_replaced_key_passes_until_its_grace_ends() {
    let mut edge = Edge::start();
    let old = key_of(&edge.stack, "alice");
    edge.until("the key to pass", &old.key, 200, wait::STARTUP);
    let rotate = format!("{}/rotate", path(&old));
    let new = edge.call("POST", &rotate, &json!({ "grace": "4s" }));
    let new = new["key"].as_str().unwrap().to_owned();
    edge.until("the new key to pass", &new, 200, BOUND);
    edge.until(
        "the old key to pass still",
        &old.key,
        200,
        Duration::from_millis(500),
    );
    edge.until("the grace to end", &old.key, 401, Duration::from_secs(6));
    edge.until(
        "the new key to pass still",
        &new,
        200,
        Duration::from_millis(500),
    );

    let sudden = key_of(&edge.stack, "bob");
    edge.until("the key to pass", &sudden.key, 200, wait::STARTUP);
    let rotate = format!("{}/rotate", path(&sudden));
    edge.call("POST", &rotate, &json!({ "grace": "0s" }));
    edge.until(
        "the old key to be rejected at once",
        &sudden.key,
        401,
        BOUND,
    );
}

#[test]
fn a_key_that_revokes_itself_is_rejected_within_2_s() {
    let mut edge = Edge::start();
    let key = key_of(&edge.stack, "alice");
    edge.until("the key to pass", &key.key, 200, wait::STARTUP);
    edge.call("POST", "/v1/keys/revoke-self", &json!({ "key": key.key }));
    edge.until("the key to be rejected", &key.key, 401, BOUND);
}
