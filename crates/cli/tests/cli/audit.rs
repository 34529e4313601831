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
        told.starts_with("3 entries are whole; the newest digest is "),
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
    server
        .keygate(&["audit", "verify", "--digest", &other])
        .code(1);
    server
        .keygate(&["audit", "verify", "--digest", "x"])
        .code(2);
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
