//! What a configuration of an exchange must and must not say.

use serde_json::{Value, json};

use crate::exchange::kit::{parse, written};

/// The problems with another member in place of one of the exchange.
fn problems(member: &str, value: &Value) -> Vec<String> {
    let mut written = written();
    written["providers"]["link"]["exchange"][member] = value.clone();
    parse(&written).err().unwrap_or_default()
}

#[test]
fn a_wrong_exchange_is_rejected_by_the_name_of_its_field() {
    for (member, value, expected) in [
        (
            "secrets",
            json!("nowhere"),
            "exchange.secrets: there is no ring",
        ),
        (
            "secrets",
            json!("links"),
            "exchange.secrets: this ring is used elsewhere",
        ),
        (
            "secrets",
            json!("keys"),
            "exchange.secrets: this ring is used elsewhere",
        ),
        (
            "cookie",
            json!("a b"),
            "exchange.cookie: must be the name of a cookie",
        ),
        (
            "cookie",
            json!(""),
            "exchange.cookie: must be the name of a cookie",
        ),
        (
            "cookie",
            json!("__Host-link"),
            "exchange.cookie: must not start with \"__Host-\"",
        ),
        (
            "cookie",
            json!("__hOST-link"),
            "exchange.cookie: must not start with \"__Host-\"",
        ),
        (
            "max_session",
            json!("0s"),
            "exchange.max_session: must be a duration",
        ),
        (
            "max_session",
            json!("10y"),
            "exchange.max_session: must be at most",
        ),
        (
            "same_site",
            json!("Lax"),
            "exchange.same_site: unknown variant",
        ),
        (
            "covers",
            json!("everything"),
            "exchange.covers: unknown variant",
        ),
        ("domain", json!("x"), "exchange.domain: unknown field"),
    ] {
        let problems = problems(member, &value);
        let expected = format!("providers.link.{expected}");
        assert!(
            problems.iter().any(|it| it.starts_with(&expected)),
            "{problems:?}"
        );
    }
    assert_eq!(problems("cookie", &json!("__Secure-link")), [""; 0]);
}

#[test]
fn an_exchange_without_a_longest_session_is_rejected() {
    let mut written = written();
    let exchange = written["providers"]["link"]["exchange"]
        .as_object_mut()
        .unwrap();
    exchange.remove("max_session");
    let problems = parse(&written).unwrap_err();
    assert!(
        problems[0].contains("missing field `max_session`"),
        "{problems:?}"
    );
}

#[test]
fn two_exchanges_do_not_share_a_ring() {
    let mut written = written();
    let other = written["providers"]["link"].clone();
    written["providers"]["other"] = other;
    let problems = parse(&written).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("this ring is used elsewhere"));
}

#[test]
fn a_secret_that_can_be_guessed_does_not_sign_cookies() {
    let mut written = written();
    written["secrets"]["cookies"] = json!([{ "id": "c1", "env": "SHORT" }]);
    let problems = parse(&written).unwrap_err();
    assert!(problems[0].contains("at least 16 bytes"), "{problems:?}");
}

#[test]
fn an_exchange_given_twice_or_to_another_kind_of_provider_is_rejected() {
    let mut other = written();
    other["providers"]["key"]["exchange"] = json!({ "secrets": "cookies", "max_session": "6h" });
    let problems = parse(&other).unwrap_err();
    assert!(
        problems[0].contains("unknown field `exchange`"),
        "{problems:?}"
    );
    let twice = written()["providers"]["link"].to_string();
    let twice = format!("{},\"exchange\":{{}}}}", &twice[..twice.len() - 1]);
    let mut text = written();
    text["providers"]["link"] = json!("TWICE");
    let text = text.to_string().replace("\"TWICE\"", &twice);
    let environment = |_: &str| Some(b"another-secret-0123456789abcdef0123456789".to_vec());
    let problems = keygate_core::Policy::parse(text.as_bytes(), &environment).unwrap_err();
    assert!(
        problems[0].to_string().starts_with("providers.link"),
        "{problems:?}"
    );
}

#[test]
fn other_problems_of_a_provider_are_reported_with_an_exchange_too() {
    let mut written = written();
    written["providers"]["link"]["max_lifetme"] = json!("1h");
    let problems = parse(&written).unwrap_err();
    assert!(
        problems[0].contains("unknown field `max_lifetme`"),
        "{problems:?}"
    );
}
