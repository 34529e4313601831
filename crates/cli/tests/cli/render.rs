//! `keygate render`: what it makes of a policy, and where it puts that.

mod policies;
mod refused;

use std::fs;
use std::path::Path;

use assert_cmd::assert::Assert;
use tempfile::TempDir;

use crate::support::{demo_policy, keygate};

pub const YAML: &str = include_str!("../../../../envoy/policy.yaml");

pub const PLATFORMS: [&str; 4] = ["envoy", "istio", "istio-traffic-extension", "envoy-gateway"];

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A folder with the policy of the demo and its logo.
pub fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let logo = include_str!("../../../../envoy/logo.svg");
    fs::write(dir.path().join("logo.svg"), logo).unwrap();
    fs::write(dir.path().join("policy.yaml"), YAML).unwrap();
    dir
}

pub fn run(dir: &Path, args: &[&str]) -> Assert {
    keygate(args).current_dir(dir).assert()
}

/// What is printed, to standard output and to standard error.
#[track_caller]
pub fn printed(dir: &Path, args: &[&str], code: i32) -> [String; 2] {
    let done = run(dir, args);
    let output = done.get_output();
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "{args:?}: {out}{err}");
    [out, err]
}

pub fn rendered(dir: &Path, platform: &str, more: &[&str]) -> String {
    let args = ["render", "--for", platform, "policy.yaml"];
    let [out, _] = printed(dir, &[&args, more].concat(), 0);
    out
}

#[test]
fn yaml_and_json_make_the_same_configuration() {
    let dir = folder();
    let json = demo_policy().replacen('{', "{ \"$schema\": \"policy.schema.json\",", 1);
    fs::write(dir.path().join("policy.json"), &json).unwrap();
    for platform in PLATFORMS {
        let [of_json, _] = printed(dir.path(), &["render", "--for", platform, "policy.json"], 0);
        assert_eq!(rendered(dir.path(), platform, &[]), of_json, "{platform}");
        assert!(
            !of_json.contains("$schema") && !of_json.contains("@logo"),
            "{of_json}"
        );
    }
}

/// YAML 1.1, which kubectl reads, takes these for booleans and numbers unless they are quoted.
#[test]
fn texts_that_older_yaml_reads_otherwise_are_quoted() {
    let dir = folder();
    let policy = YAML
        .replace("mode: simulate", "mode: off")
        .replace("id: demo", "id: 1_0")
        .replace("name: health", "name: no");
    fs::write(dir.path().join("policy.yaml"), policy).unwrap();
    for platform in &PLATFORMS[1..] {
        let text = rendered(dir.path(), platform, &[]);
        for expected in ["mode: \"off\"", "id: \"1_0\"", "name: \"no\"", "id: \"01\""] {
            assert!(text.contains(expected), "{platform}: {expected}");
        }
    }
}

#[test]
fn options_are_put_in_place_and_what_was_to_change_is_done() {
    let dir = folder();
    let image = format!("r.example/keygate@{DIGEST}");
    let common = [
        "--image",
        &image,
        "--namespace",
        "web",
        "--name",
        "gate",
        "--secret",
        "edge",
    ];
    let istio = [
        "--selector",
        "app=in",
        "--service-account",
        "in",
        "--key-service",
        "http://k.keys.svc:81",
    ];
    let gateway = [
        "--gateway",
        "front",
        "--listener",
        "http",
        "--listener",
        "https",
        "--key-service",
        "https://keys.example.com",
    ];
    let envoy = [
        "--listen",
        "[::]:443",
        "--upstream",
        "app.internal:3000",
        "--module",
        "/etc/keygate.wasm",
        "--key-service",
        "https://keys.example.com",
    ];
    for (platform, options, expected) in [
        (
            "istio",
            [&common[..], &istio].concat(),
            &[
                "url: oci://r.example/keygate@sha256:0123",
                "namespace: web",
                "name: gate-connections",
                "matchLabels: {\"app\":\"in\"}",
                "labels: {\"app\":\"in\"}",
                "namespace: keys",
                "cluster: outbound|81||k.keys.svc.cluster.local",
                "authority: k.keys.svc.cluster.local",
                "poll_cluster: outbound|82||k.keys.svc.cluster.local",
                "cluster.local/ns/web/sa/in",
            ][..],
        ),
        (
            "envoy-gateway",
            [&common[..], &gateway].concat(),
            &[
                "url: r.example/keygate@sha256:0123",
                "name: web/front/http\n",
                "name: web/front/https\n",
                "envoyextensionpolicy/web/gate/wasm/0",
                "name: front",
                "authority: keys.example.com",
                "sni: keys.example.com",
                "port_value: 443",
                "name: edge\n",
            ],
        ),
        (
            "envoy",
            envoy.to_vec(),
            &[
                "address: \"::\", port_value: 443",
                "address: app.internal, port_value: 3000",
                "filename: /etc/keygate.wasm",
                "sni: keys.example.com",
                "type: STRICT_DNS",
            ],
        ),
    ] {
        let args = [
            &["render", "--for", platform, "policy.yaml", "-o", platform][..],
            &options,
        ]
        .concat();
        let [out, told] = printed(dir.path(), &args, 0);
        assert_eq!(out, "");
        let mut text = String::new();
        for entry in fs::read_dir(dir.path().join(platform)).unwrap() {
            text.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
        }
        for expected in expected {
            assert!(text.contains(expected), "{platform}: {expected}: {text}");
        }
        // What is left is named with its place.
        let left = told.lines().filter(|line| line.contains(" CHANGE"));
        let marked = text
            .lines()
            .filter(|line| line.contains("# CHANGE") || line.contains(". CHANGE"));
        assert_eq!(left.count(), marked.count(), "{told}");
        assert!(
            !told.contains("registry") && !told.contains("namespace:"),
            "{told}"
        );
    }
}

#[test]
fn a_policy_without_a_key_service_needs_no_cluster() {
    let dir = folder();
    let (before, rest) = YAML.split_once("key_service:").unwrap();
    let (_, rest) = rest.split_once("\n\n").unwrap();
    let (between, rest) = rest.split_once("  app-key:").unwrap();
    let (_, rest) = rest.split_once("\n\n").unwrap();
    let policy = [
        before,
        between,
        "\n",
        &rest.replace("require: app-key", "require: media-link"),
    ]
    .concat();
    fs::write(dir.path().join("policy.yaml"), &policy).unwrap();
    for platform in PLATFORMS {
        let text = rendered(dir.path(), platform, &[]);
        assert!(
            !text.contains("8801") && !text.contains("kind: AuthorizationPolicy"),
            "{text}"
        );
    }
    let args = ["render", "--for", "envoy", "policy.yaml", "--parts"];
    let [parts, told] = printed(dir.path(), &args, 0);
    assert!(!parts.contains("clusters:"), "{parts}");
    assert!(
        told.contains("note: your configuration also needs the lines marked SECURITY"),
        "{told}"
    );
    // With a key service, but no cluster of its own for polls.
    fs::write(
        dir.path().join("policy.yaml"),
        YAML.replace("  poll_cluster: keygate_polls\n", ""),
    )
    .unwrap();
    let text = rendered(dir.path(), "envoy-gateway", &[]);
    assert_eq!(text.matches("name: keygate_keys").count(), 3, "{text}");
    assert!(!text.contains("keygate_polls"), "{text}");
}

/// Rules decide about an encoded slash only if Envoy lets it through.
#[test]
fn a_rule_that_allows_encoded_slashes_gets_them() {
    let dir = folder();
    for (is_allowed, rule) in [
        (false, "require: nothing"),
        (true, "require: nothing, allow_encoded_slash: true"),
    ] {
        fs::write(
            dir.path().join("policy.yaml"),
            YAML.replace("require: nothing", rule),
        )
        .unwrap();
        for platform in PLATFORMS {
            let text = rendered(dir.path(), platform, &[]);
            let keeps = text.contains("KEEP_UNCHANGED") || text.contains("KeepUnchanged");
            assert_eq!(keeps, is_allowed, "{platform}");
        }
    }
}

#[test]
fn files_are_written_all_or_none_and_never_replaced_unasked() {
    let dir = folder();
    let args = ["render", "--for", "istio", "policy.yaml", "--output", "a/b"];
    printed(dir.path(), &args, 0);
    let names = || {
        let entries = fs::read_dir(dir.path().join("a/b")).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let all = names();
    let expected = [
        "envoy-filter.yaml",
        "gateway-values.yaml",
        "key-service.yaml",
        "mesh-values.yaml",
        "plugin.yaml",
        "telemetry.yaml",
    ];
    assert_eq!(all, expected);
    let plugin = dir.path().join("a/b/plugin.yaml");
    fs::write(&plugin, "mine").unwrap();
    fs::remove_file(dir.path().join("a/b/telemetry.yaml")).unwrap();
    let [_, told] = printed(dir.path(), &args, 2);
    assert!(
        told.contains("a/b already has envoy-filter.yaml, key-service.yaml"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(&plugin).unwrap(), "mine");
    assert_eq!(names().len(), all.len() - 1);
    printed(dir.path(), &[&args[..], &["--force"]].concat(), 0);
    assert!(
        fs::read_to_string(&plugin)
            .unwrap()
            .contains("kind: WasmPlugin")
    );
    assert_eq!(names(), all);
    let [_, told] = printed(
        dir.path(),
        &[
            "render",
            "--for",
            "envoy",
            "policy.yaml",
            "-o",
            "policy.yaml",
        ],
        2,
    );
    assert!(
        told.starts_with("keygate: cannot write to policy.yaml: "),
        "{told}"
    );
}
