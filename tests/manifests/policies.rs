//! The policies inside the manifests are valid, and are that of `envoy/envoy.yaml`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use keygate_core::keys::wire::{CHANGES_PATH, LINK_USES_PATH, LOOKUPS_PATH, USES_PATH};
use keygate_tests::manifests::{resource, resources};
use keygate_tests::repository;
use keygate_tests::service::keygate;
use serde_json::Value;

/// A file, where its policy is, and where the variables are that its filter may read.
const PLUGINS: [(&str, &str, &str); 3] = [
    (
        "envoy/istio/plugin.yaml",
        "/spec/pluginConfig",
        "/spec/vmConfig/env",
    ),
    (
        "envoy/istio/traffic-extension.yaml",
        "/spec/wasm/pluginConfig",
        "/spec/wasm/vmConfig/env",
    ),
    (
        "envoy/gateway/extension-policy.yaml",
        "/spec/wasm/0/config",
        "/spec/wasm/0/env/hostKeys",
    ),
];

const FILTER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";

fn at(resource: &Value, place: &str) -> Value {
    let value = resource.pointer(place);
    value
        .unwrap_or_else(|| panic!("nothing at {place}"))
        .clone()
}

/// What `keygate check` prints of a policy, and whether it is valid and without warnings.
fn check(policy: &Value) -> (bool, String) {
    let mut command = Command::new(keygate())
        .args(["check", "-", "--deny-warnings"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = command.stdin.take();
    write!(input.unwrap(), "{policy:#}").unwrap();
    let output = command.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    (output.status.success(), printed)
}

#[test]
fn every_policy_in_a_manifest_is_valid() {
    for (file, place, _) in PLUGINS {
        let mut policy = at(&resource(file), place);
        let (is_valid, printed) = check(&policy);
        assert!(is_valid, "{file}: {printed}");
        policy["rules"][1]["require"] = "link".into();
        let (is_valid, printed) = check(&policy);
        assert!(
            !is_valid && printed.contains("rules[1].require"),
            "{printed}"
        );
    }
}

#[test]
fn every_policy_in_a_manifest_is_that_of_the_demo() {
    let demo = at(&resource("envoy/envoy.yaml"), FILTER);
    let text = demo["configuration"]["value"].as_str().unwrap();
    let expected: Value = serde_json::from_str(text).unwrap();
    for (file, place, _) in PLUGINS {
        let policy = at(&resource(file), place);
        for member in [
            "version",
            "secrets",
            "providers",
            "rules",
            "unmatched",
            "responses",
        ] {
            assert_eq!(policy[member], expected[member], "{file}: {member}");
        }
        // Clusters and the host have other names there.
        for member in ["token_env", "timeout", "poll", "lease"] {
            let [policy, expected] = [&policy, &expected].map(|it| &it["key_service"][member]);
            assert_eq!(policy, expected, "{file}: {member}");
        }
    }
}

/// The variables that the policy names, and no value.
#[test]
fn every_manifest_hands_over_the_variables_of_its_policy() {
    for (file, place, variables) in PLUGINS {
        let resource = resource(file);
        let policy = at(&resource, place);
        let mut named: BTreeSet<String> = BTreeSet::new();
        for entry in policy["secrets"].as_object().unwrap().values() {
            named.insert(entry[0]["env"].as_str().unwrap().to_owned());
        }
        named.insert(
            policy["key_service"]["token_env"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        let handed = at(&resource, variables);
        let handed = handed.as_array().unwrap().iter().map(|entry| match entry {
            Value::String(name) => name.clone(),
            entry => {
                assert_eq!(entry["valueFrom"], "HOST", "{file}");
                assert_eq!(entry.get("value"), None, "{file}");
                entry["name"].as_str().unwrap().to_owned()
            }
        });
        assert_eq!(handed.collect::<BTreeSet<_>>(), named, "{file}");
    }
}

/// The variables of the proxy's container come from a Secret, by name.
#[test]
fn every_variable_of_a_proxy_comes_from_a_secret() {
    for (file, place) in [
        ("envoy/istio/gateway-values.yaml", "/envVarFrom"),
        (
            "envoy/gateway/proxy.yaml",
            "/spec/provider/kubernetes/envoyDeployment/container/env",
        ),
    ] {
        let variables = at(&resource(file), place);
        let names = ["KEYGATE_MEDIA", "KEYGATE_APP_KEYS", "KEYGATE_EDGE_TOKEN"];
        assert_eq!(variables.as_array().unwrap().len(), names.len(), "{file}");
        for (variable, name) in variables.as_array().unwrap().iter().zip(names) {
            assert_eq!(variable["name"], name, "{file}");
            assert_eq!(variable["valueFrom"]["secretKeyRef"]["key"], name, "{file}");
            assert_eq!(variable.get("value"), None, "{file}");
        }
    }
}

#[test]
fn both_plugins_of_istio_say_the_same() {
    let plugin = resource("envoy/istio/plugin.yaml");
    let extension = resource("envoy/istio/traffic-extension.yaml");
    let mut spec = extension["spec"].clone();
    let wasm = spec.as_object_mut().unwrap().remove("wasm").unwrap();
    let spec = spec.as_object_mut().unwrap();
    spec.extend(wasm.as_object().unwrap().clone());
    assert_eq!(Value::Object(spec.clone()), plugin["spec"]);
    assert_eq!(extension["metadata"], plugin["metadata"]);
}

/// `envoy/chart` names its Service after the release, and has a port for polls.
#[test]
fn the_clusters_of_istio_are_the_ports_of_the_service() {
    let values = resource("envoy/chart/values.yaml");
    let policy = at(&resource("envoy/istio/plugin.yaml"), "/spec/pluginConfig");
    let host = policy["key_service"]["authority"].as_str().unwrap();
    assert_eq!(host, "keygate.keygate.svc.cluster.local");
    for (member, port) in [("cluster", "port"), ("poll_cluster", "pollPort")] {
        let expected = format!("outbound|{}||{host}", values["service"][port]);
        assert_eq!(policy["key_service"][member], expected);
    }
}

#[test]
fn a_gateway_may_call_what_an_edge_needs_and_nothing_else() {
    let policies = resources("envoy/istio/key-service.yaml");
    let paths = at(&policies[0], "/spec/rules/0/to/0/operation/paths");
    let needed = [LOOKUPS_PATH, CHANGES_PATH, LINK_USES_PATH, USES_PATH];
    assert_eq!(paths, serde_json::json!(needed));
}

#[test]
fn every_manifest_names_its_image_by_digest() {
    for (file, ..) in PLUGINS {
        let text = fs::read_to_string(repository().join(file)).unwrap();
        let images = text
            .lines()
            .filter_map(|it| it.trim().strip_prefix("url: "));
        let images: Vec<&str> = images.collect();
        assert_eq!(images.len(), 1, "{file}");
        let (_, digest) = images[0].split_once("@sha256:").unwrap();
        let is_hex = digest.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(is_hex && digest.len() == 64, "{file}");
    }
}
