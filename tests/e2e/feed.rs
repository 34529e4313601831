//! The change feed through Envoy and the real key service: who polls, and what a cache is
//! worth after the service has gone and come back.

use std::time::Duration;

use keygate_tests::client::{Connection, Request};
use keygate_tests::service::{ADMIN_TOKEN, Service};
use keygate_tests::{Stack, StackBuilder, wait};
use serde_json::json;

use crate::support::{assert_never_trapped, counted, followed, key_of};

/// Connections to all workers: each stays with its own.
fn everywhere(stack: &Stack) -> Vec<Connection> {
    let open = |_| Connection::open(stack.envoy.port());
    (0..16).map(open).collect()
}

fn with_key(stack: &Stack, key: &str) -> Request {
    let authorization = format!("Bearer {key}");
    stack.get("/api/x").header("authorization", authorization)
}

/// Waits until a key passes on every connection: every worker knows it then.
fn until_warm(connections: &mut [Connection], request: &Request) {
    wait::until("the key to be known everywhere", wait::STARTUP, || {
        let mut statuses = connections.iter_mut().map(|it| it.exchange(request).status);
        statuses.all(|it| it == 200).then_some(())
    });
}

/// Waits until a key is rejected on every connection.
fn until_dead(connections: &mut [Connection], request: &Request, bound: Duration) {
    wait::until("the key to be dead everywhere", bound, || {
        let statuses = connections.iter_mut().map(|it| it.exchange(request).status);
        statuses
            .collect::<Vec<_>>()
            .iter()
            .all(|it| *it == 401)
            .then_some(())
    });
}

/// How many polls the key service holds, as it says.
fn held(service: &Service) -> u64 {
    let metrics = service.request("GET", "/metrics", ADMIN_TOKEN, None).text();
    let mut lines = metrics.lines();
    let line = lines.find_map(|line| line.strip_prefix("keygate_service_held_polls "));
    line.and_then(|number| number.parse().ok()).unwrap()
}

#[test]
fn one_poll_of_the_whole_proxy_is_held_and_ends_with_the_service() {
    let stack = Stack::builder().concurrency(2).start();
    followed(&stack, 2);
    wait::until("a poll to be held", wait::STARTUP, || {
        (held(stack.service()) == 1).then_some(())
    });
    let answered = counted(&stack, "keygate_poll.answered");
    wait::until("the next polls", wait::STARTUP, || {
        assert!(held(stack.service()) <= 1);
        (counted(&stack, "keygate_poll.answered") >= answered + 3).then_some(())
    });
    // Says so if it does not end in order.
    stack.service().stop();
}

#[test]
fn a_key_service_that_restarts_empties_no_cache_and_its_revocations_arrive() {
    let stack = Stack::builder().concurrency(2).start();
    followed(&stack, 2);
    let key = key_of(&stack, "alice");
    let request = with_key(&stack, &key.key);
    let mut connections = everywhere(&stack);
    until_warm(&mut connections, &request);
    // The feed has to have named the key: what it has not confirmed goes with a restart.
    let other = key_of(&stack, "bob");
    let others = with_key(&stack, &other.key);
    until_warm(&mut connections, &others);
    stack.service().revoke(&other.id);
    until_dead(&mut connections, &others, Duration::from_secs(5));
    // News that come together are of one epoch, which is later than what was asked before.
    until_warm(&mut connections, &request);
    let lookups = counted(&stack, "keygate_lookup.answered");
    for way in [Service::kill9, Service::stop] {
        way(stack.service());
        stack.service().restart();
        let answered = counted(&stack, "keygate_poll.answered");
        wait::until("the feed to be followed again", wait::STARTUP, || {
            (counted(&stack, "keygate_poll.answered") > answered + 1).then_some(())
        });
        for connection in &mut connections {
            assert_eq!(connection.exchange(&request).status, 200);
        }
    }
    assert_eq!(counted(&stack, "keygate_lookup.answered"), lookups);
    assert_eq!(counted(&stack, "keygate_feed.reset"), 0);
    stack.service().revoke(&key.id);
    until_dead(&mut connections, &request, Duration::from_secs(2));
}

#[test]
fn a_backup_that_has_overtaken_the_edge_lets_no_revoked_key_live() {
    let stack = Stack::builder().concurrency(2).start();
    followed(&stack, 2);
    let service = stack.service();
    let kept = key_of(&stack, "kept");
    service.stop();
    let backup = std::fs::read(service.database()).unwrap();
    service.restart();

    // What comes now is lost with the disk; the edge has heard of it.
    let lost = key_of(&stack, "lost");
    let heard = counted(&stack, "keygate_poll.answered");
    wait::until("the edge to hear of this life", wait::STARTUP, || {
        (counted(&stack, "keygate_poll.answered") > heard + 1).then_some(())
    });
    let mut connections = everywhere(&stack);
    for key in [&kept, &lost] {
        let request = with_key(&stack, &key.key);
        until_warm(&mut connections, &request);
    }
    let sign = key_of(&stack, "sign");
    let signs = with_key(&stack, &sign.key);
    until_warm(&mut connections, &signs);
    service.revoke(&sign.id);
    until_dead(&mut connections, &signs, Duration::from_secs(5));
    // News that come together are of one epoch, which is later than what was asked before.
    for key in [&kept, &lost] {
        let request = with_key(&stack, &key.key);
        until_warm(&mut connections, &request);
    }

    // The backup, in which a key is revoked under a number that the edge has passed.
    service.stop();
    let elsewhere = Service::start();
    elsewhere.stop();
    std::fs::write(elsewhere.database(), &backup).unwrap();
    elsewhere.restart();
    elsewhere.revoke(&kept.id);
    for _ in 0..5 {
        let _ = elsewhere.create_key(&json!({ "account": "new" }));
    }
    elsewhere.stop();
    std::fs::copy(elsewhere.database(), service.database()).unwrap();
    service.restart();

    // Revoked in the restored database, and unknown to it.
    for key in [&kept, &lost] {
        let request = with_key(&stack, &key.key);
        until_dead(&mut connections, &request, Duration::from_secs(5));
    }
    wait::until("the workers to start over", Duration::from_secs(5), || {
        (counted(&stack, "keygate_feed.reset") >= 2).then_some(())
    });
    assert_never_trapped(&stack);
}

fn dynamic() -> StackBuilder {
    let stack = Stack::builder().concurrency(2);
    stack.envoy(|envoy| envoy.dynamic())
}

#[test]
fn an_update_of_the_policy_interrupts_the_feed_of_no_worker() {
    let stack = dynamic().start();
    followed(&stack, 2);
    for number in 0..3 {
        let key = key_of(&stack, "alice");
        let path = format!("/health-{number}");
        let config = dynamic().edit_policy(|policy| {
            policy["rules"][0]["match"]["path"] = json!(path);
        });
        assert!(stack.envoy.update(&config.config_for(&stack)));
        wait::until("the update to take effect", wait::STARTUP, || {
            (stack.get(&path).send().status == 200).then_some(())
        });
        let request = with_key(&stack, &key.key);
        let mut connections = everywhere(&stack);
        until_warm(&mut connections, &request);
        stack.service().revoke(&key.id);
        // The old listener goes in these seconds, and the worker that polled may go with it.
        until_dead(&mut connections, &request, Duration::from_secs(3));
    }
    assert_never_trapped(&stack);
}
