//! `keygate keys edit` and the labels of a key.

use keygate_service::Attributes;
use serde_json::{Value, json};

use crate::keys::stderr;
use crate::support::{Server, database, id};

#[test]
fn every_field_of_a_key_that_can_change_can_be_cleared() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let key = server.output(&[
        "keys",
        "create",
        "--account",
        "alice",
        "--name",
        "CI",
        "--scope",
        "read",
        "--metadata",
        r#"{"tier":1}"#,
        "--expires-in",
        "1d",
        "--allow-ip",
        "10.0.0.0/8",
        "--allow-referrer",
        "https://a.example",
        "--label",
        "team=core",
        "--rate-limit",
        "100/1m",
    ]);
    let id = id(&key);
    let shown = || -> Value {
        serde_json::from_str(&server.output(&["keys", "show", &id, "--json"])).unwrap()
    };
    for field in Attributes::NAMES
        .iter()
        .filter(|it| !Attributes::FIXED.contains(it))
    {
        let before = shown()[field].clone();
        let nothing = match before {
            Value::Array(_) => json!([]),
            Value::Object(_) => json!({}),
            _ => Value::Null,
        };
        assert_ne!(before, nothing, "{field} is not set");
        let clear = field.replace('_', "-");
        server.output(&["keys", "edit", &id, "--clear", &clear]);
        assert_eq!(shown()[field], nothing, "{field}");
    }
}

#[test]
fn a_key_is_edited_disabled_enabled_and_rotated() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let create = [
        "keys",
        "create",
        "--account",
        "alice",
        "--name",
        "CI",
        "--scope",
        "read",
        "--metadata",
        r#"{"tier":1.50}"#,
    ];
    let key = server.output(&create);
    let id = id(&key);
    let shown = || -> Value {
        serde_json::from_str(&server.output(&["keys", "show", &id, "--json"])).unwrap()
    };
    let edit = [
        "keys", "edit", &id, "--scope", "a", "--scope", "b", "--clear", "name",
    ];
    let text = server.output(&edit);
    assert!(text.contains("scopes     a b"), "{text}");
    let edited = shown();
    assert_eq!(edited["scopes"], json!(["a", "b"]));
    assert_eq!(edited["name"], Value::Null);
    assert_eq!(edited["metadata"], json!({ "tier": 1.5 }));
    server.output(&["keys", "edit", &id, "--metadata", r#"{"tier":2.50}"#]);
    let json = server.output(&["keys", "show", &id, "--json"]);
    assert!(
        json.contains(r#"{"tier":2.50}"#),
        "as it was written: {json}"
    );
    for (args, told) in [
        (
            &["--clear", "scopes", "--scope", "a"][..],
            "--clear scopes cannot be combined with",
        ),
        (&[], "nothing to change"),
        (&["--scope", "a b"], "repeat --scope"),
        (
            &["--allow-ip", "10.0.0.7/8"],
            "--allow-ip \"10.0.0.7/8\": must be",
        ),
        (
            &["--name", "x", "--if-match", "\"1\""],
            "its etag is \"3\" now",
        ),
    ] {
        let args = [&["keys", "edit", &id], args].concat();
        let done = server.keygate(&args).code(2);
        let said = stderr(&done);
        assert!(said.contains(told), "{args:?}: {said}");
    }
    assert_eq!(
        server.output(&["keys", "disable", &id]),
        format!("{id} is disabled now\n")
    );
    assert_eq!(shown()["status"], "disabled");
    let list = server.output(&["keys", "list", "--status", "disabled"]);
    assert!(list.contains(&id), "{list}");
    assert_eq!(
        server.output(&["keys", "enable", &id]),
        format!("{id} is active now\n")
    );

    let done = server
        .keygate(&["keys", "rotate", &id, "--grace", "2h"])
        .success();
    let told = format!("The old key {id} is accepted for another 2h, or until it expires");
    assert!(stderr(&done).contains(&told), "{}", stderr(&done));
    let new = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert_eq!(new.trim().len(), 62);
    let new = crate::support::id(&new);
    assert_eq!(shown()["replaced_by"], json!(new));
    let done = server
        .keygate(&["keys", "rotate", &new, "--grace", "0"])
        .success();
    assert!(stderr(&done).contains("is revoked"), "{}", stderr(&done));
    let export = server.output(&["keys", "export", "--account", "alice"]);
    let lines = export
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(lines.count(), 3);
}

#[test]
fn a_list_has_the_keys_with_a_label_and_no_other() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let create = |account: &str, label: &str| {
        server.output(&["keys", "create", "--account", account, "--label", label]);
    };
    create("alice", "team=core");
    create("bob", "team=edge");
    let list = server.output(&["keys", "list", "--label", "team=core"]);
    assert!(list.contains("alice") && !list.contains("bob"), "{list}");
    let wrong = server.keygate(&["keys", "list", "--label", "team"]).code(2);
    let told = stderr(&wrong);
    assert!(told.contains("--label: must be name=value"), "{told}");
}
