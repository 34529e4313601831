//! Lookups: one callout for many, and what counts as an answer.

use keygate_core::keys::NewAppKey;
use serde_json::{Value, json};

use crate::host::{Fault, Worker};
use crate::{
    GENUINE, HeaderText, answer_lookup, header, key, lookup_answer, only_call, policy, polled,
    send, start_polled, status,
};

#[test]
fn only_the_hash_of_a_key_leaves_the_edge() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    let call = only_call(&worker, "/v1/lookups");
    assert_eq!(call.cluster, "keys");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, json!({ "hashes": [key.hash] }));
    let secret = &key.text[16..48];
    assert!(!format!("{call:?}").contains(secret) && !worker.log().contains(secret));
}

#[test]
fn many_requests_with_one_cold_key_make_one_callout() {
    let worker = start_polled();
    let key = key(1);
    let requests: Vec<u32> = (0..500)
        .map(|_| send(&worker, "/api/x", Some(&key)).0)
        .collect();
    worker.turn();
    for late in 0..3 {
        send(&worker, "/api/x", Some(&key));
        worker.turn();
        assert_eq!(worker.calls("/v1/lookups").len(), 1, "after {late} more");
    }
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    // All of them in one callback would fill the stack of a real virtual machine.
    let resumed = || {
        let resumed = requests.iter().map(|it| worker.exchange(*it).is_resumed);
        resumed.filter(|it| *it).count()
    };
    let mut before = 0;
    for _ in 0..20 {
        assert!(resumed() - before <= 64, "{before}, then {}", resumed());
        before = resumed();
        worker.turn();
    }
    assert_eq!(resumed(), 500);
}

#[test]
fn a_warm_key_costs_no_callout_and_neither_does_an_unknown_one() {
    let worker = start_polled();
    let (good, unknown) = (key(1), key(2));
    send(&worker, "/api/x", Some(&good));
    send(&worker, "/api/x", Some(&unknown));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&good]));
    for _ in 0..10 {
        assert!(send(&worker, "/api/x", Some(&good)).1);
        let (request, passes) = send(&worker, "/api/x", Some(&unknown));
        assert!(!passes);
        assert_eq!(status(&worker, request), Some(401));
    }
    worker.turn();
    assert_eq!(worker.calls("/v1/lookups").len(), 0);
}

#[test]
fn an_answer_from_another_service_is_unavailable_and_not_cached() {
    let key = key(1);
    let good = lookup_answer(10, &[&key]).to_string();
    // A good answer, but for its length.
    let huge = format!("{good}{}", " ".repeat(3 * 1024 * 1024)).into_bytes();
    let mut strange: Value = serde_json::from_str(&good).unwrap();
    strange["records"][0]["account"] = json!("a\r\nx-evil: 1");
    let strange = strange.to_string();
    let marked: (&str, &[u8]) = ("x-keygate-service", b"1");
    let ok: (&str, &[u8]) = (":status", b"200");
    let rows: Vec<(Vec<HeaderText>, &[u8])> = vec![
        (vec![], b""),
        (vec![ok], good.as_bytes()),
        (vec![(":status", b"503"), marked], good.as_bytes()),
        (vec![(":status", b"504")], b"upstream request timeout"),
        (vec![(":status", b"404"), marked], good.as_bytes()),
        (vec![ok, ("x-keygate-service", b"2")], good.as_bytes()),
        (vec![ok, marked, marked], good.as_bytes()),
        (vec![ok, marked], b"<html>"),
        (vec![ok, marked], b""),
        (vec![ok, marked], b"\xff\xfe"),
        (vec![ok, marked], b"{\"epoch\":10}"),
        (vec![ok, marked], strange.as_bytes()),
        (vec![ok, marked], &huge),
        (vec![ok, ("x-keygate-service", b"caf\xe9")], good.as_bytes()),
    ];
    let worker = start_polled();
    for (headers, body) in rows {
        let (request, passes) = send(&worker, "/api/x", Some(&key));
        let (simulated, _) = send(&worker, "/beta/x", Some(&key));
        assert!(!passes);
        worker.turn();
        worker.answer(&only_call(&worker, "/v1/lookups"), &headers, body);
        let reply = worker.exchange(request).reply.unwrap();
        assert_eq!(reply.status, 503, "{headers:?}");
        assert!(
            reply
                .headers
                .contains(&(b"retry-after".to_vec(), b"1".to_vec()))
        );
        let exchange = worker.exchange(simulated);
        assert!(
            exchange.is_resumed,
            "simulate passes, whatever the key service does"
        );
        let result = header(&exchange, "x-keygate-result").unwrap();
        assert_eq!(result, "would-deny;reason=key_service_unavailable");
    }
}

#[test]
fn a_callout_that_fails_at_once_is_unavailable_at_once() {
    let worker = start_polled();
    worker.fail(Fault::Call);
    let (request, _) = send(&worker, "/api/x", Some(&key(1)));
    worker.turn();
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn every_callout_is_made_by_the_root_context() {
    let worker = start_polled();
    let (first, second) = (key(1), key(2));
    send(&worker, "/api/x", Some(&first));
    worker.turn();
    let call = only_call(&worker, "/v1/lookups");
    send(&worker, "/api/x", Some(&second));
    // Settling the first makes its context the current one; the second is asked right after.
    let answer = lookup_answer(10, &[&first]).to_string();
    worker.answer(&call, &GENUINE, answer.as_bytes());
    let asked_second = only_call(&worker, "/v1/lookups").context;
    assert_eq!((call.context, asked_second), (worker.root, worker.root));
}

#[test]
fn a_client_that_disconnects_affects_no_other_request() {
    let worker = start_polled();
    let key = key(1);
    let (gone, _) = send(&worker, "/api/x", Some(&key));
    let (stays, _) = send(&worker, "/api/x", Some(&key));
    worker.disconnect(gone);
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    assert!(worker.exchange(stays).is_resumed);
}

/// How many requests may wait for one key.
const OF_ONE: usize = 512;

/// Requests that wait, as many as may wait for one key.
fn crowd(worker: &Worker, key: &NewAppKey) -> Vec<u32> {
    let one = |_| {
        let (request, _) = send(worker, "/api/x", Some(key));
        assert_eq!(status(worker, request), None);
        request
    };
    (0..OF_ONE).map(one).collect()
}

#[test]
fn waiting_requests_use_bounded_memory() {
    let worker = start_polled();
    let (key, filler) = (key(1), vec![b'a'; 60_000]);
    let bearer = format!("Bearer {}", key.text.as_str());
    let send_large = || {
        let (request, _) = worker.request(&[
            (":method", b"GET"),
            (":path", b"/api/x"),
            (":authority", b"example.com"),
            ("authorization", bearer.as_bytes()),
            ("filler", &filler),
        ]);
        request
    };
    let fill = || {
        let mut waiting = Vec::new();
        loop {
            let request = send_large();
            if status(&worker, request) == Some(503) {
                return waiting;
            }
            waiting.push(request);
            assert!(waiting.len() < OF_ONE, "there is no bound");
        }
    };
    let waiting = fill();
    let room = 16 * 1024 * 1024;
    assert!(waiting.len() * 60_000 < room && (waiting.len() + 5) * 60_000 > room);
    let half = waiting.len() / 2;
    for &request in waiting.iter().take(half) {
        worker.disconnect(request);
    }
    assert_eq!(fill().len(), half, "who goes gives back what it took");
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[]));
    crowd(&worker, &crate::key(2));
}

/// A worker whose policy lets genuine keys pass in an outage.
fn lenient() -> Worker {
    let mut policy = policy();
    policy["providers"]["key"]["outage"] = json!("allow");
    polled(&policy)
}

#[test]
fn an_outage_lets_a_genuine_key_pass_without_an_account() {
    let worker = lenient();
    let (lost, _) = send(&worker, "/api/x", Some(&key(1)));
    worker.turn();
    worker.tick(1601);
    worker.fail(Fault::Call);
    let (failed, _) = send(&worker, "/api/x", Some(&key(2)));
    worker.turn();
    for request in [lost, failed] {
        let exchange = worker.exchange(request);
        assert!(exchange.is_resumed);
        let result = header(&exchange, "x-keygate-result");
        assert_eq!(
            result.as_deref(),
            Some("allow;reason=key_service_unavailable")
        );
        for hidden in ["x-keygate-account", "authorization"] {
            assert_eq!(header(&exchange, hidden), None, "{hidden}");
        }
    }
    assert_eq!(
        worker.counter("keygate_decision.allow.key_service_unavailable"),
        2
    );
    assert_eq!(worker.counter("keygate_decision.allow.verified"), 0);
}

#[test]
fn an_answer_from_before_the_newest_change_is_no_outage() {
    let worker = lenient();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    for _ in 0..2 {
        answer_lookup(&worker, &lookup_answer(9, &[&key]));
    }
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn a_bell_that_does_not_ring_is_made_good_by_the_next_tick() {
    let worker = start_polled();
    worker.fail(Fault::Queue);
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    assert_eq!(worker.calls("/v1/lookups").len(), 0);
    worker.tick(250);
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    assert!(worker.exchange(request).is_resumed);
}
