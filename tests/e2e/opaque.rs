//! Keys from elsewhere: imported, carried, and made up by whoever floods.

use std::net::Ipv4Addr;
use std::time::Instant;

use keygate_tests::client::{Connection, Request};
use keygate_tests::{Stack, StackBuilder};

use serde_json::{Value, json};

use crate::support::{call, code, counted, followed, key_of, upstream_header};

/// The demo policy, with a ring of two secrets of which the key service has the second.
fn stack(miss_limit: &Value) -> StackBuilder {
    Stack::builder().concurrency(1).edit_policy(|policy| {
        policy["secrets"]["app_keys"] = json!([
            { "id": "02", "env": "KEYGATE_MEDIA" },
            { "id": "01", "env": "KEYGATE_APP_KEYS" }
        ]);
        policy["providers"]["app-key"]["accept"] = json!(["native", "opaque"]);
        policy["key_service"]["miss_limit"] = miss_limit.clone();
    })
}

fn imported(number: u32) -> String {
    format!("legacy:alice:{number:016}")
}

fn import(stack: &Stack, count: u32) {
    let keys = (0..count).map(
        |number| json!({ "key": imported(number), "account": "alice", "scopes": ["files:read"] }),
    );
    stack.service().import(&keys.collect::<Vec<_>>());
}

fn with_key(stack: &Stack, key: &str) -> Request {
    stack
        .get("/api/x")
        .header("authorization", format!("Bearer {key}"))
}

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

#[test]
fn an_imported_key_passes_after_one_callout_whichever_secret_hashed_it() {
    let stack = stack(&json!({})).start();
    followed(&stack, 1);
    import(&stack, 1);
    for _ in 0..5 {
        let answer = call(&stack, "/api/x", &imported(0));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(upstream_header(&answer, "x-keygate-account"), ["alice"]);
        assert_eq!(upstream_header(&answer, "x-keygate-scopes"), ["files:read"]);
        assert!(upstream_header(&answer, "authorization").is_empty());
    }
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 1);
    let native = key_of(&stack, "bob").key;
    assert_eq!(call(&stack, "/api/x", &native).status, 200);
    // What has the form of our own is checked here as ever.
    let forged = native.replace("kg_01", "kg_02");
    assert_eq!(call(&stack, "/api/x", &forged).status, 401);
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 2);
}

#[test]
fn a_flood_of_made_up_keys_is_limited_and_hurts_nobody_else() {
    let burst = 20;
    let stack = stack(&json!({ "per_second": 1, "burst": burst })).start();
    followed(&stack, 1);
    import(&stack, 2);
    let begun = Instant::now();
    let mut attacker = Connection::open_from(ATTACKER, stack.envoy.port());
    let (mut asked, mut limited) = (0, 0);
    for number in 0..300 {
        let answer = attacker.exchange(&with_key(&stack, &format!("made-up-{number:016}")));
        match answer.status {
            401 => asked += 1,
            429 => {
                limited += 1;
                assert_eq!(code(&answer), "rate_limited");
                assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
            }
            other => panic!("{other} {}", answer.text()),
        }
    }
    let budget = burst + begun.elapsed().as_secs() + 1;
    println!("{asked} asked about, {limited} refused unasked, {budget} allowed");
    assert!(asked <= budget && asked >= burst, "{asked} of {budget}");
    assert!(counted(&stack, "keygate_lookup.answered") <= budget);
    let denied = counted(&stack, "keygate_decision.deny.too_many_misses");
    assert_eq!(denied, limited);
    stack.envoy.wait_for_log("reason=too_many_misses");

    // Another client, with a cold key of the same account.
    let mut other = Connection::open_from(OTHER, stack.envoy.port());
    assert_eq!(other.exchange(&with_key(&stack, &imported(0))).status, 200);
    // The same client, with a key that is warm by now, and with one that is not forged.
    let warm = with_key(&stack, &imported(0));
    assert_eq!(attacker.exchange(&warm).status, 200);
    let native = key_of(&stack, "bob").key;
    assert_eq!(attacker.exchange(&with_key(&stack, &native)).status, 200);
}

#[test]
fn many_clients_behind_one_address_are_not_refused_at_a_cold_start() {
    let stack = stack(&json!({ "per_second": 1, "burst": 2 })).start();
    followed(&stack, 1);
    import(&stack, 40);
    let mut office = Connection::open_from(OTHER, stack.envoy.port());
    for number in 0..40 {
        let answer = office.exchange(&with_key(&stack, &imported(number)));
        assert_eq!(answer.status, 200, "key {number}: {}", answer.text());
    }
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 40);
}
