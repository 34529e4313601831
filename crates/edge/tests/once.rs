//! Links that work once: one call for each link, however many requests bring it.

use keygate_core::{Client, NoClaims};
use keygate_edge::{NotSent, RequestId, Token};
use serde_json::{Value, json};

use crate::worker::{LOOKUPS, USES, Worker, address, key, link, policy, start};

/// A policy that accepts a single-use link and an imported key.
fn beside_a_key() -> Value {
    let mut policy = policy();
    let service = policy["key_service"].as_object_mut().unwrap();
    service.insert("miss_limit".into(), json!({ "per_second": 1, "burst": 1 }));
    policy["providers"]["key"]["accept"] = json!(["native", "opaque"]);
    policy["rules"][2]["require"] = json!({ "any": ["key", "link"] });
    policy
}

/// A request with a link and an imported key that this worker does not know.
fn send_with_key(worker: &mut Worker, number: u32) -> RequestId {
    let bearer = format!("Bearer from-elsewhere-{number:04}");
    let headers = [
        (":method", "GET"),
        (":path", &*link(number)),
        ("authorization", &*bearer),
    ];
    worker.request_from(&headers, Client::Known(address("192.0.2.1")), &NoClaims)
}

fn answer(worker: &mut Worker, call: Token, first: bool) {
    worker.answer(call, &json!({ "first": first }));
}

fn answer_only(worker: &mut Worker, first: bool) {
    answer(worker, worker.only(USES), first);
}

#[test]
fn of_many_requests_with_one_link_one_passes_after_one_call() {
    let mut worker = start(&policy());
    let requests: Vec<RequestId> = (0..200).map(|_| worker.send_link("GET", 1)).collect();
    worker.turn();
    let late = worker.send_link("GET", 1);
    worker.turn();
    assert_eq!(worker.status(requests[0]), None);
    answer_only(&mut worker, true);
    assert_eq!(worker.status(requests[0]), Some(200));
    assert_eq!(worker.passed(&requests), 1);
    assert_eq!(worker.status(late), Some(403));
    assert!(worker.calls(USES).is_empty());
}

#[test]
fn a_link_that_is_known_to_be_used_up_costs_no_call() {
    let mut worker = start(&policy());
    worker.send_link("GET", 1);
    worker.turn();
    answer_only(&mut worker, true);
    let again = worker.send_link("GET", 1);
    assert_eq!(worker.status(again), Some(403));
    assert_eq!(worker.counter("keygate_decision.deny.link_used"), 1);
}

#[test]
fn a_head_request_only_asks_and_its_answer_is_valid_for_a_second() {
    let mut worker = start(&policy());
    let head = worker.send_link("HEAD", 1);
    worker.turn();
    assert_eq!(worker.body(worker.only(USES))["peek"], json!(true));
    answer_only(&mut worker, true);
    assert_eq!(worker.status(head), Some(200));
    let again = worker.send_link("HEAD", 1);
    assert_eq!(worker.status(again), Some(200), "no call within a second");
    worker.tick(1000);
    let later = worker.send_link("HEAD", 1);
    assert_eq!(worker.status(later), None);
}

#[test]
fn a_get_that_arrives_during_a_peek_gets_a_call_of_its_own() {
    let mut worker = start(&policy());
    let head = worker.send_link("HEAD", 1);
    worker.turn();
    let get = worker.send_link("GET", 1);
    worker.turn();
    answer_only(&mut worker, true);
    assert_eq!(worker.status(head), Some(200));
    assert_eq!(worker.status(get), None);
    assert_eq!(worker.body(worker.only(USES))["peek"], json!(false));
    answer_only(&mut worker, true);
    assert_eq!(worker.status(get), Some(200));
}

#[test]
fn at_most_eight_calls_about_links_are_under_way() {
    let mut worker = start(&policy());
    let requests: Vec<RequestId> = (0..20).map(|link| worker.send_link("GET", link)).collect();
    worker.turn();
    for left in (1..=20).rev() {
        let calls = worker.calls(USES);
        assert_eq!(calls.len(), 8.min(left), "{left} links are left");
        answer(&mut worker, calls[0], true);
    }
    assert_eq!(worker.passed(&requests), 20);
}

#[test]
fn links_whose_answer_is_lost_are_given_up_with_those_behind_them() {
    let mut worker = start(&policy());
    let requests: Vec<RequestId> = (0..20).map(|link| worker.send_link("GET", link)).collect();
    worker.turn();
    worker.tick(60_000);
    for request in requests {
        assert_eq!(worker.status(request), Some(503));
    }
    // None of the lost calls takes a place any more.
    let again = worker.send_link("GET", 30);
    worker.turn();
    let call = *worker.calls(USES).last().unwrap();
    answer(&mut worker, call, true);
    assert_eq!(worker.status(again), Some(200));
}

#[test]
fn requests_that_wait_with_links_are_bounded_in_all_and_for_each() {
    let mut worker = start(&policy());
    let of_one: Vec<RequestId> = (0..256).map(|_| worker.send_link("HEAD", 1)).collect();
    let one_more = worker.send_link("HEAD", 1);
    assert_eq!(worker.status(one_more), Some(503));
    let others: Vec<RequestId> = (2..258)
        .map(|link| worker.send_link("HEAD", link))
        .collect();
    let one_more = worker.send_link("HEAD", 300);
    assert_eq!(worker.status(one_more), Some(503));
    assert_eq!(worker.counter("keygate_link_use.overloaded"), 2);
    worker.turn();
    while let Some(call) = worker.calls(USES).first() {
        answer(&mut worker, *call, true);
    }
    assert_eq!(worker.passed(&of_one) + worker.passed(&others), 512);
}

#[test]
fn the_next_request_gets_the_link_of_a_client_that_left() {
    let mut worker = start(&policy());
    let (gone, stays) = (worker.send_link("GET", 1), worker.send_link("GET", 1));
    worker.turn();
    worker.edge.gone(gone);
    answer_only(&mut worker, true);
    assert_eq!(worker.status(stays), Some(200));
    assert_eq!(worker.verdict(gone), None);
}

#[test]
fn clients_that_leave_before_their_turn_cost_no_call() {
    let mut worker = start(&policy());
    let stuck: Vec<RequestId> = (0..8).map(|link| worker.send_link("GET", link)).collect();
    worker.turn();
    for link in 100..200 {
        let gone = worker.send_link("GET", link);
        worker.edge.gone(gone);
    }
    for call in worker.calls(USES) {
        answer(&mut worker, call, true);
    }
    assert_eq!(worker.passed(&stuck), 8);
    assert!(worker.calls(USES).is_empty());
}

#[test]
fn a_link_whose_call_is_not_sent_passes_no_request() {
    let mut worker = start(&policy());
    worker.refuses = Some(NotSent::Refused);
    let request = worker.send_link("GET", 1);
    worker.turn();
    assert_eq!(worker.status(request), Some(503));
    assert_eq!(worker.counter("keygate_link_use.unavailable"), 1);
}

#[test]
fn a_key_that_may_not_be_asked_about_leaves_its_link_to_decide() {
    let mut worker = start(&beside_a_key());
    send_with_key(&mut worker, 1);
    // The client has asked about as many keys as it may.
    let second = send_with_key(&mut worker, 2);
    assert_eq!(worker.status(second), None);
    worker.turn();
    answer_only(&mut worker, true);
    assert_eq!(worker.status(second), Some(200));
    let again = send_with_key(&mut worker, 2);
    assert_eq!(worker.status(again), Some(403), "used up");
    assert_eq!(worker.counter("keygate_decision.deny.host_failure"), 0);
}

#[test]
fn a_key_without_an_answer_leaves_its_link_to_decide() {
    let mut worker = start(&beside_a_key());
    let request = send_with_key(&mut worker, 1);
    worker.turn();
    let call = worker.only(LOOKUPS);
    worker.respond(call, &[(":status", "503")], b"");
    assert_eq!(worker.status(request), None, "the link is not asked about");
    answer_only(&mut worker, true);
    assert_eq!(worker.status(request), Some(200));
}

#[test]
fn without_an_answer_a_link_is_rejected_also_beside_a_key_that_an_outage_lets_pass() {
    let mut policy = policy();
    policy["providers"]["key"]["outage"] = json!("allow");
    policy["rules"][2]["require"] = json!({ "any": ["key", "link"] });
    let mut worker = start(&policy);
    worker.refuses = Some(NotSent::Refused);
    let bearer = format!("Bearer {}", key(1).text.as_str());
    let link = link(1);
    for (path, authorization, expected) in [
        ("/once", &*bearer, 200),
        (&*link, "", 503),
        (&*link, &*bearer, 503),
    ] {
        let headers = [
            (":method", "GET"),
            (":path", path),
            ("authorization", authorization),
        ];
        let request = worker.request(&headers);
        worker.turn();
        assert_eq!(worker.status(request), Some(expected), "{path}");
    }
}
