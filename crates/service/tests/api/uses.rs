//! What edges report of the uses of keys, and what is shown of it.

use std::time::{Duration, Instant};

use keygate_core::UnixMillis;
use keygate_core::keys::wire::MAX_USES;
use serde_json::{Value, json};

use crate::accounts::{self, session};
use crate::keys::revoke_path;
use crate::support::{EDGE, Running, START, text};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// An edge reports this.
fn report(service: &Running, uses: &Value) -> Value {
    let body = json!({ "uses": uses }).to_string();
    service
        .send("POST", "/v1/uses", Some(EDGE), &body)
        .expect(200)
}

fn one(id: &str, at: UnixMillis, allowed: u32, rejected: u32) -> Value {
    json!({ "id": id, "minute": at.0 / MINUTE, "allowed": allowed, "rejected": rejected })
}

fn show(service: &Running, id: &str) -> Value {
    service.get(&format!("/v1/keys/{id}")).expect(200)
}

fn usage(service: &Running, id: &str) -> Value {
    service.get(&format!("/v1/keys/{id}/usage")).expect(200)
}

/// Waits until the service has written the last use of this key.
fn until_used(service: &Running, id: &str, at: &str) {
    let started = Instant::now();
    while show(service, id)["last_used_at"] != at {
        assert!(started.elapsed() < Duration::from_secs(10), "not written");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn uses_that_an_edge_reports_are_shown_by_key_and_day() {
    let service = Running::start();
    let [used, unused] = [(); 2].map(|()| text(&service.create(r#"{"account":"a"}"#), "id"));
    assert_eq!(show(&service, &used)["last_used_at"], Value::Null);
    assert_eq!(
        usage(&service, &used),
        json!({ "id": used, "last_used_at": null, "days": [] })
    );
    let now = UnixMillis(START.0 + 90 * MINUTE);
    service.set_now(now);
    let epoch = service.changes("")["epoch"].clone();
    let uses = json!([
        one(&used, UnixMillis(now.0 - MINUTE), 2, 0),
        one(&used, UnixMillis(START.0 - MINUTE), 40, 1),
        one("0123456789", now, 7, 7),
        one("not an id", now, 7, 7),
    ]);
    let answer = report(&service, &uses);
    assert_eq!(answer, json!({ "counted": 3, "dropped": 1 }));
    until_used(&service, &used, "2026-11-22T01:29:00.000Z");
    assert_eq!(
        usage(&service, &used),
        json!({ "id": used, "last_used_at": "2026-11-22T01:29:00.000Z", "days": [
            { "day": "2026-11-22", "allowed": 2, "rejected": 0 },
            { "day": "2026-11-21", "allowed": 40, "rejected": 1 },
        ] })
    );
    let listed = service.get("/v1/keys").expect(200);
    let listed = listed["keys"].as_array().unwrap().iter();
    let last: Vec<_> = listed.map(|key| key["last_used_at"].clone()).collect();
    assert_eq!(last, [Value::Null, json!("2026-11-22T01:29:00.000Z")]);
    assert_eq!(show(&service, &unused)["last_used_at"], Value::Null);
    assert_eq!(service.changes("")["epoch"], epoch, "no change of a key");
    let metrics = service.get("/metrics").text;
    for line in [
        "keygate_service_use_reports_total 1\n",
        "keygate_service_uses_total{result=\"allowed\"} 49\n",
        "keygate_service_uses_total{result=\"rejected\"} 8\n",
        "keygate_service_uses_dropped_total 1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[test]
fn a_key_that_is_only_rejected_is_not_used() {
    let service = Running::start();
    let [used, tried] = [(); 2].map(|()| text(&service.create(r#"{"account":"a"}"#), "id"));
    let revoked = service.post(&format!("/v1/keys/{tried}/revoke"), "");
    revoked.expect(200);
    let uses = json!([one(&tried, START, 0, 5), one(&used, START, 1, 0)]);
    report(&service, &uses);
    until_used(&service, &used, "2026-11-22T00:00:00.000Z");
    let usage = usage(&service, &tried);
    assert_eq!(usage["last_used_at"], Value::Null);
    assert_eq!(usage["days"][0]["rejected"], 5);
}

#[test]
fn a_report_that_is_malformed_counts_nothing() {
    let service = Running::start();
    let id = text(&service.create(r#"{"account":"a"}"#), "id");
    let good = one(&id, START, 1, 0);
    let mut unknown = good.clone();
    unknown["hash"] = "x".into();
    let mut negative = good.clone();
    negative["allowed"] = json!(-1);
    let too_many = vec![good.clone(); MAX_USES + 1];
    for (uses, field) in [
        (json!([]), "/uses"),
        (json!(too_many), "/uses"),
        (json!([good, unknown]), "/uses/1"),
        (json!([negative]), "/uses/0/allowed"),
        (json!([{ "id": id }]), "/uses/0/minute"),
        (json!({}), "/uses"),
    ] {
        let body = json!({ "uses": uses }).to_string();
        let answer = service.send("POST", "/v1/uses", Some(EDGE), &body);
        assert_eq!(answer.wrong(400), [field], "{}", answer.text);
    }
    let metrics = service.get("/metrics").text;
    assert!(metrics.contains("keygate_service_use_reports_total 0\n"));
}

#[test]
fn keys_that_were_neither_used_nor_created_since_are_listed_and_revoked() {
    let service = Running::start();
    let create = || text(&service.create(r#"{"account":"a"}"#), "id");
    let (idle, used) = (create(), create());
    service.set_now(UnixMillis(START.0 + 2 * DAY));
    let fresh = create();
    let now = UnixMillis(START.0 + 3 * DAY);
    service.set_now(now);
    report(&service, &json!([one(&used, now, 1, 0)]));
    until_used(&service, &used, "2026-11-25T00:00:00.000Z");
    let unused = |since: &str| -> Vec<String> {
        let path = format!("/v1/keys?unused_since={since}");
        let list = service.get(&path).expect(200);
        let keys = list["keys"].as_array().unwrap().iter();
        keys.map(|key| text(key, "id")).collect()
    };
    assert_eq!(unused("2026-11-23T00:00:00Z"), [&*idle]);
    assert_eq!(unused("2026-11-24T12:00:00Z"), [&*fresh, &*idle]);
    assert_eq!(unused("2026-11-25T00:00:00.001Z").len(), 3);
    assert_eq!(unused("2026-11-22T00:00:00Z"), [""; 0]);
    let answer = service.get("/v1/keys?unused_since=yesterday");
    assert_eq!(answer.wrong(400), ["unused_since"]);

    let filter = json!({ "account": "a", "unused_since": "2026-11-23T00:00:00Z" });
    let body = json!({ "filter": filter, "expect": 1 }).to_string();
    service.post("/v1/keys/revoke", &body).expect(200);
    assert_eq!(show(&service, &idle)["status"], "revoked");
    assert_eq!(show(&service, &fresh)["status"], "active");
}

#[test]
fn days_are_shown_and_kept_for_ninety_days() {
    let service = Running::start();
    let id = text(&service.create(r#"{"account":"a"}"#), "id");
    let raw = service.raw();
    let today = START.0 / DAY;
    let days = |from: u64, to: u64| {
        for day in from..to {
            let insert = "INSERT INTO key_days VALUES (?1, (SELECT number FROM keys), 1, 0)";
            raw.run(insert, &[&i64::try_from(day).unwrap()]);
        }
    };
    days(today - 100, today);
    let shown = usage(&service, &id)["days"].as_array().unwrap().clone();
    assert_eq!(shown.len(), 89, "today it was not used");
    assert_eq!(shown[0]["day"], "2026-11-21");
    assert_eq!(shown[88]["day"], "2026-08-25");
    report(&service, &json!([one(&id, START, 1, 0)]));
    until_used(&service, &id, "2026-11-22T00:00:00.000Z");
    let kept: i64 = raw.read("SELECT count(*) FROM key_days", &[]);
    assert_eq!(kept, 90);
}

#[test]
fn the_most_used_keys_and_accounts_come_first() {
    let service = Running::start();
    let create = |account: &str, space: &str| {
        let body = json!({ "account": account, "space": space }).to_string();
        text(&service.create(&body), "id")
    };
    let (a, a2) = (create("a", "default"), create("a", "default"));
    let (b, c) = (create("b", "default"), create("c", "other"));
    let yesterday = UnixMillis(START.0 - MINUTE);
    let uses = json!([
        one(&a, START, 4, 1),
        one(&a2, START, 5, 0),
        one(&b, START, 2, 5),
        one(&c, START, 1, 0),
        one(&c, yesterday, 50, 0),
    ]);
    report(&service, &uses);
    until_used(&service, &c, "2026-11-22T00:00:00.000Z");

    let get = |query: &str| service.get(&format!("/v1/usage{query}")).expect(200);
    let key = |id: &str, account: &str, allowed: u32, rejected: u32| json!({ "id": id, "account": account, "allowed": allowed, "rejected": rejected });
    let of = |account: &str, allowed: u32, rejected: u32| json!({ "account": account, "allowed": allowed, "rejected": rejected });
    // Of two keys with as many requests, the older one.
    let keys = [
        key(&b, "b", 2, 5),
        key(&a, "a", 4, 1),
        key(&a2, "a", 5, 0),
        key(&c, "c", 1, 0),
    ];
    let accounts = [of("a", 9, 1), of("b", 2, 5), of("c", 1, 0)];
    let expected = json!({ "since": "2026-11-22", "keys": keys, "accounts": accounts });
    assert_eq!(get(""), expected);
    let expected = json!({ "since": "2026-11-21", "keys": [key(&c, "c", 51, 0)],
        "accounts": [of("c", 51, 0)] });
    assert_eq!(get("?days=2&limit=1"), expected);
    for (query, field) in [
        ("days=0", "days"),
        ("days=91", "days"),
        ("limit=101", "limit"),
        ("account=a", "account"),
    ] {
        let answer = service.get(&format!("/v1/usage?{query}"));
        assert_eq!(answer.wrong(400), [field], "{query}");
    }
}

#[test]
fn a_ranking_has_only_keys_that_the_caller_may_see() {
    let service = accounts::start();
    let create = |body: Value| text(&service.create(&body.to_string()), "id");
    let alices = create(json!({ "account": "alice" }));
    let bobs = create(json!({ "account": "bob", "space": "staging" }));
    report(
        &service,
        &json!([one(&alices, START, 1, 0), one(&bobs, START, 9, 0)]),
    );
    until_used(&service, &bobs, "2026-11-22T00:00:00.000Z");
    let ids = |ranking: &Value| -> Vec<String> {
        let keys = ranking["keys"].as_array().unwrap().iter();
        keys.map(|key| text(key, "id")).collect()
    };
    let all = service.get("/v1/usage").expect(200);
    assert_eq!(ids(&all), [bobs.clone(), alices]);
    let refused = accounts::send(&service, "GET", "/v1/usage", &session("alice"), "");
    assert_eq!(refused.status, 403);
    let auditor = json!({ "name": "x", "role": "auditor", "space": "staging" }).to_string();
    let auditor = text(&service.post("/v1/tokens", &auditor).expect(201), "token");
    let staging = service
        .send("GET", "/v1/usage", Some(&auditor), "")
        .expect(200);
    assert_eq!(ids(&staging), [bobs]);
}

#[test]
fn an_edge_can_report_the_largest_counts_again_and_again() {
    let service = Running::start();
    let id = text(&service.create(r#"{"account":"a"}"#), "id");
    let raw = service.raw();
    let insert = "INSERT INTO key_days SELECT ?1, number, 9007199254740992, 0 FROM keys";
    let today = i64::try_from(START.0 / DAY).unwrap();
    raw.run(insert, &[&today]);
    let most = vec![one(&id, START, u32::MAX, u32::MAX); MAX_USES];
    report(&service, &json!(most));
    until_used(&service, &id, "2026-11-22T00:00:00.000Z");
    let day = &usage(&service, &id)["days"][0];
    assert_eq!(day["allowed"], 1_u64 << 53);
    assert_eq!(day["rejected"], 800 * u64::from(u32::MAX));
}

#[test]
fn a_revocation_waits_for_one_part_of_the_uses_at_most() {
    const KEYS: usize = 4 * MAX_USES;
    let service = Running::start();
    let path = revoke_path(&service.create(r#"{"account":"a"}"#));
    let raw = service.raw();
    raw.batch(&format!(
        "INSERT INTO keys (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {KEYS} - 1) \
         SELECT printf('%010d', i), randomblob(32), '', 'a', '[]', '{{}}', '[]', 0 FROM n; \
         CREATE TABLE seen (written BIGINT)"
    ));
    raw.batch_of(
        "CREATE TRIGGER look AFTER UPDATE OF revoked_at ON keys \
         BEGIN INSERT INTO seen SELECT count(*) FROM key_uses; END",
        "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO seen SELECT count(*) FROM key_uses; RETURN NEW; END'; \
         CREATE TRIGGER look AFTER UPDATE OF revoked_at ON keys \
         FOR EACH ROW EXECUTE FUNCTION look()",
    );
    raw.lock();
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let count = |query: &str| -> usize {
        let count: i64 = raw.read(query, &[]);
        usize::try_from(count).unwrap()
    };
    for part in 0..4 {
        let key = |number: usize| one(&format!("{:010}", part * MAX_USES + number), START, 1, 1);
        let uses: Vec<Value> = (0..MAX_USES).map(key).collect();
        // No edge waits for the disk, which another process holds.
        report(&service, &json!(uses));
    }
    std::thread::scope(|scope| {
        let revoke = scope.spawn(|| service.post(&path, "").expect(200));
        until("no revocation waits", &|| {
            let metrics = service.get("/metrics").text;
            metrics.contains("keygate_service_waiting_changes 1\n")
        });
        raw.batch("COMMIT");
        revoke.join().unwrap();
    });
    let written = count("SELECT max(written) FROM seen");
    assert!(written <= 500, "{written}");
    until("not all uses are written", &|| {
        count("SELECT count(*) FROM key_uses") == KEYS
    });
}
