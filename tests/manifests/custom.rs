//! The resources of Istio and of Envoy Gateway are valid for their definitions.

use std::fs;

use keygate_tests::manifests::{resource, resources};
use keygate_tests::repository;
use serde_json::{Value, json};

use crate::definitions::Definitions;

const FOLDERS: [&str; 2] = ["envoy/istio", "envoy/gateway"];

/// A file, a field in it, and a value that its definition does not allow: an unknown field, a wrong
/// type, a value that is not in the list.
const BROKEN: [(&str, &str, &str); 14] = [
    ("envoy/istio/plugin.yaml", "/spec/phase", "\"FIRST\""),
    ("envoy/istio/plugin.yaml", "/spec/failStrategy", "\"FAIL\""),
    ("envoy/istio/plugin.yaml", "/spec/vmConfig", "{\"envs\":[]}"),
    (
        "envoy/istio/plugin.yaml",
        "/spec/vmConfig/env/0/valueFrom",
        "\"SECRET\"",
    ),
    (
        "envoy/istio/traffic-extension.yaml",
        "/spec/wasm/failStrategy",
        "\"FAIL_IGNORE\"",
    ),
    (
        "envoy/istio/envoy-filter.yaml",
        "/spec/configPatches/0/applyTo",
        "\"HCM\"",
    ),
    (
        "envoy/istio/authorization.yaml",
        "/spec/rules/0/when/0/values",
        "\"ops\"",
    ),
    (
        "envoy/istio/key-service.yaml",
        "/spec/rules/0/from/0/source",
        "{\"principal\":\"x\"}",
    ),
    (
        "envoy/istio/telemetry.yaml",
        "/spec/accessLogging/0/providers",
        "[\"keygate\"]",
    ),
    (
        "envoy/gateway/extension-policy.yaml",
        "/spec/wasm/0/failOpen",
        "\"no\"",
    ),
    (
        "envoy/gateway/extension-policy.yaml",
        "/spec/wasm/0/env",
        "{\"host_env_keys\":[]}",
    ),
    (
        "envoy/gateway/patch-policy.yaml",
        "/spec/jsonPatches/0/operation/op",
        "\"merge\"",
    ),
    (
        "envoy/gateway/client-traffic-policy.yaml",
        "/spec/path/escapedSlashesAction",
        "\"REJECT_REQUEST\"",
    ),
    (
        "envoy/gateway/proxy.yaml",
        "/spec/filterOrder/0/before",
        "\"ext_proc\"",
    ),
];

/// The files of both folders that are resources; the others are values of Helm charts.
fn manifests() -> Vec<String> {
    let mut files: Vec<String> = FOLDERS
        .iter()
        .flat_map(|folder| {
            let entries = fs::read_dir(repository().join(folder)).unwrap();
            entries.map(move |entry| {
                let name = entry.unwrap().file_name();
                format!("{folder}/{}", name.to_str().unwrap())
            })
        })
        .filter(|file| !file.ends_with("-values.yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_resource_is_valid_for_its_definition() {
    let Some(definitions) = Definitions::find() else {
        return;
    };
    let manifests = manifests();
    assert!(manifests.len() >= 10, "{manifests:?}");
    for file in manifests {
        for resource in resources(&file) {
            assert_eq!(
                definitions.faults(&resource),
                Vec::<String>::new(),
                "{file}"
            );
            let mut unknown = resource;
            unknown["spec"]["keygate"] = json!(true);
            assert_eq!(definitions.faults(&unknown).len(), 1, "{file}");
        }
    }
}

#[test]
fn a_broken_resource_is_rejected_with_the_path_of_the_field() {
    let Some(definitions) = Definitions::find() else {
        return;
    };
    for (file, place, value) in BROKEN {
        let mut resource = resource(file);
        let value: Value = serde_json::from_str(value).unwrap();
        let (parent, name) = place.rsplit_once('/').unwrap();
        let parent = resource.pointer_mut(parent);
        match parent.unwrap_or_else(|| panic!("{file} has no {place}")) {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
            object => object[name] = value,
        }
        let faults = definitions.faults(&resource);
        assert!(
            faults.len() == 1 && faults[0].starts_with(place),
            "{file}: {place}: {faults:?}"
        );
    }
}

/// A definition that compares with another one would accept everything.
#[test]
fn a_kind_without_a_definition_is_an_error() {
    let Some(definitions) = Definitions::find() else {
        return;
    };
    let unknown = json!({ "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugins" });
    let result = std::panic::catch_unwind(|| definitions.faults(&unknown));
    assert!(result.is_err());
}
