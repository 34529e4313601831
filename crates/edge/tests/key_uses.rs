//! How often keys were used, as a worker reports it: not for a request, and whatever becomes of it.

use keygate_core::keys::NewAppKey;
use keygate_edge::NotSent;
use serde_json::{Value, json};

use crate::worker::{
    CHANGES, KEY_USES, LOOKUPS, USES, Worker, changes, key, link, lookup, policy, start_polled,
};

/// The time between two reports, and how long the worker takes to notice.
const EVERY: u64 = 30_000;
const TICK: u64 = 250;

/// The minute in which every worker of these tests starts.
const MINUTE: u64 = 1_700_000_000_000 / 60_000;

/// A worker that knows these keys.
fn knowing(policy: &Value, keys: &[&NewAppKey]) -> Worker {
    let mut worker = start_polled(policy);
    for key in keys {
        worker.send(key);
    }
    worker.turn();
    worker.answer_only(LOOKUPS, &lookup(10, keys));
    worker
}

/// Lets the polls go on for so long, or until there is a report.
fn pass(worker: &mut Worker, millis: u64) {
    for _ in 0..millis / TICK {
        worker.tick(TICK);
        if let [poll] = worker.calls(CHANGES)[..] {
            worker.answer(poll, &changes(11, &[]));
        }
        if !worker.calls(KEY_USES).is_empty() {
            return;
        }
    }
}

/// What the next report says of each key.
fn reported(worker: &mut Worker) -> Vec<Value> {
    pass(worker, EVERY + TICK);
    let body = worker.body(worker.only(KEY_USES));
    body["uses"].as_array().unwrap().clone()
}

fn expect(key: &NewAppKey, allowed: u32, rejected: u32) -> Value {
    json!({ "id": key.id, "minute": MINUTE, "allowed": allowed, "rejected": rejected })
}

#[test]
fn uses_of_a_key_are_reported_within_thirty_seconds() {
    let mut worker = knowing(&policy(), &[&key(1)]);
    for _ in 0..4 {
        worker.send(&key(1));
    }
    worker.turn();
    assert!(worker.calls(KEY_USES).is_empty(), "no call for a request");
    assert!(worker.calls(LOOKUPS).is_empty());
    assert_eq!(reported(&mut worker), [expect(&key(1), 5, 0)]);
    worker.answer_only(KEY_USES, &json!({ "counted": 1, "dropped": 0 }));
    assert_eq!(worker.counter("keygate_key_use.answered"), 1);
    pass(&mut worker, 3 * EVERY);
    assert!(worker.calls(KEY_USES).is_empty(), "nothing was used since");
}

#[test]
fn a_rejected_request_counts_for_a_known_key_alone() {
    let mut policy = policy();
    policy["rules"][0]["scopes"] = json!([{ "methods": ["GET"], "need": "files:read" }]);
    let mut simulated = policy["rules"][0].clone();
    simulated["name"] = "simulated".into();
    simulated["match"]["path"] = "/simulated".into();
    simulated["mode"] = "simulate".into();
    policy["rules"].as_array_mut().unwrap().push(simulated);
    let mut worker = start_polled(&policy);
    let lacking = worker.send(&key(1));
    worker.send(&key(2));
    worker.turn();
    worker.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
    assert_eq!(worker.status(lacking), Some(403));
    let bearer = format!("Bearer {}", key(1).text.as_str());
    let forged = format!("{bearer}x");
    for (path, bearer) in [("/simulated", &bearer), ("/api/x", &forged)] {
        worker.request(&[
            (":method", "GET"),
            (":path", path),
            ("authorization", bearer),
        ]);
    }
    // Needs no credential, so none is looked at.
    worker.request(&[
        (":method", "GET"),
        (":path", "/healthz"),
        ("authorization", &bearer),
    ]);
    assert_eq!(reported(&mut worker), [expect(&key(1), 0, 2)]);
}

#[test]
fn an_expired_key_counts_as_rejected_where_another_key_lets_the_request_pass() {
    let mut policy = policy();
    policy["rules"][1]["require"] = json!({ "any": ["key", "second"] });
    let mut worker = start_polled(&policy);
    let send = |worker: &mut Worker| {
        let bearer = format!("Bearer {}", key(1).text.as_str());
        worker.request(&[
            (":method", "GET"),
            (":path", "/two"),
            ("authorization", &bearer),
            ("x-second", key(2).text.as_str()),
        ])
    };
    let request = send(&mut worker);
    worker.turn();
    let mut answer = lookup(10, &[&key(1), &key(2)]);
    answer["records"][0]["expires_at"] = json!(1);
    for keys in worker.calls(LOOKUPS) {
        worker.answer(keys, &answer);
    }
    for keys in worker.calls(LOOKUPS) {
        worker.answer(keys, &answer);
    }
    assert_eq!(worker.status(request), Some(200));
    let mut uses = reported(&mut worker);
    uses.sort_by_key(|it| it["allowed"].as_u64());
    assert_eq!(uses, [expect(&key(1), 0, 1), expect(&key(2), 1, 0)]);
}

#[test]
fn a_key_beside_a_link_that_works_once_counts_when_the_link_is_decided() {
    let mut policy = policy();
    policy["rules"][2]["require"] = json!({ "all": ["key", "link"] });
    let mut worker = knowing(&policy, &[&key(1)]);
    let bearer = format!("Bearer {}", key(1).text.as_str());
    let send = |worker: &mut Worker| {
        worker.request(&[
            (":method", "GET"),
            (":path", &link(1)),
            ("authorization", &bearer),
        ])
    };
    let requests = [send(&mut worker), send(&mut worker)];
    worker.turn();
    // Another decision while they wait.
    worker.request(&[(":method", "GET"), (":path", "/healthz")]);
    worker.answer_only(USES, &json!({ "first": true }));
    assert_eq!(worker.passed(&requests), 1);
    assert_eq!(reported(&mut worker), [expect(&key(1), 2, 1)]);
}

#[test]
fn a_key_that_left_the_cache_stays_counted() {
    let mut worker = knowing(&policy(), &[&key(1)]);
    reported(&mut worker);
    worker.answer_only(KEY_USES, &json!({}));
    worker.send(&key(1));
    worker.tick(1500);
    worker.answer_only(CHANGES, &changes(12, &[&key(1)]));
    let again = worker.send(&key(1));
    worker.turn();
    assert_eq!(worker.status(again), None, "it was dropped");
    worker.answer_only(LOOKUPS, &lookup(12, &[&key(1)]));
    let uses = reported(&mut worker);
    let allowed = uses.iter().map(|it| it["allowed"].as_u64().unwrap());
    assert_eq!(allowed.sum::<u64>(), 2, "{uses:?}");
    assert!(uses.iter().all(|it| it["id"] == json!(key(1).id)));
}

#[test]
fn a_report_that_fails_affects_nothing_else_and_is_not_repeated() {
    let mut worker = knowing(&policy(), &[&key(1)]);
    let not_found: &[(&str, &str)] = &[(":status", "404"), ("x-keygate-service", "1")];
    let failures = [not_found, &[(":status", "503")], &[], &[(":status", "200")]];
    for (failed, headers) in (1..).zip(failures) {
        pass(&mut worker, EVERY + TICK);
        worker.respond(worker.only(KEY_USES), headers, b"{}");
        assert_eq!(worker.counter("keygate_key_use.unavailable"), failed);
        let request = worker.send(&key(1));
        assert_eq!(worker.status(request), Some(200));
    }
    assert_eq!(
        reported(&mut worker)[0]["allowed"],
        1,
        "of the last one alone"
    );
    // Its answer is lost.
    for _ in 0..8 {
        worker.tick(TICK);
    }
    assert_eq!(worker.counter("keygate_key_use.unavailable"), 5);
    let request = worker.send(&key(1));
    assert_eq!(worker.status(request), Some(200));
    assert!(worker.notices.is_empty(), "{:?}", worker.notices);
    assert_eq!(worker.counter("keygate_poll.unavailable"), 0);
    assert_eq!(worker.counter("keygate_key_service.unusable"), 0);
}

#[test]
fn a_report_that_is_not_sent_is_lost() {
    let mut worker = knowing(&policy(), &[&key(1)]);
    worker.refuses = Some(NotSent::Refused);
    pass(&mut worker, EVERY + TICK);
    assert_eq!(worker.counter("keygate_key_use.unavailable"), 1);
    worker.refuses = None;
    pass(&mut worker, EVERY + TICK);
    assert!(worker.calls(KEY_USES).is_empty());
    let request = worker.send(&key(1));
    assert_eq!(worker.status(request), Some(200));
}

#[test]
fn the_workers_of_a_proxy_report_at_different_times() {
    let mut first = knowing(&policy(), &[&key(1)]);
    let mut second = first.beside(&policy());
    second.tick(0);
    second.send(&key(1));
    second.turn();
    second.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
    let mut times = [0, 0];
    for time in 1..=120 {
        first.tick(TICK);
        second.tick(0);
        if let [poll] = first.calls(CHANGES)[..] {
            first.answer(poll, &changes(10, &[]));
        }
        for (at, worker) in times.iter_mut().zip([&first, &second]) {
            if *at == 0 && !worker.calls(KEY_USES).is_empty() {
                *at = time;
            }
        }
    }
    assert!(times.iter().all(|at| *at > 0), "{times:?}");
    assert_ne!(times[0], times[1]);
}
