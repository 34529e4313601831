//! Keys from elsewhere: imported, presented, and made up in a flood.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use keygate_core::Secret;
use keygate_core::keys::{KeyDigest, KeyHash, MasterSecret, OpaqueKey};
use keygate_tests::client::{Connection, Request};
use keygate_tests::service::APP_KEYS;
use keygate_tests::{Stack, StackBuilder, leaks, wait};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

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

/// The SHA-256 digest of an imported key, in hexadecimal.
fn digest(number: u32) -> String {
    let digest = Sha256::digest(imported(number));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn import_digest(stack: &Stack, digest: &str) {
    let item = json!({ "sha256": digest, "account": "alice", "scopes": ["files:read"] });
    stack.service().import(&[item]);
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
fn a_key_imported_as_a_digest_passes_and_the_digest_does_not() {
    let stack = stack(&json!({})).start();
    followed(&stack, 1);
    let (hex, base64) = (digest(0), STANDARD.encode(Sha256::digest(imported(1))));
    import_digest(&stack, &hex);
    import_digest(&stack, &base64);
    for _ in 0..3 {
        for number in [0, 1] {
            let answer = call(&stack, "/api/x", &imported(number));
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(upstream_header(&answer, "x-keygate-account"), ["alice"]);
        }
    }
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 2);
    for credential in [&hex, &hex.to_uppercase(), &base64] {
        assert_eq!(call(&stack, "/api/x", credential).status, 401);
    }
    // Nor does what the database holds.
    let stored: KeyHash = {
        let database = rusqlite::Connection::open(stack.service().database()).unwrap();
        let row = database.query_row("SELECT hash FROM keys", [], |row| row.get(0));
        KeyHash(row.unwrap())
    };
    leaks::credential(leaks::STORED_HASH, stored.to_string().as_bytes());
    assert_eq!(call(&stack, "/api/x", &stored.to_string()).status, 401);
}

#[test]
fn a_key_imported_by_an_earlier_version_still_passes() {
    let stack = stack(&json!({})).start();
    followed(&stack, 1);
    import(&stack, 1);
    let key = imported(0);
    let key = OpaqueKey::parse(key.as_bytes()).unwrap();
    let master = MasterSecret::derive(&Secret::new(APP_KEYS.into())).unwrap();
    let by_digest = master.hash_digest(&KeyDigest::of(&key));
    let by_text = master.hash_text(&key);
    let database = rusqlite::Connection::open(stack.service().database()).unwrap();
    let changed = database.execute(
        "UPDATE keys SET hash = ?1 WHERE hash = ?2",
        [&by_text.0[..], &by_digest.0[..]],
    );
    assert_eq!(changed, Ok(1));
    for _ in 0..3 {
        assert_eq!(call(&stack, "/api/x", &imported(0)).status, 200);
    }
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 1);
}

#[test]
fn an_unknown_key_is_one_cached_miss_until_it_is_imported() {
    // The ring has two secrets, so that the key has four hashes.
    let stack = stack(&json!({ "per_second": 1, "burst": 1 })).start();
    followed(&stack, 1);
    for _ in 0..5 {
        assert_eq!(call(&stack, "/api/x", &imported(0)).status, 401);
    }
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 1);
    import_digest(&stack, &digest(0));
    wait::until("the imported key", Duration::from_secs(5), || {
        (call(&stack, "/api/x", &imported(0)).status == 200).then_some(())
    });
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 2);
    let id = {
        let database = rusqlite::Connection::open(stack.service().database()).unwrap();
        let row = database.query_row("SELECT id FROM keys", [], |row| row.get::<_, String>(0));
        row.unwrap()
    };
    stack.service().revoke(&id);
    wait::until("the revocation", Duration::from_secs(5), || {
        (call(&stack, "/api/x", &imported(0)).status == 401).then_some(())
    });
}

#[test]
fn a_flood_of_made_up_keys_is_limited_without_hurting_other_clients() {
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
    println!("{asked} asked about, {limited} rejected unasked, {budget} allowed");
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
fn many_clients_behind_one_address_are_not_rejected_at_a_cold_start() {
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
