//! Messages that name the cause and the next step.

use std::path::Path;

use crate::support::{cloudflare_policy, demo_policy, keygate};

const SECRET: &str = "a secret of thirty-two bytes, ok";

/// What is printed, to both.
#[track_caller]
fn printed(dir: &Path, args: &[&str], code: i32) -> String {
    let done = keygate(args)
        .current_dir(dir)
        .env("SECRET", SECRET)
        .assert()
        .code(code);
    let output = done.get_output();
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(all).unwrap()
}

fn with_policy(policy: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.json"), policy).unwrap();
    dir
}

#[test]
fn an_unset_variable_is_reported_for_the_shell() {
    let dir = with_policy(&demo_policy());
    let url = "https://h.example/media/a?kg=x";
    let sign = ["sign", "/media/a", "--expires-in", "1h"];
    for args in [&["verify", url][..], &sign] {
        let args = [args, &["--policy", "p.json"]].concat();
        let told = printed(dir.path(), &args, 2);
        let expected = "keygate: KEYGATE_MEDIA is not set in this shell: set it to the value that \
                        Envoy has\n";
        assert_eq!(told, expected, "{args:?}");
    }
}

#[test]
fn check_names_the_variables_that_envoy_does_not_hand_over() {
    let dir = with_policy(&demo_policy());
    let yaml = include_str!("../../../../envoy/envoy.yaml");
    let envoy = dir.path().join("envoy.yaml");
    std::fs::write(&envoy, yaml).unwrap();
    let check = ["check", "p.json", "--envoy", "envoy.yaml"];
    let told = printed(dir.path(), &check, 0);
    assert!(told.contains("p.json: valid (4 rules)"), "{told}");
    let keys = "[KEYGATE_MEDIA, KEYGATE_APP_KEYS, KEYGATE_EDGE_TOKEN]";
    assert!(yaml.contains(keys));
    std::fs::write(&envoy, yaml.replace(keys, "[KEYGATE_MEDIA]")).unwrap();
    let told = printed(dir.path(), &check, 1);
    let at = yaml.lines().position(|it| it.contains(keys)).unwrap() + 1;
    for name in ["KEYGATE_APP_KEYS", "KEYGATE_EDGE_TOKEN"] {
        let expected = format!("envoy.yaml:{at}: host_env_keys: {name} is missing");
        assert!(told.contains(&expected), "{told}");
    }
    assert!(!told.contains("KEYGATE_MEDIA is missing"), "{told}");
    assert!(!told.contains("valid"), "{told}");
}

#[test]
fn a_path_that_is_not_percent_encoded_is_named() {
    let dir = with_policy(&cloudflare_policy().replace("KEYGATE_MEDIA", "SECRET"));
    let expected = "contains characters that must be percent-encoded: percent-encode each segment";
    let url = "https://h.example/media/K\u{e4}se.pdf";
    let request = format!("GET {url}");
    let verify = ["verify", url, "--policy", "p.json"];
    let explain = ["explain", "--policy", "p.json", "--request", &request];
    for (args, code) in [
        (&verify[..], 1),
        (&explain, 1),
        (&["sign", url, "--key-id", "k", "--expires-in", "1h"], 2),
    ] {
        let told = printed(dir.path(), args, code);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_rule_of_sessions_is_tried_with_given_claims() {
    let policy = demo_policy()
        .replace(
            "\"providers\": {",
            "\"providers\": { \"session\": { \"type\": \"jwt\", \"scopes_claim\": \"scope\" },",
        )
        .replace(
            "\"path\": \"/api/**\" }, \"require\": \"app-key\"",
            "\"path\": \"/api/**\" }, \"require\": \"session\"",
        );
    assert!(policy.contains("\"require\": \"session\""), "{policy}");
    let dir = with_policy(&policy);
    let explain = |more: &[&str], code| {
        let args = ["explain", "--policy", "p.json", "--request", "GET /api/x"];
        printed(dir.path(), &[&args, more].concat(), code)
    };
    let told = explain(&[], 1);
    let expected = "claim \"sub\": not given (see --session)";
    assert!(told.contains(expected), "{told}");
    let list = r#"{"sub": "alice", "scope": ["read", "write"], "exp": 1}"#;
    for claims in ["sub=alice,scope=read write", list] {
        let told = explain(&["--session", claims], 0);
        for expected in [
            "claim \"sub\": given",
            "met, by account \"alice\"",
            "x-keygate-account: alice",
            "x-keygate-scopes: read write",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }
    explain(&["--session", r#"{"sub": 7}"#], 1);
    let told = explain(&["--session", "alice"], 2);
    assert!(told.contains("sub=alice,scope=read"), "{told}");
}

#[test]
fn a_url_that_no_client_sends_is_not_signed() {
    let dir = tempfile::tempdir().unwrap();
    for (url, expected) in [
        ("https://h.example:99999/a", "port 99999 is not valid"),
        ("https://u:pw@h.example/a", "remove user:password@"),
        (
            "a.example/x",
            "the URL must start with http:// or https://, or be a path that starts with /",
        ),
    ] {
        let sign = ["sign", url, "--key-id", "k", "--expires-in", "1h"];
        let told = printed(
            dir.path(),
            &[&sign[..], &["--secret-env", "SECRET"]].concat(),
            2,
        );
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("u:pw"), "{told}");
    }
    for url in [
        "https://h.example:8443/a",
        "https://[2001:db8::7]/a",
        "https://[::1]:80/a",
    ] {
        let sign = ["sign", url, "--key-id", "k", "--expires-in", "1h"];
        printed(
            dir.path(),
            &[&sign[..], &["--secret-env", "SECRET"]].concat(),
            0,
        );
    }
}
