//! What Envoy's workers report of the uses of keys, and that no request depends on it.

use std::time::{Duration, Instant};

use keygate_tests::service::ADMIN_TOKEN;
use keygate_tests::{Stack, client, wait};
use serde_json::Value;

use crate::support::{assert_never_trapped, call, counted, followed, key_of};

/// A worker reports each 30 s.
const REPORTED: Duration = Duration::from_secs(40);

/// Far more than a request takes that waits for nothing.
const BOUND: Duration = Duration::from_secs(5);

/// A counter of the key service.
fn of_service(stack: &Stack, name: &str) -> u64 {
    let metrics = client::get(stack.service().port(), "/metrics")
        .send()
        .text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

fn sent(stack: &Stack, path: &str) -> Value {
    let answer = stack.service().request("GET", path, ADMIN_TOKEN, None);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[test]
fn uses_of_all_workers_are_shown_and_cost_no_call_for_a_request() {
    let stack = Stack::builder().concurrency(2).start();
    followed(&stack, 2);
    let key = key_of(&stack, "alice");
    let path = format!("/v1/keys/{}", key.id);
    assert_eq!(sent(&stack, &path)["last_used_at"], Value::Null);
    // New connections spread over the workers; each connection stays with its worker.
    let mut connections: Vec<_> = (0..16)
        .map(|_| client::Connection::open(stack.envoy.port()))
        .collect();
    let request = stack
        .get("/api/x")
        .header("authorization", format!("Bearer {}", key.key));
    for _ in 0..3 {
        for connection in &mut connections {
            assert_eq!(connection.exchange(&request).status, 200);
        }
    }
    stack.service().revoke(&key.id);
    let mut allowed = 48;
    wait::until("the revocation", BOUND, || {
        let is_rejected = connections[0].exchange(&request).status == 401;
        allowed += u64::from(!is_rejected);
        is_rejected.then_some(())
    });
    let lookups = counted(&stack, "keygate_lookup.answered");
    let uses = |result: &str| {
        let name = format!("keygate_service_uses_total{{result=\"{result}\"}}");
        of_service(&stack, &name)
    };
    wait::until("all uses to be reported", REPORTED, || {
        (uses("allowed") == allowed && uses("rejected") == 1).then_some(())
    });
    assert_eq!(counted(&stack, "keygate_lookup.answered"), lookups);
    let reports = counted(&stack, "keygate_key_use.answered");
    assert_eq!(
        of_service(&stack, "keygate_service_use_reports_total"),
        reports
    );
    assert!(reports <= 4, "{reports} of 2 workers within 60 s");
    wait::until("the first report to be written", BOUND, || {
        sent(&stack, &path)["last_used_at"]
            .is_string()
            .then_some(())
    });

    // What waits for the next write is written at the end.
    stack.service().stop();
    stack.service().restart();
    let usage = sent(&stack, &format!("{path}/usage"));
    let days = usage["days"].as_array().unwrap();
    // Midnight may have passed.
    let sum = |member: &str| -> u64 { days.iter().map(|day| day[member].as_u64().unwrap()).sum() };
    assert_eq!((sum("allowed"), sum("rejected")), (allowed, 1), "{usage}");
    assert_never_trapped(&stack);
}

#[test]
fn requests_pass_while_no_report_is_answered() {
    let stack = Stack::builder().concurrency(1).start();
    followed(&stack, 1);
    let key = key_of(&stack, "alice");
    assert_eq!(call(&stack, "/api/x", &key.key).status, 200);
    stack.service().freeze();
    let started = Instant::now();
    while counted(&stack, "keygate_key_use.unavailable") == 0 {
        let answer = call(&stack, "/api/x", &key.key);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.took < BOUND, "{:?}", answer.took);
        assert!(started.elapsed() < REPORTED, "no report was sent");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(call(&stack, "/api/x", &key.key).status, 200);
    stack.service().thaw();
    assert_eq!(counted(&stack, "keygate_lookup.unavailable"), 0);
    assert_never_trapped(&stack);
}
