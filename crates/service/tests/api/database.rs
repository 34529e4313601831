//! The file: made, opened again, rejected.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keygate_core::Millis;
use keygate_service::{Place, ServeError, Store, StoreError, Tokens, serve};

use crate::keys::revoke_path;
use crate::support::{ADMIN, EDGE, Running, START, about_the_file, config, hash, text};

fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(&Place::File(path.to_owned()))
}

#[test]
fn a_reopened_database_contains_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let service = Running::on(&database);
    let kept = service.create(r#"{"account":"a","metadata":{"a": [1,  2]}}"#);
    let revoked = service.create(r#"{"account":"a"}"#);
    service
        .post(
            &revoke_path(&revoked),
            r#"{"reason":"superseded","note":"gone"}"#,
        )
        .expect(200);
    let before = service.get("/v1/keys").text;
    drop(service);

    let again = Running::on(&database);
    assert_eq!(again.get("/v1/keys").text, before);
    assert_eq!(
        again.changes("?after=0")["changed"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let records = again.lookup(&[hash(&kept)]);
    assert_eq!(records["records"][0]["id"], text(&kept, "id"));
    again.create(r#"{"account":"a"}"#);
    assert_eq!(again.changes("")["epoch"], 4);
}

#[test]
fn a_file_of_the_first_release_is_brought_up_to_date_with_its_keys() {
    about_the_file!();
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let raw = rusqlite::Connection::open(&database).unwrap();
    raw.execute_batch(include_str!("../../migrations/sqlite/0001_keys.sql"))
        .unwrap();
    raw.execute(
        "INSERT INTO keys (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
         VALUES ('abcdefghij', zeroblob(32), 'kg_01abcdefghij', 'a', '[]', '{}', '[]', 0)",
        [],
    )
    .unwrap();
    raw.pragma_update(None, "user_version", 1).unwrap();
    drop(raw);
    let service = Running::on(&database);
    let key = service.get("/v1/keys/abcdefghij").expect(200);
    assert_eq!(key["allowed_referrers"], serde_json::json!([]));
}

#[test]
fn a_number_of_the_feed_is_never_given_twice() {
    let service = Running::start();
    for _ in 0..3 {
        service.create(r#"{"account":"a"}"#);
    }
    service.raw().run("DELETE FROM changes WHERE seq > 1", &[]);
    service.create(r#"{"account":"a"}"#);
    assert_eq!(service.changes("")["epoch"], 4);
}

#[test]
fn a_database_of_a_newer_release_is_rejected_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    drop(open(&database).unwrap());
    let raw = rusqlite::Connection::open(&database).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    let error = open(&database).unwrap_err().to_string();
    assert!(
        error.contains("keygate.db has schema version 99"),
        "{error}"
    );
    let version: u32 = raw
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_database_of_another_program_is_rejected_and_left_alone() {
    for statements in [
        "CREATE TABLE bookmarks (url TEXT)",
        "CREATE TABLE keys (name TEXT); PRAGMA user_version = 3",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other.db");
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch(statements).unwrap();
        drop(other);
        let before = std::fs::read(&path).unwrap();
        let told = open(&path).unwrap_err().to_string();
        assert!(told.contains("is not a database of Keygate"), "{told}");
        assert!(std::fs::read(&path).unwrap() == before);
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    std::fs::write(
        &text,
        "no database at all, but long enough to have a header ".repeat(9),
    )
    .unwrap();
    for path in [&dir.path().join("missing/keygate.db"), dir.path(), &text] as [&Path; 3] {
        let error = open(path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn only_the_owner_reads_the_files() {
    about_the_file!();
    let service = Running::start();
    service.create(r#"{"account":"a"}"#);
    let mut files = 0;
    for file in std::fs::read_dir(service.database.parent().unwrap()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files += 1;
    }
    assert_eq!(
        files, 4,
        "the database, its lock, its log and the index of the log"
    );
}

#[test]
fn a_database_that_fails_is_not_ready_but_alive() {
    let service = Running::start();
    service.get("/readyz").expect(200);
    service.raw().batch_of(
        "ALTER TABLE changes RENAME TO lost",
        "ALTER TABLE writers RENAME TO lost",
    );
    let problem = (503, "database_unavailable".to_owned());
    service.set_now(START.plus(Millis::from_secs(1)));
    for _ in 0..2 {
        assert_eq!(service.get("/readyz").problem(), problem);
    }
    // What cannot be said in the feed is not done.
    assert_eq!(
        service.post("/v1/keys", r#"{"account":"a"}"#).problem(),
        problem
    );
    assert_eq!(
        service.get("/v1/keys").expect(200)["keys"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    service.get("/healthz").expect(200);
}

#[test]
fn a_second_process_on_the_file_is_rejected_with_the_id_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let first = open(&database).unwrap();
    let error = open(&database).unwrap_err().to_string();
    let expected = format!("is in use by the process {}", std::process::id());
    assert!(error.ends_with(&expected), "{error}");
    drop(first);
    open(&database).unwrap();
}

#[test]
fn nothing_is_acknowledged_once_the_file_is_removed_or_replaced() {
    about_the_file!();
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let other = dir.path().join("other.db");
    let renamed = || std::fs::rename(&other, &database).unwrap();
    let removed = || std::fs::remove_file(&database).unwrap();
    for change in [&renamed as &dyn Fn(), &removed] {
        let service = Running::on(&database);
        let key = service.create(r#"{"account":"a"}"#);
        std::fs::copy(&database, &other).unwrap();
        change();
        let problem = (503, "database_unavailable".to_owned());
        let create = service.post("/v1/keys", r#"{"account":"a"}"#);
        assert_eq!(create.problem(), problem);
        assert_eq!(service.post(&revoke_path(&key), "{}").problem(), problem);
        assert_eq!(service.get("/readyz").problem(), problem);
        service.get("/healthz").expect(200);
        drop(service);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", database.display()));
        }
    }
}

#[test]
fn ready_means_that_the_database_can_be_written() {
    let service = Running::start();
    let raw = service.raw();
    raw.reject("heartbeat", "true");
    assert_eq!(service.get("/readyz").status, 503);
    raw.accept("heartbeat");
    assert_eq!(
        service.get("/readyz").status,
        503,
        "it is written once a second"
    );
    service.set_now(START.plus(Millis::from_secs(1)));
    service.get("/readyz").expect(200);
}

#[test]
fn one_token_for_both_roles_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir.path().join("keygate.db"));
    config.edge_tokens = Tokens::parse(&format!("{EDGE} {ADMIN}")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(serve(config)).unwrap_err();
    assert!(matches!(error, ServeError::Config(_)), "{error}");
}

/// `docs/operations.md` shows the command.
#[test]
fn the_backup_of_a_running_service_has_every_key() {
    about_the_file!();
    let page = include_str!("../../../../docs/operations.md");
    let (_, sql) = page.split_once("keygate.db \"VACUUM").unwrap();
    let sql = format!("VACUUM{}", sql.split('"').next().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (database, backup) = (dir.path().join("keygate.db"), dir.path().join("backup.db"));
    let service = Running::on(&database);
    let key = service.create(r#"{"account":"a"}"#);
    let sql = sql.replace("/var/backups/keygate.db", backup.to_str().unwrap());
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch(&sql).unwrap();
    drop(connection);
    drop(service);

    let restored = Running::on(&backup);
    let found = restored.lookup(&[hash(&key)]);
    assert_eq!(found["records"][0]["id"], key["id"], "{found}");
}
