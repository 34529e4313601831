//! Keys that anyone can make up: what a question about one costs the client.

use keygate_core::{Client, NoClaims};
use keygate_edge::RequestId;
use serde_json::{Value, json};

use crate::worker::{LOOKUPS, Worker, address, key, lookup, policy, start_polled};

/// Two failures at once for each address, and hardly any later.
fn strict() -> Value {
    let mut policy = policy();
    policy["providers"]["key"]["accept"] = json!(["native", "opaque"]);
    policy["key_service"]["miss_limit"] = json!({ "per_second": 1, "burst": 2 });
    policy
}

fn send(worker: &mut Worker, number: u32, client: &str) -> RequestId {
    let bearer = format!("Bearer legacy:alice:{number:016}");
    let headers = [
        (":method", "GET"),
        (":path", "/api/x"),
        ("authorization", &*bearer),
    ];
    worker.request_from(&headers, Client::Known(address(client)), &NoClaims)
}

/// The answer that these keys are known, by the hashes that were asked about.
fn known(hashes: &Value) -> Value {
    let record = |hash: &Value| {
        json!({ "hash": hash, "id": "AbCdEfGhIj", "account": "alice", "status": "active",
                "scopes": [], "metadata": {} })
    };
    let records: Vec<Value> = hashes.as_array().unwrap().iter().map(record).collect();
    json!({ "epoch": 10, "records": records })
}

#[test]
fn an_address_with_too_many_unknown_keys_is_asked_about_no_more() {
    let mut worker = start_polled(&strict());
    for number in 0..2 {
        let request = send(&mut worker, number, "192.0.2.1");
        worker.turn();
        worker.answer_only(LOOKUPS, &json!({ "epoch": 10, "records": [] }));
        assert_eq!(worker.status(request), Some(401));
    }
    let rejected = send(&mut worker, 2, "192.0.2.1");
    assert_eq!(worker.status(rejected), Some(429));
    assert!(worker.edge.poll_call().is_none());
    let other = send(&mut worker, 2, "192.0.2.2");
    assert_eq!(worker.status(other), None);
}

#[test]
fn a_key_that_is_known_gives_the_client_its_token_back() {
    let mut worker = start_polled(&strict());
    for number in 0..10 {
        let request = send(&mut worker, number, "192.0.2.1");
        worker.turn();
        let answer = known(&worker.body(worker.only(LOOKUPS))["hashes"]);
        worker.answer_only(LOOKUPS, &answer);
        assert_eq!(worker.status(request), Some(200), "{number}");
    }
}

#[test]
fn a_request_that_joins_a_question_pays_nothing() {
    let mut worker = start_polled(&strict());
    for _ in 0..10 {
        let request = send(&mut worker, 1, "192.0.2.1");
        assert_eq!(worker.status(request), None);
    }
    let second = send(&mut worker, 2, "192.0.2.1");
    assert_eq!(worker.status(second), None);
    let third = send(&mut worker, 3, "192.0.2.1");
    assert_eq!(worker.status(third), Some(429));
}

#[test]
fn clients_that_leave_before_the_answer_spend_the_budget_of_the_worker() {
    let asked = |leaves: bool| {
        let mut worker = start_polled(&strict());
        let mut asked = 0;
        for number in 0..400 {
            let client = format!("10.0.{}.{}", number / 250, number % 250);
            let request = send(&mut worker, number, &client);
            if worker.status(request) == Some(429) {
                continue;
            }
            asked += 1;
            if leaves {
                worker.edge.gone(request);
            }
            worker.turn();
            worker.answer_only(LOOKUPS, &json!({ "epoch": 10, "records": [] }));
        }
        asked
    };
    let budget = asked(false);
    assert!(budget < 400, "{budget}");
    assert_eq!(asked(true), budget);
}

#[test]
fn questions_of_clients_that_left_do_not_pile_up() {
    let mut policy = strict();
    policy["key_service"]["miss_limit"] = json!({ "per_second": 100_000, "burst": 100_000,
        "per_second_48": 100_000, "per_second_worker": 100_000 });
    let mut worker = start_polled(&policy);
    for number in 0..1024 {
        let gone = send(&mut worker, number, "192.0.2.1");
        worker.edge.gone(gone);
    }
    let one_more = send(&mut worker, 2000, "192.0.2.1");
    assert_eq!(worker.status(one_more), Some(503));
    let known_question = send(&mut worker, 1, "192.0.2.1");
    assert_eq!(worker.status(known_question), None);
    worker.turn();
    let again = send(&mut worker, 2000, "192.0.2.1");
    assert_eq!(worker.status(again), Some(503), "what is asked counts, too");
}

#[test]
fn a_key_that_may_not_be_asked_about_leaves_a_known_one_to_decide() {
    let mut policy = strict();
    policy["rules"][1]["require"] = json!({ "any": ["key", "second"] });
    let mut worker = start_polled(&policy);
    let alice = key(1);
    let send_both = |worker: &mut Worker, bearer: &str| {
        let headers = [
            (":method", "GET"),
            (":path", "/two"),
            ("authorization", bearer),
            ("x-second", &*alice.text),
        ];
        worker.request_from(&headers, Client::Known(address("192.0.2.1")), &NoClaims)
    };
    let warm = send_both(&mut worker, "Basic Og==");
    worker.turn();
    worker.answer_only(LOOKUPS, &lookup(10, &[&alice]));
    assert_eq!(worker.status(warm), Some(200));
    for number in 0..2 {
        send(&mut worker, number, "192.0.2.1");
    }
    let request = send_both(&mut worker, "Bearer legacy:alice:of-another-service");
    assert_eq!(worker.status(request), Some(200));
}
