//! Copies of a database and backups: between files, or over PostgreSQL from a server to a file and back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keygate_service::store::{Copied, CopyError, backup, copy};
use keygate_service::{Place, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::revoke_path;
use crate::support::{EDGE, Raw, Running, hash, is_postgres, place, text};

/// Enough for several transactions.
const MANY: u32 = 20_000;

/// The paths of some databases in a folder of the test's own.
fn paths<const N: usize>() -> ([PathBuf; N], TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let paths = std::array::from_fn(|number| dir.path().join(format!("{number}.db")));
    (paths, dir)
}

fn file(path: &Path) -> Place {
    Place::File(path.to_owned())
}

/// A service over a file, whatever the others use.
fn over_file(path: &Path) -> Running {
    Running::on_with(path, |config| config.database = file(path))
}

/// Fills a database: a key, a revoked one with its successor, a token, a link that was used, and uses.
fn fill(path: &Path) -> [Value; 2] {
    let service = Running::on(path);
    let body = r#"{"account":"a","name":"ä","metadata":{"a": [1, 2]},"labels":["team=core"]}"#;
    let key = service.create(body);
    let revoked = service.create(r#"{"account":"b","scopes":["files:read"]}"#);
    service.post(&revoke_path(&revoked), "{}").expect(200);
    let rotated = service.create(r#"{"account":"b"}"#);
    let rotate = format!("/v1/keys/{}/rotate", text(&rotated, "id"));
    service.post(&rotate, "{}").expect(201);
    let token = r#"{"name":"ci","role":"auditor"}"#;
    service.post("/v1/tokens", token).expect(201);
    assert!(uses_link(&service));
    // The newest key is gone, and its number is not given again.
    let last = service.create(r#"{"account":"c"}"#);
    let raw = service.raw();
    raw.run("DELETE FROM keys WHERE id = ?1", &[&text(&last, "id")]);
    raw.run(
        "INSERT INTO key_uses (number, last_used_at) SELECT number, 7 FROM keys",
        &[],
    );
    [key, revoked]
}

/// Whether the link of these tests was not used before.
fn uses_link(service: &Running) -> bool {
    let link = json!({ "id": "2026-11.abc", "expires_at": 4_000_000_000_000_u64 }).to_string();
    let answer = service.send("POST", "/v1/links/uses", Some(EDGE), &link);
    answer.expect(200)["first"].as_bool().unwrap()
}

/// What a service answers.
fn answers(service: &Running, keys: &[Value]) -> Vec<String> {
    let hashes: Vec<String> = keys.iter().map(hash).collect();
    // In no order that is promised.
    let records = service.lookup(&hashes)["records"].take();
    let mut records: Vec<String> = records
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    records.sort_unstable();
    let mut answers = vec![records.concat()];
    for path in ["/v1/keys", "/v1/tokens", "/v1/audit?limit=1000"] {
        answers.push(service.get(path).text);
    }
    answers
}

fn add_keys(path: &Path, count: u32) {
    Raw::open(path).batch(&format!(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {count}) \
         INSERT INTO keys (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
         SELECT printf('%010d', x), randomblob(32), 'kg_01abcdefghij', 'a', '[\"files:read\"]', \
         '{{}}', '[]', 1795305600000 FROM n"
    ));
}

#[track_caller]
fn rejected(copied: Result<Copied, CopyError>) -> String {
    let told = copied.unwrap_err().to_string();
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}

#[test]
fn a_copy_has_the_same_digest_and_gives_the_same_answers() {
    let ([first, second, third], _dir) = paths();
    let keys = fill(&first);
    let before = answers(&Running::on(&first), &keys);
    let out = copy(&place(&first), &file(&second)).unwrap();
    assert_eq!(out.rows("keys"), 4);
    assert_eq!(out.present, 0);
    assert_eq!(answers(&over_file(&second), &keys), before);
    let back = copy(&file(&second), &place(&third)).unwrap();
    assert_eq!(back.digest(), out.digest());
    let service = Running::on(&third);
    assert_eq!(answers(&service, &keys), before);
    assert!(!uses_link(&service), "a link works once in all of them");
    let shown = service.get(&format!("/v1/keys/{}", text(&keys[0], "id")));
    assert_eq!(
        shown.expect(200)["last_used_at"],
        "1970-01-01T00:00:00.007Z"
    );
}

#[test]
fn a_copy_begins_a_history_and_gives_no_number_twice() {
    let ([first, second], _dir) = paths();
    let [key, _] = fill(&first);
    let service = Running::on(&first);
    let known = service.changes("");
    let newest: i64 = service.raw().read("SELECT max(number) FROM keys", &[]);
    drop(service);
    copy(&place(&first), &file(&second)).unwrap();
    let service = over_file(&second);
    let query = format!(
        "?after={}&incarnation={}",
        known["epoch"],
        text(&known, "incarnation")
    );
    let answer = service.changes(&query);
    assert_eq!(answer["reset"], true, "each edge forgets what it knows");
    assert_eq!(answer["epoch"], known["epoch"], "and the numbers go on");
    service.post(&revoke_path(&key), "{}").expect(200);
    service.create(r#"{"account":"a"}"#);
    drop(service);
    let raw = rusqlite::Connection::open(&second).unwrap();
    let number = raw.query_row("SELECT max(number) FROM keys", [], |row| row.get(0));
    assert_eq!(
        number,
        Ok(newest + 2),
        "that of the deleted key is left out"
    );
}

#[test]
fn a_copy_of_many_keys_continues_where_it_was_interrupted() {
    let ([first, second], _dir) = paths();
    drop(Store::open(&place(&first)).unwrap());
    add_keys(&first, MANY);
    let whole = copy(&place(&first), &place(&second)).unwrap();
    assert_eq!(whole.rows("keys"), u64::from(MANY));
    let rate = f64::from(MANY) / whole.took.as_secs_f64();
    eprintln!("copied and compared {rate:.0} keys a second, in a build for tests");
    // As it is when the process ends at once: some transactions are there.
    let raw = Raw::open(&second);
    raw.batch("CREATE TABLE unfinished_copy (began bigint); DELETE FROM keys WHERE number > 12345");
    let told = Store::open(&place(&second)).unwrap_err().to_string();
    assert!(told.contains("run keygate store copy again"), "{told}");
    let told = rejected(copy(&place(&second), &place(&first)));
    assert!(told.contains("finish that copy first"), "{told}");
    // The service has gone on meanwhile.
    Raw::open(&first).batch("UPDATE keys SET revoked_at = 1 WHERE number = 7");
    let again = copy(&place(&first), &place(&second)).unwrap();
    assert_eq!(again.present, 12_344);
    assert_eq!(again.written, u64::from(MANY) - 12_344);
    let revoked: i64 = raw.read("SELECT revoked_at FROM keys WHERE number = 7", &[]);
    assert_eq!(revoked, 1);
    drop(Store::open(&place(&second)).unwrap());
    // And a third time, when there is nothing to do.
    let again = copy(&place(&first), &place(&second)).unwrap();
    assert_eq!((again.present, again.written), (u64::from(MANY), 0));
}

#[test]
fn a_copy_that_lost_its_connection_is_continued() {
    if !is_postgres() {
        eprintln!("SKIPPED over SQLite, since a file has no connection to lose");
        return;
    }
    let ([first, second], _dir) = paths();
    drop(Store::open(&place(&first)).unwrap());
    drop(Store::open(&place(&second)).unwrap());
    add_keys(&first, MANY);
    let raw = Raw::open(&second);
    let lost = std::thread::scope(|scope| {
        let copied = scope.spawn(|| copy(&place(&first), &place(&second)));
        let start = Instant::now();
        while raw.read::<i64>("SELECT count(*) FROM keys", &[]) == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "nothing copied");
            std::thread::sleep(Duration::from_millis(2));
        }
        raw.batch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'keygate-copy'",
        );
        rejected(copied.join().unwrap())
    });
    assert!(lost.contains("run the command again to continue"), "{lost}");
    let copied = copy(&place(&first), &place(&second)).unwrap();
    assert_eq!(copied.rows("keys"), u64::from(MANY));
    assert!(copied.present > 0, "the first part was kept");
}

#[test]
fn a_target_with_something_of_its_own_is_rejected_and_left_alone() {
    let ([first, second], _dir) = paths();
    let [key, _] = fill(&first);
    copy(&place(&first), &place(&second)).unwrap();
    let changes: [&dyn Fn(&Running); 3] = [
        &|service| drop(service.create(r#"{"account":"a"}"#)),
        &|service| drop(service.post(&revoke_path(&key), "{}").expect(200)),
        &|service| {
            let token = r#"{"name":"mine","role":"auditor"}"#;
            service.post("/v1/tokens", token).expect(201);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let target = second.with_extension(number.to_string());
        copy(&place(&first), &place(&target)).unwrap();
        let service = Running::on(&target);
        change(&service);
        let before = service.get("/v1/audit?limit=1000").text;
        drop(service);
        let told = rejected(copy(&place(&first), &place(&target)));
        assert!(told.contains("that the source does not have"), "{told}");
        assert!(told.contains("nothing was changed"), "{told}");
        let service = Running::on(&target);
        assert_eq!(service.get("/v1/audit?limit=1000").text, before);
    }
    // An unfinished copy of another database.
    Raw::open(&second).batch("CREATE TABLE unfinished_copy (began bigint)");
    let other = second.with_extension("other");
    drop(Store::open(&place(&other)).unwrap());
    let told = rejected(copy(&place(&other), &place(&second)));
    assert!(told.contains("in its table keys"), "{told}");
}

#[test]
fn a_database_that_a_service_uses_is_neither_copied_nor_written() {
    let ([first, second], _dir) = paths();
    let service = Running::on(&first);
    service.create(r#"{"account":"a"}"#);
    for (from, to) in [(&first, &second), (&second, &first)] {
        drop(Store::open(&place(&second)).unwrap());
        let told = rejected(copy(&place(from), &place(to)));
        assert!(told.contains("is in use by"), "{told}");
    }
    service.create(r#"{"account":"a"}"#);
}

#[test]
fn a_wrong_source_or_target_is_named_and_nothing_is_made() {
    let ([first, second, missing, notes], dir) = paths();
    fill(&first);
    let count = || std::fs::read_dir(dir.path()).unwrap().count();
    let before = count();
    let told = rejected(copy(&file(&missing), &file(&second)));
    let expected = format!("there is no database of Keygate at {}", missing.display());
    assert!(told.contains(&expected), "{told}");
    assert_eq!(count(), before);
    let told = rejected(copy(&place(&first), &place(&first)));
    assert!(told.contains("are the same database"), "{told}");
    let told = rejected(copy(&place(&first), &file(&dir.path().join("no/such.db"))));
    assert!(told.contains("no/such.db"), "{told}");

    let other = rusqlite::Connection::open(&notes).unwrap();
    other.execute_batch("CREATE TABLE notes (id)").unwrap();
    let told = rejected(copy(&place(&first), &file(&notes)));
    assert!(told.contains("is not a database of Keygate"), "{told}");
    let told = rejected(copy(&file(&notes), &file(&second)));
    assert!(told.contains("there is no database of Keygate"), "{told}");

    copy(&place(&first), &file(&second)).unwrap();
    for (version, expected) in [(19, "start keygate serve"), (99, "use the newer release")] {
        let raw = rusqlite::Connection::open(&second).unwrap();
        raw.pragma_update(None, "user_version", version).unwrap();
        drop(raw);
        for told in [
            rejected(copy(&place(&first), &file(&second))),
            rejected(copy(&file(&second), &file(&missing))),
            rejected(backup(&file(&second), &missing)),
        ] {
            let version = format!("has schema version {version}");
            assert!(told.contains(&version) && told.contains(expected), "{told}");
        }
    }
    assert!(!missing.exists());
}

#[test]
fn a_newer_schema_of_a_server_is_rejected() {
    if !is_postgres() {
        eprintln!("SKIPPED over SQLite, since it is about a server");
        return;
    }
    let ([first, second], _dir) = paths();
    fill(&first);
    drop(Store::open(&place(&second)).unwrap());
    // A release that this one can run beside, but whose columns it does not know.
    Raw::open(&second).batch("UPDATE schema_version SET version = 99, oldest = 1");
    for (from, to) in [(&first, &second), (&second, &first)] {
        let told = rejected(copy(&place(from), &place(to)));
        assert!(told.contains("has schema version 99"), "{told}");
    }
}

#[test]
fn a_backup_of_a_running_service_can_be_served_and_copied() {
    let ([first, kept, restored], _dir) = paths();
    let keys = fill(&first);
    let service = Running::on(&first);
    let backed_up = std::thread::scope(|scope| {
        let made = scope.spawn(|| backup(&place(&first), &kept));
        // It goes on meanwhile.
        while !made.is_finished() {
            service.create(r#"{"account":"during"}"#);
        }
        made.join().unwrap().unwrap()
    });
    let later = service.create(r#"{"account":"a"}"#);
    let again = rejected(backup(&place(&first), &kept));
    assert!(again.contains("exists: choose another file"), "{again}");
    drop(service);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&kept).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let folder = std::fs::read_dir(kept.parent().unwrap()).unwrap();
    let rest = folder.map(|it| it.unwrap().file_name().into_string().unwrap());
    let rest: Vec<String> = rest.filter(|name| name.contains(".part")).collect();
    assert!(rest.is_empty(), "{rest:?}");

    let copied = copy(&file(&kept), &place(&restored)).unwrap();
    assert_eq!(copied.digest(), backed_up.digest());
    for service in [over_file(&kept), Running::on(&restored)] {
        let hashes: Vec<String> = keys.iter().chain([&later]).map(hash).collect();
        let found = service.lookup(&hashes);
        let found = found["records"].as_array().unwrap();
        let mut status: Vec<String> = found.iter().map(|it| text(it, "status")).collect();
        status.sort_unstable();
        assert_eq!(status, ["active", "revoked"], "the last was made later");
    }
}
