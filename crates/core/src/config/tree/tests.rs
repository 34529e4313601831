use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value as Json;

use super::Tree;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read")]
struct Outer {
    inner: Vec<Inner>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read")]
struct Inner {
    name: String,
    size: Option<u16>,
    kind: Option<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only read")]
enum Kind {
    Plain,
    Named(String),
}

/// The path and the message for this text as an `Outer`.
fn told(text: &str) -> (String, String) {
    let tree = Tree::parse(text.as_bytes());
    let error = tree.and_then(|it| it.read::<Outer>()).unwrap_err();
    (error.path().to_owned(), error.message(text.as_bytes()))
}

#[test]
fn what_is_wrong_is_told_with_its_path_and_its_place() {
    for (inner, path, message) in [
        (
            r#"{"size": 1}"#,
            "inner[0]",
            "missing field `name` at line 2 column 23",
        ),
        (
            r#"{"name": 7}"#,
            "inner[0].name",
            "invalid type: integer `7`, expected a string at line 2 column 22",
        ),
        (
            r#"{"name": 7.5}"#,
            "inner[0].name",
            "invalid type: floating point `7.5`, expected a string at line 2 column 24",
        ),
        (
            r#"{"name": {}}"#,
            "inner[0].name",
            "invalid type: map, expected a string at line 2 column 21",
        ),
        (
            r#"{"nam": 7}"#,
            "inner[0].nam",
            "unknown field `nam`, expected one of `name`, `size`, `kind` at line 2 column 18",
        ),
        (
            r#"{"name": "", "size": 65536}"#,
            "inner[0].size",
            "invalid value: integer `65536`, expected u16 at line 2 column 38",
        ),
        (
            r#"{"name": "", "size": -1}"#,
            "inner[0].size",
            "invalid value: integer `-1`, expected u16 at line 2 column 35",
        ),
        (
            r#"{"name": "", "name": ""}"#,
            "inner[0]",
            "duplicate field `name` at line 2 column 31",
        ),
        (
            r#"{"name": "", "kind": "named"}"#,
            "inner[0].kind",
            "invalid type: unit variant, expected newtype variant at line 2 column 40",
        ),
        (
            r#"{"name": "", "kind": {"named": null}}"#,
            "inner[0].kind.named",
            "invalid type: null, expected a string at line 2 column 47",
        ),
        (
            r#"{"name": "", "kind": {"named": "", "plain": null}}"#,
            "inner[0].kind",
            "expected value at line 2 column 61",
        ),
        (
            r#"["list", 1, null]"#,
            "inner[0]",
            "invalid type: sequence, expected struct Inner at line 2 column 12",
        ),
        (
            r#"{"name": "\ud800"}"#,
            "inner[0].name",
            "unexpected end of hex escape at line 2 column 29",
        ),
        (
            r#"{"name": "",}"#,
            "inner[0]",
            "trailing comma at line 2 column 25",
        ),
        (
            r#"{"name" "x"}"#,
            "inner[0].name",
            "expected `:` at line 2 column 21",
        ),
    ] {
        let text = format!("{{\n  \"inner\": [{inner}]}}");
        assert_eq!(told(&text), (path.to_owned(), message.to_owned()), "{text}");
        // A list is the only thing that serde_json takes and we do not.
        if !inner.starts_with('[') {
            let theirs = serde_json::from_str::<Outer>(&text).unwrap_err();
            let words = |message: &str| message.split(" at line ").next().map(str::to_owned);
            assert_eq!(words(message), words(&theirs.to_string()), "{text}");
        }
    }
}

#[test]
fn text_that_nests_too_deep_is_refused_before_the_stack_ends() {
    let (path, message) = told(&"[".repeat(1_000_000));
    assert!(path.starts_with("[0][0]"), "{path}");
    assert_eq!(message, "recursion limit exceeded at line 1 column 128");
}

#[test]
fn a_member_can_be_left_to_another_reader() {
    let tree = Tree::parse(br#"{"b": 1, "a": {"x": null}, "c": 2}"#).unwrap();
    let names = |tree: &Tree| tree.members().map(|it| it.0.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&tree), ["b", "a", "c"]);
    assert_eq!(names(&tree.without("a")), ["b", "c"]);
    assert!(tree.get("a").is_some_and(|it| it.get("x").is_some()));
    assert!(tree.get("x").is_none());
}

/// JSON of every kind, with names and texts that must be escaped.
fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
        Just(Json::from("\\\"\n\u{0}\u{10ffff}")),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::hash_map(".{0,4}", inner, 0..4)
                .prop_map(|it| it.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_tree_holds_what_serde_json_reads(value in json(), is_pretty: bool) {
        let text = if is_pretty { format!("{value:#}\n") } else { value.to_string() };
        let read: Json = Tree::parse(text.as_bytes()).unwrap().read().unwrap();
        let expected: Json = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn what_serde_json_refuses_is_no_tree(value in json(), at: prop::sample::Index, byte: u8) {
        let mut text = value.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let tree = Tree::parse(&text);
        let theirs = serde_json::from_slice::<Json>(&text).is_ok();
        // Numbers that no float can hold are numbers here.
        prop_assert!(tree.is_ok() == theirs || text.contains(&b'e') || text.contains(&b'E'));
    }

    #[test]
    fn no_bytes_of_a_stranger_can_panic(text: Vec<u8>) {
        let _ = Tree::parse(&text);
    }
}
