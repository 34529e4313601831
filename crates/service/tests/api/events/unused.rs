//! Events about keys that no client uses.

use keygate_core::{Millis, UnixMillis};
use keygate_service::EventType;
use keygate_service::events::UNUSED_AFTER;
use serde_json::{Value, json};

use super::{DAY, after, rows, target, to, until_none_waits, with_targets};
use crate::keys::revoke_path;
use crate::receiver::{Got, Receiver, Reply, until};
use crate::support::{EDGE, Running, START, text};

/// The default.
const AFTER: u64 = 90;

fn unused(receiver: &Receiver) -> Running {
    with_targets(vec![target(receiver, &[EventType::Unused])])
}

fn create(service: &Running) -> String {
    text(&service.create(r#"{"account":"a"}"#), "id")
}

/// An edge reports a use, and the service has written it: within a minute, if it is not the first.
fn report(service: &Running, id: &str, now: UnixMillis) {
    let one = json!({ "id": id, "minute": now.0 / 60_000, "allowed": 1, "rejected": 0 });
    let body = json!({ "uses": [one] }).to_string();
    service
        .send("POST", "/v1/uses", Some(EDGE), &body)
        .expect(200);
    let at = Value::from(now.to_string());
    until("the use", || {
        let shown = service.get(&format!("/v1/keys/{id}")).expect(200);
        (shown["last_used_at"] == at).then_some(())
    });
}

/// The service has written a use.
fn write_use(service: &Running, id: &str, at: UnixMillis) {
    let raw = service.raw();
    let write = "INSERT INTO key_uses SELECT number, ?2 FROM keys WHERE id = ?1 \
                 ON CONFLICT (number) DO UPDATE SET last_used_at = excluded.last_used_at";
    let at = at.0.cast_signed();
    assert_eq!(raw.run(write, &[&id, &at]), 1);
}

/// The key and the days of each event, in the order of the keys.
fn told(got: &[Got]) -> Vec<(String, u64)> {
    let event = |it: &Got| {
        let event = it.json();
        assert_eq!(event["type"], "key.unused");
        assert_eq!(event["data"]["actor"], "service");
        let days = event["data"]["days_unused"].as_u64().unwrap();
        (text(&event["data"]["key"], "id"), days)
    };
    let mut told: Vec<_> = got.iter().map(event).collect();
    told.sort();
    told
}

fn sorted<const N: usize>(events: [(&String, u64); N]) -> Vec<(String, u64)> {
    let mut events = events.map(|(id, days)| (id.clone(), days)).to_vec();
    events.sort();
    events
}

#[test]
fn a_key_without_uses_for_90_days_makes_one_event_until_it_is_used_again() {
    assert_eq!(UNUSED_AFTER, Millis::from_secs(AFTER * DAY));
    let receiver = Receiver::start();
    let service = unused(&receiver);
    let never = create(&service);
    service.set_now(after(100));
    let (later, used) = (create(&service), create(&service));
    let ended = [
        json!({ "account": "a", "expires_in": "80d" }),
        json!({ "account": "a" }),
    ]
    .map(|key| service.create(&key.to_string()));
    service.post(&revoke_path(&ended[1]), "").expect(200);
    let first = after(10 * DAY);
    service.set_now(first);
    report(&service, &used, first);

    // The second one is 90 days and 261 seconds old, and its use can be five minutes late.
    service.set_now(after(AFTER * DAY + 361));
    let got = receiver.wait_for(1);
    assert_eq!(told(&got), [(never.clone(), AFTER)]);
    until_none_waits(&service);
    assert_eq!(receiver.got().len(), 1);
    service.create(r#"{"account":"b"}"#);
    service.set_now(after(AFTER * DAY + 3961));
    let got = receiver.wait_for(2);
    assert_eq!(told(&got[1..]), [(later.clone(), AFTER)]);

    service.set_now(after((AFTER + 10) * DAY + 361));
    let got = receiver.wait_for(3);
    assert_eq!(told(&got[2..]), [(used.clone(), AFTER)]);

    // Neither the ones that have ended, nor any a second time, whatever time goes by.
    service.set_now(after((AFTER + 80) * DAY));
    write_use(&service, &used, after((AFTER + 80) * DAY));
    write_use(&service, &never, after((AFTER + 80) * DAY));
    until_none_waits(&service);
    assert_eq!(receiver.got().len(), 3);
    service.set_now(after((2 * AFTER + 80) * DAY + 361));
    // With the key of account b, which was created on day 90.
    let got = receiver.wait_for(6);
    let other = service.get("/v1/keys?account=b").expect(200);
    let other = text(&other["keys"][0], "id");
    let expected = sorted([(&never, AFTER), (&used, AFTER), (&other, AFTER + 80)]);
    assert_eq!(told(&got[3..]), expected);
}

#[test]
fn a_restart_announces_no_unused_key_again() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let receiver = Receiver::start();
    let targets = || to(vec![target(&receiver, &[EventType::Unused])]);
    let service = Running::on_with(&database, targets());
    let (never, used) = (create(&service), create(&service));
    report(&service, &used, START);
    service.set_now(after(100 * DAY));
    assert_eq!(
        told(&receiver.wait_for(2)),
        sorted([(&never, 100), (&used, 100)])
    );
    until_none_waits(&service);
    drop(service);

    let service = Running::on_with(&database, targets());
    service.set_now(after(100 * DAY));
    let fresh = create(&service);
    service.set_now(after(191 * DAY));
    let got = receiver.wait_for(3);
    assert_eq!(told(&got[2..]), [(fresh, 91)]);
    until_none_waits(&service);
    assert_eq!(receiver.got().len(), 3);
}

#[test]
fn many_unused_keys_are_each_announced_once_a_few_at_a_time() {
    let receiver = Receiver::start();
    let service = unused(&receiver);
    let batch = json!({ "keys": vec![json!({ "account": "a" }); 90] });
    for _ in 0..3 {
        service
            .post("/v1/keys/batch", &batch.to_string())
            .expect(201);
    }
    let raw = service.raw();
    // As many of each kind as two transactions take.
    let half = "INSERT INTO key_uses SELECT number, ?1 FROM keys WHERE number % 2 = 1";
    raw.run(half, &[&START.0.cast_signed()]);
    raw.batch("CREATE TABLE seen (last BIGINT)");
    raw.batch_of(
        "CREATE TRIGGER first AFTER INSERT ON unused BEGIN INSERT INTO seen \
         SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'events'); END; \
         CREATE TRIGGER next AFTER UPDATE ON unused BEGIN INSERT INTO seen \
         SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'events'); END;",
        "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO seen SELECT last_value FROM events_seq_seq; RETURN NEW; END'; \
         CREATE TRIGGER look AFTER INSERT OR UPDATE ON unused \
         FOR EACH ROW EXECUTE FUNCTION look()",
    );
    // More than one transaction reads, all but the last one used a day ago.
    let recent = after(90 * DAY).0;
    raw.batch(&format!(
        "INSERT INTO keys (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1499) \
         SELECT printf('%010d', i), randomblob(32), '', 'a', '[]', '{{}}', '[]', 0 FROM n; \
         INSERT INTO key_uses SELECT number, {recent} FROM keys WHERE created_at = 0; \
         UPDATE key_uses SET last_used_at = {} WHERE number = (SELECT max(number) FROM keys);",
        START.0
    ));
    service.set_now(after(91 * DAY));
    let got = receiver.wait_for(271);
    until_none_waits(&service);
    let mut ids: Vec<String> = told(&got).into_iter().map(|(id, _)| id).collect();
    ids.dedup();
    assert_eq!((ids.len(), receiver.got().len()), (271, 271));
    let seen: Vec<i64> = raw.column("SELECT last FROM seen ORDER BY last", &[]);
    let steps = std::iter::once(0).chain(seen.iter().copied()).zip(&seen);
    let most = steps.map(|(before, after)| after - before).max();
    assert!(most.unwrap() <= 200, "{seen:?}");
}

#[test]
fn unused_keys_wait_while_many_events_are_on_their_way() {
    let receiver = Receiver::replying(|_, _| Reply::Status(503));
    let service = with_targets(vec![target(
        &receiver,
        &[EventType::Unused, EventType::Created],
    )]);
    create(&service);
    receiver.wait_for(1);
    let raw = service.raw();
    raw.batch_of(
        "UPDATE sqlite_sequence SET seq = 20000 WHERE name = 'events'",
        "SELECT setval('events_seq_seq', 20000)",
    );
    create(&service);
    // After each step of the clock, the service tries both events again, and announces nothing.
    for step in 0..4 {
        until("an attempt for each event", || {
            let read = "SELECT min(attempts) FROM deliveries";
            let attempts: i64 = raw.read(read, &[]);
            (attempts > step).then_some(())
        });
        let seconds = step.unsigned_abs() * 7200;
        service.set_now(after(91 * DAY + seconds));
    }
    assert_eq!(rows(&service, "events"), 2);
    raw.run("DELETE FROM events WHERE seq = 1", &[]);
    service.set_now(after(92 * DAY));
    until("the events of both keys", || {
        (rows(&service, "events") == 3).then_some(())
    });
}
