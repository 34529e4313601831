//! `keygate tokens`: the tokens of operators and edges.

use crate::keys::stderr;
use crate::support::{Server, database, keygate};

#[test]
fn a_token_is_created_used_listed_and_revoked() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let token = server.output(&["tokens", "create", "--name", "ci", "--role", "creator"]);
    assert!(token.starts_with("kgt_"), "{token}");
    let id = token["kgt_".len()..][..10].to_owned();
    let keys = |args: &[&str]| {
        let args = [&["keys"], args, &["--token-env", "CI_TOKEN"]].concat();
        keygate(&args)
            .env("KEYGATE_SERVICE", &server.url)
            .env("CI_TOKEN", token.trim())
            .assert()
    };
    keys(&["create", "--account", "alice"]).success();
    let told = stderr(&keys(&["revoke", "0123456789"]).code(2));
    assert!(
        told.contains("the role of the token in CI_TOKEN does not permit this"),
        "{told}"
    );
    let list = server.output(&["tokens", "list"]);
    let row = list.lines().nth(1).unwrap();
    assert!(row.starts_with(&format!("{id}  creator  active")), "{list}");
    assert!(row.ends_with("ci"), "{list}");
    assert_eq!(
        server.output(&["tokens", "revoke", &id]),
        format!("revoked token {id}\n")
    );
    keys(&["create", "--account", "alice"]).code(2);
    server.keygate(&["tokens", "revoke", "0123456789"]).code(1);
    let told = stderr(&server.keygate(&["tokens", "revoke", token.trim()]).code(2));
    assert!(
        told.contains("not the id of a token") && !told.contains("kgt_"),
        "{told}"
    );
}

#[test]
fn a_list_of_tokens_has_those_of_every_page() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch(
        "INSERT INTO tokens (id, digest, name, role, created_at) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) \
         SELECT printf('%010d', i), randomblob(32), 'n', 'edge', 0 FROM n",
    )
    .unwrap();
    let list = server.output(&["tokens", "list"]);
    assert_eq!(list.lines().count(), 1 + 250, "{list}");
    let json = server.output(&["tokens", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["tokens"].as_array().unwrap().len(), 250);
}
