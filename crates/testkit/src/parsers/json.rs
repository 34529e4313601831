//! An input is a text: our reader takes what serde_json takes, and makes the same of it.

use keygate_core::text::json::Value;

pub fn run(data: &[u8]) {
    let ours = Value::parse(data);
    let theirs: Option<serde_json::Value> = serde_json::from_slice(data).ok();
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => same(ours, &theirs),
        (None, Some(theirs)) => panic!("serde_json reads {theirs}"),
        (Some(ours), None) => panic!("serde_json does not read {ours:?}"),
        (None, None) => {}
    }
}

fn same(ours: Value, theirs: &serde_json::Value) {
    assert_eq!(ours.number(), theirs.as_u64());
    match theirs {
        serde_json::Value::String(text) => assert_eq!(ours.text().as_ref(), Some(text)),
        serde_json::Value::Array(items) => {
            let list = ours.list().unwrap();
            assert_eq!(list.len(), items.len());
            for (ours, theirs) in list.into_iter().zip(items) {
                same(ours, theirs);
            }
        }
        serde_json::Value::Object(members) => {
            let mut own = ours.members().unwrap();
            // Of two members of one name serde_json keeps the last.
            for (name, theirs) in members {
                let at = own.iter().rposition(|it| it.0 == *name).unwrap();
                same(own.remove(at).1, theirs);
                own.retain(|it| it.0 != *name);
            }
            assert!(own.is_empty(), "more members: {own:?}");
        }
        serde_json::Value::Null => assert_eq!(ours, Value::Null),
        serde_json::Value::Bool(flag) => assert_eq!(ours, Value::Flag(*flag)),
        serde_json::Value::Number(number) => assert_eq!(ours, Value::Number(number.clone())),
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let mut all = texts();
    all.extend([deep(127).into_bytes(), deep(128).into_bytes()]);
    all
}

fn texts() -> Vec<Vec<u8>> {
    super::texts(&[
        r#" {"a": [1, -0, 1.5e+3, 18446744073709551616], "b": {"a": null, "a": true}} "#,
        r#""\u00e9\ud83d\ude00\n\/\"\\ \ud800""#,
        r#"{"epoch":7,"reset":false,"more":true,"changed":[]}"#,
        "01",
        "1e999",
        "-",
        "[1,]",
        "\"\u{7f}\u{80}\t\"",
        "nulll",
    ])
}
