//! What `keygate render` makes: of the demo's policy exactly the files that users copy, and with any
//! options valid for the definitions of its resources.

use std::fs;
use std::process::Command;

use keygate_tests::manifests::{resource, resources};
use keygate_tests::repository;
use keygate_tests::service::keygate;
use serde_json::Value;
use tempfile::TempDir;

use crate::definitions::Definitions;

/// A platform, the folder whose files it is made from, and where its policy is.
const PLATFORMS: [(&str, &str, &str); 3] = [
    ("istio", "envoy/istio", "/spec/pluginConfig"),
    (
        "istio-traffic-extension",
        "envoy/istio",
        "/spec/wasm/pluginConfig",
    ),
    ("envoy-gateway", "envoy/gateway", "/spec/wasm/0/config"),
];

/// Options that each change something.
const OPTIONS: [(&str, &[&str]); 4] = [
    (
        "istio",
        &[
            "--selector",
            "app=in",
            "--service-account",
            "in",
            "--poll-port",
            "9",
        ],
    ),
    ("istio", &["--key-service", "http://keys.example.com:8801"]),
    (
        "istio-traffic-extension",
        &["--key-service", "http://k.keys.svc:81"],
    ),
    (
        "envoy-gateway",
        &[
            "--gateway",
            "g",
            "--listener",
            "a",
            "--listener",
            "b",
            "--key-service",
            "https://keys.example.com",
        ],
    ),
];

/// The files that are made, of the policy that the demo has as a file.
fn rendered(platform: &str, options: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(keygate())
        .args(["render", "--for", platform, "envoy/policy.yaml", "--output"])
        .arg(folder.path())
        .args(options)
        .current_dir(repository())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    folder
}

fn files(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The lines of comments that say what keeps a user safe.
fn security(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("# SECURITY"))
        .collect()
}

#[test]
fn the_demo_policy_renders_to_the_files_that_users_copy() {
    for (platform, shipped, place) in PLATFORMS {
        let folder = rendered(platform, &[]);
        let names = files(&folder);
        assert!(names.len() >= 5, "{names:?}");
        for name in names {
            let path = folder.path().join(&name);
            let mut made = resource(path.to_str().unwrap());
            // The examples are the policy without its looks.
            if let Some(policy) = made.pointer_mut(place).and_then(Value::as_object_mut) {
                assert!(policy.remove("brand").is_some(), "{name}");
            }
            let example = format!("{shipped}/{name}");
            assert_eq!(made, resource(&example), "{platform}: {name}");
            let example = fs::read_to_string(repository().join(&example)).unwrap();
            let made = fs::read_to_string(path).unwrap();
            assert_eq!(security(&made), security(&example), "{platform}: {name}");
        }
    }
    let folder = rendered("envoy", &[]);
    let mut made = resource(folder.path().join("envoy.yaml").to_str().unwrap());
    let mut example = resource("envoy/envoy.yaml");
    let [made_policy, policy] = [&mut made, &mut example].map(|it| {
        let place = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config\
                     /http_filters/0/typed_config/config/configuration/value";
        let text = it.pointer_mut(place).unwrap().take();
        serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap()
    });
    assert_eq!(made_policy, policy);
    assert_eq!(made, example);
}

#[test]
fn every_rendered_resource_is_valid_for_its_definition() {
    let Some(definitions) = Definitions::find() else {
        return;
    };
    let digest = "0123456789abcdef".repeat(4);
    let image = format!("r.example/keygate@sha256:{digest}");
    let common = [
        "--namespace",
        "web",
        "--name",
        "gate",
        "--secret",
        "edge",
        "--image",
        &image,
    ];
    for (platform, options) in OPTIONS {
        let folder = rendered(platform, &[&common[..], options].concat());
        let names = files(&folder);
        for name in names.iter().filter(|name| !name.ends_with("-values.yaml")) {
            let path = folder.path().join(name);
            for resource in resources(path.to_str().unwrap()) {
                assert_eq!(
                    definitions.faults(&resource),
                    Vec::<String>::new(),
                    "{platform}: {name}"
                );
                let namespace = match name.as_str() {
                    "key-service.yaml" => continue,
                    _ => &resource["metadata"]["namespace"],
                };
                assert_eq!(namespace, "web", "{platform}: {name}");
            }
        }
    }
}

/// Both listeners get both patches, with their names.
#[test]
fn every_listener_of_a_gateway_gets_the_patches() {
    let folder = rendered("envoy-gateway", OPTIONS[3].1);
    let patches = resource(folder.path().join("patch-policy.yaml").to_str().unwrap());
    let patches = patches["spec"]["jsonPatches"].as_array().unwrap();
    let patch = |patch: &Value| {
        let operation = &patch["operation"];
        format!(
            "{} {} {}",
            patch["name"], operation["path"], operation["value"]
        )
        .replace('"', "")
    };
    let listeners: Vec<String> = patches.iter().take(4).map(patch).collect();
    let expected = [
        "edge/g/a typed_config/config/failure_policy FAIL_RELOAD",
        "edge/g/a disabled false",
        "edge/g/b typed_config/config/failure_policy FAIL_RELOAD",
        "edge/g/b disabled false",
    ];
    assert_eq!(listeners, expected);
    assert_eq!(patches.len(), 6);
}
