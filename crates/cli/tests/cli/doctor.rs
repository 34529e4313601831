//! `docs/doctor.md` says what `keygate doctor` finds. Its rules are tested with real Envoys, in
//! `tests/e2e/doctor.rs`.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::support::keygate;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor.md");
const HEAD: &str =
    "| finding | severity | what is wrong | what to do |\n| --- | --- | --- | --- |\n";

/// The kinds of findings, as a report about an Envoy without listeners has them.
fn rules() -> Vec<Value> {
    let section = |name: &str| json!({ "@type": format!("x/envoy.admin.v3.{name}ConfigDump") });
    let mut configs = ["Bootstrap", "Clusters", "Listeners"].map(section);
    let version = json!({ "major_number": 1, "minor_number": 40 });
    configs[0]["bootstrap"]["node"]["user_agent_build_version"]["version"] = version;
    let dump = json!({ "configs": configs }).to_string();
    let done = keygate(&["doctor", "-", "--format", "sarif"])
        .write_stdin(dump)
        .assert()
        .code(1);
    let log: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    let run = &log["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 1);
    assert_eq!(run["results"][0]["ruleId"], "no_listener");
    run["tool"]["driver"]["rules"].as_array().unwrap().clone()
}

#[test]
fn the_page_has_a_row_for_each_finding() {
    let page = fs::read_to_string(PAGE).unwrap();
    let mut table = HEAD.to_owned();
    for rule in rules() {
        let [id, severity, what, to_do] = [
            &rule["id"],
            &rule["properties"]["severity"],
            &rule["shortDescription"]["text"],
            &rule["help"]["text"],
        ]
        .map(|it| it.as_str().unwrap());
        writeln!(table, "| `{id}` | {severity} | {what} | {to_do} |").unwrap();
    }
    let head = page.split(HEAD).next().unwrap();
    let expected = format!("{head}{table}");
    if std::env::var_os("KEYGATE_RENEW").is_some() {
        fs::write(PAGE, &expected).unwrap();
    } else {
        assert_eq!(page, expected, "renew it as CONTRIBUTING.md says");
    }
}
