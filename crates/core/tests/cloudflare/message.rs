//! Links that sign the path alone, as Cloudflare's own examples do.

use super::*;

/// A link as the example "Sign requests" of Cloudflare's Workers makes it: HMAC-SHA256 over
/// `url.pathname` and the seconds, in base64 behind them. The query is not signed.
/// Source: developers.cloudflare.com/workers/examples/signing-requests, read in 2026.
fn worker_example(path: &str, query: &str) -> String {
    use base64::Engine as _;
    use hmac::Mac as _;
    let stamp = CAT_AT - 60;
    let mut mac = keygate_core::secret::mac(SECRET.as_bytes());
    mac.update(format!("{path}{stamp}").as_bytes());
    let mac = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    let mac = mac
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    format!("{path}?{query}verify={stamp}-{mac}")
}

#[test]
fn a_link_for_the_path_alone_is_valid_with_every_query() {
    let policy = policy_of(&provider_with(json!({ "message": "path" })), SECRET);
    let plain = worker_example("/images/cat.jpg", "");
    for (target, upstream) in [
        (plain.clone(), "/images/cat.jpg"),
        (format!("{plain}&w=1"), "/images/cat.jpg?w=1"),
        (
            worker_example("/images/cat.jpg", "w=1&h=2&"),
            "/images/cat.jpg?w=1&h=2",
        ),
        (
            format!("{}&c=3", worker_example("/images/cat.jpg", "w=1&")),
            "/images/cat.jpg?w=1&c=3",
        ),
    ] {
        let judged = judge(&policy, &get(&target, &[]), CAT_AT);
        assert_eq!(judged.as_deref(), Ok(upstream), "{target}");
    }
    for (target, reason) in [
        (plain.replace("cat", "dog"), Reason::WrongSignature),
        (
            format!("{plain}&{}", plain.split_once('?').unwrap().1),
            Reason::DuplicateCredential,
        ),
        (
            format!("{plain}&verify"),
            // An empty value is no token.
            Reason::Expired,
        ),
    ] {
        let now = match reason {
            Reason::Expired => CAT_AT + 4 * 3600,
            _ => CAT_AT,
        };
        assert_eq!(
            judge(&policy, &get(&target, &[]), now),
            Err(reason),
            "{target}"
        );
    }
    // Signed with its query, it is not for the path alone, and the other way round.
    let whole = policy_of(&provider(), SECRET);
    let target = worker_example("/images/cat.jpg", "w=1&");
    let rejected = judge(&whole, &get(&target, &[]), CAT_AT);
    assert_eq!(rejected, Err(Reason::WrongSignature));
}

#[test]
fn a_link_for_the_path_alone_is_signed_here_too() {
    let policy = policy_of(&provider_with(json!({ "message": "path" })), SECRET);
    let now = UnixMillis::from_secs(CAT_AT);
    for (target, other) in [("/a|b?x=1", "/a%7Cb?y=2"), ("/a", "/a?y=2")] {
        let link = keygate_testkit::judge::signed(&policy, 0, target, now);
        let (_, token) = link.rsplit_once("verify=").unwrap();
        let judged = judge(
            &policy,
            &get(&format!("{other}&verify={token}"), &[]),
            CAT_AT,
        );
        assert_eq!(judged.as_deref(), Ok(other), "{link}");
    }
}

#[test]
fn links_for_the_path_and_for_the_whole_target_need_rings_of_their_own() {
    let text = json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "01", "env": "SECRET" }] },
        "providers": { "a": provider(), "b": provider_with(json!({ "message": "path" })) },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": { "any": ["a", "b"] } }],
        "unmatched": "deny"
    });
    let environment = |_: &str| Some(SECRET.into());
    let parsed = keygate_core::Policy::parse(text.to_string().as_bytes(), &environment);
    let problems = parsed.err().unwrap();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("another message"), "{told:?}");
}
