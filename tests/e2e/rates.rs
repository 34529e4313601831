//! Rate limits of keys and accounts at a real Envoy with one worker, where they are exact.

use std::time::Duration;

use keygate_tests::client::Response;
use keygate_tests::service::ADMIN_TOKEN;
use keygate_tests::{Stack, wait};
use serde_json::{Value, json};

use crate::support::followed;

fn start(change: impl FnOnce(&mut Value)) -> Stack {
    let stack = Stack::builder().concurrency(1).edit_policy(change).start();
    followed(&stack, 1);
    stack
}

fn send(stack: &Stack, key: &str) -> Response {
    let bearer = format!("Bearer {key}");
    stack.get("/api/x").header("authorization", bearer).send()
}

fn statuses(stack: &Stack, key: &str, count: usize) -> Vec<u16> {
    (0..count).map(|_| send(stack, key).status).collect()
}

#[test]
fn a_key_beyond_its_limit_gets_429_and_when_to_come_back() {
    let stack = start(|_| ());
    let body = json!({ "account": "alice", "rate_limit": "5/1h" });
    let limited = stack.service().create_key(&body);
    let free = stack.service().create_key(&json!({ "account": "bob" }));
    let first = send(&stack, &limited.key);
    assert_eq!(
        first.header("ratelimit-policy").as_deref(),
        Some(r#""key";q=5;w=3600"#)
    );
    assert_eq!(
        first.header("ratelimit").as_deref(),
        Some(r#""key";r=4;t=720"#)
    );
    assert_eq!(statuses(&stack, &limited.key, 4), [200; 4]);
    let before = stack.echo.count();
    let rejected = send(&stack, &limited.key);
    assert_eq!(rejected.status, 429);
    let wait: u64 = rejected.header("retry-after").unwrap().parse().unwrap();
    assert!((600..=720).contains(&wait), "{wait}");
    assert!(
        rejected.text().contains("rate_limited"),
        "{}",
        rejected.text()
    );
    assert_eq!(stack.echo.count(), before, "it does not reach the upstream");
    stack
        .envoy
        .wait_for_log("keygate_denied{reason=key_rate_limited,rule=api}");
    let other = send(&stack, &free.key);
    assert_eq!((other.status, other.header("ratelimit")), (200, None));

    // A higher limit holds as soon as the worker hears of it.
    let path = format!("/v1/keys/{}", limited.id);
    let raised = json!({ "rate_limit": "1000/1m" });
    let answer = stack
        .service()
        .request("PATCH", &path, ADMIN_TOKEN, Some(&raised));
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait::until("the key to pass again", Duration::from_secs(2), || {
        (send(&stack, &limited.key).status == 200).then_some(())
    });
}

#[test]
fn the_keys_of_an_account_share_the_limit_of_the_policy() {
    let stack = start(|policy| policy["account_rate_limit"] = json!("6/1h"));
    let key = |account: &str| {
        stack
            .service()
            .create_key(&json!({ "account": account }))
            .key
    };
    let (one, two, other) = (key("alice"), key("alice"), key("bob"));
    assert_eq!(statuses(&stack, &one, 3), [200; 3]);
    assert_eq!(statuses(&stack, &two, 4), [200, 200, 200, 429]);
    assert_eq!(statuses(&stack, &one, 1), [429]);
    assert_eq!(statuses(&stack, &other, 1), [200]);
}
