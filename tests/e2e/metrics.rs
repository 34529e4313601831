//! The names of docs/metrics.md, as Prometheus reads them from Envoy and the key service.

use std::fs;

use keygate_tests::{Stack, client, repository, wait};
use serde_json::json;

use crate::support::{call, key_of, sign};

#[test]
fn counters_of_alerts_are_zero_from_the_start() {
    let stack = Stack::start();
    let text = stack.envoy.admin("/stats/prometheus");
    for name in [
        "keygate_lease_ended",
        "keygate_key_service_timed_out",
        r#"keygate_decision{decision="deny",reason="wrong_signature"}"#,
    ] {
        let is_zero = |line: &str| line.starts_with(name) && line.ends_with(" 0");
        assert!(text.lines().any(is_zero), "{name} is not in\n{text}");
    }
}

#[test]
fn every_metric_that_prometheus_reads_is_on_the_page() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice");
    assert_eq!(call(&stack, "/api/x", &key.key).status, 200);
    assert_eq!(stack.get(sign("/media/a", &[])).send().status, 200);
    assert_eq!(stack.get("/healthz").send().status, 200);
    assert_eq!(stack.get("/beta/x").send().status, 200);
    assert_eq!(stack.get("/api/x").send().status, 401);
    stack.service().revoke(&key.id);
    wait::until("the revocation", std::time::Duration::from_secs(5), || {
        (call(&stack, "/api/x", &key.key).status == 401).then_some(())
    });

    let of_envoy = stack.envoy.admin("/stats/prometheus");
    let of_service = client::get(stack.service().port(), "/metrics")
        .send()
        .text();
    let page = fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let mut seen = Vec::new();
    for line in of_envoy.lines().chain(of_service.lines()) {
        let Some((series, _)) = line.rsplit_once(' ') else {
            continue;
        };
        // The labels of decisions are on the page; those of others stand in words.
        let name = match series.starts_with("keygate_decision{") {
            true => series,
            false => series.split('{').next().unwrap(),
        };
        let is_ours = name.starts_with("keygate_") || name.starts_with("envoy_wasm_keygate_");
        if !is_ours {
            continue;
        }
        seen.push(name.to_owned());
        let mut listed = name.to_owned();
        for decision in ["deny", "would_deny"] {
            let start = format!("keygate_decision{{decision=\"{decision}\",reason=");
            if name.starts_with(&start) {
                listed = format!("{start}\"REASON\"}}");
            }
        }
        let listed = format!("`{listed}`");
        assert!(page.contains(&listed), "docs/metrics.md lacks {listed}");
    }
    for name in [
        r#"keygate_decision{decision="allow",reason="verified"}"#,
        r#"keygate_decision{decision="would_deny",reason="missing_credential"}"#,
        r#"keygate_decision{decision="deny",reason="revoked_key"}"#,
        "envoy_wasm_keygate_vm_reload",
        "keygate_memory_bytes",
        "keygate_poll_answered",
        "keygate_service_requests_total",
    ] {
        assert!(
            seen.iter().any(|it| it == name),
            "{name} is not in {seen:?}"
        );
    }
}

#[test]
fn prometheus_reads_the_rule_of_each_decision_from_a_label() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["metrics_by_rule"] = json!(true);
            let rule = |name: &str| {
                json!({ "name": name, "match": { "path": format!("/{name}") }, "require": "nothing" })
            };
            let rules = policy["rules"].as_array_mut().unwrap();
            rules.extend(["files.v1.x", "-_", "a_rq_200.b"].map(rule));
        })
        .start();
    for (path, status) in [
        ("/healthz", 200),
        ("/healthz", 200),
        ("/beta/x", 200),
        ("/api/x", 401),
        ("/nowhere", 403),
        ("/files.v1.x", 200),
        ("/-_", 200),
        ("/a_rq_200.b", 200),
    ] {
        assert_eq!(stack.get(path).send().status, status, "{path}");
    }
    let text = stack.envoy.admin("/stats/prometheus");
    let ours = |line: &&str| line.starts_with("keygate_rule_decision");
    let mut lines: Vec<&str> = text.lines().filter(ours).collect();
    lines.sort_unstable();
    let expected = [
        r#"keygate_rule_decision{decision="allow",rule="-_"} 1"#,
        r#"keygate_rule_decision{decision="allow",rule="a_rq_200.b"} 1"#,
        r#"keygate_rule_decision{decision="allow",rule="files.v1.x"} 1"#,
        r#"keygate_rule_decision{decision="allow",rule="health"} 2"#,
        r#"keygate_rule_decision{decision="deny",rule="(none)"} 1"#,
        r#"keygate_rule_decision{decision="deny",rule="api"} 1"#,
        r#"keygate_rule_decision{decision="would_deny",rule="beta"} 1"#,
    ];
    assert_eq!(lines, expected);
}
