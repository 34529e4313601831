//! Lookups: one question for many requests, what counts as an answer, and how many may wait.

use keygate_core::keys::{SealKey, Sealed, SealedHeaders};
use keygate_edge::{NotSent, RequestId};
use serde_json::json;

use crate::worker::{LOOKUPS, Worker, key, lookup, policy, start_polled};

/// How many requests may wait for one key, and how many for all.
const OF_ONE: usize = 512;
const OF_ALL: usize = 1024;

fn crowd(worker: &mut Worker, number: u8) -> Vec<RequestId> {
    let key = key(number);
    (0..OF_ONE).map(|_| worker.send(&key)).collect()
}

#[test]
fn only_the_hash_of_a_key_is_asked_about() {
    let mut worker = start_polled(&policy());
    let key = key(1);
    worker.send(&key);
    worker.turn();
    let call = worker.only(LOOKUPS);
    assert_eq!(worker.call(call).cluster, "keys");
    assert_eq!(worker.body(call), json!({ "hashes": [key.hash] }));
}

#[test]
fn sealed_data_is_asked_for_if_a_rule_adds_it_and_opened_for_each_request() {
    let mut policy = policy();
    policy["rules"][0]["sealed"] = json!({ "headers": ["authorization"] });
    let mut worker = start_polled(&policy);
    let key = key(1);
    let first = worker.send(&key);
    worker.turn();
    let call = worker.only(LOOKUPS);
    let body = json!({ "hashes": [key.hash], "want": ["sealed"] });
    assert_eq!(worker.body(call), body);
    let mut headers = SealedHeaders::none();
    let value = b"Bearer upstream".to_vec().into();
    headers.add("authorization".to_owned(), value).unwrap();
    let seal_key = SealKey::of_new(&key);
    let sealed = Sealed::seal(&headers, &seal_key, &mut |bytes| bytes.fill(1)).unwrap();
    let mut answer = lookup(10, &[&key]);
    answer["records"][0]["sealed"] = json!(sealed.to_string());
    worker.answer(call, &answer);
    let warm = worker.send(&key);
    for request in [first, warm] {
        let added = worker.added(request, "authorization");
        assert_eq!(added.as_deref(), Some("Bearer upstream"));
    }
    assert_eq!(worker.counter("keygate_lookup.answered"), 1);
}

#[test]
fn many_requests_with_one_cold_key_make_one_call() {
    let mut worker = start_polled(&policy());
    let requests = crowd(&mut worker, 1);
    worker.turn();
    worker.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
    assert_eq!(worker.passed(&requests), OF_ONE);
    assert_eq!(worker.counter("keygate_lookup.answered"), 1);
    let warm = worker.send(&key(1));
    assert_eq!(worker.status(warm), Some(200));
}

#[test]
fn a_host_may_take_decided_requests_a_few_at_a_time() {
    let mut worker = start_polled(&policy());
    let requests = crowd(&mut worker, 1);
    let call = worker.edge.poll_call().unwrap();
    worker.edge.sent(call, Err(NotSent::Refused), worker.now());
    let now = worker.now();
    for left in (0..OF_ONE).rev() {
        assert!(worker.edge.has_decided());
        let (id, _) = worker.edge.poll_decided(now).unwrap();
        assert_eq!(id, requests[OF_ONE - 1 - left], "the first come first");
    }
    assert!(!worker.edge.has_decided());
}

#[test]
fn cold_keys_share_a_call_and_an_unknown_one_is_rejected() {
    let mut worker = start_polled(&policy());
    let (good, unknown) = (key(1), key(2));
    let (first, second) = (worker.send(&good), worker.send(&unknown));
    worker.turn();
    worker.answer_only(LOOKUPS, &lookup(10, &[&good]));
    assert_eq!(worker.status(first), Some(200));
    assert_eq!(worker.status(second), Some(401));
    assert_eq!(worker.counter("keygate_decision.deny.unknown_key"), 1);
}

#[test]
fn a_hundred_keys_share_a_call_and_one_more_has_its_own() {
    let mut worker = start_polled(&policy());
    for number in 0..=100 {
        worker.send(&key(number));
    }
    worker.turn();
    let asked = worker.calls(LOOKUPS).into_iter().map(|call| {
        let body = worker.body(call);
        body["hashes"].as_array().unwrap().len()
    });
    assert_eq!(asked.collect::<Vec<_>>(), [100, 1]);
}

#[test]
fn a_call_that_is_not_sent_is_unavailable_at_once() {
    let mut worker = start_polled(&policy());
    worker.refuses = Some(NotSent::Refused);
    let request = worker.send(&key(1));
    worker.turn();
    assert_eq!(worker.status(request), Some(503));
    assert_eq!(worker.counter("keygate_lookup.unavailable"), 1);
}

#[test]
fn a_client_that_disconnects_is_not_decided_and_affects_no_other() {
    let mut worker = start_polled(&policy());
    let (gone, stays) = (worker.send(&key(1)), worker.send(&key(1)));
    worker.turn();
    worker.edge.gone(gone);
    worker.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
    assert_eq!(worker.verdict(gone), None);
    assert_eq!(worker.status(stays), Some(200));
}

#[test]
fn a_client_that_disconnects_after_the_answer_is_not_decided() {
    let mut worker = start_polled(&policy());
    let gone = worker.send(&key(1));
    let call = worker.edge.poll_call().unwrap();
    let now = worker.now();
    worker.edge.sent(call, Err(NotSent::Refused), now);
    worker.edge.gone(gone);
    assert_eq!(worker.edge.poll_decided(now), None);
}

#[test]
fn one_key_leaves_room_for_others_and_too_many_are_rejected_at_once() {
    let mut worker = start_polled(&policy());
    crowd(&mut worker, 1);
    let one_more = worker.send(&key(1));
    assert_eq!(worker.status(one_more), Some(503));
    crowd(&mut worker, 2);
    assert_eq!(OF_ALL, 2 * OF_ONE);
    let one_more = worker.send(&key(3));
    assert_eq!(worker.status(one_more), Some(503));
    assert_eq!(worker.counter("keygate_decision.deny.overloaded"), 2);
}

#[test]
fn requests_that_leave_make_room() {
    let mut worker = start_polled(&policy());
    let gone = [crowd(&mut worker, 1), crowd(&mut worker, 2)].concat();
    gone.iter().for_each(|id| worker.edge.gone(*id));
    let request = worker.send(&key(1));
    assert_eq!(worker.status(request), None);
}

#[test]
fn requests_that_wait_keep_at_most_16_mib() {
    let mut worker = start_polled(&policy());
    let (bearer, filler) = (
        format!("Bearer {}", key(1).text.as_str()),
        "a".repeat(60_000),
    );
    let headers = [
        (":method", "GET"),
        (":path", "/api/x"),
        ("authorization", &*bearer),
        ("filler", &*filler),
    ];
    let mut waiting = 0;
    loop {
        let request = worker.request(&headers);
        if worker.status(request).is_some() {
            break;
        }
        waiting += 1;
        assert!(waiting < OF_ONE, "there is no bound");
    }
    let room = 16 * 1024 * 1024;
    assert!(waiting * 60_000 < room && (waiting + 5) * 60_000 > room);
}

#[test]
fn a_lost_answer_is_ignored_when_it_arrives_late() {
    let mut worker = start_polled(&policy());
    let request = worker.send(&key(1));
    worker.turn();
    let lost = worker.only(LOOKUPS);
    worker.tick(1600);
    assert_eq!(worker.status(request), None);
    worker.tick(1);
    assert_eq!(worker.status(request), Some(503));
    worker.answer(lost, &lookup(10, &[&key(1)]));
    assert_eq!(worker.counter("keygate_lookup.answered"), 0);
}

#[test]
fn a_question_that_no_turn_has_asked_is_asked_by_the_next_tick() {
    let mut worker = start_polled(&policy());
    let request = worker.send(&key(1));
    assert!(worker.calls(LOOKUPS).is_empty());
    worker.tick(250);
    worker.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
    assert_eq!(worker.status(request), Some(200));
}

#[test]
fn a_request_with_two_cold_keys_asks_for_the_second_at_once() {
    let mut worker = start_polled(&policy());
    let (first, second) = (key(1), key(2));
    let bearer = format!("Bearer {}", first.text.as_str());
    let request = worker.request(&[
        (":method", "GET"),
        (":path", "/two"),
        ("authorization", &bearer),
        ("x-second", second.text.as_str()),
    ]);
    worker.turn();
    worker.answer_only(LOOKUPS, &lookup(10, &[&first]));
    assert_eq!(worker.status(request), None);
    worker.answer_only(LOOKUPS, &lookup(10, &[&second]));
    assert_eq!(worker.status(request), Some(200));
}

#[test]
fn a_request_asks_about_four_keys_at_most() {
    let mut policy = policy();
    let names: Vec<String> = (1..=5).map(|number| format!("x-key-{number}")).collect();
    for name in &names {
        policy["providers"][name] =
            json!({ "type": "app_key", "secrets": "app_keys", "from": [{ "header": name }] });
    }
    policy["rules"][1]["require"] = json!({ "all": names });
    let mut worker = start_polled(&policy);
    let texts: Vec<String> = (1..=5).map(|it| key(it).text.to_string()).collect();
    let mut headers = vec![(":method", "GET"), (":path", "/two")];
    let keys = names.iter().zip(&texts);
    headers.extend(keys.map(|(name, text)| (name.as_str(), text.as_str())));
    let request = worker.request(&headers);
    worker.turn();
    for number in 1..=4 {
        assert_eq!(worker.status(request), None, "{number}");
        worker.answer_only(LOOKUPS, &lookup(10, &[&key(number)]));
    }
    assert_eq!(worker.status(request), Some(503));
    assert_eq!(worker.counter("keygate_decision.deny.overloaded"), 1);
}

#[test]
fn a_lookup_is_tried_twice_at_most() {
    let mut worker = start_polled(&policy());
    let request = worker.send(&key(1));
    worker.turn();
    // As of epoch 9, while the feed was followed to 10.
    worker.answer_only(LOOKUPS, &lookup(9, &[&key(1)]));
    assert_eq!(worker.status(request), None);
    worker.answer_only(LOOKUPS, &lookup(9, &[&key(1)]));
    assert_eq!(worker.status(request), Some(503));
}

#[test]
fn without_a_key_service_nothing_is_asked_and_nothing_ticks() {
    let mut policy = policy();
    policy["providers"] = json!({});
    policy["rules"] = json!([{ "name": "a", "match": { "path": "/**" }, "require": "nothing" }]);
    policy["secrets"] = json!({});
    policy.as_object_mut().unwrap().remove("key_service");
    let mut worker = crate::worker::start(&policy);
    assert_eq!(worker.edge.period(), None);
    let request = worker.request(&[(":method", "GET"), (":path", "/a")]);
    worker.tick(250);
    assert_eq!(worker.status(request), Some(200));
    assert_eq!(worker.counter("keygate_decision.allow.anonymous"), 1);
}
