#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Flag(flag) => (*flag).into(),
        Value::Number(number) => number.clone().into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
    }
}

fn read(text: &[u8]) -> Option<Json> {
    Value::parse(text).as_ref().map(plain)
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        "[\\x00-\\x22\\\\é\u{1f600}]{0,4}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|it| it.into_iter().collect()),
        ]
    })
}

#[test]
fn invalid_json_is_rejected_and_unusual_json_is_read() {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    for text in [
        "",
        " ",
        "1 2",
        "01",
        "-",
        "-0",
        "1.",
        ".5",
        "1e",
        "1e+5",
        "1E-5",
        "+1",
        "tru",
        "truex",
        "nul",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{,}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "\"\u{1}\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\ud83d\\ude00\"",
        "\"\\u00e9\\/\"",
        "\"a",
        "\"\\",
        "\"\\\u{e9}\"",
        "\t{ \"a\" : [ 1 , \"b\" ] }\r\n",
        "\u{feff}1",
        "1\u{a0}",
        "{\"a\":}",
        "[",
        "]",
        "{",
        &deep(127),
        &deep(128),
    ] {
        let theirs = serde_json::from_str::<Json>(text).ok();
        assert_eq!(read(text.as_bytes()), theirs, "{text}");
    }
    assert!(Value::parse(b"\"\xff\"").is_none());
}

#[test]
fn members_are_unique_and_others_follow_the_object() {
    let both = Value::parse(b"{\"c\":true,\"c\":null}").unwrap().members();
    let expected = [("c", Value::Flag(true)), ("c", Value::Null)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(both.unwrap(), expected);
    let closed = |text: &str| {
        Value::parse(text.as_bytes())
            .unwrap()
            .closed(["a"])
            .is_some()
    };
    assert!(closed("{\"a\":null}") && closed("{}"));
    assert!(!closed("{\"a\":1,\"b\":1}") && !closed("[1,2]"));
    assert!(!closed("{\"a\":1,\"a\":1}") && !closed("{\"a\":1,\"\\u0061\":1}"));
    // Also where nothing asks for the member.
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(127), "]".repeat(127));
    for wrong in [deep.as_str(), "{\"x\":\"\\ud800\"}", "{\"x\":01}"] {
        assert!(Value::parse(wrong.as_bytes()).is_none(), "{wrong}");
    }
}

#[test]
fn numbers_are_whole() {
    let number = |text: &str| Value::parse(text.as_bytes()).unwrap().number();
    assert_eq!(number("18446744073709551615"), Some(u64::MAX));
    for wrong in [
        "18446744073709551616",
        "-1",
        "-0",
        "1.0",
        "1e2",
        "\"1\"",
        "null",
        "[1]",
    ] {
        assert_eq!(number(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn it_reads_what_serde_json_reads(value in json(), is_pretty: bool) {
        let text = match is_pretty {
            true => serde_json::to_string_pretty(&value).unwrap(),
            false => value.to_string(),
        };
        prop_assert_eq!(read(text.as_bytes()), Some(value));
    }

    #[test]
    fn it_rejects_what_serde_json_rejects(value in json(), at: prop::sample::Index, byte: u8) {
        let mut text = value.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let theirs = serde_json::from_slice::<Json>(&text).is_ok();
        prop_assert_eq!(Value::parse(&text).is_some(), theirs);
    }

    #[test]
    fn it_escapes_what_serde_json_escapes(text: String, control in "[\\x00-\\x7f]{0,8}") {
        for text in [text, control] {
            let mut escaped = String::new();
            escape(&mut escaped, &text);
            prop_assert_eq!(format!("\"{escaped}\""), Json::from(text).to_string());
        }
    }

    #[test]
    fn untrusted_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Value::parse(&bytes);
    }
}
