//! Every alert has a runbook, and every runbook an alert.

use std::collections::BTreeSet;
use std::fs;

use keygate_tests::repository;

#[test]
fn each_alert_has_a_section_and_its_address() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let (rules, page) = (
        read("envoy/prometheus/alerts.yaml"),
        read("docs/runbooks.md"),
    );
    let starts = |text: &str, start: &str| -> BTreeSet<String> {
        let names = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(start));
        names.map(str::to_owned).collect()
    };
    let alerts = starts(&rules, "- alert: ");
    assert!(alerts.len() > 10, "{alerts:?}");
    assert_eq!(alerts, starts(&page, "## "));
    let anchors = alerts.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(starts(&rules, "runbook_url: docs/runbooks.md#"), anchors);
}
