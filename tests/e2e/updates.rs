//! A policy changes while Envoy runs: no request is lost, and a wrong one changes nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use keygate_tests::{Stack, StackBuilder, client, wait};
use serde_json::{Value, json};

use crate::support::{assert_never_trapped, call, followed, key_of};

fn dynamic() -> StackBuilder {
    Stack::builder().envoy(|envoy| envoy.dynamic())
}

/// Takes a changed policy; `true` when Envoy did.
fn update(stack: &Stack, change: impl FnOnce(&mut Value)) -> bool {
    stack
        .envoy
        .update(&dynamic().edit_policy(change).config_for(stack))
}

#[test]
fn an_update_loses_no_request_and_takes_effect() {
    let stack = dynamic().start();
    let key = key_of(&stack, "alice").key;
    let done = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut sent = 0_u32;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(call(&stack, "/api/x", &key).status, 200, "request {sent}");
                sent += 1;
            }
            sent
        });
        for number in 0..3 {
            let path = format!("/health-{number}");
            assert_eq!(stack.get(&path).send().status, 403);
            assert!(update(
                &stack,
                |policy| policy["rules"][0]["match"]["path"] = json!(path)
            ));
            wait::until("the update to take effect", Duration::from_secs(5), || {
                (stack.get(&path).send().status == 200).then_some(())
            });
        }
        done.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    assert!(sent > 10, "there was hardly any load: {sent}");
    assert_never_trapped(&stack);
}

#[test]
fn a_wrong_update_is_rejected_and_the_old_policy_stays() {
    let stack = dynamic().start();
    let key = key_of(&stack, "alice").key;
    let taken = update(&stack, |policy| {
        policy["rules"][0]["match"]["path"] = json!("/new");
        policy["rules"][2]["require"] = json!("nobody");
    });
    assert!(!taken);
    stack
        .envoy
        .wait_for_log("rules[2].require: there is no provider \"nobody\"");
    assert_eq!(call(&stack, "/api/x", &key).status, 200);
    assert_eq!(stack.get("/api/x").send().status, 401);
    assert_eq!(stack.get("/healthz").send().status, 200);
    assert_eq!(stack.get("/new").send().status, 403);
}

#[test]
fn a_request_in_flight_keeps_the_policy_that_let_it_in() {
    let stack = dynamic().start();
    let key = key_of(&stack, "alice").key;
    let mut upload = client::Connection::open(stack.envoy.port());
    let head = format!(
        "POST /api/upload HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {key}\r\ncontent-length: 10\r\n\r\nhello"
    );
    upload.send(head);
    wait::until("the first half to arrive", Duration::from_secs(5), || {
        (stack.echo.count() == 1).then_some(())
    });
    assert!(update(&stack, |policy| {
        policy["rules"].as_array_mut().unwrap().remove(2);
    }));
    wait::until("the update to take effect", Duration::from_secs(5), || {
        (call(&stack, "/api/x", &key).status == 403).then_some(())
    });
    upload.send("world");
    assert_eq!(upload.receive().status, 200);
    assert_eq!(stack.echo.received()[0].body, b"helloworld");
}

#[test]
fn a_cold_key_is_looked_up_after_the_old_policy_has_gone() {
    let stack = dynamic().concurrency(1).start();
    for number in 0..3 {
        assert!(update(&stack, |policy| {
            policy["rules"][0]["match"]["path"] = json!(format!("/health-{number}"));
        }));
        wait::until(
            "the old listener to be gone",
            Duration::from_secs(20),
            || {
                let draining = stack.envoy.stats("listener_manager.total_");
                let busy = draining.iter().filter(|(name, value)| {
                    *value > 0 && (name.ends_with("draining") || name.ends_with("chains_draining"))
                });
                (busy.count() == 0).then_some(())
            },
        );
        let cold = key_of(&stack, &format!("account-{number}")).key;
        assert_eq!(call(&stack, "/api/x", &cold).status, 200);
    }
    followed(&stack, 1);
    assert_never_trapped(&stack);
}
