//! Messages that name the cause and the next step.

mod meant;

use std::net::TcpListener;
use std::path::Path;

use crate::support::{EDGE, Server, cloudflare_policy, database, demo_policy, keygate};

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

/// What a command says that the key service does not serve.
#[track_caller]
fn unserved(url: &str, token: &str, code: i32) -> String {
    let done = keygate(&["keys", "list", "--service", url])
        .env("KEYGATE_ADMIN_TOKEN", token)
        .assert()
        .code(code);
    String::from_utf8_lossy(&done.get_output().stderr).into_owned()
}

#[test]
fn a_rejection_by_the_key_service_says_what_to_set() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let admin = crate::support::ADMIN;
    let url = server.url.as_str();
    let told = unserved(url, EDGE, 2);
    let expected = "does not permit this: set KEYGATE_ADMIN_TOKEN to an admin token";
    assert!(told.contains(expected), "{told}");
    let told = unserved(url, "another-token-0123456789", 2);
    let expected = "an active one from `keygate tokens create`";
    assert!(told.contains(expected), "{told}");
    let told = unserved(&format!("{url}/v1"), admin, 2);
    let expected = "give only scheme, host and port";
    assert!(told.contains(expected), "{told}");
    let told = unserved(&url.replace("http:", "https:"), admin, 3);
    let expected = "does not speak TLS: use http://";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_key_service_that_does_not_answer_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let told = unserved(&url, crate::support::ADMIN, 3);
    assert!(told.contains("did not answer within 5 s"), "{told}");
}

#[test]
fn a_link_that_is_not_valid_names_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let sign = |url: &str| {
        let sign = ["sign", url, "--key-id", "2026-11", "--expires-in", "1h"];
        let now = ["--now", "1700000000", "--secret-env", "SECRET"];
        printed(dir.path(), &[&sign[..], &now].concat(), 0)
            .trim()
            .to_owned()
    };
    let link = sign("https://h.example/a");
    let verify = |link: &str, more: &[&str]| {
        let verify = ["verify", link, "--now", "1700000001"];
        printed(dir.path(), &[&verify[..], more].concat(), 1)
    };
    let secret = ["--secret-env", "SECRET"];
    let told = verify(&link, &[&secret[..], &["--key-id", "2026-10"]].concat());
    let expected = "the secret is right, but the link names \"2026-11\", and here its id is \
                    \"2026-10\"";
    assert!(told.contains(expected), "{told}");
    let other = ["--secret", "another secret of thirty-two byte"];
    let told = verify(&link, &[&other[..], &["--key-id", "2026-11"]].concat());
    assert!(told.contains("header, cookie or secret"), "{told}");
    assert!(told.contains("token: in parameter \"kg\"\n"), "{told}");
    let told = verify("/a", &[&secret[..], &["--key-id", "k"]].concat());
    assert!(told.contains("looked in: parameter \"kg\""), "{told}");
}

#[test]
fn an_option_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let sign = [
        "sign",
        "https://h.example/a",
        "--key-id",
        "k",
        "--expires-in",
        "1h",
    ];
    for (more, expected) in [
        (
            &["--option", "ignore=utm_source"][..],
            "--set 'query_ignore=[\"utm_source\"]'",
        ),
        (&["--format", "nginx"], "--set allow_weak=true"),
        (
            &["--encoding", "hex"],
            "is not valid hex: use hexadecimal digits, or another encoding",
        ),
    ] {
        let args = [&sign[..], &["--secret-env", "SECRET"], more].concat();
        let told = printed(dir.path(), &args, 2);
        assert!(told.contains(expected), "{told}");
    }
    let ignore = [
        "--option",
        "ignore=utm_source",
        "--set",
        "query_ignore=[\"utm_source\"]",
    ];
    printed(
        dir.path(),
        &[&sign[..], &["--secret-env", "SECRET"], &ignore].concat(),
        0,
    );
}

#[test]
fn a_policy_of_public_keys_asks_for_the_private_key_to_sign() {
    let dir = with_policy(
        r#"{
          "version": 1,
          "secrets": { "ed": [
            { "id": "k1", "public_key": "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=" }
          ] },
          "providers": { "ed": { "type": "signed_url", "format": "keygate", "secrets": "ed",
            "algorithm": "EdDSA", "max_lifetime": "1d" } },
          "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "ed" }],
          "unmatched": "deny"
        }"#,
    );
    let sign = [
        "sign",
        "https://h.example/a",
        "--policy",
        "p.json",
        "--expires-in",
        "1h",
    ];
    let told = printed(dir.path(), &sign, 2);
    let expected = "a private key is required: give it with --private-key-file";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_precise_reason_in_a_response_names_its_public_one() {
    let policy = demo_policy().replace(
        "\"rules\": [",
        "\"responses\": { \"r\": { \"json\": {}, \"reasons\": { \"link_used\": { \"status\": 410 } } } },
        \"rules\": [",
    );
    let dir = with_policy(&policy);
    let told = printed(dir.path(), &["check", "p.json"], 1);
    let expected = "`link_used` is a precise reason: use its public reason, `expired`";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_policy_of_one_rule_is_counted_in_the_singular() {
    let dir = with_policy(
        r#"{ "version": 1, "unmatched": "deny",
          "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "nothing" }] }"#,
    );
    let told = printed(dir.path(), &["check", "p.json"], 0);
    assert!(told.ends_with("valid (1 rule)\n"), "{told}");
}

#[test]
fn verify_stops_if_one_of_several_providers_lacks_its_secret() {
    let policy = demo_policy()
        .replace(
            "\"secrets\": {",
            "\"secrets\": { \"other\": [ { \"id\": \"o\", \"env\": \"SECRET\" } ],",
        )
        .replace(
            "\"providers\": {",
            "\"providers\": { \"other\": { \"type\": \"signed_url\", \"format\": \"cloudflare\",
               \"secrets\": \"other\", \"ttl\": \"1h\" },",
        );
    let dir = with_policy(&policy);
    let url = "https://h.example/media/a";
    let sign = ["sign", url, "--key-id", "demo", "--expires-in", "1h"];
    let link = printed(
        dir.path(),
        &[&sign[..], &["--secret-env", "SECRET"]].concat(),
        0,
    );
    let verify = ["verify", link.trim(), "--policy", "p.json"];
    let told = printed(dir.path(), &verify, 2);
    let expected = "keygate: KEYGATE_MEDIA is not set in this shell";
    assert!(told.starts_with(expected), "{told}");
    let told = printed(dir.path(), &["verify", url, "--policy", "p.json"], 1);
    assert!(told.starts_with("rejected: missing_credential"), "{told}");
}
