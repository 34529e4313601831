//! `keygate store`: a copy that is killed and continued, a backup of a running service, and what is
//! wrong with an argument. Copies over PostgreSQL are tested in the service, over a real server.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::support::{Server, database, keygate, serve};

const PASSWORD: &str = "hunter2-of-the-database";

/// Enough that a copy takes a second.
const MANY: u32 = 60_000;

fn add_keys(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let text = format!(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {MANY}) \
         INSERT INTO keys (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
         SELECT printf('%010d', x), randomblob(32), 'kg_01abcdefghij', 'a', '[]', '{{}}', '[]', 0 \
         FROM n"
    );
    connection.execute_batch(&text).unwrap();
}

/// How many keys are in the file of a process that writes to it.
fn keys_in(path: &Path) -> u32 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(connection) = Connection::open_with_flags(path, flags) else {
        return 0;
    };
    let count = connection.query_row("SELECT count(*) FROM keys", [], |row| row.get(0));
    count.unwrap_or(0)
}

#[track_caller]
fn output(args: &[&str]) -> String {
    let done = keygate(args).assert().success();
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

#[track_caller]
fn said(args: &[&str]) -> String {
    let done = keygate(args).assert().code(2);
    let told = String::from_utf8(done.get_output().stderr.clone()).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(!told.contains(PASSWORD), "{told}");
    told
}

/// What follows the last "SHA-256 " of an output.
fn digest(output: &str) -> &str {
    let (_, digest) = output.trim_end().rsplit_once("SHA-256 ").unwrap();
    assert_eq!(digest.len(), 64, "{output}");
    digest
}

#[test]
fn a_copy_that_was_killed_is_continued() {
    let (dir, path) = database();
    drop(Server::start(&path));
    add_keys(&path);
    let target = dir.path().join("target.db");
    let [from, to] = [&path, &target].map(|path| path.to_str().unwrap());
    let mut copy = Command::new(env!("CARGO_BIN_EXE_keygate"))
        .env_clear()
        .args(["store", "copy", from, to])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while keys_in(&target) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing copied");
        std::thread::sleep(Duration::from_millis(1));
    }
    copy.kill().unwrap();
    assert_eq!(copy.wait().unwrap().code(), None, "it was still at work");
    let part = keys_in(&target);

    let done = serve(&target, "127.0.0.1:0").output().unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{told}");
    assert!(told.contains("run keygate store copy again"), "{told}");

    let copied = output(&["store", "copy", from, to]);
    assert!(copied.contains(&format!("copied {MANY} keys")), "{copied}");
    let there = format!("{part} rows were there already");
    assert!(copied.contains(&there), "{copied}");
    let back = dir.path().join("back.db");
    let again = output(&["store", "copy", to, back.to_str().unwrap()]);
    assert_eq!(digest(&again), digest(&copied));
    drop(Server::start(&target));
}

#[test]
fn an_option_for_a_file_comes_before_a_variable_for_a_url() {
    let (dir, path) = database();
    drop(Server::start(&path));
    let [from, to] = [path.clone(), dir.path().join("backup.db")];
    let [from, to] = [&from, &to].map(|path| path.to_str().unwrap());
    let url = "postgres://keygate@127.0.0.1:1/keygate";
    let mut backup = keygate(&["store", "backup", "--database", from, to]);
    let done = backup.env("KEYGATE_STORE", url).assert().success();
    let made = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert!(made.contains("backed up 0 keys"), "{made}");
    // Nor the other way round: a variable for a file, which an image may set, comes after the URL.
    let mut backup = keygate(&["store", "backup", "new.db"]);
    let done = backup
        .env("KEYGATE_STORE", url)
        .env("KEYGATE_DATABASE", from);
    let told = done.assert().code(2).get_output().stderr.clone();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("127.0.0.1 port 1"), "{told}");
    let both = [
        "store",
        "backup",
        "--database",
        from,
        "--store",
        url,
        "new.db",
    ];
    let told = keygate(&both).assert().code(2).get_output().stderr.clone();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("cannot be used with"), "{told}");
}

#[test]
fn a_backup_of_a_running_service_is_served() {
    let (dir, path) = database();
    let server = Server::start(&path);
    server.output(&["keys", "create", "--account", "a", "--name", "kept"]);
    let file = dir.path().join("backup.db");
    let [from, to] = [&path, &file].map(|path| path.to_str().unwrap());
    let made = output(&["store", "backup", "--database", from, to]);
    assert!(made.contains("backed up 1 keys"), "{made}");
    digest(&made);
    let told = said(&["store", "backup", "--database", from, to]);
    assert!(told.contains("exists: choose another file"), "{told}");
    let restored = Server::start(&file);
    let list = restored.output(&["keys", "list"]);
    assert!(list.contains("kept"), "{list}");

    let told = said(&[
        "store",
        "copy",
        from,
        dir.path().join("b").to_str().unwrap(),
    ]);
    assert!(told.contains("is in use by the process"), "{told}");
}

#[test]
fn a_wrong_argument_is_one_line_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new.db");
    let file = file.to_str().unwrap();
    let with_password = format!("postgres://keygate:{PASSWORD}@127.0.0.1/keygate");
    let missing = dir.path().join("missing.db");
    let missing = missing.to_str().unwrap();
    for (args, expected) in [
        (
            ["store", "copy", file, &with_password],
            "TO must not have a password",
        ),
        (
            ["store", "copy", &with_password, file],
            "FROM must not have a password",
        ),
        (
            ["store", "copy", "mysql://keygate@127.0.0.1/keygate", file],
            "FROM must be a URL such as postgres://",
        ),
        (
            ["store", "copy", missing, file],
            "there is no database of Keygate at",
        ),
    ] {
        let told = said(&args);
        assert!(told.contains(expected), "{told}");
    }
    let told = said(&["store", "backup", "--database", missing, file]);
    assert!(
        told.contains("there is no database of Keygate at"),
        "{told}"
    );
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 0, "no file is made");
}
