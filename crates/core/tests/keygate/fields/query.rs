//! What a link says of the query.

use super::*;

#[test]
fn the_query_is_signed_unless_the_link_says_otherwise() {
    let any = Terms {
        any_query: true,
        ..terms()
    };
    let (one, any) = (token(&terms(), "/a?x=1"), token(&any, "/a"));
    for (query, one_holds) in [
        ("x=1&", true),
        ("x=2&", false),
        ("", false),
        ("x=1&y=1&", false),
    ] {
        let holds = |token: &str| passes(&format!("/a?{query}kg={token}")).is_ok();
        assert_eq!(holds(&one), one_holds, "{query}");
        assert!(holds(&any), "{query}");
    }
}

#[test]
fn ignored_parameters_are_free_and_arrive_at_the_upstream() {
    let terms = Terms {
        ignored: &["utm_*", "ref"],
        ..terms()
    };
    let token = token(&terms, "/a?x=1");
    for (query, holds) in [
        ("x=1", true),
        ("utm_source=mail&x=1&utm_medium=a&ref=b", true),
        ("x=1&utm%5Fsource=mail", true),
        ("utm_=&x=1&ref", true),
        ("x=1&utm=1", false),
        ("x=1&refs=1", false),
        ("x=1&Ref=1", false),
    ] {
        let expected = if holds {
            Ok(format!("/a?{query}"))
        } else {
            WRONG
        };
        assert_eq!(
            passes(&format!("/a?{query}&kg={token}")),
            expected,
            "{query}"
        );
    }
}

#[test]
fn no_parameter_hides_after_a_semicolon_in_an_unsigned_one() {
    let terms = Terms {
        ignored: &["utm_*"],
        ..terms()
    };
    let semicolon = token(&terms, "/a?x=1;y=2");
    let token = token(&terms, "/a?x=1");
    for query in [
        "x=1&utm_a=1;x=2",
        "x=1&utm_a=1;admin",
        "x=1&utm_a;x=2",
        "utm_=;x=2&x=1",
    ] {
        assert_eq!(passes(&format!("/a?{query}&kg={token}")), WRONG, "{query}");
    }
    let target = format!("/a?x=1;y=2&utm_a=1%3B&kg={semicolon}");
    assert!(passes(&target).is_ok());
}

#[test]
fn query_allow_is_not_evaded_by_a_semicolon() {
    let provider = provider_with(json!({ "query_allow": ["x"] }));
    let policy = policy_of(&provider, SECRET);
    let any = Terms {
        any_query: true,
        ..terms()
    };
    let token = token(&any, "/a");
    for (query, holds) in [("x=1", true), ("x=1;y=2", false), ("x=1&utm_a=;y=2", false)] {
        let link = format!("/a?{query}&kg={token}");
        assert_eq!(judge(&policy, &get(&link, &[])).is_ok(), holds, "{query}");
    }
}

#[test]
fn a_token_ignores_only_what_the_policy_lists() {
    for ignored in ["utm_source", "utm*", "x"] {
        let terms = Terms {
            ignored: &[ignored],
            ..terms()
        };
        assert_eq!(passes(&link(&terms, "/a")), WRONG, "{ignored}");
    }
}

#[test]
fn query_allow_bounds_what_even_a_signer_may_pass_on() {
    let provider = provider_with(json!({ "query_allow": ["x", "w*"] }));
    let policy = policy_of(&provider, SECRET);
    let any = Terms {
        any_query: true,
        ..terms()
    };
    for (query, holds) in [
        ("x=1&", true),
        ("width=1&utm_source=2&", true),
        ("", true),
        ("y=1&", false),
        ("%78=1&", true),
        ("xy&", false),
    ] {
        for terms in [terms(), any] {
            let target = format!("/a?{}", query.trim_end_matches('&'));
            let token = token(&terms, target.trim_end_matches('?'));
            let link = format!("/a?{query}kg={token}");
            assert_eq!(judge(&policy, &get(&link, &[])).is_ok(), holds, "{query}");
        }
    }
}
