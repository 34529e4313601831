//! Links for a directory.

use super::*;

#[test]
fn a_directory_link_covers_whole_segments_only() {
    let with_length = |length: usize| {
        policy_of(
            &provider_with(json!({ "directory_length": length })),
            "mysecrettoken",
        )
    };
    // The MAC is over the 15 bytes "/images/cat.jpg", which are no directory.
    let token = CAT.split_once("verify=").unwrap().1;
    for target in [
        format!("/images/cat.jpg/x?verify={token}"),
        format!("/images/cat.jpgx?verify={token}"),
    ] {
        let rejected = judge(&with_length(15), &get(&target, &[]), CAT_AT);
        assert_eq!(rejected, Err(Reason::WrongSignature), "{target}");
    }
    // Cut inside a character or behind the end of the path: no directory at all.
    for length in [2, 400] {
        let rejected = judge(&with_length(length), &get(CAT, &[]), CAT_AT);
        assert_eq!(rejected, Err(Reason::WrongSignature), "{length}");
    }
}

/// The secret, what is signed of the target, and the token at `CAT_AT`.
fn token_over(signed: &str) -> String {
    use hmac::Mac as _;
    let mut mac = keygate_core::secret::mac(SECRET.as_bytes());
    mac.update(format!("{signed}1484063787").as_bytes());
    let mac = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        mac.finalize().into_bytes(),
    );
    format!("1484063787-{mac}")
}

#[test]
fn a_link_for_a_directory_of_any_length_covers_only_that_directory() {
    let provider = provider_with(json!({ "directory": true, "base64": "url" }));
    let policy = policy_of(&provider, SECRET);
    let judged = |signed: &str, target: &str, separator: &str| {
        let target = format!("{target}{separator}{}", token_over(signed));
        judge(&policy, &get(&target, &[]), CAT_AT)
    };
    for (signed, target, separator) in [
        ("/a/", "/a/b.ts", "?verify="),
        ("/a/", "/a/b/c/d.ts", "?verify="),
        ("/a/b/", "/a/b/c.ts", "?verify="),
        ("/a/b/", "/a/b/", "?verify="),
        ("/a/?verify=", "/a/b.ts", "?verify="),
        ("/a/?q=1", "/a/b.ts?q=1", "&verify="),
        ("/a/?q=1&verify=", "/a/b.ts?q=1", "&verify="),
    ] {
        let judged = judged(signed, target, separator);
        assert_eq!(judged.as_deref(), Ok(target), "{signed}");
    }
    for (signed, target, separator) in [
        ("/a/", "/ab/c.ts", "?verify="),
        ("/a/", "/b/a/c.ts", "?verify="),
        ("/a/", "/a", "?verify="),
        ("/a", "/a/b.ts", "?verify="),
        ("/", "/a/b.ts", "?verify="),
        ("/a/b.ts", "/a/b.ts", "?verify="),
        ("/a/", "/a/b.ts?q=1", "&verify="),
        ("/a/?q=1", "/a/b.ts?q=2", "&verify="),
    ] {
        let rejected = judged(signed, target, separator);
        assert_eq!(rejected, Err(Reason::WrongSignature), "{signed} {target}");
    }
}

#[test]
fn directories_are_tried_from_the_longest_and_not_without_end() {
    let provider = provider_with(json!({ "directory": true, "base64": "url" }));
    let policy = policy_of(&provider, SECRET);
    let opened = |below: usize| {
        let path = format!("/a/{}c.ts", "b/".repeat(below));
        let target = format!("{path}?verify={}", token_over("/a/"));
        judge(&policy, &get(&target, &[]), CAT_AT).is_ok()
    };
    assert_eq!([31, 32].map(opened), [true, false]);
}

#[test]
fn a_link_covers_the_longest_signed_directory() {
    use keygate_core::keys::NothingKnown;
    use keygate_core::signed_url::Covers;
    use keygate_core::{Provider, Request, UnixMillis};
    use keygate_testkit::judge::facts;
    let provider = provider_with(json!({ "directory": true, "base64": "url" }));
    let policy = policy_of(&provider, SECRET);
    let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
        panic!("the rule requires a signed URL");
    };
    let target = format!("/a/b/c.ts?verify={}", token_over("/a/"));
    let headers = get(&target, &[]);
    let request = Request::read(&headers).unwrap();
    let facts = facts(&NothingKnown, None, UnixMillis::from_secs(CAT_AT));
    let link = links.format.verify(&request, &facts.of_link()).unwrap();
    assert_eq!(link.covers, Covers::Prefix("/a/"));
}

#[test]
fn a_link_for_a_directory_is_signed_with_the_prefix_that_it_is_to_cover() {
    use keygate_core::UnixMillis;
    use keygate_core::signed_url::Scope;
    use keygate_testkit::judge::{order, sign};
    let provider = provider_with(json!({ "directory": true }));
    let policy = policy_of(&provider, SECRET);
    let order = order("/a/b/c.ts?q=1", UnixMillis::from_secs(CAT_AT));
    let signed = |scope| {
        sign(
            &policy,
            0,
            &keygate_core::signed_url::Order { scope, ..order },
        )
    };
    let url = signed(Scope::Prefix("/a/")).unwrap().url;
    let beside = url.replace("/b/c.ts", "/d/e.ts");
    assert_eq!(
        judge(&policy, &get(&beside, &[]), CAT_AT).as_deref(),
        Ok("/a/d/e.ts?q=1")
    );
    for scope in [
        Scope::Path,
        Scope::Prefix("/"),
        Scope::Prefix("/a"),
        Scope::Prefix("/b/"),
    ] {
        assert!(signed(scope).is_err(), "{scope:?}");
    }
}

#[test]
fn the_search_for_the_directory_is_bounded() {
    use base64::Engine as _;
    use hmac::Mac as _;
    // A long token costs 64 MACs over all of it, for any client.
    let provider = provider_with(json!({ "directory": true, "base64": "url" }));
    let policy = policy_of(&provider, SECRET);
    for (path, query, holds) in [
        (8_000, 1, true),
        (1, 8_000, true),
        (8_200, 1, false),
        (1, 8_200, false),
    ] {
        let query = format!("?{}", "b".repeat(query));
        let mut mac = keygate_core::secret::mac(SECRET.as_bytes());
        mac.update(format!("/a/{query}1484063787").as_bytes());
        let mac =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        let target = format!("/a/{}{query}&verify=1484063787-{mac}", "c".repeat(path));
        let judged = judge(&policy, &get(&target, &[]), CAT_AT);
        assert_eq!(judged.is_ok(), holds, "{path} {}: {judged:?}", query.len());
    }
}
