//! Signed requests of RFC 9421: what must be covered, and every way to leave it out.

mod covered;
mod tools;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Format, Order, PrivateKey};
use keygate_core::{Header, Policy, Provider, Reason, Request, UnixMillis, Verdict};
use keygate_testkit::judge::{after, facts, policy};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: u64 = 1_700_000_000;
const BASE: &str = "\"@method\": POST\n\"@target-uri\": https://example.com/a?b=1\n\"content-digest\": sha-256=:AA==:\n";
const COVERED: &str = r#"("@method" "@target-uri" "content-digest")"#;

fn document(more: &Value) -> Value {
    let mut provider = json!({
        "type": "signed_url", "format": "http-signature", "secrets": "ring",
        "algorithm": "hmac-sha256", "max_age": "5m"
    });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    json!({
        "version": 1,
        "secrets": {
            "ring": [{ "id": "k1", "env": "SECRET" }, { "id": "k2", "env": "OTHER" }],
            "ed25519": [{ "id": "d", "public_key": include_str!("keys/ed25519.pub") }]
        },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    })
}

fn ours(more: &Value) -> Policy {
    let environment = |name: &str| match name {
        "OTHER" => Some(b"another secret, also of 32 bytes".to_vec()),
        _ => Some(SECRET.into()),
    };
    Policy::parse(document(more).to_string().as_bytes(), &environment).unwrap()
}

fn request(method: &str, target: &str, more: &[(&str, &str)]) -> Vec<Header> {
    let pseudo = [
        (":method", method),
        (":authority", "example.com"),
        (":path", target),
    ];
    let all = pseudo.iter().chain(more);
    all.map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

fn judge(policy: &Policy, headers: &[Header], now: u64) -> Result<(), Reason> {
    match policy.decide(
        headers,
        &facts(&NothingKnown, None, UnixMillis::from_secs(now)),
    ) {
        Verdict::Allow(grant) => {
            for name in ["signature", "signature-input"] {
                assert_eq!(after(headers, &grant.edits, name), None);
            }
            Ok(())
        }
        Verdict::Deny(denial) => Err(denial.reason),
        other => panic!("{other:?}"),
    }
}

/// The two headers for these lines and what is said of them, rightly signed.
fn signed(lines: &str, input: &str) -> (String, String) {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{lines}\"@signature-params\": {input}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    (format!("sig1={input}"), format!("sig1=:{signature}:"))
}

/// A request with a body that says this of its signature.
fn post(lines: &str, input: &str) -> Vec<Header> {
    let (input, signature) = signed(lines, input);
    let digest = ("content-digest", "sha-256=:AA==:");
    request(
        "POST",
        "/a?b=1",
        &[
            ("content-length", "9"),
            digest,
            ("signature-input", &input),
            ("signature", &signature),
        ],
    )
}

fn with(headers: &[Header], name: &str, value: &str) -> Vec<Header> {
    let mut headers = headers.to_vec();
    for (candidate, old) in &mut headers {
        if candidate == name.as_bytes() {
            *old = value.into();
        }
    }
    headers
}

fn format(policy: &Policy) -> &dyn Format {
    let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
        panic!("a signed URL");
    };
    links.format.as_ref()
}

fn order<'a>(method: &'a str, headers: &'a [(&'a str, &'a str)]) -> Order<'a> {
    Order {
        origin: "https://example.com",
        method,
        headers,
        ..keygate_testkit::judge::order("/a~?b=1", UnixMillis::from_secs(NOW))
    }
}

#[test]
fn a_signed_request_passes_until_it_is_too_old() {
    let policy = ours(&json!({}));
    let good = post(BASE, &format!("{COVERED};created={NOW};keyid=\"k1\""));
    assert_eq!(judge(&policy, &good, NOW), Ok(()));
    assert_eq!(judge(&policy, &good, NOW + 299), Ok(()));
    assert_eq!(judge(&policy, &good, NOW + 300), Err(Reason::Expired));
    assert_eq!(judge(&policy, &good, NOW - 30), Ok(()));
    assert_eq!(judge(&policy, &good, NOW - 31), Err(Reason::NotYetValid));
    let short = post(
        BASE,
        &format!("{COVERED};created={NOW};expires={}", NOW + 10),
    );
    assert_eq!(judge(&policy, &short, NOW + 9), Ok(()));
    assert_eq!(judge(&policy, &short, NOW + 10), Err(Reason::Expired));
    let long = post(
        BASE,
        &format!("{COVERED};created={NOW};expires={}", NOW + 1000),
    );
    assert_eq!(judge(&policy, &long, NOW + 300), Err(Reason::Expired));
}

#[test]
fn covered_components_cannot_be_changed() {
    let policy = ours(&json!({}));
    let good = post(BASE, &format!("{COVERED};created={NOW}"));
    for (name, value) in [
        (":method", "PUT"),
        (":path", "/a?b=2"),
        (":path", "/b?b=1"),
        (":path", "/a"),
        (":authority", "example.org"),
        ("content-digest", "sha-256=:AQ==:"),
    ] {
        let changed = with(&good, name, value);
        assert_eq!(
            judge(&policy, &changed, NOW),
            Err(Reason::WrongSignature),
            "{name}"
        );
    }
    for (name, value) in [(":authority", "EXAMPLE.com:443"), (":path", "/a?b=%31")] {
        assert_eq!(
            judge(&policy, &with(&good, name, value), NOW),
            Ok(()),
            "{value}"
        );
    }
    // A second header of a name is no longer the one that was signed.
    let mut more = good.clone();
    more.push((b"content-digest".into(), b"sha-256=:AQ==:".into()));
    assert_eq!(judge(&policy, &more, NOW), Err(Reason::WrongSignature));
}

#[test]
fn parts_of_the_uri_together_are_the_uri() {
    let policy = ours(&json!({}));
    let lines = "\"@method\": GET\n\"@authority\": example.com\n\"@path\": /a\n\"@query\": ?\n\"@query-param\";name=\"q\": 1\n";
    let (lines, query) = lines.split_once("\"@query-param\"").unwrap();
    let (input, signature) = signed(
        lines,
        &format!(r#"("@method" "@authority" "@path" "@query");created={NOW}"#),
    );
    let headers = request(
        "GET",
        "/a",
        &[("signature-input", &input), ("signature", &signature)],
    );
    assert_eq!(judge(&policy, &headers, NOW), Ok(()));
    assert_eq!(
        judge(&policy, &with(&headers, ":path", "/a?x"), NOW),
        Err(Reason::WrongSignature)
    );
    let less = ours(&json!({ "components": ["@method"] }));
    let lines = format!("\"@method\": GET\n\"@query-param\"{query}");
    let (input, signature) = signed(
        &lines,
        &format!(r#"("@method" "@query-param";name="q");created={NOW}"#),
    );
    let headers = request(
        "GET",
        "/a?q=1&x",
        &[("signature-input", &input), ("signature", &signature)],
    );
    assert_eq!(judge(&less, &headers, NOW), Ok(()));
    for target in ["/a?q=2", "/a?x", "/a?q=1&q=1", "/a?q=1&%71=2"] {
        assert!(
            judge(&less, &with(&headers, ":path", target), NOW).is_err(),
            "{target}"
        );
    }
}

#[test]
fn an_absent_header_is_no_empty_one() {
    let policy = ours(&json!({ "components": ["@method", "@target-uri", "x-tenant"] }));
    let covered = r#"("@method" "@target-uri" "content-digest" "x-tenant")"#;
    let lines = format!("{BASE}\"x-tenant\": \n");
    let headers = post(&lines, &format!("{covered};created={NOW}"));
    assert_eq!(judge(&policy, &headers, NOW), Err(Reason::WrongSignature));
    let mut empty = headers;
    empty.push((b"x-tenant".into(), "".into()));
    assert_eq!(judge(&policy, &empty, NOW), Ok(()));
}

#[test]
fn a_key_is_the_one_that_is_named_and_the_algorithm_the_configurations() {
    let policy = ours(&json!({}));
    let say = |more: &str| {
        judge(
            &policy,
            &post(BASE, &format!("{COVERED};created={NOW}{more}")),
            NOW,
        )
    };
    assert_eq!(say(";alg=\"hmac-sha256\""), Ok(()));
    assert_eq!(say(";nonce=\"abc\""), Ok(()));
    assert_eq!(say(";keyid=\"k2\""), Err(Reason::WrongSignature));
    assert_eq!(say(";keyid=\"nobody\""), Err(Reason::WrongSignature));
    for more in [
        ";alg=\"ed25519\"",
        ";alg=\"none\"",
        ";alg=\"\"",
        ";tag=\"x\"",
        ";other=1",
        ";created=1",
        "; nonce=\"a\"",
    ] {
        assert_eq!(say(more), Err(Reason::MalformedCredential), "{more}");
    }
    let tagged = ours(&json!({ "tag": "app" }));
    let app = post(BASE, &format!("{COVERED};created={NOW};tag=\"app\""));
    assert_eq!(judge(&tagged, &app, NOW), Ok(()));
    let plain = post(BASE, &format!("{COVERED};created={NOW}"));
    assert_eq!(
        judge(&tagged, &plain, NOW),
        Err(Reason::MalformedCredential)
    );
}

#[test]
fn one_signature_counts_and_two_are_rejected() {
    let policy = ours(&json!({}));
    let input = format!("{COVERED};created={NOW}");
    let good = post(BASE, &input);
    let value = |name: &[u8]| {
        let found = good.iter().find(|(it, _)| it == name).unwrap();
        String::from_utf8(found.1.to_vec()).unwrap()
    };
    let (inputs, signatures) = (value(b"signature-input"), value(b"signature"));
    let judge_both = |policy: &Policy, inputs: &str, signatures: &str| {
        let headers = with(
            &with(&good, "signature-input", inputs),
            "signature",
            signatures,
        );
        judge(policy, &headers, NOW)
    };
    let two = (format!("{inputs}, b=()"), format!("b=:AAAA:, {signatures}"));
    assert_eq!(
        judge_both(&policy, &two.0, &two.1),
        Err(Reason::DuplicateCredential)
    );
    let labelled = ours(&json!({ "label": "sig1" }));
    assert_eq!(judge_both(&labelled, &two.0, &two.1), Ok(()));
    let twice = format!("{inputs}, {inputs}");
    assert_eq!(
        judge_both(&labelled, &twice, &signatures),
        Err(Reason::DuplicateCredential)
    );
    let other = ours(&json!({ "label": "b" }));
    assert_eq!(
        judge_both(&other, &inputs, &signatures),
        Err(Reason::MissingCredential)
    );
    for wrong in [
        signatures.replace("sig1", "sig2"),
        signatures.replace(":", ""),
        format!("{signatures};a=1"),
        signatures.replace("=:", "=: "),
        signatures.trim_end_matches(':').to_owned(),
        String::new(),
    ] {
        assert_eq!(
            judge_both(&policy, &inputs, &wrong),
            Err(Reason::MalformedCredential),
            "{wrong}"
        );
    }
    // Header fields twice are one list.
    let mut fields = good.clone();
    fields.push((b"signature-input".into(), b"b=()".into()));
    assert_eq!(
        judge(&policy, &fields, NOW),
        Err(Reason::DuplicateCredential)
    );
    for absent in [&b"signature"[..], b"signature-input"] {
        let mut headers = good.clone();
        headers.retain(|(name, _)| name != absent);
        assert_eq!(
            judge(&policy, &headers, NOW),
            Err(Reason::MalformedCredential)
        );
    }
    assert_eq!(
        judge(&policy, &request("GET", "/a", &[]), NOW),
        Err(Reason::MissingCredential)
    );
}

#[test]
#[allow(clippy::disallowed_methods, reason = "what it costs is time")]
fn many_untrusted_parameters_cost_no_more_than_one() {
    let policy = ours(&json!({ "components": ["@method"], "content_digest": false }));
    let names: Vec<String> = (0..250).map(|it| format!("a{it}")).collect();
    let covered: Vec<String> = names
        .iter()
        .map(|it| format!("\"@query-param\";name=\"{it}\""))
        .collect();
    let input = format!("sig1=(\"@method\" {});created={NOW}", covered.join(" "));
    let query = names
        .iter()
        .map(|it| format!("{it}=1&"))
        .collect::<String>();
    let target = format!("/a?{query}{}=%61", ":".repeat(45_000));
    let headers = request(
        "GET",
        &target,
        &[("signature-input", &input), ("signature", "sig1=:AAAA:")],
    );
    let begun = std::time::Instant::now();
    assert!(judge(&policy, &headers, NOW).is_err());
    let spent = begun.elapsed();
    assert!(spent.as_millis() < 500, "{spent:?}");
}
