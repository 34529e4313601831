//! Wrong policies in numbers: the filter's reader rejects each, and names the same fields as
//! on the day when the table was recorded. What `keygate check` says of them is tested there.

use keygate_core::Policy;
use serde::Deserialize;
use std::collections::BTreeMap;

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
    filter: Vec<String>,
    /// Line, column and path of what `keygate check` prints.
    _check: Vec<String>,
}

#[test]
fn a_wrong_policy_is_rejected_with_the_recorded_paths() {
    let text = include_str!("../../../tests/policies/wrong.json");
    let table: Table = serde_json::from_str(text).unwrap();
    let mut told = Vec::new();
    let mut count = 0;
    for (from, cases) in &table.cases {
        for case in cases {
            let mut policy = table.bases[case.base].clone();
            policy.replace_range(case.at..case.at + case.cut, &case.put);
            let environment = &table.environments[case.environment];
            let value = |name: &str| environment.get(name)?.clone().map(String::into_bytes);
            let problems = Policy::parse(policy.as_bytes(), &value).err();
            let paths = problems.iter().flatten().map(|it| it.path.as_str());
            let paths: Vec<&str> = paths.collect();
            count += 1;
            if paths != case.filter {
                let Case {
                    at, put, filter, ..
                } = case;
                told.push(format!("{from}: {put:?} at {at}: {paths:?} for {filter:?}"));
            }
        }
    }
    assert!(count > 3000, "{count}");
    let (few, all) = (told.iter().take(40), told.len());
    let few: Vec<_> = few.map(String::as_str).collect();
    assert!(told.is_empty(), "{all} differ:\n{}", few.join("\n"));
}
