//! The figures of the README and of the comparison are those that `make bench` has measured.

use std::fs;

use keygate_tests::repository;
use serde_json::Value;

/// The first cell of a row of both pages, and the variant of docs/performance.md.
const ROWS: [(&str, &str); 6] = [
    ("no check at all", "plain"),
    ("`api_key_auth`", "api_key_auth"),
    ("**Keygate, a signed URL**", "signed_url_keygate"),
    ("**Keygate, a cached API key**", "app_key_warm"),
    ("`jwt_authn`", "jwt_authn"),
    ("`ext_authz`", "ext_authz"),
];

#[test]
fn the_figures_of_the_readme_are_those_of_the_last_measurement() {
    assert_measured("README.md");
}

#[test]
fn the_figures_of_the_comparison_are_those_of_the_last_measurement() {
    assert_measured("docs/comparison.md");
}

fn assert_measured(name: &str) {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let (page, performance) = (read(name), read("docs/performance.md"));
    for (first, variant) in ROWS {
        let (number, row) = line(&page, &format!("| {first} |"));
        let (_, measured) = line(&performance, &format!("(`{variant}`) |"));
        let measured = measured.split('|').nth(2).unwrap().trim();
        let measured = measured.split(';').next().unwrap();
        let said = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        assert_eq!(said.trim_matches('*'), measured, "{name}:{number}: {first}");
    }
}

fn line<'a>(page: &'a str, part: &str) -> (usize, &'a str) {
    let mut lines = page.lines().enumerate();
    let found = lines.find(|(_, line)| line.contains(part));
    let (index, line) = found.unwrap_or_else(|| panic!("there is no row {part}"));
    (index + 1, line)
}

#[test]
fn the_picture_of_the_dashboard_has_every_panel() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let dashboard: Value = serde_json::from_str(&read("envoy/grafana/keygate.json")).unwrap();
    let picture = read("docs/dashboard.svg");
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        let is_there = picture.contains(&format!(">{title}<"));
        assert!(
            is_there,
            "docs/dashboard.svg has no {title:?}: run make dashboard"
        );
    }
}
