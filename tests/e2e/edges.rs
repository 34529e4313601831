//! `keygate keys revoke --wait` and `keygate edges`, with real proxies.

use std::process::{Command, Output};
use std::time::Duration;

use keygate_tests::envoy::Envoy;
use keygate_tests::service::{ADMIN_TOKEN, keygate};
use keygate_tests::{Stack, StackBuilder, leaks, wait};
use serde_json::{Value, json};

use crate::support::{followed, key_of};

/// A proxy of this name, with a lease that ends within the patience of a test.
fn builder(name: &str) -> StackBuilder {
    let node = json!({ "id": name, "cluster": "edges" });
    let short = |policy: &mut Value| policy["key_service"]["lease"] = "10s".into();
    Stack::builder()
        .concurrency(2)
        .edit_policy(short)
        .envoy(|envoy| envoy.change(|config| config["node"] = node))
}

fn run(stack: &Stack, args: &[&str]) -> Output {
    let url = format!("http://127.0.0.1:{}", stack.service().port());
    let done = Command::new(keygate())
        .args(args)
        .env("KEYGATE_SERVICE", url)
        .env("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN)
        .output()
        .unwrap();
    leaks::command(&done);
    done
}

/// Waits until the edges are in these states, and none else is listed.
fn until(stack: &Stack, what: &str, wanted: &[&str]) {
    wait::until(what, Duration::from_secs(20), || {
        let list = stack
            .service()
            .request("GET", "/v1/edges", ADMIN_TOKEN, None)
            .json();
        let edges = list["edges"].as_array().unwrap();
        let states = edges.iter().map(|edge| edge["state"].as_str().unwrap());
        let mut states: Vec<&str> = states.collect();
        states.sort_unstable();
        (states == wanted).then_some(())
    });
}

#[test]
fn a_revocation_waits_for_every_worker_of_an_edge() {
    let stack = builder("edge-1").start();
    followed(&stack, 2);
    until(&stack, "the edge to be current", &["current"]);
    let key = key_of(&stack, "alice");
    let authorization = format!("Bearer {}", key.key);
    let request = || {
        let request = stack.get("/api/x");
        request
            .header("authorization", &authorization)
            .send()
            .status
    };
    assert_eq!(request(), 200);
    let done = run(&stack, &["keys", "revoke", &key.id, "--wait=10s"]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(told.contains("1 edge rejects the key"), "{told}");
    // No worker is left that accepts it: a connection goes to any of them.
    for _ in 0..16 {
        assert_eq!(request(), 401);
    }
    let table = run(&stack, &["edges"]);
    let table = String::from_utf8(table.stdout).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert!(
        rows[0].starts_with("NAME") && rows[1].starts_with("edge-1  current"),
        "{table}"
    );
}

#[test]
fn a_stopped_edge_is_named_until_its_lease_ends() {
    let stack = builder("edge-1").start();
    followed(&stack, 2);
    let config = builder("edge-2").config_for(&stack);
    let other = Envoy::start(config);
    until(&stack, "both edges to be current", &["current", "current"]);
    other.pause();
    let key = key_of(&stack, "alice");
    let done = run(&stack, &["keys", "revoke", &key.id, "--wait=2s"]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.contains("1 of 2 edges may still accept it"), "{told}");
    assert!(
        told.contains("edge-2") && !told.contains("edge-1"),
        "{told}"
    );

    until(&stack, "the stopped edge to be gone", &["current", "gone"]);
    let done = run(&stack, &["keys", "revoke", &key.id, "--wait=10s"]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    other.resume();
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(
        told.contains("; 1 is gone and accepts no cached key"),
        "{told}"
    );
}
