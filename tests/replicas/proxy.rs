//! A real Envoy in front of two services.

use std::thread;
use std::time::{Duration, Instant};

use keygate_tests::{Stack, wait};
use serde_json::json;

use crate::fleet::{Fleet, call, new_key};
use crate::seconds;

/// An Envoy that knows both services.
fn stack(fleet: &Fleet, workers: u32) -> Stack {
    let [first, second] = fleet.services.each_ref().map(|it| it.port());
    Stack::builder()
        .concurrency(workers)
        .key_service_at(first)
        .envoy(|envoy| envoy.another_key_service(second))
        .start()
}

fn create(fleet: &Fleet) -> (String, String) {
    let answer = call(&fleet.services[0], "POST", "/v1/keys", &new_key("alice")).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let json = answer.json();
    (
        json["id"].as_str().unwrap().to_owned(),
        json["key"].as_str().unwrap().to_owned(),
    )
}

/// Waits until Envoy takes both services for healthy. One that has just started is not, for up to a
/// second, and if the other ends then, both have ended.
#[track_caller]
fn wait_for_both(stack: &Stack) {
    wait::until("both services to be healthy", wait::STARTUP, || {
        let healthy = ["keygate_keys", "keygate_polls"].map(|name| {
            stack
                .envoy
                .stat(&format!("cluster.{name}.membership_healthy"))
        });
        (healthy == [Some(2); 2]).then_some(())
    });
}

fn status(stack: &Stack, key: &str) -> u16 {
    let request = stack
        .get("/api/x")
        .header("authorization", format!("Bearer {key}"));
    request.send().status
}

#[test]
fn a_killed_service_rejects_no_request_and_a_revocation_at_the_other_is_heard() {
    let fleet = Fleet::start();
    let stack = stack(&fleet, 2);
    let (_, warm) = create(&fleet);
    wait::until("the first request", Duration::from_secs(10), || {
        (status(&stack, &warm) == 200).then_some(())
    });
    for round in 0..if crate::is_long() { 10 } else { 2 } {
        let killed = &fleet.services[round % 2];
        let other = &fleet.services[(round + 1) % 2];
        killed.kill9();
        let cold: Vec<_> = (0..8)
            .map(|_| {
                let answer = call(other, "POST", "/v1/keys", &new_key("alice")).unwrap();
                answer.json()
            })
            .collect();
        for key in &cold {
            assert_eq!(status(&stack, &warm), 200, "a warm key");
            assert_eq!(
                status(&stack, key["key"].as_str().unwrap()),
                200,
                "a cold key"
            );
        }
        let id = cold[0]["id"].as_str().unwrap();
        let revoked = call(other, "POST", &format!("/v1/keys/{id}/revoke"), &json!({})).unwrap();
        assert!(revoked.status < 300, "{}", revoked.text());
        let key = cold[0]["key"].as_str().unwrap();
        let acknowledged = Instant::now();
        wait::until(
            "the revoked key to be rejected",
            Duration::from_secs(10),
            || (status(&stack, key) == 401).then_some(()),
        );
        eprintln!("rejected after {:?}", acknowledged.elapsed());
        killed.restart();
        wait_for_both(&stack);
    }
}

#[test]
fn a_warm_key_passes_while_the_database_is_away() {
    let fleet = Fleet::start();
    // Each worker has a cache of its own: of two, one would not know the key.
    let stack = stack(&fleet, 1);
    let (id, warm) = create(&fleet);
    // The change that made the key ends what a worker knows of it, so it has to be heard first. A poll
    // that was answered in between may have been asked before.
    let polls = || stack.envoy.stat("wasmcustom.keygate_poll.answered");
    let before = polls().unwrap_or(0);
    wait::until("two polls", Duration::from_secs(10), || {
        (polls()? >= before + 2).then_some(())
    });
    wait::until("the first request", Duration::from_secs(10), || {
        (status(&stack, &warm) == 200).then_some(())
    });
    fleet.server().crash();
    let away = Instant::now();
    while away.elapsed() < seconds(4, 30) {
        assert_eq!(status(&stack, &warm), 200);
        thread::sleep(Duration::from_millis(20));
    }
    fleet.server().go_on();
    let path = format!("/v1/keys/{id}/revoke");
    wait::until("the revocation", Duration::from_secs(10), || {
        let answer = call(&fleet.services[1], "POST", &path, &json!({})).ok()?;
        (answer.status < 300).then_some(())
    });
    let acknowledged = Instant::now();
    wait::until(
        "the revoked key to be rejected",
        Duration::from_secs(10),
        || (status(&stack, &warm) == 401).then_some(()),
    );
    let took = acknowledged.elapsed();
    eprintln!("rejected {took:?} after the database came back");
    assert!(
        !crate::is_long() || took <= Duration::from_secs(2),
        "{took:?}"
    );
}
