//! What an operator sees: the alert rules and the dashboard with a real Prometheus, and a rejection
//! explained from the access log of a real Envoy.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use keygate_tests::prometheus::{Prometheus, promtool};
use keygate_tests::service::keygate;
use keygate_tests::{Stack, repository, wait};
use serde_json::{Value, json};

use crate::support::{call, key_of, sign};

/// Prometheus scrapes every second; a rate needs two scrapes.
const BOUND: Duration = Duration::from_secs(60);

#[test]
fn prometheus_accepts_the_files() {
    let files = repository().join("envoy/prometheus");
    promtool(&files, &["check", "config", "prometheus.yaml"]).expect("the configuration is valid");
    promtool(&files, &["check", "rules", "alerts.yaml"]).expect("the rules are valid");
}

#[test]
fn each_alert_fires_on_its_fault_and_on_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| {
        fs::copy(repository().join(from), directory.path().join(to)).unwrap();
    };
    copy("envoy/prometheus/alerts.yaml", "alerts.yaml");
    copy("tests/monitoring/alerts.yaml", "test.yaml");
    if let Err(printed) = promtool(directory.path(), &["test", "rules", "test.yaml"]) {
        panic!("{printed}");
    }
}

#[test]
fn every_panel_of_the_dashboard_shows_something() {
    let stack = Stack::builder()
        .edit_policy(|policy| policy["metrics_by_rule"] = json!(true))
        .start();
    let prometheus = Prometheus::start(stack.envoy.admin_port(), stack.service().port());
    let dashboard = fs::read_to_string(repository().join("envoy/grafana/keygate.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| Some((&panel["title"], panel["targets"].as_array()?)));
    let queries = targets.flat_map(|(title, targets)| targets.iter().map(move |it| (title, it)));
    let mut missing: Vec<(String, String)> = queries
        .map(|(title, target)| {
            let query = target["expr"].as_str().unwrap();
            (title.to_string(), query.replace("$__rate_interval", "30s"))
        })
        .collect();
    assert!(missing.len() > 20, "{missing:?}");

    let shows = |query: &str| {
        let series = prometheus.query(query);
        let is_number = |one: &Value| one["value"][1] != "NaN";
        series.iter().any(is_number)
    };
    let all = wait::whether(BOUND, || {
        // What no panel would show without it.
        let key = key_of(&stack, "alice");
        call(&stack, "/api/x", &key.key);
        stack.service().revoke(&key.id);
        for path in ["/healthz", "/beta/x", "/api/x", &sign("/media/a", &[])] {
            stack.get(path).send();
        }
        missing.retain(|(_, query)| !shows(query));
        missing.is_empty()
    });
    assert!(all, "these panels are empty: {missing:#?}");

    let rules = prometheus.rules();
    assert!(rules.len() > 10, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        assert_ne!(rule["state"], "firing", "all is well: {rule}");
    }
}

/// On names as a real Envoy and a real key service export them, which promtool cannot know.
#[test]
fn an_outage_of_the_key_service_raises_its_alerts() {
    let stack = Stack::start();
    let prometheus = Prometheus::start(stack.envoy.admin_port(), stack.service().port());
    let polled = || {
        !prometheus
            .query("rate(keygate_poll_answered[10s]) > 0")
            .is_empty()
    };
    assert!(wait::whether(BOUND, polled), "Envoy polls");
    let cold = key_of(&stack, "alice");
    stack.service().stop();
    let mut expected = vec!["KeygateServiceDown", "KeygateLookupsFail"];
    let raised = wait::whether(BOUND, || {
        call(&stack, "/api/x", &cold.key);
        let rules = prometheus.rules();
        expected.retain(|name| {
            let mut rules = rules.iter().filter(|rule| rule["name"] == **name);
            rules.any(|rule| rule["state"] == "inactive")
        });
        expected.is_empty()
    });
    assert!(raised, "{expected:?} are not raised");
}

#[test]
fn a_rejection_is_explained_from_the_access_log() {
    for file in ["envoy/envoy.yaml", "envoy/identity.yaml"] {
        let stack = Stack::of_file(file).start();
        let answer = stack
            .get("/api/x")
            .header("accept", "application/problem+json");
        assert_eq!(answer.send().status, 401);
        let details = "keygate_denied{reason=missing_credential,rule=api}";
        stack.envoy.wait_for_log(details);
        let log = stack.envoy.log();
        let line = log.lines().find(|line| line.contains(details)).unwrap();
        let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
        let id = line.split([' ', '"']).find(is_id).unwrap();

        let mut command = Command::new(keygate());
        command.args(["why", id]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(log.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{file}: {line}");
        for expected in [
            "rule        api",
            "reason      missing_credential",
            "/api/x",
        ] {
            assert!(printed.contains(expected), "{file}: {printed}");
        }
    }
}
