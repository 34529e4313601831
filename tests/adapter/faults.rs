//! How a call to the key service fails: what is counted and what the log says.

use serde_json::json;

use crate::host::{Fault, Worker};
use crate::{GENUINE, HeaderText, key, only_call, policy, send, start, start_polled};

const MARKED: HeaderText = ("x-keygate-service", b"1");

/// A cold key, and the answer to the lookup.
fn look_up(worker: &Worker, number: u8, answer: &[HeaderText]) {
    send(worker, "/api/x", Some(&key(number)));
    worker.turn();
    worker.answer(&only_call(worker, "/v1/lookups"), answer, b"");
}

fn lines(worker: &Worker, text: &str) -> usize {
    worker.log().lines().filter(|it| it.contains(text)).count()
}

#[test]
fn each_way_to_fail_has_a_counter_and_a_line() {
    let rows: [(&[HeaderText], &str, &str); 9] = [
        (&[(":status", b"503")], "unreachable", "cannot be reached"),
        (&[], "unreachable", "cannot be reached"),
        (
            &[(":status", b"504")],
            "timed_out",
            "did not answer in time",
        ),
        (
            &[(":status", b"401"), MARKED],
            "token_refused",
            "rejected the edge token with 401",
        ),
        (
            &[(":status", b"403"), MARKED],
            "token_refused",
            "rejected the edge token with 403",
        ),
        // Another server may answer so: it says nothing about the token.
        (
            &[(":status", b"401")],
            "unusable",
            "status 401 did not come from the key service",
        ),
        (
            &[(":status", b"503"), MARKED],
            "unusable",
            "unusable answer with status 503",
        ),
        (
            &[(":status", b"200")],
            "unusable",
            "status 200 did not come from the key service",
        ),
        (&GENUINE, "unusable", "unusable answer with status 200"),
    ];
    for (answer, counter, line) in rows {
        let worker = start_polled();
        look_up(&worker, 1, answer);
        let counter = format!("keygate_key_service.{counter}");
        assert_eq!(worker.counter(&counter), 1, "{answer:?}");
        assert_eq!(lines(&worker, line), 1, "{}", worker.log());
        assert_eq!(worker.counter("keygate_lookup.unavailable"), 1);
    }
}

#[test]
fn a_call_that_is_not_sent_or_lost_is_counted_and_logged() {
    let worker = start_polled();
    send(&worker, "/api/x", Some(&key(1)));
    worker.turn();
    worker.tick(60_000);
    assert!(worker.counter("keygate_key_service.timed_out") > 0);
    assert_eq!(lines(&worker, "did not answer in time"), 1);
    worker.fail(Fault::Call);
    send(&worker, "/api/x", Some(&key(2)));
    worker.turn();
    assert!(worker.counter("keygate_key_service.not_sent") > 0);
    assert_eq!(lines(&worker, "Envoy did not send a call"), 1);
}

#[test]
fn polls_go_to_a_cluster_of_their_own_where_one_is_named() {
    let mut policy = policy();
    policy["key_service"]["poll_cluster"] = json!("polls");
    let worker = Worker::start(&policy.to_string()).unwrap();
    worker.tick(10);
    assert_eq!(only_call(&worker, "/v1/changes").cluster, "polls");
    send(&worker, "/api/x", Some(&key(1)));
    worker.turn();
    assert_eq!(only_call(&worker, "/v1/lookups").cluster, "keys");
}

#[test]
fn counters_of_alerts_exist_before_their_first_event() {
    let worker = start();
    for name in [
        "keygate_lease.ended",
        "keygate_poll.answered",
        "keygate_key_service.timed_out",
        "keygate_decision.deny.wrong_signature",
    ] {
        assert!(worker.has_counter(name), "{name}");
        assert_eq!(worker.counter(name), 0, "{name}");
    }
}
