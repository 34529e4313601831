//! `keygate audit`: the log is listed, exported and verified.

use crate::support::{Server, database, id};

#[test]
fn a_log_is_whole_until_an_entry_is_altered() {
    let (dir, path) = database();
    let server = Server::start(&path);
    let key = server.output(&["keys", "create", "--account", "alice"]);
    let id = id(&key);
    server.output(&["keys", "disable", &id]);
    server.output(&["keys", "revoke", &id, "--reason", "superseded"]);
    let list = server.output(&["audit", "list", "--target", &id]);
    let rows: Vec<&str> = list.lines().collect();
    assert_eq!(rows.len(), 4, "{list}");
    assert!(
        rows[2].contains("environment  key.change") && rows[2].ends_with("disabled"),
        "{list}"
    );
    let told = server.output(&["audit", "verify"]);
    assert!(
        told.starts_with("verified 3 entries; newest digest: "),
        "{told}"
    );
    let digest = told.trim().rsplit(' ').next().unwrap().to_owned();
    let file = dir.path().join("audit.jsonl");
    let export = server.output(&["audit", "export"]);
    std::fs::write(&file, &export).unwrap();
    let file = file.to_str().unwrap();
    server.output(&["audit", "verify", "--file", file, "--digest", &digest]);
    assert!(
        server
            .output(&["audit", "export", "--after", "2"])
            .lines()
            .count()
            == 1
    );

    std::fs::write(file, export.replacen("disabled", "disabled ", 1)).unwrap();
    let done = server.keygate(&["audit", "verify", "--file", file]).code(1);
    let told = String::from_utf8(done.get_output().stderr.clone()).unwrap();
    assert!(told.contains("is broken at entry 2"), "{told}");
    let other = "0".repeat(63) + "1";
    let done = server.keygate(&["audit", "verify", "--digest", &other]);
    let done = done.code(1);
    let told = String::from_utf8(done.get_output().stderr.clone()).unwrap();
    assert!(told.contains("entries may have been removed"), "{told}");
    server
        .keygate(&["audit", "verify", "--digest", "x"])
        .code(2);
}

#[test]
fn an_export_is_verified_after_the_oldest_entries_were_dropped() {
    let (dir, path) = database();
    let server = Server::start(&path);
    for account in ["alice", "bob", "carol"] {
        server.output(&["keys", "create", "--account", account]);
    }
    // What the key service does with entries beyond the newest million.
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch(
        "INSERT INTO audit_start (number, digest) SELECT 1, digest FROM audit WHERE seq = 1; \
         DELETE FROM audit WHERE seq = 1",
    )
    .unwrap();
    let told = server.output(&["audit", "verify"]);
    assert!(
        told.starts_with("verified 2 entries, from entry 2; newest digest: "),
        "{told}"
    );
    let file = dir.path().join("audit.jsonl");
    let verify = |text: &str| {
        std::fs::write(&file, text).unwrap();
        server.keygate(&["audit", "verify", "--file", file.to_str().unwrap()])
    };
    let export = server.output(&["audit", "export"]);
    assert_eq!(
        verify(&export).success().get_output().stdout,
        told.as_bytes()
    );

    // With --after, the output continues an earlier export.
    server.output(&["keys", "create", "--account", "dave"]);
    let rest = server.output(&["audit", "export", "--after", "3"]);
    let whole = format!("{export}{rest}");
    assert_eq!(whole, server.output(&["audit", "export"]));
    verify(&whole).success();

    let (start, entries) = export.split_once('\n').unwrap();
    assert!(start.starts_with(r#"{"start":""#), "{start}");
    verify(entries).code(1);
    let other = start.replace(|it: char| it.is_ascii_digit(), "a");
    verify(&format!("{other}\n{entries}")).code(1);
    let (_, without_oldest) = entries.split_once('\n').unwrap();
    verify(&format!("{start}\n{without_oldest}")).code(1);
    verify(&format!("{{\"start\":\"a\"}}\n{entries}")).code(2);
}

#[test]
fn a_filtered_list_goes_on_after_an_empty_page() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch(
        "INSERT INTO audit (at, actor, action, digest) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) \
         SELECT i, iif(i = 12000, 'token:0000000000', 'environment'), 'key.create', \
         zeroblob(32) FROM n",
    )
    .unwrap();
    let list = server.output(&["audit", "list", "--actor", "token:0000000000"]);
    let rows: Vec<&str> = list.lines().collect();
    assert_eq!(rows.len(), 2, "{list}");
    assert!(rows[1].starts_with("12000 "), "{list}");
}
