//! Wrong policies in numbers: `keygate check` names the same fields, with line and column,
//! as on the day when the table was recorded.

use std::collections::BTreeMap;
use std::thread;

use serde::Deserialize;

use super::*;
use crate::file::damaged;

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

/// What a case prints instead of what was recorded, if that is something else.
fn difference(table: &Table, from: &str, case: &Case) -> Option<String> {
    let Case {
        base,
        at,
        cut,
        put,
        environment,
        check,
        ..
    } = case;
    let mut policy = table.bases[*base].clone();
    policy.replace_range(*at..at + cut, put);
    let found = printed(&policy, &table.environments[*environment]);
    let is_told = |(found, expected): (&String, &String)| match expected.split_once(' ') {
        Some((place, path)) => found.starts_with(&format!("{place}: {path}: ")),
        None => found.starts_with(&format!("{expected}: ")),
    };
    let is_same = found.len() == check.len() && found.iter().zip(check).all(is_told);
    (!is_same).then(|| format!("{from}: {put:?} at {at}: {found:#?} for {check:#?}"))
}

#[test]
fn a_wrong_policy_is_reported_with_the_recorded_places_and_paths() {
    /// The cases take half a minute one after another.
    const WORKERS: usize = 4;
    let text = include_str!("../../../../tests/policies/wrong.json");
    let table: Table = serde_json::from_str(text).unwrap();
    let cases = table.cases.iter();
    let cases: Vec<(&str, &Case)> = cases
        .flat_map(|(from, cases)| cases.iter().map(move |case| (from.as_str(), case)))
        .collect();
    assert!(cases.len() > 3000, "{}", cases.len());
    let (table, cases) = (&table, &cases);
    let told: Vec<String> = thread::scope(|scope| {
        let share = |worker| cases.iter().skip(worker).step_by(WORKERS);
        let differ = |(from, case): &(&str, &Case)| difference(table, from, case);
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || share(worker).filter_map(differ).collect::<Vec<_>>()))
            .collect();
        workers
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect()
    });
    let few: Vec<_> = told.iter().take(40).map(String::as_str).collect();
    assert!(
        told.is_empty(),
        "{} differ:\n{}",
        told.len(),
        few.join("\n")
    );
}
