use super::*;
use crate::http::request::Header;

fn check_headers(pattern: &str, list: &[(&str, &str)]) -> bool {
    let pattern = ReferrerPattern::parse(pattern).unwrap();
    let pseudo = [(":method", "GET"), (":path", "/x"), (":authority", "h")];
    let headers: Vec<Header> = pseudo
        .iter()
        .chain(list)
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    let request = Request::read(&headers).unwrap();
    check(&[pattern], &request).is_ok()
}

#[test]
fn a_page_matches_by_origin_and_path() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("https://app.example.com", &[
            "https://app.example.com", "https://app.example.com/", "https://app.example.com/a/b?c=d",
            "https://app.example.com:443/", "HTTPS://APP.Example.COM/A", "https://app.example.com//a/../b",
        ]),
        ("app.example.com", &["https://app.example.com/"]),
        ("HTTPS://App.Example.com", &["https://app.example.com/"]),
        ("https://app.example.com:8443", &["https://app.example.com:8443/a"]),
        ("http://app.example.com", &["http://app.example.com/", "http://app.example.com:80/"]),
        ("http://localhost:3000", &["http://localhost:3000/", "http://LOCALHOST:3000"]),
        ("https://*.example.com", &["https://a.example.com/", "https://a.b.example.com/", "https://A.EXAMPLE.com"]),
        ("https://*.example.com/path/**", &["https://a.example.com/path", "https://a.example.com/path/b?c"]),
        ("https://app.example.com/a/*/c", &["https://app.example.com/a/b/c", "https://app.example.com/%61/b/c"]),
        ("https://[2001:db8::1]", &["https://[2001:db8::1]/", "https://[2001:DB8:0::1]:443/a"]),
        ("https://[::1]:8443/a/**", &["https://[::1]:8443/a/b"]),
        ("https://192.0.2.1", &["https://192.0.2.1/"]),
    ];
    for (pattern, pages) in rows {
        for page in *pages {
            assert!(
                check_headers(pattern, &[("referer", page)]),
                "{pattern} {page}"
            );
        }
    }
}

#[test]
fn a_page_that_only_looks_alike_does_not_match() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("https://app.example.com", &[
            "", "null", "app.example.com", "//app.example.com", "/", "about:blank", "javascript:alert(1)",
            "http://app.example.com/", "ftp://app.example.com/", "android-app://app.example.com/",
            "https://example.com/", "https://xapp.example.com/", "https://a.app.example.com/",
            "https://app.example.com.evil/", "https://app.example.com.", "https://app.example.com./",
            "https://app.example.com@evil/", "https://evil@app.example.com/", "https://app.example.com:pw@evil/",
            "https://app.example.com%40evil/", "https://app.example.com%00/", "https://app.example.com\\@evil/",
            "https://app.example.com\\.evil/", "https://evil/https://app.example.com/",
            "https://evil?https://app.example.com/", "https://evil#https://app.example.com/",
            "https://app.example.com:8443/", "https://app.example.com:/", "https://app.example.com:0443/",
            "https://app.example.com:443:443/", "https://app.example.com:4x/", "https://app.example.com:99999/",
            "https://app.example.com#@evil/", "https://app.example.com?q",
            " https://app.example.com/", "https://app.example.com /", "https:app.example.com/", "https:/app.example.com/",
            "https://https://app.example.com/", "https://app.example.com,https://evil/", "https://[::1]/",
        ]),
        ("https://*.example.com", &[
            "https://example.com/", "https://.example.com/", "https://xexample.com/", "https://a.example.com.evil/",
            "https://a..example.com/", "https://evil@a.example.com/", "http://a.example.com/", "https://*.example.com/",
        ]),
        ("https://*.example.com/path/**", &[
            "https://a.example.com/", "https://a.example.com", "https://a.example.com/path2",
            "https://a.example.com/?/path/", "https://a.example.com/x/path/y", "https://a.example.com/path/../x",
            "https://a.example.com/path/%2e%2e/x", "https://a.example.com//path", "https://a.example.com/path\\..\\x",
            "https://a.example.com/path#/../..",
        ]),
        ("https://[::1]", &["https://[::2]/", "https://::1/", "https://[::1/", "https://[::1]x/", "https://[::1%25eth0]/"]),
        ("https://192.0.2.1", &["https://0xc0.0.2.1/", "https://192.0.2.1.evil/", "https://3221225985/"]),
    ];
    for (pattern, pages) in rows {
        for page in *pages {
            assert!(
                !check_headers(pattern, &[("referer", page)]),
                "{pattern} {page}"
            );
        }
    }
}

#[test]
fn the_origin_is_used_only_without_a_referrer() {
    let (here, evil) = ("https://app.example.com", "https://evil.example");
    for (list, expected) in [
        (vec![("origin", here)], true),
        (vec![("origin", "HTTPS://APP.EXAMPLE.COM:443")], true),
        (vec![("origin", evil)], false),
        (vec![("origin", "null")], false),
        (vec![("origin", "https://app.example.com/")], false),
        (vec![("origin", "https://app.example.com@evil")], false),
        (vec![], false),
        (vec![("referer", here), ("origin", evil)], true),
        (vec![("referer", evil), ("origin", here)], false),
        (vec![("referer", ""), ("origin", here)], false),
        (vec![("referer", here), ("referer", here)], false),
        (vec![("origin", here), ("origin", here)], false),
        (
            vec![("referer", here), ("referer", evil), ("origin", here)],
            false,
        ),
    ] {
        assert_eq!(check_headers(here, &list), expected, "{list:?}");
    }
    // An origin has no path: it counts as the root, as a browser's short referrer does.
    let origin = [("origin", here)];
    assert!(check_headers("https://app.example.com/**", &origin));
    assert!(!check_headers("https://app.example.com/a/**", &origin));
}

#[test]
fn invalid_patterns_are_rejected() {
    for pattern in [
        "",
        "*",
        "https://",
        "https://*",
        "https://*.com",
        "https://*.",
        "https://a.*.example.com",
        "https://a*.example.com",
        "https://**.example.com",
        "https://*.*.example.com",
        "https://*.[::1]",
        "https://user@example.com",
        "https://example.com:*",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com.",
        "https://exa mple.com",
        "https://caf\u{e9}.example",
        "https://[::1",
        "ftp://example.com",
        "*://example.com",
        "https://example.com?a",
        "https://example.com/a?b",
        "https://example.com/a#b",
        "https://example.com/../a",
        "https://example.com/a**",
        "https://example.com\\a",
        "https:example.com",
        "//example.com",
    ] {
        assert!(ReferrerPattern::parse(pattern).is_err(), "{pattern}");
    }
    let long = format!("https://example.com/{}", "a".repeat(MAX_REFERRER));
    assert_eq!(ReferrerPattern::parse(&long), Err(ReferrerError::TooLong));
}

#[test]
fn a_pattern_without_a_scheme_needs_a_dot_or_an_ipv6_address() {
    for pattern in ["x", "localhost", "localhost:3000", "x/a/**", "X", "-"] {
        assert_eq!(
            ReferrerPattern::parse(pattern),
            Err(ReferrerError::Scheme),
            "{pattern}"
        );
        assert!(ReferrerPattern::parse_stored(pattern).is_ok(), "{pattern}");
        assert!(ReferrerPattern::parse(&format!("http://{pattern}")).is_ok());
    }
    for pattern in ["a.example", "*.a.example", "192.0.2.1", "[::1]:8443"] {
        assert!(ReferrerPattern::parse(pattern).is_ok(), "{pattern}");
    }
}

proptest::proptest! {
    #[test]
    fn untrusted_text_never_panics(page: String, pattern: String) {
        let _ = Page::parse(&page, true);
        let _ = Page::parse(&format!("https://{page}"), false);
        let _ = ReferrerPattern::parse(&pattern);
        let _ = ReferrerPattern::parse(&format!("https://{pattern}"));
    }

    #[test]
    fn no_suffix_makes_another_host_match(tail in "[a-z.@:#?\\\\-]{1,12}") {
        let url = format!("https://app.example.com{tail}.evil/");
        proptest::prop_assert!(!check_headers("https://app.example.com", &[("referer", &url)]));
    }
}
