//! What other filters of Envoy make of an identity: envoy/identity.yaml, as it is.

use std::thread;
use std::time::Duration;

use keygate_tests::Stack;
use serde_json::{Value, json};

use crate::support::{call, counted, key_of};

fn start() -> Stack {
    Stack::of_file("envoy/identity.yaml").start()
}

#[test]
fn rbac_lets_a_scope_in_and_no_longer_one() {
    let stack = start();
    let key = |scopes: Value| {
        let body = json!({ "account": "alice", "scopes": scopes });
        stack.service().create_key(&body).key
    };
    let admin = key(json!(["files:read", "admin"]));
    let nearly = key(json!(["administrator", "x,admin", "admin:read"]));
    assert_eq!(call(&stack, "/api/admin/x", &admin).status, 200);
    assert_eq!(call(&stack, "/api/admin/x", &nearly).status, 403);
    assert_eq!(call(&stack, "/api/x", &nearly).status, 200);
    stack.envoy.wait_for_log("rbac_access_denied");
}

#[test]
fn each_account_has_its_own_rate_limit() {
    let stack = start();
    let (alice, bob) = (key_of(&stack, "alice").key, key_of(&stack, "bob").key);
    let statuses: Vec<u16> = (0..12)
        .map(|_| call(&stack, "/api/x", &alice).status)
        .collect();
    assert_eq!(statuses[..10], [200; 10]);
    assert_eq!(statuses[10..], [429; 2]);
    assert_eq!(call(&stack, "/api/x", &bob).status, 200);
    // Another key of the same account draws from the same bucket.
    let second = key_of(&stack, "alice").key;
    let limited = call(&stack, "/api/x", &second);
    assert_eq!(limited.status, 429);
    // Other paths are not counted.
    assert_eq!(call(&stack, "/beta/x", &alice).status, 200);
    let after: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    thread::sleep(Duration::from_secs(after));
    assert_eq!(call(&stack, "/api/x", &alice).status, 200);
}

#[test]
fn the_access_log_names_account_key_and_reason() {
    let stack = start();
    let created = key_of(&stack, "alice");
    call(&stack, "/api/good", &created.key);
    call(&stack, "/api/bad", "nonsense");
    stack.get("/beta/x").send();
    stack.envoy.wait_for_log("/beta/x");
    let log = stack.envoy.log();
    let entry = |path: &str| -> Value {
        let line = log.lines().find(|line| line.contains(path)).unwrap();
        serde_json::from_str(line).unwrap()
    };
    let good = entry("/api/good");
    assert_eq!(
        (&good["account"], &good["key_id"]),
        (&json!("alice"), &json!(created.id))
    );
    assert_eq!(good["result"], "allow");
    let bad = entry("/api/bad");
    assert_eq!(bad["account"], Value::Null);
    assert_eq!(
        bad["details"],
        "keygate_denied{reason=malformed_credential,rule=api}"
    );
    assert_eq!(
        entry("/beta/x")["result"],
        "would-deny;reason=missing_credential"
    );
    assert_eq!(
        counted(&stack, "keygate_decision.would_deny.missing_credential"),
        1
    );
}
