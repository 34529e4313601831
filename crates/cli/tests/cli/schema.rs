//! `keygate schema`, and the committed schema against good and wrong policies.

use serde_json::{Value, json};

use crate::support::{demo_policy, keygate};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy.schema.json");

const REFRESH: &str = "cargo run -p keygate-cli -- schema > docs/policy.schema.json";

fn printed() -> String {
    let done = keygate(&["schema"]).assert().code(0);
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

fn holds(policy: &Value) -> bool {
    let schema: Value = serde_json::from_str(&printed()).unwrap();
    jsonschema::validator_for(&schema).unwrap().is_valid(policy)
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == printed(),
        "docs/policy.schema.json is not current. Refresh it: {REFRESH}"
    );
}

#[test]
fn the_schema_is_one() {
    let schema: Value = serde_json::from_str(&printed()).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
}

#[test]
fn every_object_of_the_schema_rejects_unknown_fields() {
    fn closed(path: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                if members.contains_key("properties") {
                    assert!(members.contains_key("additionalProperties"), "{path}");
                }
                for (name, member) in members {
                    closed(&format!("{path}/{name}"), member);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| closed(path, item)),
            _ => {}
        }
    }
    closed("", &serde_json::from_str(&printed()).unwrap());
}

#[test]
fn every_field_of_the_schema_has_a_description() {
    let schema: Value = serde_json::from_str(&printed()).unwrap();
    let types = schema["$defs"].as_object().unwrap();
    for (name, of) in types.iter().chain([(&"policy".to_owned(), &schema)]) {
        for (field, what) in of["properties"].as_object().into_iter().flatten() {
            let is_said = what.get("description").is_some() || what.get("const").is_some();
            assert!(
                is_said,
                "{name}.{field} has no comment in config/written.rs"
            );
        }
    }
}

/// The reader names the types that it knows when it is given another.
#[test]
fn every_type_of_provider_that_the_reader_knows_is_in_the_schema() {
    let mut policy: Value = serde_json::from_str(&demo_policy()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let says = |policy: &Value| {
        std::fs::write(file.path(), policy.to_string()).unwrap();
        let done = keygate(&["check", file.path().to_str().unwrap()])
            .assert()
            .code(1);
        String::from_utf8_lossy(&done.get_output().stdout).into_owned()
    };
    for (field, unknown) in [
        ("type", json!({ "type": "?" })),
        ("format", json!({ "type": "signed_url", "format": "?" })),
    ] {
        policy["providers"]["unknown"] = unknown;
        let said = says(&policy);
        let at = format!("providers.unknown.{field}: must be ");
        let (_, known) = said.split_once(&at).unwrap_or_else(|| panic!("{said}"));
        let known = known.lines().next().unwrap().split('"').skip(1).step_by(2);
        for name in known {
            assert!(
                printed().contains(&format!("\"const\": \"{name}\"")),
                "{name}"
            );
        }
    }
}

#[test]
fn the_demo_policy_is_valid_and_broken_ones_are_not() {
    let good: Value = serde_json::from_str(&demo_policy()).unwrap();
    assert!(holds(&good));
    let wrong: [(&str, Value); 14] = [
        ("/version", json!(2)),
        ("/unmatched", json!("pass")),
        ("/extra", json!(1)),
        ("/secrets/media/0/value", json!("s3cret")),
        ("/secrets/media/0/encoding", json!("base32")),
        ("/key_service/timeout", json!(300)),
        ("/providers/media-link/type", json!("signed")),
        ("/providers/media-link/ttl", json!("soon")),
        ("/providers/media-link/prefix", json!("kg")),
        ("/providers/app-key/from", json!(["query"])),
        ("/rules/0/match/path", json!("healthz")),
        ("/rules/0/match/methods", json!(["get"])),
        ("/rules/0/require", json!({ "one": ["app-key"] })),
        ("/responses/page", json!({ "pdf": "x" })),
    ];
    for (pointer, value) in wrong {
        let mut spoiled = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = spoiled.pointer_mut(parent).unwrap();
        parent
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value);
        assert!(!holds(&spoiled), "{pointer}");
    }
}
