//! The ways in which a call to the key service fails: each has its counter and its line in the
//! log, and the end of the lease has them, too.

use std::time::Duration;

use keygate_tests::fake_service::{Answer, FakeService};
use keygate_tests::port::Port;
use keygate_tests::service::{ADMIN_TOKEN, Service};
use keygate_tests::{Stack, client, wait};
use serde_json::json;

use crate::support::{call, counted, genuine_key};

const FAULTS: [&str; 5] = [
    "unreachable",
    "timed_out",
    "not_sent",
    "token_refused",
    "unusable",
];

/// Which faults were counted.
fn faults(stack: &Stack) -> Vec<&'static str> {
    let is_counted = |it: &&str| counted(stack, &format!("keygate_key_service.{it}")) > 0;
    FAULTS.into_iter().filter(is_counted).collect()
}

#[test]
fn an_unreachable_key_service_is_named_in_the_log() {
    let nowhere = Port::claim();
    let stack = Stack::builder().key_service_at(nowhere.number()).start();
    assert_eq!(call(&stack, "/api/x", &genuine_key(1)).status, 503);
    stack
        .envoy
        .wait_for_log("the key service cannot be reached");
    assert_eq!(faults(&stack), ["unreachable"]);
}

#[test]
fn a_key_service_that_is_too_slow_is_named_in_the_log() {
    let fake = FakeService::start();
    fake.set("/v1/lookups", Answer::Never);
    let stack = Stack::builder().fake_service(&fake).start();
    assert_eq!(call(&stack, "/api/x", &genuine_key(1)).status, 503);
    stack
        .envoy
        .wait_for_log("the key service did not answer in time");
    assert_eq!(faults(&stack), ["timed_out"]);
}

#[test]
fn a_cluster_that_is_missing_is_named_in_the_log() {
    let fake = FakeService::start();
    let stack = Stack::builder().fake_service(&fake).edit_policy(|policy| {
        policy["key_service"]["cluster"] = json!("nowhere");
    });
    let stack = stack.start();
    assert_eq!(call(&stack, "/api/x", &genuine_key(1)).status, 503);
    stack.envoy.wait_for_log("it has no cluster nowhere");
    assert_eq!(faults(&stack), ["not_sent"]);
}

#[test]
fn a_rejected_edge_token_is_named_in_both_logs_and_printed_in_none() {
    let unknown = "no-edge-token-of-this-service-0123456789";
    for (token, status) in [(unknown, "401"), (ADMIN_TOKEN, "403")] {
        let stack = Stack::builder().envoy(|envoy| envoy.env("KEYGATE_EDGE_TOKEN", token));
        let stack = stack.start();
        assert_eq!(call(&stack, "/api/x", &genuine_key(1)).status, 503);
        let line = format!("the key service rejected the edge token with {status}");
        stack.envoy.wait_for_log(&line);
        assert_eq!(faults(&stack), ["token_refused"]);
        let told = "a call of an edge was rejected";
        wait::until(
            "a line in the key service's log",
            Duration::from_secs(5),
            || stack.service().log().contains(told).then_some(()),
        );
        // Polls go on meanwhile: the lines are limited.
        let refused = counted(&stack, "keygate_key_service.token_refused");
        wait::until("more calls to be rejected", Duration::from_secs(20), || {
            (counted(&stack, "keygate_key_service.token_refused") > refused + 1).then_some(())
        });
        assert_eq!(stack.service().log().matches(told).count(), 1);
        assert!(!stack.service().log().contains(token));
        assert!(!stack.envoy.log().contains(token));
    }
}

#[test]
fn the_end_of_the_lease_and_its_renewal_are_logged_once() {
    let stack = Stack::builder().edit_policy(|policy| {
        policy["key_service"]["poll"] = json!("500ms");
        policy["key_service"]["lease"] = json!("2s");
    });
    let stack = stack.start();
    wait::until("the feed to be followed", wait::STARTUP, || {
        (counted(&stack, "keygate_poll.answered") > 2).then_some(())
    });
    stack.service().kill9();
    let (ended, renewed) = ("the lease has ended", "the lease is renewed");
    stack.envoy.wait_for_log(ended);
    assert!(!stack.envoy.log().contains(renewed));
    stack.service().restart();
    stack.envoy.wait_for_log(renewed);
    for (line, counter) in [(ended, "ended"), (renewed, "renewed")] {
        assert_eq!(stack.envoy.log().matches(line).count(), 1, "{line}");
        assert_eq!(counted(&stack, &format!("keygate_lease.{counter}")), 1);
    }
}

#[test]
fn the_log_of_the_key_service_names_the_request() {
    let service = Service::start();
    let answer = client::post(service.port(), "/v1/keys")
        .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
        .header("content-type", "application/json")
        .header("x-request-id", "trace-1")
        .body(r#"{"account":"a"}"#)
        .send();
    assert_eq!(answer.status, 201);
    wait::until("the line of the log", wait::STARTUP, || {
        let log = service.log();
        let line = log.lines().find(|it| it.contains("key created"))?;
        line.contains(r#"request{id="trace-1"}"#).then_some(())
    });
}
