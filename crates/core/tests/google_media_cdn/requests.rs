//! Signed requests.

use super::*;

/// What Ed25519 makes of a message, with padding and without.
fn signature(message: &str) -> [String; 2] {
    let bytes = seed(1).sign(message.as_bytes());
    [URL_SAFE.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
}

#[test]
fn a_signed_request_is_taken_in_each_of_its_forms() {
    let policy = requests();
    let fields = format!("Expires={END}&KeyName=my-key");
    let url = format!("https://example.com/v/a?x=1&{fields}");
    let before = format!("https://example.com/v/edge-cache-token={fields}");
    let prefix = URL_SAFE.encode("https://example.com/v/");
    let below = format!("URLPrefix={prefix}&{fields}");
    let cookie = below.replace('&', ":");
    for form in 0..2 {
        let sign = |message: &str| signature(message)[form].clone();
        let exact = format!("/v/a?x=1&{fields}&Signature={}", sign(&url));
        let segment = format!(
            "/v/edge-cache-token={fields}&Signature={}/a?x=1",
            sign(&before)
        );
        let query = format!("/v/a?{below}&Signature={}&x=1", sign(&below));
        let jar = format!("Edge-Cache-Cookie={cookie}:Signature={}", sign(&cookie));
        for (target, more, covers) in [
            (exact.as_str(), vec![], Covers::Path),
            (&segment, vec![], Covers::Prefix("/v/")),
            (&query, vec![], Covers::Prefix("/v/")),
            (
                "/v/a?x=1",
                vec![("cookie", jar.as_str())],
                Covers::Prefix("/v/"),
            ),
        ] {
            let headers = get(target, &more);
            let judge = |now| judge_from(&policy, &headers, "", now);
            assert_eq!(judge(END - 1).as_deref(), Ok("/v/a?x=1"), "{target}");
            assert_eq!(judge(END), Err(Reason::Expired), "{target}");
            if !target.contains("edge-cache-token") {
                let request = Request::read(&headers).unwrap();
                let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
                let link = format_of(&policy, 0)
                    .verify(&request, &facts.of_link())
                    .unwrap();
                assert_eq!(link.covers, covers);
            }
            let other = target.replace("my-key", "new");
            let more: Vec<_> = more
                .iter()
                .map(|(k, v)| (*k, v.replace("my-key", "new")))
                .collect();
            let more: Vec<_> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let rejected = judge_from(&policy, &get(&other, &more), "", NOW);
            assert_eq!(rejected, Err(Reason::WrongSignature), "{target}");
        }
        // Below another directory the segment means something else.
        let moved = segment.replace("/v/", "/w/");
        assert_eq!(judge(&policy, &moved, NOW), Err(Reason::WrongSignature));
        let more = segment.replace("&Signature", "&x=1&Signature");
        assert_eq!(judge(&policy, &more, NOW), Err(Reason::MalformedCredential));
    }
}

#[test]
fn a_key_that_is_not_there_or_not_current_looks_like_a_wrong_signature() {
    let policy = requests();
    for (key, private) in [("none", 1), ("gone", 3), ("new", 1), ("my-key", 2)] {
        let url = format!("/a?Expires={END}&KeyName={key}");
        let bytes = seed(private).sign(format!("https://example.com{url}").as_bytes());
        let target = format!("{url}&Signature={}", URL_SAFE.encode(bytes));
        let rejected = judge(&policy, &target, NOW);
        assert_eq!(rejected, Err(Reason::WrongSignature), "{key}");
    }
}

#[test]
fn a_token_and_a_signed_request_are_not_each_other() {
    let tokens = policy_with(json!({ "algorithm": "ed25519", "secrets": "public",
        "from": [{ "cookie": "Edge-Cache-Cookie" }] }));
    let fields = format!(
        "URLPrefix={}~Expires={END}",
        URL_SAFE_NO_PAD.encode("https://example.com/v/")
    );
    let token = format!("{fields}~Signature={}", signature(&fields)[1]);
    let jar = format!("Edge-Cache-Cookie={token}");
    let headers = get("/v/a", &[("cookie", jar.as_str())]);
    assert!(judge_from(&tokens, &headers, "", NOW).is_ok());
    let rejected = judge_from(&requests(), &headers, "", NOW);
    assert_eq!(rejected, Err(Reason::MalformedCredential));
    let padded = jar.replace(&signature(&fields)[1], &signature(&fields)[0]);
    let rejected = judge_from(&tokens, &get("/v/a", &[("cookie", &padded)]), "", NOW);
    assert_eq!(rejected, Err(Reason::MalformedCredential));
}

#[test]
fn our_signed_requests_verify() {
    let (private, stranger) = (seed(1), seed(9));
    for (from, scope) in [
        (json!([{ "query": "Signature" }]), Scope::Path),
        (json!([{ "query": "Signature" }]), Scope::Prefix("/a/")),
        (
            json!([{ "path": "edge-cache-token" }]),
            Scope::Prefix("/a/"),
        ),
        (
            json!([{ "cookie": "Edge-Cache-Cookie" }]),
            Scope::Prefix("/a/"),
        ),
    ] {
        let policy = policy_with(json!({ "mode": "signatures", "algorithm": "ed25519",
            "secrets": "public", "from": from }));
        let order = Order {
            scope,
            private_key: Some(&private),
            ..order("/a/b?x=1")
        };
        let signed = format_of(&policy, 0).sign(&order).unwrap();
        let target = signed.url.strip_prefix("https://example.com").unwrap();
        let jar: Vec<String> = signed
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let jar = jar.join("; ");
        let headers = get(target, &[("cookie", &jar)]);
        let judged = judge_from(&policy, &headers, "", NOW);
        assert_eq!(judged.as_deref(), Ok("/a/b?x=1"), "{target}");
        for private_key in [None, Some(&stranger)] {
            let order = Order {
                private_key,
                ..order
            };
            assert!(format_of(&policy, 0).sign(&order).is_err());
        }
    }
}
