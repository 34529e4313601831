//! Two workers of one proxy: one polls, both follow.

use serde_json::json;

use crate::host::Worker;
use crate::{
    GENUINE, answer_lookup, answer_poll, key, lookup_answer, only_call, policy, send, start_polled,
    status,
};

/// Two workers that have followed the feed to epoch 10, and both know a key.
fn two() -> (Worker, Worker, keygate_core::keys::NewAppKey) {
    let first = start_polled();
    let second = first.beside(&policy().to_string());
    second.tick(10);
    let key = key(1);
    for worker in [&first, &second] {
        send(worker, "/api/x", Some(&key));
        worker.turn();
        answer_lookup(worker, &lookup_answer(10, &[&key]));
        assert!(send(worker, "/api/x", Some(&key)).1);
    }
    (first, second, key)
}

#[test]
fn one_worker_polls_and_a_revocation_reaches_both() {
    let (first, second, key) = two();
    for _ in 0..8 {
        second.tick(250);
        first.tick(250);
        // The other worker has none to answer: the first one asked.
        assert!(first.calls("/v1/changes").len() <= 1);
        if !first.calls("/v1/changes").is_empty() {
            let poll = only_call(&first, "/v1/changes");
            assert_eq!(poll.context, first.root);
            answer_poll(
                &first,
                &json!({ "epoch": 10, "reset": false, "more": false, "changed": [] }),
            );
        }
    }
    first.tick(1000);
    answer_poll(
        &first,
        &json!({ "epoch": 11, "reset": false, "more": false, "changed": [key.hash] }),
    );
    assert!(!send(&first, "/api/x", Some(&key)).1);
    second.tick(250);
    assert!(!send(&second, "/api/x", Some(&key)).1);
}

#[test]
fn when_a_worker_dies_while_its_poll_is_held_another_takes_over() {
    let (first, second, key) = two();
    first.tick(1000);
    let held = only_call(&first, "/v1/changes");
    // The worker dies: it does not tick any more, and the answer to its poll is lost.
    let taken_over = |second: &Worker| {
        let calls = second.calls("/v1/changes");
        calls.into_iter().find(|it| it.context == second.root)
    };
    let mut waited = 0;
    let poll = loop {
        second.tick(250);
        waited += 250;
        match taken_over(&second) {
            Some(poll) => break poll,
            None => assert!(waited < 3000, "no worker took over"),
        }
    };
    assert_ne!(poll.token, held.token);
    let revoked = json!({ "epoch": 11, "reset": false, "more": false, "changed": [key.hash] });
    second.answer(&poll, &GENUINE, revoked.to_string().as_bytes());
    assert!(!send(&second, "/api/x", Some(&key)).1);
}

#[test]
fn an_answer_delayed_across_a_poll_takeover_revives_no_key() {
    let (_first, second, _) = two();
    let key = key(2);
    second.tick(1500);
    let (request, _) = send(&second, "/api/x", Some(&key));
    second.turn();
    let held_back = only_call(&second, "/v1/lookups");
    second.tick(750);
    answer_poll(
        &second,
        &json!({ "epoch": 11, "reset": false, "more": false, "changed": [key.hash] }),
    );
    let old = lookup_answer(10, &[&key]).to_string();
    second.answer(&held_back, &GENUINE, old.as_bytes());
    assert!(!second.exchange(request).is_resumed);
    let mut revoked = lookup_answer(11, &[&key]);
    revoked["records"][0]["status"] = json!("revoked");
    answer_lookup(&second, &revoked);
    assert_eq!(status(&second, request), Some(401));
}

#[test]
fn when_another_configuration_takes_over_it_polls_at_once() {
    let (first, second, _) = two();
    first.retire();
    second.tick(1000);
    assert_eq!(only_call(&second, "/v1/changes").context, second.root);
}
