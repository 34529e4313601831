//! `keygate explain`: the rule, each step and the verdict, and never a secret.

use keygate_core::Secret;
use keygate_core::keys::{KeyRingId, MasterSecret, Prefix};

use crate::support::{MASTER, cloudflare_policy, demo_policy, id, keygate};

mod unset;

const MEDIA: &str = "another secret of thirty-two byte";

struct Case {
    policy: tempfile::NamedTempFile,
}

impl Case {
    fn new(policy: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), policy).unwrap();
        Self { policy: file }
    }

    /// What is printed of this request; it holds no secret.
    #[track_caller]
    fn explain(&self, request: &str, more: &[&str], code: i32) -> String {
        let policy = self.policy.path().to_str().unwrap();
        let args = ["explain", "--policy", policy, "--request", request];
        let done = keygate(&[&args, more].concat())
            .env("KEYGATE_MEDIA", MEDIA)
            .env("KEYGATE_APP_KEYS", MASTER)
            .env("KEYGATE_EDGE_TOKEN", "edge")
            .assert()
            .code(code);
        let printed = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
        assert!(!printed.contains(MEDIA) && !printed.contains(MASTER));
        printed
    }
}

/// A target and a token for it.
fn signed(target: &str) -> (String, String) {
    let sign = ["sign", target, "--now", "1700000000"];
    let done = keygate(&[&sign[..], &["--format", "cloudflare"]].concat())
        .env("KEYGATE_MEDIA", MEDIA)
        .assert()
        .code(0);
    let link = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    let (_, token) = link.trim().split_once("verify=").unwrap();
    (link.trim().to_owned(), token.to_owned())
}

fn key() -> String {
    let master = MasterSecret::derive(&Secret::new(MASTER.into())).unwrap();
    let mut next = 0_u8;
    let mut fill = |bytes: &mut [u8]| {
        bytes.fill(next);
        next = (next + 7) % 248;
    };
    let kid = KeyRingId::parse("01").unwrap();
    let made = master.generate(&Prefix::parse("kg").unwrap(), kid, &mut fill);
    made.text.to_string()
}

#[track_caller]
fn says(printed: &str, parts: &[&str]) {
    for part in parts {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
}

const AT: [&str; 2] = ["--now", "1700000100"];

#[test]
fn a_valid_link_is_explained_up_to_the_upstream() {
    let (link, token) = signed("/media/cat.jpg?size=2");
    let printed = Case::new(&cloudflare_policy()).explain(&format!("GET {link}"), &AT, 0);
    says(
        &printed,
        &[
            "request   GET /media/cat.jpg of localhost",
            "rule      0 \"health\" does not match: path is \"/healthz\"",
            "rule      1 \"media\" matches; mode block",
            "provider \"media-link\"",
            "parameter \"verify\": a token",
            "valid until 2023-11-15T01:13:20.000Z",
            "verdict   allow: verified",
            "upstream  :path: /media/cat.jpg?size=…",
            "upstream  x-keygate-result: allow",
        ],
    );
    assert!(!printed.contains(&token[11..]), "{printed}");
}

#[test]
fn a_rule_that_does_not_match_names_the_condition() {
    let policy = demo_policy().replace(
        "\"path\": \"/healthz\"",
        "\"path\": \"/**\", \"hosts\": [\"a.example\"]",
    );
    let case = Case::new(&policy);
    let printed = case.explain("PUT /media/a", &AT, 1);
    says(
        &printed,
        &[
            "0 \"health\" does not match: hosts are [\"a.example\"]",
            "1 \"media\" does not match: methods are [\"GET\",\"HEAD\"]",
            "none matches, and unmatched is \"deny\"",
            "verdict   deny: 403 no_rule; the client reads \"not_allowed_here\"",
        ],
    );
    says(
        &case.explain("PUT https://a.example/x", &AT, 0),
        &["\"health\" matches"],
    );
    let more = [&AT[..], &["--host", "a.example"]].concat();
    says(&case.explain("/x", &more, 0), &["\"health\" matches"]);
}

#[test]
fn a_wrong_signature_is_explained_without_a_valid_mac() {
    let (_, token) = signed("/media/cat.jpg/");
    let (right, _) = signed("/media/cat.jpg");
    let request = format!("GET /media/cat.jpg?verify={token}");
    let printed = Case::new(&cloudflare_policy()).explain(&request, &AT, 1);
    says(
        &printed,
        &[
            "it was signed with the secret \"demo\"",
            "what differs: the signature covers the path with a slash at its end",
            "rejected: wrong_signature",
            "verdict   deny: 403 wrong_signature; the client reads \"invalid_credential\"",
        ],
    );
    for token in [&token, right.split_once("verify=").unwrap().1] {
        assert!(!printed.contains(&token[11..]), "{printed}");
    }
}

#[test]
fn a_key_is_checked_here_and_the_service_is_said_to_be_asked() {
    let case = Case::new(&demo_policy());
    let key = key();
    let header = format!("Authorization: Bearer {key}");
    let more = [&AT[..], &["--header", &header]].concat();
    let printed = case.explain("GET /api/x", &more, 3);
    let public = format!("kid \"01\", id \"{}\"", id(&key));
    says(
        &printed,
        &[
            "a credential in authorization (Bearer)",
            &public,
            "tag: valid, made with the secret \"01\"",
            "would ask the key service",
            "verdict   undecided",
        ],
    );
    assert!(!printed.contains(&key[14..]), "{printed}");
    let unknown = [&more[..], &["--unknown-key"]].concat();
    says(
        &case.explain("GET /api/x", &unknown, 1),
        &["deny: 401 unknown_key"],
    );
    let forged = header.replace("kg_01", "kg_02");
    let more = [&AT[..], &["--header", &forged]].concat();
    says(
        &case.explain("GET /api/x", &more, 1),
        &["checksum is invalid"],
    );
}

#[test]
fn a_key_made_under_another_encoding_is_explained() {
    let hex = "30".repeat(32);
    let master = MasterSecret::derive(&Secret::new(vec![0x30; 32])).unwrap();
    let kid = KeyRingId::parse("01").unwrap();
    let made = master.generate(&Prefix::parse("kg").unwrap(), kid, &mut |bytes| {
        bytes.fill(1)
    });
    let policy = Case::new(&demo_policy());
    let policy = policy.policy.path().to_str().unwrap().to_owned();
    let header = format!("X-Api-Key: {}", made.text.as_str());
    let more = ["--policy", &policy, "--header", &header];
    let done = keygate(&[&["explain", "--request", "GET /api/x"], &more[..], &AT].concat())
        .env("KEYGATE_APP_KEYS", &hex)
        .assert()
        .code(1);
    let printed = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    let told = "made with KEYGATE_APP_KEYS decoded as hex, but the policy decodes it as utf8";
    says(&printed, &[told, "deny: 401 forged_key"]);
    assert!(!printed.contains(&hex), "{printed}");
}

#[test]
fn a_record_replaces_the_answer_of_the_service() {
    let case = Case::new(&demo_policy());
    let headers = tempfile::NamedTempFile::new().unwrap();
    let text = format!("X-Api-Key: {}\nCookie: theirs=s3cret; a=b\n", key());
    std::fs::write(headers.path(), text).unwrap();
    let from = format!("@{}", headers.path().display());
    let record = tempfile::NamedTempFile::new().unwrap();
    let path = record.path().to_str().unwrap();
    let more = [&AT[..], &["--header", &from, "--key-record", path]].concat();
    for (record, code, expected) in [
        (
            r#""status": "active""#,
            0,
            "upstream  x-keygate-account: alice",
        ),
        (r#""status": "revoked""#, 1, "deny: 401 revoked_key"),
        (
            r#""status": "active", "allowed_ips": ["192.0.2.0/24"]"#,
            1,
            "address_not_allowed",
        ),
        (
            r#""status": "active", "expires_at": 1"#,
            1,
            "deny: 401 expired",
        ),
    ] {
        let json = format!(r#"{{"id": "i", "account": "alice", {record}, "metadata": {{}}}}"#);
        std::fs::write(path, json).unwrap();
        let printed = case.explain("GET /api/x", &more, code);
        says(&printed, &[expected, "account \"alice\""]);
        assert!(!printed.contains("s3cret"));
    }
    let inside = [&more[..], &["--client", "192.0.2.1"]].concat();
    std::fs::write(path, r#"{"id":"i","account":"a","status":"active","metadata":{},"allowed_ips":["192.0.2.0/24"]}"#).unwrap();
    says(
        &case.explain("GET /api/x", &inside, 0),
        &["upstream  without x-api-key"],
    );
    std::fs::write(path, "{").unwrap();
    case.explain("GET /api/x", &more, 2);
}

#[test]
fn groups_and_modes_are_explained() {
    let policy = demo_policy()
        .replace(
            "\"path\": \"/api/**\" }, \"require\": \"app-key\"",
            "\"path\": \"/api/**\" }, \"require\": { \"any\": [\"media-link\", { \"all\": [\"app-key\"] }] }",
        )
        .replace("\"path\": \"/healthz\" }, \"require\": \"nothing\"", "\"path\": \"/healthz\" }, \"require\": \"app-key\", \"mode\": \"off\"");
    let case = Case::new(&policy);
    says(
        &case.explain("GET /api/x", &AT, 1),
        &[
            "any of\n",
            "  provider \"media-link\"\n",
            "  all of\n",
            "    provider \"app-key\"\n",
            "any: rejected: missing_credential",
        ],
    );
    says(
        &case.explain("GET /healthz", &AT, 0),
        &["mode off", "nothing is checked in this mode"],
    );
    says(
        &case.explain("GET /beta/x", &AT, 0),
        &[
            "mode simulate",
            "only simulated; it would be rejected for missing_credential",
            "x-keygate-result: would-deny",
        ],
    );
}

#[test]
fn wrong_usage_of_explain_exits_with_2() {
    let case = Case::new(&demo_policy());
    case.explain("GET x", &AT, 2);
    case.explain("GET /x", &["--header", "no colon"], 2);
    case.explain("GET /x", &["--header", "@/no/such/file"], 2);
    Case::new("{}").explain("GET /x", &AT, 2);
    says(
        &case.explain("GET /a/../b", &AT, 1),
        &[
            "cannot be read: ambiguous_path",
            "Run the command again with the resolved path",
            "deny: 400",
        ],
    );
    for path in ["/a//b", "/a\\b", "/a/%2e%2e/b", "/a/..;x/b"] {
        let told = case.explain(&format!("GET {path}"), &AT, 1);
        says(&told, &["Run the command again with the resolved path"]);
    }
    let told = case.explain("GET /a%252e", &AT, 1);
    assert!(!told.contains("resolved"), "{told}");
}

#[test]
fn a_host_header_is_the_authority_unless_the_url_has_one() {
    let case = Case::new(&demo_policy());
    let host = |request: &str, more: &[&str], code| {
        let options: Vec<&str> = more.iter().flat_map(|it| ["--header", *it]).collect();
        case.explain(request, &[&AT[..], &options].concat(), code)
    };
    let told = host("GET /healthz", &["Host: media.example:8443"], 0);
    says(&told, &["GET /healthz of media.example:8443"]);
    let told = host("GET https://a.example/healthz", &["host: b.example"], 0);
    says(&told, &["GET /healthz of a.example"]);
    let told = host("GET /healthz", &["host: a", "host: b"], 1);
    says(&told, &["unreadable_request"]);
}

#[test]
fn a_field_of_another_format_that_differs_is_named() {
    let case = Case::new(
        r#"{
          "version": 1,
          "secrets": { "store": [{ "id": "AKIAEXAMPLE", "env": "KEYGATE_MEDIA" }] },
          "providers": { "store": { "type": "signed_url", "format": "s3", "secrets": "store",
            "region": "eu-west-1", "methods": ["GET", "PUT"] } },
          "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "store" }],
          "unmatched": "deny"
        }"#,
    );
    let signed = |region: &str, id: &str| {
        let region = format!("region={region}");
        let sign = [
            "sign",
            "https://store.example.com/a/b",
            "--now",
            "1700000000",
        ];
        let how = [
            "--expires-in",
            "1h",
            "--format",
            "s3",
            "--key-id",
            id,
            "--set",
            &region,
        ];
        let done = keygate(&[&sign[..], &how].concat())
            .env("KEYGATE_MEDIA", MEDIA)
            .assert()
            .code(0);
        let link = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
        link.trim().to_owned()
    };
    let good = signed("eu-west-1", "AKIAEXAMPLE");
    let now = ["--now", "1700000001"];
    let told = case.explain(&format!("GET {good}"), &now, 0);
    assert!(told.contains("access key \"AKIAEXAMPLE\""), "{told}");
    for (request, field) in [
        (format!("PUT {good}"), "for the method GET"),
        (
            format!("GET {}", good.replace("/a/b?", "/a/b/?")),
            "a slash at the end of the path",
        ),
        (
            format!("GET {}", good.replace(".com/", ".com:8080/")),
            "the host without its port",
        ),
        (
            format!("GET {}", signed("us-east-1", "AKIAEXAMPLE")),
            "region or service differs",
        ),
        (
            format!("GET {}", signed("eu-west-1", "AKIAOTHER")),
            "the ring has no such access key",
        ),
    ] {
        let told = case.explain(&request, &now, 1);
        assert!(told.contains(field), "{field}: {told}");
        let mac = good.rsplit_once('=').unwrap().1;
        assert!(!told.contains(mac), "{told}");
    }
}
