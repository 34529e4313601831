//! `keygate explain`, `keygate verify --policy` and the filter's own decision agree.

mod providers;

use keygate_core::http::path::as_envoy_sends;
use keygate_core::keys::NothingKnown;
use keygate_core::{Client, Facts, NoClaims, Policy, UnixMillis, Verdict};
use tempfile::TempDir;

use crate::support::keygate;

const SECRET: &str = "a secret of thirty-two bytes, ok";
const NOW: &str = "1700000100";

const POLICY: &str = r#"{
  "version": 1,
  "secrets": { "media": [{ "id": "1", "env": "KEYGATE_MEDIA" }],
    "keys": [{ "id": "01", "env": "KEYGATE_APP_KEYS" }] },
  "key_service": { "cluster": "k", "authority": "k", "token_env": "KEYGATE_EDGE_TOKEN" },
  "providers": {
    "link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h" },
    "key": { "type": "app_key", "secrets": "keys", "from": ["bearer"] }
  },
  "rules": [
    { "name": "admin", "match": { "path": "/**", "hosts": ["admin.example"] }, "require": "key" },
    { "name": "plain", "match": { "path": "/plain/**", "methods": ["GET"] }, "require": "link" },
    { "name": "narrow", "match": { "path": "/wide/admin/**" }, "require": "key" },
    { "name": "wide", "match": { "path": "/wide/**" }, "require": "link",
      "allow_encoded_slash": true, "allow_path_parameters": true },
    { "name": "trial", "match": { "path": "/trial/**" }, "require": "link", "mode": "simulate" },
    { "name": "off", "match": { "path": "/off/**" }, "require": "link", "mode": "off" },
    { "name": "both", "match": { "path": "/both/**" }, "require": { "all": ["link", "key"] } },
    { "name": "open", "match": { "path": "/open/**" }, "require": "nothing" }
  ],
  "unmatched": "deny"
}"#;

/// A method, a host, a path that is signed, whether the signature is then broken, and the
/// decision: the code of a rejection, or `pass`.
const CASES: &[(&str, &str, &str, bool, &str)] = &[
    ("GET", "h.example", "/plain/a", false, "pass"),
    ("GET", "h.example", "/plain/a", true, "wrong_signature"),
    ("DELETE", "h.example", "/plain/a", false, "no_rule"),
    ("get", "h.example", "/plain/a", false, "unreadable_request"),
    (
        "GET",
        "admin.example",
        "/plain/a",
        false,
        "missing_credential",
    ),
    (
        "GET",
        "admin.example:x",
        "/plain/a",
        false,
        "unreadable_request",
    ),
    ("GET", "h.example", "/plain/a%2Fb", false, "encoded_slash"),
    ("GET", "h.example", "/plain/a;v=1", false, "path_parameter"),
    ("GET", "h.example", "/plain/a%3Bv", false, "path_parameter"),
    ("GET", "h.example", "/plain/%61", false, "pass"),
    ("GET", "h.example", "/wide/a%2Fb", false, "pass"),
    ("GET", "h.example", "/wide/a%2Fb", true, "wrong_signature"),
    ("GET", "h.example", "/wide/a;v=1", false, "pass"),
    (
        "GET",
        "h.example",
        "/wide/admin%2Fb",
        false,
        "ambiguous_path",
    ),
    (
        "GET",
        "h.example",
        "/wide/admin;v=1/b",
        false,
        "ambiguous_path",
    ),
    (
        "GET",
        "h.example",
        "/wide/admin/b",
        false,
        "missing_credential",
    ),
    ("GET", "h.example", "/trial/a", false, "pass"),
    ("GET", "h.example", "/trial/a", true, "pass"),
    ("GET", "h.example", "/trial/a%2Fb", false, "encoded_slash"),
    ("GET", "h.example", "/off/a", true, "pass"),
    ("GET", "h.example", "/both/a", false, "missing_credential"),
    ("GET", "h.example", "/open/a", true, "pass"),
    ("GET", "h.example", "/nowhere", false, "no_rule"),
];

struct Place(TempDir);

impl Place {
    fn new(policy: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("policy.json"), policy).unwrap();
        Self(dir)
    }

    /// What is printed to both, and the exit code.
    fn run(&self, args: &[&str]) -> (String, String, i32) {
        let done = keygate(args)
            .current_dir(self.0.path())
            .env("KEYGATE_MEDIA", SECRET)
            .assert();
        let output = done.get_output();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let code = output.status.code().unwrap_or(-1);
        (text(&output.stdout), text(&output.stderr), code)
    }

    fn signed(&self, url: &str, is_broken: bool) -> String {
        let (out, err, code) =
            self.run(&["sign", url, "--now", "1700000000", "--format", "cloudflare"]);
        assert_eq!(code, 0, "{url}: {err}");
        let last = out.trim().len() - 6;
        match is_broken {
            true => format!("{}AAA%3D", out.trim().get(..last).unwrap()),
            false => out.trim().to_owned(),
        }
    }
}

/// The code of the core's rejection of what Envoy sends to the filter, or `pass`.
fn decided(policy: &str, method: &str, host: &str, target: &str) -> &'static str {
    let environment = |name: &str| {
        let value = if name == "KEYGATE_MEDIA" {
            SECRET
        } else {
            "30303030303030303030303030303030"
        };
        Some(value.as_bytes().to_vec())
    };
    let policy = Policy::parse(policy.as_bytes(), &environment).unwrap();
    let headers = [
        (":method", method),
        (":scheme", "https"),
        (":authority", host),
        (":path", &as_envoy_sends(target)),
    ]
    .map(|(name, value)| (name.into(), value.into()));
    let facts = Facts {
        checks: keygate_core::signed_url::Checks::default(),
        client: Client::Known(None),
        keys: &NothingKnown,
        claims: &NoClaims,
        now: UnixMillis::from_secs(NOW.parse().unwrap()),
    };
    match policy.decide(&headers, &facts) {
        Verdict::Allow(_) => "pass",
        Verdict::Deny(denial) => denial.reason.code(),
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn explain_and_verify_decide_as_the_filter_does() {
    let place = Place::new(POLICY);
    for &(method, host, path, is_broken, expected) in CASES {
        let link = place.signed(&format!("https://h.example{path}"), is_broken);
        let target = link.strip_prefix("https://h.example").unwrap();
        let case = format!("{method} {host}{target}");
        assert_eq!(decided(POLICY, method, host, target), expected, "{case}");

        let url = format!("https://{host}{target}");
        let request = format!("{method} {url}");
        let explain = ["explain", "--policy", "policy.json", "--now", NOW];
        let (out, _, code) = place.run(&[&explain[..], &["--request", &request]].concat());
        let verify = ["verify", &url, "--policy", "policy.json", "--now", NOW];
        let (told, err, verified) = place.run(&[&verify[..], &["--method", method]].concat());
        if expected == "pass" {
            assert!(
                out.contains("verdict   allow: ") && code == 0,
                "{case}: {out}"
            );
            assert!(told.contains(": the request passes"), "{case}: {told}{err}");
            assert_eq!(verified, i32::from(is_broken), "{case}: {told}");
            let start = if is_broken {
                "the link is not valid: wrong_signature: "
            } else {
                "valid, until "
            };
            assert!(told.starts_with(start), "{case}: {told}");
        } else {
            let verdict = format!(" {expected}; the client reads ");
            assert!(out.contains(&verdict) && code == 1, "{case}: {out}");
            let start = format!("rejected: {expected}: ");
            assert!(
                told.starts_with(&start) && verified == 1,
                "{case}: {told}{err}"
            );
        }
    }
}

#[test]
fn verify_rejects_a_policy_that_check_rejects() {
    let wrong = POLICY.replace("\"mode\": \"off\"", "\"mode\": \"of\"");
    let place = Place::new(&wrong);
    let link = place.signed("https://h.example/plain/a", false);
    let (out, err, code) = place.run(&["verify", &link, "--policy", "policy.json"]);
    assert!(out.is_empty() && code == 2, "{out}{err}");
    assert!(
        err.contains("rules[5].mode") && err.contains("keygate check policy.json"),
        "{err}"
    );
    let sign = [
        "sign",
        "https://h.example/plain/a",
        "--policy",
        "policy.json",
    ];
    let (out, err, code) = place.run(&sign);
    assert!(out.starts_with("https://") && code == 0, "{out}{err}");
    assert!(
        err.starts_with("warning: ") && err.contains("rules[5].mode"),
        "{err}"
    );
}

#[test]
fn sign_warns_where_the_policy_rejects_the_path() {
    let place = Place::new(POLICY);
    let sign = |url: &str| {
        let (_, err, code) = place.run(&["sign", url, "--policy", "policy.json"]);
        assert_eq!(code, 0, "{url}: {err}");
        err
    };
    for (url, told) in [
        ("https://h.example/plain/a%2Fb", "400 encoded_slash"),
        ("https://h.example/nowhere", "403 no_rule"),
        ("https://h.example/wide/admin%2Fb", "400 ambiguous_path"),
    ] {
        let err = sign(url);
        assert!(
            err.starts_with("warning: ") && err.contains(told),
            "{url}: {err}"
        );
    }
    for url in ["https://h.example/plain/a", "/nowhere"] {
        assert_eq!(sign(url), "", "{url}");
    }
}

#[test]
fn an_envoy_that_rejects_encoded_slashes_first_is_named() {
    let place = Place::new(POLICY);
    let file = |action: &str| {
        let field = format!("path_with_escaped_slashes_action: {action}\n");
        std::fs::write(place.0.path().join("envoy.yaml"), field).unwrap();
    };
    let link = place.signed("https://h.example/wide/a%2Fb", false);
    let request = format!("GET {link}");
    let commands: [&[&str]; 3] = [
        &["verify", &link, "--policy", "policy.json", "--now", NOW],
        &[
            "explain",
            "--policy",
            "policy.json",
            "--request",
            &request,
            "--now",
            NOW,
        ],
        &["check", "policy.json"],
    ];
    for command in commands {
        let (out, _, _) = place.run(command);
        assert!(
            out.contains("note: %2F reaches Keygate only if Envoy's"),
            "{out}"
        );
        let with_file = [command, &["--envoy", "envoy.yaml"]].concat();
        for (action, told) in [
            (
                "REJECT_REQUEST",
                Some("Envoy answers 400 to a path with %2F"),
            ),
            ("UNESCAPE_AND_FORWARD", Some("Envoy turns %2F into")),
            ("UNESCAPE_AND_REDIRECT", Some("Envoy redirects")),
            ("KEEP_UNCHANGED", None),
        ] {
            file(action);
            let (out, _, _) = place.run(&with_file);
            let line =
                format!("warning: envoy.yaml:1: path_with_escaped_slashes_action is {action}");
            assert_eq!(out.contains(&line), told.is_some(), "{action}: {out}");
            assert!(out.contains(told.unwrap_or("")), "{action}: {out}");
        }
    }
    file("REJECT_REQUEST");
    let deny = [
        "check",
        "policy.json",
        "--envoy",
        "envoy.yaml",
        "--deny-warnings",
    ];
    assert_eq!(place.run(&deny).2, 1);
}

#[test]
fn explain_names_the_rule_of_each_reading_of_a_path() {
    let place = Place::new(POLICY);
    let request = "GET https://h.example/wide/admin%2Fb";
    let (out, _, _) = place.run(&["explain", "--policy", "policy.json", "--request", request]);
    for told in [
        "a server may read /wide/admin%2Fb, which matches rule \"wide\"",
        "a server may read /wide/admin/b, which matches rule \"narrow\"",
    ] {
        assert!(out.contains(told), "{out}");
    }
}

#[test]
fn a_link_that_works_once_is_valid_and_its_use_is_not_known() {
    let own = r#""own": { "type": "signed_url", "format": "keygate", "secrets": "media",
      "max_lifetime": "1d" },"#;
    let policy = POLICY.replace("\"providers\": {", &format!("\"providers\": {{ {own}"));
    let policy = policy.replace("\"require\": \"nothing\"", "\"require\": \"own\"");
    let place = Place::new(&policy);
    let from = [
        "--policy",
        "policy.json",
        "--provider",
        "own",
        "--now",
        "1700000000",
    ];
    let sign = [
        "sign",
        "https://h.example/open/a",
        "--expires-in",
        "1h",
        "--once",
    ];
    let (link, err, code) = place.run(&[&sign[..], &from].concat());
    assert_eq!(code, 0, "{err}");
    let (told, _, code) = place.run(&[&["verify", link.trim()], &from[..]].concat());
    assert!(told.starts_with("valid, until ") && code == 0, "{told}");
    assert!(
        told.contains("rule \"open\": the link works once; the filter would ask"),
        "{told}"
    );
    let request = format!("GET {}", link.trim());
    let explain = ["explain", "--policy", "policy.json", "--now", "1700000000"];
    let (out, _, code) = place.run(&[&explain[..], &["--request", &request]].concat());
    assert!(
        out.contains("undecided: the link works once") && code == 3,
        "{out}"
    );
}
