//! Attacks on what a link is bound to, and on what a rejection tells.

use super::*;

#[test]
fn a22_a_link_from_the_future_is_not_yet_valid() {
    let terms = Terms {
        not_before_secs: Some(NOW + 31),
        ..terms()
    };
    assert_eq!(try_target(&link(&terms, "/a")), Err(Reason::NotYetValid));
}

#[test]
fn a23_and_a24_an_unknown_key_looks_like_a_wrong_signature() {
    let unknown = hs256(&terms(), &place("/a"), &entry("02", SECRET)).unwrap();
    let wrong = hs256(
        &terms(),
        &place("/a"),
        &entry("01", "another secret, long enough"),
    )
    .unwrap();
    for token in [unknown, wrong] {
        assert_eq!(try_target(&format!("/a?kg={token}")), WRONG);
    }
}

#[test]
fn a24_an_unsigned_link_reveals_nothing() {
    let here = ["192.0.2.1/32".parse().unwrap()];
    let terms = Terms {
        expires_secs: 1,
        not_before_secs: None,
        addresses: &here,
        ..terms()
    };
    let token = hs256(
        &terms,
        &place("/a"),
        &entry("01", "another secret, long enough"),
    )
    .unwrap();
    assert_eq!(try_target(&format!("/a?kg={token}")), WRONG);
}

#[test]
fn a26_the_client_does_not_choose_what_is_signed() {
    // It names no header, or one that it does not send.
    let good = Terms {
        headers: &[("x-device", "tv")],
        ..terms()
    };
    let forged = mixed(&link(&terms(), "/a"), &link(&good, "/a"));
    assert_eq!(try_target(&forged), WRONG);
    assert_eq!(try_target(&link(&good, "/a")), WRONG);
}

#[test]
fn a27_the_address_is_the_proxys_and_no_headers() {
    let here = ["192.0.2.1/32".parse().unwrap()];
    let terms = Terms {
        addresses: &here,
        ..terms()
    };
    let headers = get(&link(&terms, "/a"), &[("x-forwarded-for", "192.0.2.1")]);
    let found = judge_from(&policy(), &headers, "203.0.113.1", NOW);
    assert_eq!(found, Err(Reason::AddressNotAllowed));
}

#[test]
fn a29_a_link_is_bound_to_its_host_and_ring() {
    let link = link(&terms(), "/a");
    let other = request("GET", "other.example.com", &link, &[]);
    assert_eq!(judge(&policy(), &other), WRONG);
    let other = policy_of(&provider(), "the secret of another ring");
    assert_eq!(judge(&other, &get(&link, &[])), WRONG);
}

#[test]
fn a32_no_method_but_the_signed_one() {
    let link = link(&terms(), "/a");
    for method in ["POST", "DELETE", "TRACE", "CONNECT", "OPTIONS"] {
        let found = judge(&policy(), &request(method, "example.com", &link, &[]));
        assert_eq!(found, WRONG, "{method}");
    }
}

#[test]
fn a33_exactly_the_token_is_removed() {
    let any = Terms {
        any_query: true,
        ..terms()
    };
    let token = token(&any, "/a");
    for (target, left) in [
        ("/a?kg=T", "/a"),
        ("/a?a=1&kg=T&b=", "/a?a=1&b="),
        ("/a?kg=T&b=", "/a?b="),
        ("/a?mykg=x&kg=T&kgx=y", "/a?mykg=x&kgx=y"),
        ("/a?a=kg=T&kg=T", "/a?a=kg=T"),
        ("/a?a=%2b+&kg=T&&", "/a?a=%2b+&&"),
    ] {
        let found = try_target(&target.replace("kg=T", &format!("kg={token}")));
        let left = left.replace("kg=T", &format!("kg={token}"));
        assert_eq!(found, Ok(left), "{target}");
    }
}
