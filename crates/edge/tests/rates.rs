//! Rate limits of keys and accounts: what passes, what is rejected, and what the client learns.

use keygate_core::keys::NewAppKey;
use keygate_core::{Edit, Outcome, Reason, Verdict};
use keygate_edge::RequestId;
use serde_json::{Value, json};

use crate::worker::{CHANGES, LOOKUPS, Worker, changes, key, link, policy, start_polled};

const MINUTE: u64 = 60_000;

/// What the key service says of a key of this account with this limit.
fn record(key: &NewAppKey, account: &str, limit: Option<&str>) -> Value {
    json!({ "hash": key.hash, "id": key.id, "account": account, "status": "active", "scopes": [],
            "rate_limit": limit, "metadata": {} })
}

/// A worker that knows these keys: each has sent one request.
fn knowing(policy: &Value, records: &[(&NewAppKey, Value)]) -> Worker {
    let mut worker = start_polled(policy);
    for (key, record) in records {
        let request = worker.send(key);
        worker.turn();
        worker.answer_only(LOOKUPS, &json!({ "epoch": 10, "records": [record] }));
        assert_eq!(worker.status(request), Some(200));
    }
    worker
}

/// How many of so many requests pass at once.
fn passing(worker: &mut Worker, key: &NewAppKey, requests: usize) -> usize {
    let requests: Vec<_> = (0..requests).map(|_| worker.send(key)).collect();
    worker.passed(&requests)
}

/// The headers about limits that the client of a decided request gets.
fn told(worker: &Worker, request: RequestId) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    match worker.verdict(request).unwrap() {
        Verdict::Allow(grant) => grant
            .response_edits
            .iter()
            .filter_map(|edit| match edit {
                Edit::Add(name, value) => Some((name.to_string(), text(value))),
                Edit::Remove(_) | Edit::Set(..) | Edit::SetSecret(..) => None,
            })
            .collect(),
        Verdict::Deny(denial) => {
            let headers = denial.headers.iter();
            let ours = ["retry-after", "ratelimit", "ratelimit-policy"];
            headers
                .filter(|(name, _)| ours.contains(&&**name))
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect()
        }
        other => panic!("{other:?}"),
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_key_passes_as_often_as_its_limit_says() {
    let (limited, free) = (key(1), key(2));
    let records = [
        (&limited, record(&limited, "alice", Some("100/1m"))),
        (&free, record(&free, "bob", None)),
    ];
    let mut worker = knowing(&policy(), &records);
    assert_eq!(passing(&mut worker, &limited, 300), 99, "one was the first");
    assert_eq!(passing(&mut worker, &free, 300), 300);
    worker.tick(MINUTE / 2);
    worker.answer_only(CHANGES, &changes(10, &[]));
    assert_eq!(passing(&mut worker, &limited, 300), 50, "half is back");
    worker.tick(MINUTE);
    worker.answer_only(CHANGES, &changes(10, &[]));
    assert_eq!(passing(&mut worker, &limited, 300), 100, "and never more");
    assert_eq!(
        worker.counter("keygate_decision.deny.key_rate_limited"),
        201 + 250 + 200
    );
}

#[test]
fn a_client_learns_what_is_left_and_when_to_come_back() {
    let limited = key(1);
    let records = [(&limited, record(&limited, "alice", Some("3/1m")))];
    let mut worker = knowing(&policy(), &records);
    let policy = ("ratelimit-policy", r#""key";q=3;w=60"#);
    let request = worker.send(&limited);
    let expected = [policy, ("ratelimit", r#""key";r=1;t=40"#)];
    assert_eq!(told(&worker, request), pairs(&expected));
    worker.send(&limited);
    let rejected = worker.send(&limited);
    assert_eq!(worker.status(rejected), Some(429));
    let expected = [
        ("retry-after", "20"),
        policy,
        ("ratelimit", r#""key";r=0;t=60"#),
    ];
    assert_eq!(told(&worker, rejected), pairs(&expected));
}

#[test]
fn the_keys_of_an_account_share_its_limit() {
    let mut policy = policy();
    policy["account_rate_limit"] = json!("10/1m");
    let (one, two, other) = (key(1), key(2), key(3));
    let records = [
        (&one, record(&one, "alice", None)),
        (&two, record(&two, "alice", Some("2/1m"))),
        (&other, record(&other, "bob", None)),
    ];
    let mut worker = knowing(&policy, &records);
    assert_eq!(passing(&mut worker, &two, 20), 1, "its own limit is lower");
    assert_eq!(passing(&mut worker, &one, 20), 7, "three were used");
    let rejected = worker.send(&two);
    assert!(
        matches!(worker.verdict(rejected), Some(Verdict::Deny(denial))
        if denial.reason == Reason::KeyRateLimited)
    );
    let rejected = worker.send(&one);
    assert!(
        matches!(worker.verdict(rejected), Some(Verdict::Deny(denial))
        if denial.reason == Reason::AccountRateLimited)
    );
    assert_eq!(passing(&mut worker, &other, 20), 9);
}

#[test]
fn a_request_that_is_rejected_counts_for_no_limit() {
    let mut policy = policy();
    policy["rules"][0]["scopes"] =
        json!([{ "methods": ["POST"], "need": "write" }, { "need": "read" }]);
    policy["account_rate_limit"] = json!("10/1m");
    let limited = key(1);
    let mut of_key = record(&limited, "alice", Some("3/1m"));
    of_key["scopes"] = json!(["read"]);
    let mut worker = knowing(&policy, &[(&limited, of_key)]);
    let bearer = format!("Bearer {}", limited.text.as_str());
    for _ in 0..10 {
        let request = worker.request(&[
            (":method", "POST"),
            (":path", "/api/x"),
            ("authorization", &bearer),
        ]);
        assert_eq!(worker.status(request), Some(403));
    }
    assert_eq!(passing(&mut worker, &limited, 20), 2);
    // What exceeds the limit of the key is none of the account's: 3 of its 10 are used.
    worker.tick(MINUTE / 3);
    worker.answer_only(CHANGES, &changes(10, &[]));
    let request = worker.send(&limited);
    let (_, state) = told(&worker, request).remove(1);
    assert!(state.ends_with(r#""account";r=9;t=6"#), "{state}");
}

#[test]
fn a_rule_that_simulates_tells_and_lets_pass() {
    let mut policy = policy();
    policy["rules"][0]["mode"] = json!("simulate");
    let limited = key(1);
    let records = [(&limited, record(&limited, "alice", Some("1/1m")))];
    let mut worker = knowing(&policy, &records);
    let request = worker.send(&limited);
    let Some(Verdict::Allow(grant)) = worker.verdict(request) else {
        panic!("it is rejected");
    };
    assert_eq!(grant.outcome, Outcome::WouldDeny(Reason::KeyRateLimited));
    assert_eq!(grant.identity, None);
}

#[test]
fn a_link_that_works_once_is_not_used_up_beyond_the_limit() {
    let mut policy = policy();
    policy["rules"][2]["require"] = json!({ "all": ["link", "key"] });
    let limited = key(1);
    let records = [(&limited, record(&limited, "alice", Some("1/1m")))];
    let mut worker = knowing(&policy, &records);
    let (link, bearer) = (link(1), format!("Bearer {}", limited.text.as_str()));
    let headers = [
        (":method", "GET"),
        (":path", &*link),
        ("authorization", &*bearer),
    ];
    let request = worker.request(&headers);
    assert_eq!(worker.status(request), Some(429));
    assert!(worker.edge.poll_call().is_none());
}

#[test]
fn a_changed_key_keeps_its_count_and_gets_its_new_limit() {
    let limited = key(1);
    let records = [(&limited, record(&limited, "alice", Some("2/1m")))];
    let mut worker = knowing(&policy(), &records);
    assert_eq!(passing(&mut worker, &limited, 5), 1);
    worker.tick(1000);
    worker.answer_only(CHANGES, &changes(11, &[&limited]));
    let asks = worker.send(&limited);
    worker.turn();
    let record = record(&limited, "alice", Some("2/1m"));
    worker.answer_only(LOOKUPS, &json!({ "epoch": 11, "records": [record] }));
    assert_eq!(
        worker.status(asks),
        Some(429),
        "a change is no way around it"
    );
    worker.tick(1000);
    worker.answer_only(CHANGES, &changes(12, &[&limited]));
    let asks = worker.send(&limited);
    worker.turn();
    let record = self::record(&limited, "alice", Some("100/1m"));
    worker.answer_only(LOOKUPS, &json!({ "epoch": 12, "records": [record] }));
    assert_eq!(worker.status(asks), Some(200));
}

#[test]
fn a_clock_that_is_set_back_locks_no_client_out() {
    let limited = key(1);
    let records = [(&limited, record(&limited, "alice", Some("2/1m")))];
    let mut worker = knowing(&policy(), &records);
    passing(&mut worker, &limited, 5);
    worker.rewind(24 * 60 * MINUTE);
    // The lease has ended: its beginning lies ahead.
    let mut status = |wait: u64| {
        worker.tick(wait);
        worker.answer_only(CHANGES, &changes(10, &[]));
        let request = worker.send(&limited);
        worker.turn();
        if worker.status(request).is_none() {
            let record = record(&limited, "alice", Some("2/1m"));
            worker.answer_only(LOOKUPS, &json!({ "epoch": 10, "records": [record] }));
        }
        worker.status(request)
    };
    assert_eq!(status(1000), Some(429));
    assert_eq!(status(MINUTE), Some(200));
}
