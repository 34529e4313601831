//! The manifests that pages show are valid: for the schema of their kind, and as policies.

use std::collections::BTreeSet;
use std::fs;

use keygate_core::Policy;
use keygate_tests::repository;
use serde_json::{Value, json};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// The `WasmPlugin` in docs/envoy.md.
fn plugin() -> Value {
    let page = read("docs/envoy.md");
    let blocks = page.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let manifest = blocks
        .into_iter()
        .find(|it| it.contains("kind: WasmPlugin"));
    serde_saphyr::from_str(manifest.unwrap()).unwrap()
}

/// The schema of a version of a resource. As in a cluster with strict validation, a field that
/// the schema does not name is wrong.
fn schema(definition: &str, version: &str) -> Value {
    let definition: Value = serde_saphyr::from_str(&read(definition)).unwrap();
    let versions = definition["spec"]["versions"].as_array().unwrap();
    let version = versions.iter().find(|it| it["name"] == version).unwrap();
    let mut schema = version["schema"]["openAPIV3Schema"].clone();
    for field in ["apiVersion", "kind", "metadata"] {
        schema["properties"][field] = json!({});
    }
    close(&mut schema);
    schema
}

/// Rejects unknown fields at every depth, except where the schema keeps them.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let keeps = members.contains_key("x-kubernetes-preserve-unknown-fields");
            if members.get("properties").is_some_and(Value::is_object) && !keeps {
                members.insert("additionalProperties".to_owned(), false.into());
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn faults(manifest: &Value) -> Vec<String> {
    let schema = schema(
        "tests/manifests/wasmplugins.extensions.istio.io.yaml",
        manifest["apiVersion"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap(),
    );
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors = validator.iter_errors(manifest);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_plugin_for_istio_is_valid_for_its_schema() {
    let plugin = plugin();
    assert_eq!(faults(&plugin), Vec::<String>::new());
    // The schema is read, and is strict.
    for (path, value) in [
        ("/spec/phase", json!("FIRST")),
        ("/spec/failStrategy", json!("FAIL")),
        ("/spec/vmConfig", json!({ "envs": [] })),
        ("/spec/vmConfig/env/0/valueFrom", json!("SECRET")),
    ] {
        let mut wrong = plugin.clone();
        *wrong.pointer_mut(path).unwrap() = value;
        assert_eq!(faults(&wrong).len(), 1, "{path}");
    }
}

/// With the variables that it hands to the filter, and no others.
#[test]
fn the_plugin_for_istio_contains_a_valid_policy() {
    let plugin = plugin();
    let variables = plugin["spec"]["vmConfig"]["env"].as_array().unwrap();
    let mut handed = BTreeSet::new();
    for variable in variables {
        assert_eq!(variable["valueFrom"], "HOST");
        handed.insert(variable["name"].as_str().unwrap());
    }
    let policy = plugin["spec"]["pluginConfig"].to_string();
    let environment = |name: &str| handed.contains(name).then(|| SECRET.to_vec());
    let policy = Policy::parse(policy.as_bytes(), &environment);
    assert_eq!(policy.err(), None);
}
