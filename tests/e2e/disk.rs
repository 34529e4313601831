//! A disk that is full, and a process that is killed: nothing that was acknowledged is lost.

use std::collections::HashSet;
use std::io;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use keygate_tests::service::{ADMIN_TOKEN, Options, Service};
use keygate_tests::wait;
use serde_json::{Value, json};

const WRITERS: usize = 64;

#[test]
fn a_full_disk_loses_no_key_and_is_not_ready() {
    let service = Service::start_with(Options {
        disk: Some(2),
        ..Options::default()
    });
    let request = |method: &str, path: &str, body: Option<&Value>| {
        let response = service.request(method, path, ADMIN_TOKEN, body);
        let json: Value = response.json();
        (response.status, json)
    };
    let large = json!({ "account": "a", "metadata": { "text": "x".repeat(4000) } });
    let mut acknowledged = Vec::new();
    let rejected = wait::until("the disk to be full", wait::STARTUP, || {
        let (status, json) = request("POST", "/v1/keys", Some(&large));
        if status == 201 {
            acknowledged.push(json["id"].clone());
            return None;
        }
        Some((status, json))
    });
    assert_eq!(rejected.0, 503);
    assert_eq!(rejected.1["code"], "database_unavailable");
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    wait::until("the service to be not ready", wait::STARTUP, || {
        (request("GET", "/readyz", None).0 == 503).then_some(())
    });
    assert_eq!(request("GET", "/healthz", None).0, 200);
    let mut stored = Vec::new();
    let mut path = "/v1/keys?limit=100".to_owned();
    loop {
        let (status, page) = request("GET", &path, None);
        assert_eq!(status, 200, "{page}");
        let keys = page["keys"].as_array().expect("a list");
        stored.extend(keys.iter().map(|key| key["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/keys?limit=100&cursor={next}");
    }
    stored.reverse();
    assert_eq!(stored, acknowledged);
}

#[test]
fn what_was_acknowledged_survives_the_kill_of_a_service_with_many_writers() {
    let service = Service::start();
    let acknowledged = Mutex::new(Vec::new());
    let create = || -> io::Result<()> {
        let body = json!({ "account": "a" });
        loop {
            let key = service.try_create_key(&body, Duration::from_secs(2))?;
            acknowledged.lock().expect("no panic").push(key.id);
        }
    };
    let count = || acknowledged.lock().expect("no panic").len();
    for _ in 0..3 {
        let before = count();
        thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(create)).collect();
            wait::until("many keys", wait::STARTUP, || {
                (count() > before + 4 * WRITERS).then_some(())
            });
            service.kill9();
            for writer in writers {
                let end = writer.join().expect("no panic");
                assert!(end.is_err(), "the service is gone");
            }
        });
        service.restart();
    }
    let database = rusqlite::Connection::open(service.database()).expect("a database");
    let read = |sql: &str| -> rusqlite::Result<Vec<String>> {
        let mut statement = database.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect()
    };
    let stored = read("SELECT id FROM keys JOIN changes USING (hash)").expect("keys");
    let stored: HashSet<&String> = stored.iter().collect();
    let acknowledged = acknowledged.lock().expect("no panic");
    let lost = acknowledged.iter().filter(|id| !stored.contains(id));
    assert_eq!(lost.count(), 0);
    let audited = read("SELECT target FROM audit WHERE action = 'key.create' ORDER BY target");
    let created = read("SELECT id FROM keys ORDER BY id").expect("keys");
    assert_eq!(audited.expect("audit"), created, "each key has its entry");
    let gaps = "SELECT CAST(max(seq) - count(*) AS TEXT) FROM changes";
    assert_eq!(read(gaps).expect("changes"), ["0"], "the feed has no gap");
}
