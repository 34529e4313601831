//! Attacks on the text of a token: its encoding, length and digits.

use super::*;

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
