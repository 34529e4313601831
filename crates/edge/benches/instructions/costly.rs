//! Requests of which a check could cost much, were it not for bounds and for the order of checks.

use keygate_core::{Policy, Reason, Verdict};
use serde_json::json;

use crate::cases::{Case, NOW, decide, headers, no_keys, parse};

/// Formats of which a check can cost much.
fn costly() -> Policy {
    let rule = |name: &str| json!({ "name": name, "match": { "path": format!("/{name}/**") }, "require": name });
    parse(&json!({
        "version": 1,
        "secrets": {
            "ring": [{ "id": "01", "env": "SECRET" }],
            "rsa": [{ "id": "K1", "public_key": include_str!("../../../core/tests/keys/rsa4096.pub") }]
        },
        "providers": {
            "rsa": { "type": "signed_url", "format": "cloudfront", "secrets": "rsa", "max_lifetime": "7d" },
            "signature": {
                "type": "signed_url", "format": "http-signature", "secrets": "ring",
                "algorithm": "hmac-sha256", "max_age": "1h"
            }
        },
        "rules": [rule("rsa"), rule("signature")],
        "unmatched": "deny"
    }))
}

/// A request that one of the [`costly`] formats rejects.
fn rejected(target: &str, more: &[(String, String)], reason: Reason) -> Case {
    let mut headers = headers(target);
    for (name, value) in more {
        headers.push((name.as_str().into(), value.as_str().into()));
    }
    decide(
        costly(),
        headers,
        no_keys(),
        move |it| matches!(it, Verdict::Deny(denial) if denial.reason == reason),
    )
}

/// A link of this key with some signature.
pub(crate) fn cloudfront(key: &str, expires: u64, reason: Reason) -> Case {
    let signature = "A".repeat(683);
    let target = format!("/rsa/a.ts?Expires={expires}&Signature={signature}_&Key-Pair-Id={key}");
    rejected(&target, &[], reason)
}

/// A signature over so many headers, and with a wrong MAC.
pub(crate) fn components(count: usize) -> Case {
    let names: Vec<String> = (0..count)
        .map(|it| format!("x-of-the-application-{it:02}"))
        .collect();
    let quoted: Vec<String> = names.iter().map(|it| format!("\"{it}\"")).collect();
    let (created, quoted) = (NOW.0 / 1000, quoted.join(" "));
    let input = format!("s=(\"@method\" \"@target-uri\" {quoted});created={created};keyid=\"01\"");
    let signature = format!("s=:{}=:", "A".repeat(43));
    let mut more = vec![
        ("signature-input".to_owned(), input),
        ("signature".to_owned(), signature),
    ];
    more.extend(names.into_iter().map(|it| (it, "a value".to_owned())));
    rejected("/signature/a", &more, Reason::WrongSignature)
}

/// A header with so many labels.
pub(crate) fn labels(count: usize) -> Case {
    let labels: Vec<String> = (0..count).map(|it| format!("l{it}=()")).collect();
    let more = [
        ("signature-input".to_owned(), labels.join(",")),
        ("signature".to_owned(), labels.join(",")),
    ];
    let reason = match count {
        0..=32 => Reason::DuplicateCredential,
        _ => Reason::MalformedCredential,
    };
    rejected("/signature/a", &more, reason)
}
