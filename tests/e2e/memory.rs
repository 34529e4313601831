//! What a worker's virtual machine takes when its caches are full.

use keygate_tests::client::Connection;
use keygate_tests::{Stack, wait};
use serde_json::{Value, json};

use crate::support::{assert_never_trapped, counted, followed};

/// One worker that takes imported keys, from one address as many as it likes.
fn stack(cache: &Value) -> Stack {
    let builder = Stack::builder().concurrency(1).edit_policy(|policy| {
        policy["providers"]["app-key"]["accept"] = json!(["opaque"]);
        policy["key_service"]["timeout"] = json!("5s");
        policy["key_service"]["lease"] = json!("1h");
        policy["key_service"]["cache"] = cache.clone();
        policy["key_service"]["miss_limit"] =
            json!({ "per_second": 1_000_000, "burst": 1_000_000 });
    });
    let stack = builder.start();
    followed(&stack, 1);
    stack
}

/// Presents each of these keys once, several at a time.
fn present(stack: &Stack, keys: impl Iterator<Item = String>, expected: u16) {
    let port = stack.envoy.port();
    let mut connections: Vec<_> = (0..32).map(|_| Connection::open(port)).collect();
    let keys: Vec<String> = keys.collect();
    for some in keys.chunks(connections.len()) {
        for (connection, key) in connections.iter_mut().zip(some) {
            let request = stack.get("/api/x").header("x-api-key", key);
            connection.send(request.bytes());
        }
        for (connection, _) in connections.iter_mut().zip(some) {
            let answer = connection.receive();
            assert_eq!(answer.status, expected, "{}", answer.text());
        }
    }
}

fn import(stack: &Stack, count: usize, metadata: &Value) {
    let key = |number| json!({ "key": known(number), "account": "alice", "metadata": metadata });
    stack
        .service()
        .import(&(0..count).map(key).collect::<Vec<_>>());
}

fn known(number: usize) -> String {
    format!("legacy:alice:{number:016}")
}

fn unknown(number: usize) -> String {
    format!("made-up:{number:016}")
}

/// The gauge follows with the next tick.
fn memory(stack: &Stack) -> u64 {
    let before = counted(stack, "keygate_poll.answered");
    wait::until("two more polls", wait::STARTUP, || {
        (counted(stack, "keygate_poll.answered") > before + 1).then_some(())
    });
    counted(stack, "keygate_memory.bytes")
}

#[test]
fn a_worker_whose_caches_are_full_of_the_largest_records_stays_under_64_mb() {
    let stack = stack(&json!({}));
    // 32 MiB hold about 5000 of them.
    let count = 6000;
    import(&stack, count, &json!({ "text": "x".repeat(4096 - 11) }));
    present(&stack, (0..count).map(known), 200);
    present(&stack, (0..10_500).map(unknown), 401);
    let asked = counted(&stack, "keygate_lookup.answered");
    present(&stack, (count - 1000..count).map(known), 200);
    assert_eq!(counted(&stack, "keygate_lookup.answered"), asked, "kept");
    present(&stack, (0..32).map(known), 200);
    assert!(counted(&stack, "keygate_lookup.answered") > asked, "gone");
    let bytes = memory(&stack);
    println!("{bytes} bytes of memory");
    assert!((24_000_000..64_000_000).contains(&bytes), "{bytes}");
    assert_never_trapped(&stack);
}

#[test]
fn the_bound_in_bytes_applies_to_small_records_too() {
    let bound = 2 << 20;
    let stack = stack(&json!({ "max_bytes": bound }));
    let empty = memory(&stack);
    import(&stack, 8000, &json!({}));
    present(&stack, (0..8000).map(known), 200);
    present(&stack, (0..5000).map(unknown), 401);
    let grown = memory(&stack) - empty;
    println!("{grown} bytes more than the {empty} of an empty one");
    assert!(grown < 2 * bound, "{grown}");
}
