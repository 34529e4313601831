//! Every attack on signed URLs that can be put to this format, by its number in
//! docs/security.md.

mod binding;
mod text;

use keygate_core::Reason;
use keygate_core::signed_url::keygate::sign::{Terms, hs256};
use serde_json::json;

use crate::keygate::kit::*;

const MALFORMED: Result<String, Reason> = Err(Reason::MalformedCredential);
const WRONG: Result<String, Reason> = Err(Reason::WrongSignature);
const TWICE: Result<String, Reason> = Err(Reason::DuplicateCredential);
const AMBIGUOUS: Result<String, Reason> = Err(Reason::AmbiguousPath);

fn try_target(target: &str) -> Result<String, Reason> {
    judge(&policy(), &get(target, &[]))
}

/// The signature of one link with the fields of another.
fn mixed(fields_of: &str, signature_of: &str) -> String {
    let (head, _) = fields_of.rsplit_once('.').unwrap();
    let (_, tail) = signature_of.rsplit_once('.').unwrap();
    format!("{head}.{tail}")
}

#[test]
fn a1_no_digit_of_the_path_becomes_one_of_the_time() {
    let late = Terms {
        expires_secs: 9_999_999_999,
        ..terms()
    };
    let good = link(&terms(), "/seg1");
    let other = mixed(&link(&late, "/seg"), &good);
    assert!(try_target(&good).is_ok());
    assert_eq!(try_target(&other), WRONG);
}

#[test]
fn a2_no_byte_of_the_query_can_be_moved_out() {
    let token = token(&terms(), "/a?id=51");
    for query in ["id=5", "id=511", "id=5&1", "id=51&", ""] {
        assert_eq!(
            try_target(&format!("/a?{query}&kg={token}")),
            WRONG,
            "{query}"
        );
    }
}

#[test]
fn a3_no_byte_of_the_path_becomes_one_of_the_address() {
    let here = ["127.0.0.1/32".parse().unwrap()];
    let there = ["27.0.0.1/32".parse().unwrap()];
    let of = |addresses, target| {
        link(
            &Terms {
                addresses,
                ..terms()
            },
            target,
        )
    };
    let other = mixed(&of(&there, "/s/link1"), &of(&here, "/s/link"));
    let found = judge_from(&policy(), &get(&other, &[]), "27.0.0.1", NOW);
    assert_eq!(found, WRONG);
}

#[test]
fn a4_no_binding_can_be_left_out() {
    let here = ["192.0.2.1/32".parse().unwrap()];
    let bound = [
        Terms {
            addresses: &here,
            ..terms()
        },
        Terms {
            headers: &[("x-a", "1")],
            ..terms()
        },
        Terms {
            cookies: &[("a", "1")],
            ..terms()
        },
        Terms {
            account: Some("alice"),
            ..terms()
        },
        Terms {
            once: Some("0123456789abcdef"),
            ..terms()
        },
        Terms {
            not_before_secs: Some(NOW + 1000),
            ..terms()
        },
        Terms {
            method: Some("PUT"),
            ..terms()
        },
    ];
    for bound in bound {
        let free = mixed(&link(&terms(), "/a"), &link(&bound, "/a"));
        assert_eq!(try_target(&free), WRONG, "{bound:?}");
    }
}

#[test]
fn a4_no_scope_can_be_widened() {
    for wide in [
        Terms {
            prefix: Some("/"),
            ..terms()
        },
        Terms {
            globs: &["/**"],
            ..terms()
        },
        Terms {
            any_host: true,
            ..terms()
        },
        Terms {
            any_query: true,
            ..terms()
        },
        Terms {
            ignored: &["utm_*"],
            ..terms()
        },
    ] {
        let widened = mixed(&link(&wide, "/a"), &link(&terms(), "/a"));
        assert_eq!(try_target(&widened), WRONG, "{wide:?}");
    }
}

#[test]
fn a5_only_the_exact_name_precedes_the_token() {
    let token = token(&terms(), "/a");
    for target in [
        format!("/a?xx={token}"),
        format!("/a?KG={token}"),
        format!("/a?kg[]={token}"),
    ] {
        assert_eq!(
            try_target(&target),
            Err(Reason::MissingCredential),
            "{target}"
        );
    }
}

#[test]
fn a6_a_value_that_looks_like_a_field_stays_a_value() {
    let evil = Terms {
        account: Some("alice~o16:e10:9999999999p1:/u5:admin"),
        ..terms()
    };
    let good = link(&evil, "/a");
    assert!(try_target(&good).is_ok());
    assert_eq!(
        judge_from(&policy(), &get(&good, &[]), "", END),
        Err(Reason::Expired)
    );
    assert_eq!(try_target(&good.replace("/a?", "/b?")), WRONG);
}

#[test]
fn a6_a_field_that_is_unknown_twice_or_out_of_order_is_malformed_though_rightly_signed() {
    assert!(try_target(&forged(HEAD)).is_ok());
    for (what, fields) in [
        ("e twice", format!("{HEAD}e10:9999999999")),
        ("unknown", format!("{HEAD}z1:1")),
        ("upper case", format!("{HEAD}H11:example.com")),
        ("algorithm", format!("{HEAD}A5:HS256")),
        ("out of order", "e10:1767229200k2:01".to_owned()),
        ("n behind m", format!("{HEAD}m3:GETn10:1767225600")),
        ("u twice", format!("{HEAD}u1:au1:b")),
        ("i after i and a", format!("{HEAD}i3:refa7:1.2.3.4i3:ref")),
        ("p and g", format!("{HEAD}p1:/g3:/**")),
        ("seventeen globs", format!("{HEAD}{}", "g3:/**".repeat(17))),
        ("no k", "e10:1767229200".to_owned()),
        ("no e", "k2:01".to_owned()),
        ("n not before e", format!("{HEAD}n10:1767229200")),
        ("nothing", String::new()),
    ] {
        assert_eq!(try_target(&forged(&fields)), MALFORMED, "{what}");
    }
}

#[test]
fn a6_a_length_or_a_value_of_another_form_is_malformed_though_rightly_signed() {
    for fields in [
        "k02:01e10:1767229200",
        "k2:01e10:176722920",
        "k2:01e11:1767229200",
        "k+2:01e10:1767229200",
        "k2;01e10:1767229200",
        "k0:e10:1767229200",
        "k99999:01e10:1767229200",
        "k18446744073709551618:01e10:1767229200",
        "k2:0/e10:1767229200",
        "k2:01e10:1767229200m3:get",
        "k2:01e10:1767229200h1:x",
        "k2:01e10:1767229200q1:x",
        "k2:01e10:1767229200p2:/a",
        "k2:01e10:1767229200p2:a/",
        "k2:01e10:1767229200g5:/a**b",
        "k2:01e10:1767229200g1:a",
        "k2:01e10:1767229200i5:a*b*c",
        "k2:01e10:1767229200a9:1.2.3.4.5",
        "k2:01e10:1767229200a10:1.2.3.4/33",
        "k2:01e10:1767229200r3:X-A",
        "k2:01e10:1767229200r5::path",
        "k2:01e10:1767229200c3:a=b",
        "k2:01e10:1767229200u3:a b",
        "k2:01e10:1767229200u4:a\r\nb",
        "k2:01e10:1767229200u2:\u{e9}",
        "k2:01e10:1767229200o15:0123456789abcde",
        "k2:01e10:1767229200o16:0123456789abcde.",
        "k2:01e10:1767229200 ",
        "k2:01e10:1767229200u",
        "k2:01e10:1767229200u1",
        "k2:01e10:1767229200u1:",
    ] {
        assert_eq!(try_target(&forged(fields)), MALFORMED, "{fields:?}");
    }
}

#[test]
fn a7_duplicate_tokens_are_rejected_in_every_carrier() {
    let token = token(&terms(), "/a");
    for target in [
        format!("/a?kg={token}&kg={token}"),
        format!("/a?kg={token}&%6bg=x"),
    ] {
        assert_eq!(try_target(&target), TWICE, "{target}");
    }
    // Without a value it is no token, and taken out as well.
    for target in [format!("/a?kg&kg={token}"), format!("/a?kg={token}&kg=")] {
        assert_eq!(try_target(&target).as_deref(), Ok("/a"), "{target}");
    }
    let provider = provider_with(json!({ "from": [{ "cookie": "kg" }, { "header": "x-l" }] }));
    let policy = policy_of(&provider, SECRET);
    let cookie = format!("kg={token}");
    let both = format!("kg={token}; kg=x");
    let rows: [&[(&str, &str)]; 4] = [
        &[("cookie", &both)],
        &[("cookie", &cookie), ("cookie", &cookie)],
        &[("cookie", &cookie), ("x-l", &token)],
        &[("x-l", &token), ("x-l", &token)],
    ];
    for more in rows {
        assert_eq!(judge(&policy, &get("/a", more)), TWICE, "{more:?}");
    }
}

#[test]
fn a8_a_disguised_name_is_rejected() {
    let token = token(&terms(), "/a");
    assert_eq!(try_target(&format!("/a?k%67={token}")), MALFORMED);
    assert_eq!(
        try_target(&format!("/a%3Fkg={token}")),
        Err(Reason::MissingCredential)
    );
}

#[test]
fn a9_to_a13_an_ambiguous_path_is_rejected_before_any_signature() {
    let everything = Terms {
        prefix: Some("/"),
        any_query: true,
        ..terms()
    };
    let token = token(&everything, "/");
    for path in [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/..;x=y/b",
        "/a//b",
        "/a\\b",
        "/a%5Cb",
        "/a%00b",
        "/a#b",
        "/a%252e",
        "/a%zz",
        "/a%c0%ae",
        "//evil/a",
        "/.//a",
        "/a%",
    ] {
        assert_eq!(
            try_target(&format!("{path}?kg={token}")),
            AMBIGUOUS,
            "{path}"
        );
    }
    let slash = try_target(&format!("/a%2Fb?kg={token}"));
    assert_eq!(slash, Err(Reason::EncodedSlash));
}

#[test]
fn a13_text_after_a_broken_triplet_is_never_decoded_into_it() {
    let token = token(&terms(), "/a?x=%25&y=%2525");
    assert!(try_target(&format!("/a?x=%25&y=%2525&kg={token}")).is_ok());
    for query in [
        "x=%2%35&y=%2525",
        "x=%%32%35&y=%2525",
        "x=%25&y=%2525%",
        "x=%25&y=%25%32%35x",
    ] {
        assert_eq!(
            try_target(&format!("/a?{query}&kg={token}")),
            WRONG,
            "{query}"
        );
    }
    let broken = hs256(&terms(), &place("/a?x=%zz"), &entry("01", SECRET));
    assert!(broken.is_err());
}

#[test]
fn a15_a_prefix_ends_at_a_segment() {
    let terms = Terms {
        prefix: Some("/video/"),
        ..terms()
    };
    let token = token(&terms, "/video/a");
    for path in [
        "/video-private/a",
        "/videos/a",
        "/video",
        "/video%2Fa",
        "/x/video/a",
    ] {
        assert!(try_target(&format!("{path}?kg={token}")).is_err(), "{path}");
    }
}

#[test]
fn a16_a_glob_crosses_neither_slash_nor_question_mark() {
    let terms = Terms {
        globs: &["/img/*.jpg"],
        ..terms()
    };
    let token = token(&terms, "/img/a.jpg");
    for target in [
        "/img/a/b.jpg?",
        "/img/a.png?x=.jpg&",
        "/img/?.jpg&",
        "/img/a%2Fb.jpg?",
    ] {
        assert!(
            try_target(&format!("{target}kg={token}")).is_err(),
            "{target}"
        );
    }
}
