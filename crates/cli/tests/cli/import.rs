//! `keygate keys import`: all of a file or nothing of it.

use std::path::PathBuf;

use crate::support::{Server, database};

const GOOD: &str = r#"{"key":"legacy:alice:0123456789abcdef","account":"alice","scopes":["a"]}"#;

fn file(directory: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = directory.path().join("keys.jsonl");
    std::fs::write(&path, text).unwrap();
    path
}

/// Exit code, standard output and standard error.
fn import(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let arguments = [&["keys", "import"], arguments].concat();
    let done = server.keygate(&arguments);
    let output = done.get_output();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_file_of_keys_is_imported_once_and_may_be_imported_again() {
    let (directory, path) = database();
    let server = Server::start(&path);
    let mut text: String = (0..250)
        .map(|number| format!("{{\"key\":\"legacy:{number:020}\",\"account\":\"bob\"}}\n\n"))
        .collect();
    text.push_str(GOOD);
    let file = file(&directory, &text);
    let file = file.to_str().unwrap();
    let (code, told, _) = import(&server, &[file, "--dry-run"]);
    assert_eq!(
        (code, told.as_str()),
        (0, "251 would be imported, 0 unchanged\n")
    );
    let (code, told, _) = import(&server, &[file]);
    assert_eq!((code, told.as_str()), (0, "251 imported, 0 unchanged\n"));
    let (code, told, _) = import(&server, &[file, "--json"]);
    assert_eq!(code, 0);
    let last: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["line"], &last["result"]),
        (&501.into(), &"unchanged".into())
    );
    let shown = server.output(&["keys", "show", last["id"].as_str().unwrap()]);
    assert!(shown.contains("alice"), "{shown}");
}

#[test]
fn one_wrong_line_is_named_and_nothing_is_imported() {
    let (directory, path) = database();
    let server = Server::start(&path);
    for (line, complaint, expected) in [
        ("{\"key\":", "line 2: is not JSON: at column 7", 2),
        (
            "legacy:bob:0123456789abcdef",
            "line 2: is not a JSON object",
            2,
        ),
        (
            "[\"legacy:bob:0123456789abcdef\"]",
            "line 2: is not a JSON object",
            2,
        ),
        (GOOD, "line 2: the same key is already on line 1", 2),
        (
            "{\"key\":\"short\",\"account\":\"bob\"}",
            "line 2: key: must be 16 to 512",
            1,
        ),
        (
            "{\"key\":\"legacy:bob:0123456789abcdef\"}",
            "line 2: account: is required",
            1,
        ),
        (
            "{\"key\":\"legacy:bob:0123456789abcdef\",\"user\":\"bob\"}",
            "line 2: has an unknown field",
            1,
        ),
        (
            "{\"key\":\"legacy:bob:0123456789abcdef\",\"account\":\"bob\",\"scopes\":[\"a b\"]}",
            "line 2: scopes[0]: ",
            1,
        ),
        (
            "{\"key\":\"short\",\"account\":\"a b\",\"scopes\":[\"a b\",\"c d\"]}",
            "line 2: scopes[1]: ",
            1,
        ),
    ] {
        let file = file(&directory, &format!("{GOOD}\n{line}\n"));
        let (code, told, error) = import(&server, &[file.to_str().unwrap()]);
        assert_eq!(code, expected, "{line}: {error}");
        assert!(error.contains(complaint), "{line}: {error}");
        assert!(error.contains("nothing was imported"), "{error}");
        assert!(
            !error.contains("0123456789abcdef") && told.is_empty(),
            "{error}{told}"
        );
        let listed = server.output(&["keys", "list"]);
        assert_eq!(listed.lines().count(), 1, "{listed}");
    }
}

#[test]
fn a_key_that_belongs_to_another_stops_the_import_of_the_others() {
    let (directory, path) = database();
    let server = Server::start(&path);
    let first = file(&directory, GOOD);
    assert_eq!(import(&server, &[first.to_str().unwrap()]).0, 0);
    let other = GOOD.replace("\"alice\"", "\"bob\"");
    let text = format!("{{\"key\":\"legacy:new:0123456789abcdef\",\"account\":\"bob\"}}\n{other}");
    let second = file(&directory, &text);
    let (code, _, error) = import(&server, &[second.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        error.contains("line 2: this key already exists with another account"),
        "{error}"
    );
    assert_eq!(server.output(&["keys", "list"]).lines().count(), 2);
}

const DIGEST: &str = "fdfd50d146914da2931c6053c7569b8211ff2883740786de35d9fd3ca9269d48";

#[test]
fn a_file_of_digests_is_rejected_as_keys_unless_told_otherwise() {
    let (directory, path) = database();
    let server = Server::start(&path);
    // More than one request of the key service takes.
    let keys: String = (0..150)
        .map(|number| format!("{{\"key\":\"{number:064x}\",\"account\":\"bob\"}}\n"))
        .collect();
    let all = file(&directory, &keys);
    for arguments in [vec![], vec!["--dry-run"]] {
        let (code, told, error) = import(
            &server,
            &[&[all.to_str().unwrap()], &arguments[..]].concat(),
        );
        assert_eq!((code, told.as_str()), (2, ""), "{error}");
        for word in ["looks like a digest", "\"sha256\"", "--digests-are-keys"] {
            assert!(error.contains(word), "{error}");
        }
    }
    assert_eq!(server.output(&["keys", "list"]).lines().count(), 1);
    let (code, told, error) = import(&server, &[all.to_str().unwrap(), "--digests-are-keys"]);
    assert_eq!(code, 0, "{error}");
    assert_eq!(told, "150 imported, 0 unchanged\n");
    // One other key says that the others are random keys of the same form.
    let some = file(&directory, &format!("{keys}{GOOD}\n"));
    let (code, told, error) = import(&server, &[some.to_str().unwrap()]);
    assert_eq!(code, 0, "{error}");
    assert_eq!(told, "1 imported, 150 unchanged\n");
}

#[test]
fn a_key_and_its_digest_are_one_key_in_a_file_and_in_the_service() {
    let (directory, path) = database();
    let server = Server::start(&path);
    let digest = format!("{{\"sha256\":\"{DIGEST}\",\"account\":\"alice\",\"scopes\":[\"a\"]}}");
    let both = file(&directory, &format!("{digest}\n{GOOD}\n"));
    let (code, _, error) = import(&server, &[both.to_str().unwrap()]);
    assert_eq!(code, 2, "{error}");
    assert!(
        error.contains("line 2: the same key is already on line 1"),
        "{error}"
    );
    for (line, told) in [
        (digest.as_str(), "1 imported, 0 unchanged\n"),
        (GOOD, "0 imported, 1 unchanged\n"),
        (digest.as_str(), "0 imported, 1 unchanged\n"),
    ] {
        let one = file(&directory, line);
        let (code, output, error) = import(&server, &[one.to_str().unwrap()]);
        assert_eq!((code, output.as_str()), (0, told), "{error}");
    }
}
