//! Counters of rules: which rule a request counts for, and that there are none by default.

use keygate_core::Verdict;
use keygate_edge::{Metric, RuleMetric};
use serde_json::{Value, json};

use crate::worker::{LOOKUPS, USES, Worker, key, lookup, policy, start, start_polled};

fn by_rule() -> Value {
    let mut policy = policy();
    policy["metrics_by_rule"] = json!(true);
    policy["rules"][1]["mode"] = json!("simulate");
    policy
}

/// The names of the counters to which one is to be added.
fn counted(worker: &mut Worker) -> Vec<String> {
    let metrics = std::iter::from_fn(|| worker.edge.poll_rule_metric());
    let metrics: Vec<RuleMetric> = metrics.collect();
    let names = metrics.iter().map(|it| it.name(worker.edge.policy()));
    names.collect()
}

fn get(worker: &mut Worker, path: &str) {
    worker.request(&[(":method", "GET"), (":path", path)]);
}

#[test]
fn each_request_counts_once_for_the_rule_that_decided() {
    let mut worker = start_polled(&by_rule());
    for (path, expected) in [
        ("/healthz", "keygate_rule_decision.allow.health"),
        ("/api/x", "keygate_rule_decision.deny.api"),
        ("/two", "keygate_rule_decision.would_deny.two"),
        ("/nowhere", "keygate_rule_decision.deny.(none)"),
        ("/api/../x", "keygate_rule_decision.deny.(none)"),
    ] {
        get(&mut worker, path);
        assert_eq!(counted(&mut worker), [expected], "{path}");
    }
}

#[test]
fn a_paused_request_counts_for_its_rule_when_it_is_decided() {
    let mut worker = start_polled(&by_rule());
    worker.send(&key(1));
    worker.turn();
    assert_eq!(counted(&mut worker), [""; 0]);
    worker.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
    assert_eq!(counted(&mut worker), ["keygate_rule_decision.allow.api"]);
    // The one that uses the link up, and the one that comes too late.
    let once = ["allow", "deny"].map(|it| format!("keygate_rule_decision.{it}.once"));
    worker.send_link("GET", 1);
    worker.send_link("GET", 1);
    worker.turn();
    assert_eq!(counted(&mut worker), [""; 0]);
    worker.answer_only(USES, &json!({ "first": true }));
    assert_eq!(counted(&mut worker), once);
    // The key service has no answer.
    worker.send_link("GET", 2);
    worker.turn();
    worker.respond(worker.only(USES), &[(":status", "500")], b"");
    assert_eq!(counted(&mut worker), once[1..]);
}

#[test]
fn nothing_is_counted_for_rules_by_default() {
    let mut worker = start(&policy());
    get(&mut worker, "/healthz");
    get(&mut worker, "/api/x");
    assert_eq!(worker.edge.poll_rule_metric(), None);
}

#[test]
fn counters_of_rules_have_the_decisions_of_the_others_and_places_of_their_own() {
    let mut worker = start_polled(&by_rule());
    for path in ["/healthz", "/api/x", "/two", "/nowhere"] {
        let request = worker.request(&[(":method", "GET"), (":path", path)]);
        let verdict: &Verdict = worker.verdict(request).unwrap();
        let (metric, of_rule) = (Metric::of(verdict), RuleMetric::of(verdict));
        let start = format!("keygate_decision.{}.", of_rule.unwrap().decision.word());
        assert_eq!(metric.unwrap().0, start);
    }
    let metrics = std::iter::from_fn(|| worker.edge.poll_rule_metric());
    let mut places: Vec<usize> = metrics.map(RuleMetric::place).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 4, "{places:?}");
    assert!(places[3] < RuleMetric::places(worker.edge.policy()));
}
