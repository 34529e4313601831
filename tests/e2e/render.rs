//! What `keygate render` makes of one policy, in a real Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use keygate_tests::launch::ENVOY;
use keygate_tests::service::{APP_KEYS, EDGE_TOKEN, MEDIA, Service, keygate};
use keygate_tests::{Stack, repository};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{assert_decides_as_the_demo, assert_never_trapped, sign};
use crate::{gateway, istio};

const PAGE: &str = "<!doctype html>\n<h1>Not here: {reason}</h1>\n";

/// The files for a platform, of the demo's policy in YAML, with a page in a file and a rule that
/// lets encoded slashes through.
pub fn rendered(platform: &str, options: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let policy = fs::read_to_string(repository().join("envoy/policy.yaml")).unwrap();
    let page = "page: { html: \"@page.html\", reasons:";
    let policy = policy.replace("page: { reasons:", page);
    let beta = "require: app-key, mode: simulate";
    let policy = policy.replace(beta, &format!("{beta}, allow_encoded_slash: true"));
    assert!(policy.contains("@page.html") && policy.contains("allow_encoded_slash"));
    fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    fs::write(folder.path().join("page.html"), PAGE).unwrap();
    fs::copy(
        repository().join("envoy/logo.svg"),
        folder.path().join("logo.svg"),
    )
    .unwrap();
    let done = Command::new(keygate())
        .args(["render", "--for", platform, "policy.yaml", "-o", "."])
        .args(options)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    folder
}

/// The path of a file that was rendered.
pub fn file(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// The rules, the page from its file, and the slash that only a rule may reject.
fn assert_decides(stack: &Stack, service: &Service) {
    assert_decides_as_the_demo(stack, service);
    let rejected = stack
        .get("/media/cat.jpg")
        .header("accept", "text/html")
        .send();
    assert!(
        rejected
            .text()
            .contains("<h1>Not here: missing_credential</h1>"),
        "{}",
        rejected.text()
    );
    assert_eq!(stack.get("/beta/a%2Fb").send().status, 200);
    assert_eq!(stack.get(sign("/media/a%2Fb", &[])).send().status, 400);
    assert_never_trapped(stack);
}

#[test]
fn the_rendered_configuration_decides_in_a_real_envoy() {
    let folder = rendered("envoy", &[]);
    let stack = Stack::of_file(&file(&folder, "envoy.yaml")).start();
    assert_decides(&stack, stack.service());
}

/// The filter and the clusters of `--parts` in a configuration that has neither.
#[test]
fn the_rendered_parts_decide_in_another_configuration() {
    let folder = rendered("envoy", &["--parts", "--module", "target/keygate.wasm"]);
    let text = fs::read_to_string(folder.path().join("envoy.yaml")).unwrap();
    let parts: Value = serde_saphyr::from_str(&text).unwrap();
    let stack = Stack::builder()
        .envoy(|envoy| envoy.change(|bootstrap| put_in(bootstrap, &parts)))
        .start();
    assert_decides(&stack, stack.service());
}

fn put_in(bootstrap: &mut Value, parts: &Value) {
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let manager = bootstrap.pointer_mut(manager).unwrap();
    let module = manager["http_filters"][0]["typed_config"]["config"]["vm_config"]["code"].take();
    manager["http_filters"][0] = parts["http_filters"][0].clone();
    manager["http_filters"][0]["typed_config"]["config"]["vm_config"]["code"] = module;
    manager["path_with_escaped_slashes_action"] = "KEEP_UNCHANGED".into();
    let clusters = bootstrap["static_resources"]["clusters"]
        .as_array_mut()
        .unwrap();
    clusters.truncate(1);
    clusters.extend(parts["clusters"].as_array().unwrap().iter().cloned());
    assert_eq!(clusters.len(), 3);
}

/// Byte for byte, with every option, and TLS to the key service.
#[test]
fn envoy_accepts_the_rendered_text_itself() {
    let module = repository().join("target/keygate.wasm");
    let module = module.to_str().unwrap();
    let options = [
        "--module",
        module,
        "--listen",
        "[::1]:10000",
        "--upstream",
        "app.internal:3000",
    ];
    let with = |service: &str| {
        rendered(
            "envoy",
            &[&options[..], &["--key-service", service]].concat(),
        )
    };
    let folder = with("https://keys.example.com");
    let (is_valid, log) = validated(folder.path(), module);
    assert!(is_valid, "{log}");
    // Envoy has read the policy as well.
    let folder = with("http://127.0.0.1:8801");
    let path = folder.path().join("envoy.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let wrong = text.replace("\"unmatched\": \"deny\"", "\"unmatched\": \"no\"");
    assert_ne!(wrong, text);
    fs::write(&path, wrong).unwrap();
    let (is_valid, log) = validated(folder.path(), module);
    assert!(!is_valid && log.contains("unmatched"), "{log}");
}

fn validated(folder: &Path, module: &str) -> (bool, String) {
    let variables = [
        ("KEYGATE_MEDIA", MEDIA),
        ("KEYGATE_APP_KEYS", APP_KEYS),
        ("KEYGATE_EDGE_TOKEN", EDGE_TOKEN),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let file = folder.join("envoy.yaml").to_str().unwrap().to_owned();
    let arguments = ["--mode", "validate", "-c", &file].map(str::to_owned);
    let variables = BTreeMap::from(variables);
    let (mut command, _container) =
        ENVOY.command(&arguments, &variables, folder, Path::new(module));
    let done = command.output().unwrap();
    let log = [done.stdout, done.stderr].concat();
    (
        done.status.success(),
        String::from_utf8_lossy(&log).into_owned(),
    )
}

#[test]
fn the_rendered_manifests_decide_in_a_real_envoy() {
    let folder = rendered("istio", &[]);
    let (stack, service) = istio::gateway(folder.path().to_str().unwrap(), true);
    assert_decides(&stack, &service);
    let folder = rendered("envoy-gateway", &[]);
    let (stack, service) = gateway::gateway(folder.path().to_str().unwrap(), true);
    assert_decides(&stack, &service);
}
