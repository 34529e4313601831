//! Hosts of rules, and what a client may put into `:authority`.

use super::*;
use keygate_core::http::HostPattern;

/// Whether a rule for `host` is for a request to `authority`.
fn is_for(host: &str, authority: &str) -> bool {
    let mut json = demo();
    json["rules"][0]["match"]["hosts"] = json!([host]);
    let mut headers = get("/healthz", &[]);
    headers[2].1 = authority.into();
    judge(&policy(&json, SECRET), &headers, 0).is_ok()
}

#[test]
fn a_rule_for_an_address_of_version_6_is_for_it_with_a_port_and_without() {
    for authority in ["[2001:db8::1]", "[2001:DB8::1]", "[2001:db8::1]:8443"] {
        assert!(is_for("[2001:db8::1]", authority), "{authority}");
    }
    assert!(!is_for("[2001:db8::1]", "[2001:db8::2]"));
}

#[test]
fn half_a_bracket_around_a_host_is_rejected_before_it_silently_matches_nothing() {
    for wrong in ["[::1", "::1]", "::1", "*.[::1]", "[::1]:443", "a[b", "a]"] {
        assert!(HostPattern::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_rule_for_one_host_is_for_no_longer_name_and_no_shorter_one() {
    for other in ["b.example", "xa.example", "a.example.evil", "a.exampl"] {
        assert!(!is_for("a.example", other), "{other}");
    }
    assert!(is_for("a.example", "A.Example.:80"));
}
