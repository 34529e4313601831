//! Wrong policies in numbers: `keygate check` names the same fields, with line and column,
//! as on the day when the table was recorded.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Table {
    bases: Vec<String>,
    environments: Vec<BTreeMap<String, Option<String>>>,
    cases: BTreeMap<String, Vec<Case>>,
}

#[derive(Deserialize)]
struct Case {
    base: usize,
    at: usize,
    cut: usize,
    put: String,
    environment: usize,
    /// The paths that the filter's reader gives.
    _filter: Vec<String>,
    check: Vec<String>,
}

/// What is printed for a policy. A variable without a value has one that is good.
fn printed(text: &str, environment: &BTreeMap<String, Option<String>>) -> Vec<String> {
    let stand_ins = StandIns::of(text.as_bytes());
    let value = |name: &str| match environment.get(name) {
        Some(Some(value)) => Some(value.clone().into_bytes()),
        _ => stand_ins.get(name),
    };
    if let Some(hint) = damaged(text.as_bytes()) {
        return vec![format!("1:1: {hint}")];
    }
    match Policy::parse(text.as_bytes(), &value) {
        Ok(_) => Vec::new(),
        Err(problems) => lines(&problems, text, Node::parse(text).as_ref(), &value),
    }
}

#[test]
fn a_wrong_policy_is_reported_with_the_recorded_places_and_paths() {
    let text = include_str!("../../../../tests/policies/wrong.json");
    let table: Table = serde_json::from_str(text).unwrap();
    let mut told = Vec::new();
    let mut count = 0;
    for (from, cases) in &table.cases {
        for case in cases {
            let mut policy = table.bases[case.base].clone();
            policy.replace_range(case.at..case.at + case.cut, &case.put);
            let found = printed(&policy, &table.environments[case.environment]);
            count += 1;
            let is_told = |(found, expected): (&String, &String)| match expected.split_once(' ') {
                Some((place, path)) => found.starts_with(&format!("{place}: {path}: ")),
                None => found.starts_with(&format!("{expected}: ")),
            };
            let is_same =
                found.len() == case.check.len() && found.iter().zip(&case.check).all(is_told);
            if !is_same {
                let Case { at, put, check, .. } = case;
                told.push(format!(
                    "{from}: {put:?} at {at}: {found:#?} for {check:#?}"
                ));
            }
        }
    }
    assert!(count > 3000, "{count}");
    let few: Vec<_> = told.iter().take(40).map(String::as_str).collect();
    assert!(
        told.is_empty(),
        "{} differ:\n{}",
        told.len(),
        few.join("\n")
    );
}
