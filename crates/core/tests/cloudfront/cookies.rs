//! Signed cookies.

use super::*;

#[test]
fn cookies_cover_what_a_link_covers_and_other_cookies_stay() {
    let policy = plain();
    let key = PrivateKey::parse(PRIVATE).unwrap();
    for scope in [Scope::Path, Scope::Prefix("/hls/")] {
        let order = Order {
            scope,
            options: &[("carrier", "cookies")],
            ..order("/hls/a.m3u8", &key)
        };
        let signed = format(&policy).sign(&order).unwrap();
        assert_eq!(signed.url, "https://example.com/hls/a.m3u8");
        let names: Vec<_> = signed
            .cookies
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let first = if scope == Scope::Path {
            "CloudFront-Expires"
        } else {
            "CloudFront-Policy"
        };
        assert_eq!(
            names,
            [
                first,
                "CloudFront-Signature",
                "CloudFront-Key-Pair-Id",
                "CloudFront-Hash-Algorithm"
            ]
        );
        let cookies: Vec<_> = signed
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = format!("a=b; {}; c=d", cookies.join("; "));
        let after = judge_from(&policy, &with_cookies("/hls/a.m3u8", &cookies), NOW, "").unwrap();
        assert_eq!(after, ["/hls/a.m3u8", "a=b; c=d"]);
        let sibling = judge_from(&policy, &with_cookies("/hls/1.ts", &cookies), NOW, "");
        assert_eq!(sibling.is_ok(), scope != Scope::Path);
        let twice = format!("{cookies}; CloudFront-Signature=x");
        let rejected = judge_from(&policy, &with_cookies("/hls/a.m3u8", &twice), NOW, "");
        assert_eq!(rejected, Err(Reason::DuplicateCredential));
        // A link beside cookies decides alone, as CloudFront has it, and both are taken out.
        let good = link(&policy, "/hls/a.m3u8");
        let wrong = good.replace("=K1", "=K2");
        for (link, cookies, expected) in [
            (&good, &cookies, Ok(["/hls/a.m3u8", "a=b; c=d"])),
            (&good, &twice, Ok(["/hls/a.m3u8", "a=b; c=d"])),
            (&wrong, &cookies, Err(Reason::WrongSignature)),
        ] {
            let judged = judge_from(&policy, &with_cookies(link, cookies), NOW, "");
            let expected = expected.map(|it| it.map(str::to_owned).to_vec());
            assert_eq!(judged, expected, "{link} {cookies}");
        }
        let query_only = ours(json!({ "from": ["query"] }));
        let rejected = judge_from(&query_only, &with_cookies("/hls/a.m3u8", &cookies), NOW, "");
        assert_eq!(rejected, Err(Reason::MissingCredential));
    }
}

#[test]
fn with_cookies_unsigned_parameters_named_like_a_part_are_rejected() {
    for from in [json!(["cookies"]), json!(["query", "cookies"])] {
        let policy = ours(json!({ "from": from }));
        let key = PrivateKey::parse(PRIVATE).unwrap();
        let order = Order {
            options: &[("carrier", "cookies")],
            ..order("/a", &key)
        };
        let signed = format(&policy).sign(&order).unwrap();
        let cookies: Vec<_> = signed
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let judge = |target: &str| {
            let headers = with_cookies(target, &cookies.join("; "));
            judge_from(&policy, &headers, NOW, "")
        };
        assert!(judge("/a").is_ok());
        for query in [
            "Expires=9",
            "Hash-Algorithm=x",
            "Expires=9&Hash-Algorithm=x",
        ] {
            let judged = judge(&format!("/a?{query}"));
            assert_eq!(judged, Err(Reason::WrongSignature), "{from} {query}");
        }
        assert!(judge("/a?Signature=AAAA&Key-Pair-Id=K&Policy=e30_").is_err());
    }
}
