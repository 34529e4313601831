//! Counters of rules: each is defined once, and a virtual machine has no more than 10,000.

use serde_json::{Value, json};

use crate::host::Worker;
use crate::{policy, send};

/// Rules without a requirement, and with these names.
fn of_rules(names: impl Iterator<Item = String>) -> Value {
    let mut policy = policy();
    policy["metrics_by_rule"] = json!(true);
    let rule = |name: String| json!({ "name": name, "match": { "path": format!("/{name}") }, "require": "nothing" });
    policy["rules"] = names.map(rule).collect();
    policy
}

#[test]
fn a_counter_of_a_rule_is_defined_once_for_all_configurations() {
    let policy = of_rules(["a".to_owned()].into_iter()).to_string();
    let worker = Worker::start(&policy).unwrap();
    let next = worker.beside(&policy);
    for worker in [&worker, &worker, &next] {
        send(worker, "/a", None);
        send(worker, "/b", None);
    }
    let expected = [("allow.a", 3), ("deny.(none)", 3)];
    let expected = expected.map(|(name, value)| (format!("keygate_rule_decision.{name}"), value));
    assert_eq!(worker.counters("keygate_rule_decision."), expected);
}

#[test]
fn a_policy_without_metrics_by_rule_makes_no_counter_of_a_rule() {
    let worker = crate::start();
    send(&worker, "/healthz", None);
    assert_eq!(worker.counters("keygate_rule_decision."), []);
}

#[test]
fn beyond_10000_counters_rules_count_as_other() {
    let policies =
        (0..10).map(|number| of_rules((0..1000).map(move |it| format!("r{number}-{it}"))));
    let mut worker: Option<Worker> = None;
    for (number, policy) in policies.enumerate() {
        let text = policy.to_string();
        let next = match &worker {
            None => Worker::start(&text).unwrap(),
            Some(worker) => worker.beside(&text),
        };
        for rule in 0..1000 {
            let (request, passes) = send(&next, &format!("/r{number}-{rule}"), None);
            assert!(passes);
            next.disconnect(request);
        }
        worker = Some(next);
    }
    let last = worker.unwrap();
    assert_eq!(last.counters("keygate_rule_decision.").len(), 10_000);
    let other =
        last.beside(&of_rules(["x", "y", "r0-0"].map(str::to_owned).into_iter()).to_string());
    for path in ["/x", "/y", "/x", "/r0-0"] {
        send(&other, path, None);
    }
    assert_eq!(other.counter("keygate_rule_decision.allow.(other)"), 3);
    assert_eq!(other.counter("keygate_rule_decision.allow.r0-0"), 2);
    assert_eq!(other.counters("keygate_rule_decision.").len(), 10_001);
}
