//! Every attack on signed URLs that can be put to this format, by its number in
//! docs/security.md.

use keygate_core::reason::Reason;
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
    let found = judge_from(&policy(), &get(&other, &[]), Some("27.0.0.1"), NOW);
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
fn a5_what_stands_before_the_token_is_its_name_and_nothing_else() {
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
fn a6_a_value_can_hold_the_form_of_a_field_and_stays_a_value() {
    let evil = Terms {
        account: Some("alice~o16:e10:9999999999p1:/u5:admin"),
        ..terms()
    };
    let good = link(&evil, "/a");
    assert!(try_target(&good).is_ok());
    assert_eq!(
        judge_from(&policy(), &get(&good, &[]), None, END),
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
fn a7_a_token_that_stands_twice_is_refused_wherever_and_however() {
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
fn a8_a_disguised_name_is_refused() {
    let token = token(&terms(), "/a");
    assert_eq!(try_target(&format!("/a?k%67={token}")), MALFORMED);
    assert_eq!(
        try_target(&format!("/a%3Fkg={token}")),
        Err(Reason::MissingCredential)
    );
}

#[test]
fn a9_to_a13_an_ambiguous_path_is_refused_before_any_signature() {
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
fn a13_what_stands_behind_a_broken_triplet_is_never_decoded_into_it() {
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

#[test]
fn a17_base64_has_one_spelling() {
    let token = token(&terms(), "/a");
    let last = token.chars().next_back().unwrap();
    let stem = token.strip_suffix(last).unwrap();
    let next = char::from(u8::try_from(last).unwrap() + 1);
    let (head, tail) = token.rsplit_once('.').unwrap();
    for forged in [
        format!("{token}="),
        format!("{token}%3D"),
        format!("{head}=.{tail}"),
        format!("{stem}{next}"),
        stem.to_owned(),
        format!("{token}A"),
        format!("{head}.!{tail}"),
        format!("{head}.%20{tail}"),
        format!("{head}.{tail}."),
        format!("{head}..{tail}"),
        format!("{head}{tail}"),
        token.replace("kg1.", "kg1"),
        token.replace("kg1.", "KG1."),
        token.replace("kg1.", "kg2."),
        token.replace("kg1.", ""),
        "kg1..".to_owned(),
    ] {
        assert_eq!(
            try_target(&format!("/a?kg={forged}")),
            MALFORMED,
            "{forged}"
        );
    }
    // A URL may be percent-encoded on its way; a header is not.
    let encoded = token.replace('.', "%2E");
    assert!(try_target(&format!("/a?kg={encoded}")).is_ok());
    let in_header = policy_of(
        &provider_with(json!({ "from": [{ "header": "x-l" }] })),
        SECRET,
    );
    assert_eq!(
        judge(&in_header, &get("/a", &[("x-l", &encoded)])),
        MALFORMED
    );
}

#[test]
fn a17_a_token_has_its_length() {
    let long = format!("/a?kg=kg1.{}", "A".repeat(4093));
    assert_eq!(try_target(&long), MALFORMED);
    let globs = vec!["/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/**"; 16];
    let huge = "/b".repeat(1200) + "/";
    let terms = Terms {
        prefix: Some(&huge),
        ..terms()
    };
    assert!(hs256(&terms, &place(&huge), &entry("01", SECRET)).is_ok());
    let huge = "/b".repeat(1600) + "/";
    let terms = Terms {
        prefix: Some(&huge),
        ..terms
    };
    assert!(hs256(&terms, &place(&huge), &entry("01", SECRET)).is_err());
    let many = Terms {
        globs: &globs,
        prefix: None,
        ..terms
    };
    assert!(hs256(&many, &place(globs[0]), &entry("01", SECRET)).is_ok());
}

#[test]
fn a17_a_token_of_4096_characters_is_read_and_a_longer_one_is_not_though_rightly_signed() {
    // Three bytes of the fields become four characters, beside `kg1.`, the dot and 43.
    for (length, holds) in [(3036, true), (3037, false)] {
        let room = length - HEAD.len() - "p1234:".len();
        let prefix = format!("/{}/", "b".repeat(room - 2));
        let fields = format!("{HEAD}p{}:{prefix}", prefix.len());
        let text = format!("keygate-link-v1\nA5:HS256{fields}H11:example.comQ0:");
        let target = format!("{prefix}?kg={}", raw(&fields, &text));
        let expected = if holds { Ok(prefix) } else { MALFORMED };
        assert_eq!(try_target(&target), expected, "{length}");
    }
}

#[test]
fn a18_a_plus_is_a_plus() {
    let token = token(&terms(), "/a?x=a+b");
    assert!(try_target(&format!("/a?x=a+b&kg={token}")).is_ok());
    for query in ["x=a%20b", "x=a%2Bb"] {
        assert_eq!(
            try_target(&format!("/a?{query}&kg={token}")),
            WRONG,
            "{query}"
        );
    }
}

#[test]
fn a19_a_signature_is_whole_and_of_the_algorithm_of_the_policy() {
    let token = token(&terms(), "/a");
    let (head, mac) = token.rsplit_once('.').unwrap();
    for cut in [0, 2, 22, 38] {
        let short = format!("/a?kg={head}.{}", &mac[..cut]);
        assert_eq!(try_target(&short), MALFORMED, "{cut}");
    }
    let eddsa = format!("/a?kg={head}.{}", "A".repeat(86));
    assert_eq!(try_target(&eddsa), MALFORMED);
    // Signed as HS256, but over a text that says another algorithm.
    for algorithm in ["A5:EdDSA", "A4:none", ""] {
        let text = format!("keygate-link-v1\n{algorithm}{HEAD}{REQUEST}");
        let link = format!("/a?kg={}", raw(HEAD, &text));
        assert_eq!(try_target(&link), WRONG, "{algorithm}");
    }
}

#[test]
fn a20_no_other_text_of_the_same_secret_is_a_link() {
    for domain in ["", "keygate-link-v2\n", "keygate-clearance-v1\n"] {
        let text = format!("{domain}A5:HS256{HEAD}{REQUEST}");
        let link = format!("/a?kg={}", raw(HEAD, &text));
        assert_eq!(try_target(&link), WRONG, "{domain:?}");
    }
}

#[test]
fn a21_a_time_is_digits_and_nothing_else() {
    for time in [
        "0",
        "01767229200",
        "-1",
        "+1767229200",
        "1.7e9",
        "0x6553F100",
        "17672292000",
        "1767229200.0",
        "99999999999",
        "\u{661}",
    ] {
        let fields = format!("k2:01e{}:{time}", time.len());
        assert_eq!(try_target(&forged(&fields)), MALFORMED, "{time}");
    }
    let far = forged("k2:01e10:9999999999");
    assert_eq!(try_target(&far), Err(Reason::LifetimeTooLong));
}

#[test]
fn a22_a_link_from_the_future_does_not_hold_yet() {
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
fn a24_nothing_is_told_of_a_link_that_nobody_signed() {
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
    let found = judge_from(&policy(), &headers, Some("203.0.113.1"), NOW);
    assert_eq!(found, Err(Reason::AddressNotAllowed));
}

#[test]
fn a29_a_link_of_one_host_or_ring_is_none_of_another() {
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
fn a33_exactly_the_token_goes() {
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
