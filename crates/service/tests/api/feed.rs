//! The feed over time: polls that are held, lives of the database, what is kept.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::keys::revoke_path;
use crate::support::{EDGE, Running, about_the_file, hash, is_postgres, text};

#[test]
fn a_held_poll_is_answered_with_the_change_that_ends_it() {
    let service = Running::start();
    std::thread::scope(|scope| {
        let poll = scope.spawn(|| service.changes("?after=0&wait=5s"));
        wait_for_held(&service, 1);
        let created = service.create(r#"{"account":"a"}"#);
        let answer = poll.join().unwrap();
        assert_eq!(answer["changed"][0], hash(&created));
        assert_eq!(answer["epoch"], 1);
    });
    wait_for_held(&service, 0);
}

#[test]
fn a_poll_with_pending_changes_is_not_held() {
    let service = Running::start();
    service.create(r#"{"account":"a"}"#);
    let started = Instant::now();
    for query in [
        "",
        "?after=0",
        "?after=2",
        "?after=0&incarnation=AAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let joint = if query.is_empty() { "?" } else { "&" };
        service.changes(&format!("{query}{joint}wait=5s"));
    }
    // None of the four was held to its end.
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_poll_without_news_ends_with_its_time() {
    let service = Running::start();
    let answer = service.changes("?after=0&wait=50ms");
    assert_eq!(
        (&answer["epoch"], &answer["reset"]),
        (&0.into(), &false.into())
    );
}

#[test]
fn a_client_that_disconnects_frees_its_place() {
    let service = Running::start();
    let mut client = TcpStream::connect(service.address).unwrap();
    write!(
        client,
        "GET /v1/changes?after=0&wait=5s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {EDGE}\r\n\r\n"
    )
    .unwrap();
    wait_for_held(&service, 1);
    drop(client);
    wait_for_held(&service, 0);
}

#[test]
fn a_restart_begins_another_life_in_which_the_feed_goes_on() {
    let file = File::new();
    let service = Running::on(&file.path);
    service.create(r#"{"account":"a"}"#);
    let before = service.changes("");
    drop(service);
    let again = Running::on(&file.path);
    let second = hash(&again.create(r#"{"account":"b"}"#));
    let after = again.changes(&from(&before));
    // A server of PostgreSQL tells whether its history has gone on, and a file does not.
    let is_same = after["incarnation"] == before["incarnation"];
    assert_eq!(is_same, is_postgres());
    assert_eq!(after["reset"], false);
    assert_eq!(after["changed"], serde_json::json!([second]));
    let looked_up = again.lookup(&[second]);
    assert_eq!(looked_up["incarnation"], after["incarnation"]);
}

/// An edge that forgets what is ahead of a restored backup goes by these numbers.
#[test]
fn a_lookup_has_the_epoch_of_the_state_that_it_read() {
    let service = Running::start();
    let known = hash(&service.create(r#"{"account":"a"}"#));
    service.create(r#"{"account":"b"}"#);
    let other = |first: usize| format!("{first}{}", &known[1..]);
    // Not by way of the service, which so knows nothing of it.
    let raw = service.raw();
    raw.batch_of(
        "INSERT INTO changes (hash, at) SELECT hash, at FROM changes LIMIT 1",
        "INSERT INTO changes (seq, hash, at) SELECT epoch + 1, hash, at FROM head, changes LIMIT 1; \
         UPDATE head SET epoch = epoch + 1",
    );
    let many: Vec<String> = (0..9).map(other).collect();
    let few = vec![known.clone(), other(0)];
    for hashes in [vec![known.clone()], vec![other(0)], few, many] {
        let answer = service.lookup(&hashes);
        assert_eq!(answer["epoch"], 3, "{hashes:?}: {answer}");
    }
}

#[test]
fn a_backup_that_has_overtaken_the_edge_makes_it_forget_everything() {
    about_the_file!();
    let file = File::new();
    let service = Running::on(&file.path);
    let kept = service.create(r#"{"account":"kept"}"#);
    let common = service.changes("");
    drop(service);
    let backup = std::fs::read(&file.path).unwrap();

    let service = Running::on(&file.path);
    for _ in 0..2 {
        service.create(r#"{"account":"lost"}"#);
    }
    let ahead = service.changes("");
    drop(service);
    file.restore(&backup);

    // The numbers 2 and 3 are given again, to other changes.
    let restored = Running::on(&file.path);
    restored.post(&revoke_path(&kept), "").expect(200);
    for _ in 0..3 {
        restored.create(r#"{"account":"new"}"#);
    }
    let answer = restored.changes(&from(&ahead));
    assert_eq!(answer["reset"], true, "{answer}");
    assert_eq!(answer["epoch"], 5);
    // An edge that did not see the lost changes need not forget the others.
    let answer = restored.changes(&from(&common));
    assert_eq!(answer["reset"], false, "{answer}");
    assert_eq!(answer["changed"][0], hash(&kept));
}

#[test]
fn another_database_behind_the_same_name_makes_the_edge_forget_everything() {
    let (one, other) = (Running::start(), Running::start());
    for service in [&one, &other] {
        service.create(r#"{"account":"a"}"#);
    }
    let answer = other.changes(&from(&one.changes("")));
    assert_eq!(answer["reset"], true);
}

#[test]
fn a_bounded_number_of_changes_is_kept_for_late_edges() {
    const KEPT: u64 = 100_000;
    let service = Running::start();
    let raw = service.raw();
    // The oldest are deleted with each 64th change.
    raw.add_changes(KEPT + 31);
    service.create(r#"{"account":"a"}"#);
    let (newest, here) = (KEPT + 32, service.changes(""));
    let count: i64 = raw.read("SELECT count(*) FROM changes", &[]);
    assert_eq!(count.unsigned_abs(), KEPT);
    for (after, reset) in [(0, true), (31, true), (32, false), (newest, false)] {
        let id = text(&here, "incarnation");
        let answer = service.changes(&format!("?after={after}&incarnation={id}"));
        assert_eq!(answer["reset"], reset, "after {after}");
        assert_eq!(answer["more"], after == 32, "after {after}");
    }
}

/// The query of an edge that has followed the feed up to an answer.
fn from(answer: &Value) -> String {
    let id = text(answer, "incarnation");
    format!("?after={}&incarnation={id}", answer["epoch"])
}

/// Until so many polls are held, as the metrics say.
fn wait_for_held(service: &Running, count: u32) {
    let line = format!("keygate_service_held_polls {count}\n");
    let started = Instant::now();
    while !service.get("/metrics").text.contains(&line) {
        // Less than a poll may be held.
        assert!(
            started.elapsed() < Duration::from_secs(4),
            "not {count} held"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A database file that outlives the service on it.
struct File {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keygate.db");
        Self { _dir: dir, path }
    }

    fn restore(&self, backup: &[u8]) {
        std::fs::write(&self.path, backup).unwrap();
        for suffix in ["-wal", "-shm"] {
            let path = format!("{}{suffix}", self.path.display());
            assert!(!Path::new(&path).exists(), "the service was still there");
        }
    }
}
