//! `keygate keys`: a life of a key.

use serde_json::{Value, json};

use crate::support::{Server, database, id, keygate};

#[test]
fn a_key_is_created_listed_shown_and_revoked() {
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
        "--scope",
        "write",
        "--metadata",
        r#"{"tier":"gold"}"#,
        "--expires-at",
        "2999-01-01T00:00:00Z",
        "--allow-ip",
        "10.0.0.0/8",
    ]);
    let id = id(&key);
    assert_eq!(key.lines().count(), 1);
    assert_eq!(key.trim().len(), 62);

    let list = server.output(&["keys", "list", "--account", "alice", "--status", "active"]);
    let rows: Vec<&str> = list.lines().collect();
    assert_eq!(rows.len(), 2);
    assert!(
        rows[0].starts_with("ID          ACCOUNT  STATUS  CREATED"),
        "{list}"
    );
    assert!(
        rows[1].starts_with(&format!("{id}  alice    active  ")),
        "{list}"
    );
    assert!(
        rows[1].ends_with("2999-01-01T00:00:00.000Z  default  CI    read write"),
        "{list}"
    );

    let revoked = server.output(&[
        "keys",
        "revoke",
        &id,
        "--reason",
        "key_compromise",
        "--note",
        "leaked",
    ]);
    assert!(
        revoked.starts_with(&format!("revoked {id} at 2")),
        "{revoked}"
    );
    assert_eq!(server.output(&["keys", "revoke", &id]), revoked);

    let shown: Value =
        serde_json::from_str(&server.output(&["keys", "show", &id, "--json"])).unwrap();
    assert_eq!(shown["status"], "revoked");
    assert_eq!(shown["revoked_reason"], "key_compromise");
    assert_eq!(shown["revoked_note"], "leaked");
    assert_eq!(shown["scopes"], json!(["read", "write"]));
    assert_eq!(shown["metadata"], json!({ "tier": "gold" }));
    assert_eq!(shown["allowed_ips"], json!(["10.0.0.0/8"]));
    let text = server.output(&["keys", "show", &id]);
    assert!(text.contains("reason       key_compromise"), "{text}");
    assert!(text.contains("note         leaked"), "{text}");
}

#[test]
fn revoke_says_how_many_descendants_it_revoked() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let create = || {
        let key = server.output(&["keys", "create", "--account", "a", "--json"]);
        let key: Value = serde_json::from_str(&key).unwrap();
        key["id"].as_str().unwrap().to_owned()
    };
    let (parent, child, other) = (create(), create(), create());
    let raw = rusqlite::Connection::open(&path).unwrap();
    let adopt = |child: &str, parent: &str| {
        let adopt = "UPDATE keys SET created_by = ?2 WHERE id = ?1";
        raw.execute(adopt, [child, parent]).unwrap();
    };
    adopt(&child, &parent);
    adopt(&other, &child);
    let revoke = |id: &str, more: &[&str]| {
        let revoked = server.output(&[&["keys", "revoke", id], more].concat());
        revoked.trim().rsplit_once('Z').unwrap().1.to_owned()
    };
    assert_eq!(revoke(&child, &["--keep-descendants"]), "");
    assert_eq!(revoke(&parent, &[]), ", and 1 descendant");
    let text = server.output(&["keys", "show", &other]);
    assert!(text.contains(&format!("created by  {child}")), "{text}");
}

#[test]
fn create_prints_the_key_as_json_and_a_note_to_stderr() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let args = [
        "keys",
        "create",
        "--account",
        "a",
        "--expires-in",
        "30d",
        "--json",
    ];
    let done = server.keygate(&args).success();
    let created: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    let note = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    let expected = format!(
        "keygate: created key {}; it expires at {}\n",
        created["id"].as_str().unwrap(),
        created["expires_at"].as_str().unwrap()
    );
    assert_eq!(note, expected);
    assert!(created["key"].as_str().unwrap().starts_with("kg_01"));
}

/// No service listens at this address: a request would fail with another message.
#[test]
fn create_rejects_a_referrer_that_is_no_origin_before_it_sends_anything() {
    let nothing = ["--service", "http://127.0.0.1:1"];
    for (referrer, told) in [
        ("x", "must start with http:// or https://"),
        ("localhost:3000", "must start with http:// or https://"),
        ("https://*", "must be an origin such as"),
        ("ftp://a.example", "must be an origin such as"),
    ] {
        let args = ["keys", "create", "--account", "a"];
        let done = keygate(&args)
            .args(nothing)
            .args(["--allow-referrer", referrer])
            .assert()
            .code(2);
        let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(message.contains("--allow-referrer"), "{message}");
        assert!(message.contains(told), "{referrer}: {message}");
    }
}

/// The fields of the API have other names than the options.
#[test]
fn a_value_that_the_service_rejects_is_named_by_its_option() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let key = server.output(&["keys", "create", "--account", "a"]);
    let create = ["keys", "create", "--account"];
    let cases: [(&[&str], &str); 6] = [
        (&["a b"], "--account: must be 1 to 128 visible ASCII"),
        (
            &["a", "--name", &"x".repeat(129)],
            "--name: must be 1 to 128",
        ),
        (
            &["a", "--allow-ip", "::1", "--allow-ip", "10.0.0.7/8"],
            "--allow-ip \"10.0.0.7/8\": must be a CIDR range",
        ),
        (
            &["a", "--scope", "r", "--scope", "r"],
            "--scope \"r\": is given more than once",
        ),
        (
            &["a", "--metadata", "[]"],
            "--metadata: must be a JSON object",
        ),
        (
            &["a", "--expires-in", "99999y"],
            "--expires-in: must be in the future",
        ),
    ];
    let mut tried: Vec<(Vec<&str>, &str)> = Vec::new();
    tried.extend(cases.map(|(args, told)| ([&create, args].concat(), told)));
    let id = id(&key);
    tried.push((
        vec!["keys", "revoke", &id, "--note", ""],
        "--note: must be 1 to 256",
    ));
    for (args, told) in tried {
        let done = server.keygate(&args).code(2);
        let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        let told = format!("the key service rejected {told}");
        assert!(message.contains(&told), "{args:?}: {message}");
    }
}

#[test]
fn every_value_that_the_service_rejects_is_named_on_a_line() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let args = [
        ["keys", "create", "--account", "a b"],
        ["--scope", "r", "--scope", "r"],
        ["--name", "a\u{202e}b", "--allow-ip", "x\u{1b}[2J"],
    ];
    let done = server.keygate(&args.concat()).code(2);
    let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[0], "keygate: the key service rejected 4 values:");
    for (line, start) in lines[1..].iter().zip([
        "  --account: must be 1 to 128 visible ASCII",
        "  --name: must be 1 to 128 visible characters",
        "  --scope \"r\": is given more than once",
        r#"  --allow-ip "x\u{1b}[2J": must be an IP address"#,
    ]) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(message.lines().all(|it| it.is_ascii()), "{message}");
}

#[test]
fn create_takes_the_expiry_as_rfc_3339_or_unix_seconds() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    for (given, stored) in [
        ("32472144000", "2999-01-01T00:00:00.000Z"),
        ("2999-01-01T02:00:00+02:00", "2999-01-01T00:00:00.000Z"),
    ] {
        let args = ["keys", "create", "--account", "a", "--json"];
        let created = server.output(&[&args[..], &["--expires-at", given]].concat());
        let created: Value = serde_json::from_str(&created).unwrap();
        assert_eq!(created["expires_at"], stored, "{given}");
    }
    for given in ["tomorrow", "2999-01-01", "1e9", ""] {
        let args = ["keys", "create", "--account", "a", "--expires-at", given];
        let done = server.keygate(&args).code(2);
        let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        let told = "must be an RFC 3339 instant from 1970 on, such as \
                    \"2026-12-01T00:00:00Z\", or Unix seconds";
        assert!(message.contains(told), "{given}: {message}");
        assert!(message.contains("--expires-at"), "{given}: {message}");
    }
    // The first second of the year 10000.
    let args = ["keys", "create", "--account", "a", "--expires-at"];
    let done = server.keygate(&[&args[..], &["253402300800"]].concat());
    let message = String::from_utf8_lossy(&done.code(2).get_output().stderr).into_owned();
    assert!(message.contains("before the year 10000"), "{message}");
}

/// One page has 100.
#[test]
fn a_list_follows_the_cursor_to_its_end() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    for _ in 0..101 {
        ureq::post(format!("{}/v1/keys", server.url))
            .header("authorization", format!("Bearer {}", crate::support::ADMIN))
            .content_type("application/json")
            .send(r#"{"account":"a"}"#)
            .unwrap();
    }
    let list = server.output(&["keys", "list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["keys"].as_array().unwrap().len(), 101);
    assert_eq!(server.output(&["keys", "list"]).lines().count(), 102);
}

/// What an edge says of itself with its poll.
fn poll(server: &Server, report: &str) {
    let edge = format!("Bearer {}", crate::support::EDGE);
    ureq::get(format!("{}/v1/changes", server.url))
        .header("authorization", edge)
        .header("x-keygate-edge", report)
        .call()
        .unwrap();
}

#[test]
fn a_revocation_that_waits_names_the_edges_that_have_not_confirmed_it() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let key = server.output(&["keys", "create", "--account", "alice"]);
    let id = id(&key);
    let report = "start=00000000000000ff lease=60000 version=0.1.0 name=edge-1 outage=allow";
    poll(&server, report);
    let late = server.keygate(&["keys", "revoke", &id, "--wait=100ms"]);
    let told = stderr(&late.code(1));
    assert!(told.contains("1 of 1 edges may still accept"), "{told}");
    assert!(told.contains("edge-1"), "{told}");
    poll(&server, report);
    let told = stderr(&server.keygate(&["keys", "revoke", &id, "--wait"]).code(0));
    assert!(told.contains("1 edge rejects the key"), "{told}");
    assert!(told.contains("(outage: allow): edge-1"), "{told}");
    let list = server.output(&["edges"]);
    assert!(
        list.lines().nth(1).unwrap().starts_with("edge-1  current"),
        "{list}"
    );

    // An edge that does not say how far it is may be anywhere.
    poll(&server, "of a later version");
    let silent = server.keygate(&["keys", "revoke", &id, "--wait=100ms"]);
    let told = stderr(&silent.code(1));
    assert!(told.contains("edges that do not report"), "{told}");
    server
        .keygate(&["keys", "revoke", &id, "--wait=soon"])
        .code(2);
}

pub fn stderr(done: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(done.get_output().stderr.clone()).unwrap()
}
