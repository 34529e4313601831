//! Floods of what costs much to check, from one address and from many: how much of it is
//! checked, and that other clients notice nothing.

use std::time::Instant;

use ed25519_dalek::{Signer as _, SigningKey};
use keygate_core::signed_url::keygate::Algorithm;
use keygate_core::signed_url::keygate::sign::{Place, Terms, with};
use keygate_tests::client::{Connection, Request};
use keygate_tests::{Stack, StackBuilder, leaks};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{code, counted, followed, now};

/// Addresses that send what is wrong.
const FLOODERS: u32 = 60;

/// How many requests each flood has, and after how many of them another client sends one.
const FLOOD: u32 = 600;
const EACH: u32 = 50;

/// One worker behind a trusted proxy, which says who the client is.
fn behind_a_proxy() -> StackBuilder {
    Stack::builder().concurrency(1).envoy(|config| {
        config.change(|bootstrap| {
            let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
            bootstrap.pointer_mut(manager).unwrap()["xff_num_trusted_hops"] = json!(1);
        })
    })
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Links of our own format with Ed25519 under `/edge/`.
fn with_links() -> Stack {
    let public = STANDARD.encode(signing_key().verifying_key().as_bytes());
    let builder = behind_a_proxy().edit_policy(|policy| {
        policy["secrets"]["edge"] = json!([{ "id": "k", "public_key": public }]);
        policy["providers"]["edge"] = json!({
            "type": "signed_url", "format": "keygate", "algorithm": "EdDSA", "secrets": "edge",
            "max_lifetime": "1h"
        });
        let rule = json!({ "name": "edge", "match": { "path": "/edge/**" }, "require": "edge" });
        policy["rules"].as_array_mut().unwrap().insert(0, rule);
    });
    builder.start()
}

/// A token for a path.
fn token(stack: &Stack, path: &str) -> String {
    let host = format!("127.0.0.1:{}", stack.envoy.port());
    let terms = Terms {
        expires_secs: now() + 600,
        ..Terms::default()
    };
    let place = Place {
        host: &host,
        path,
        query: None,
    };
    let sign = |text: &[u8]| signing_key().sign(text).to_bytes().to_vec();
    let token = with(&terms, &place, Algorithm::EdDsa, "k", sign).unwrap();
    leaks::credential("link", token.as_bytes());
    token
}

fn link(stack: &Stack, number: u32) -> String {
    let path = format!("/edge/{number}");
    let token = token(stack, &path);
    format!("{path}?kg={token}")
}

fn from(stack: &Stack, target: &str, client: &str) -> Request {
    stack.get(target).header("x-forwarded-for", client)
}

#[test]
fn new_links_pass_while_one_address_and_many_send_forged_ones() {
    let stack = with_links();
    let mut flood = Connection::open(stack.envoy.port());
    let mut other = Connection::open(stack.envoy.port());
    let known = link(&stack, 0);
    assert_eq!(
        flood.exchange(&from(&stack, &known, "203.0.113.1")).status,
        200
    );
    let of_another = token(&stack, "/edge/another");
    let begun = Instant::now();
    let mut limited = 0;
    for number in 1..=2 * FLOOD {
        let client = match number <= FLOOD {
            true => "203.0.113.1".to_owned(),
            false => format!("198.51.100.{}", number % FLOODERS),
        };
        let forged = from(&stack, &format!("/edge/{number}?kg={of_another}"), &client);
        let answer = flood.exchange(&forged);
        if answer.status == 429 {
            limited += 1;
            assert_eq!(code(&answer), "rate_limited");
            assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
        } else {
            assert_eq!(answer.status, 403, "{}", answer.text());
        }
        if number % EACH == 0 {
            let new = link(&stack, 10_000 + number);
            let client = format!("192.0.2.{}", number % 250);
            let answer = other.exchange(&from(&stack, &new, &client));
            assert_eq!(answer.status, 200, "{number}: {}", answer.text());
        }
    }
    let seconds = begun.elapsed().as_secs() + 1;
    let checked = counted(&stack, "keygate_decision.deny.wrong_signature");
    println!("{checked} checked, {limited} rejected unchecked, in {seconds} s");
    assert_eq!(
        counted(&stack, "keygate_decision.deny.too_many_failures"),
        limited
    );
    assert!(checked <= 100 + 50 * seconds, "{checked} in {seconds} s");
    stack.envoy.wait_for_log("reason=too_many_failures");
    // A link that was verified before costs nothing, for every client.
    assert_eq!(
        flood.exchange(&from(&stack, &known, "203.0.113.1")).status,
        200
    );
}

#[test]
fn cold_keys_of_others_pass_while_many_addresses_send_unknown_ones() {
    let stack = behind_a_proxy().edit_policy(|policy| {
        policy["providers"]["app-key"]["accept"] = json!(["native", "opaque"]);
    });
    let stack = stack.start();
    followed(&stack, 1);
    let imported = |number: u32| format!("legacy:alice:{number:016}");
    let keys = (1..=FLOOD / EACH).map(
        |number| json!({ "key": imported(number), "account": "alice", "scopes": ["files:read"] }),
    );
    stack.service().import(&keys.collect::<Vec<_>>());
    let mut flood = Connection::open(stack.envoy.port());
    let mut other = Connection::open(stack.envoy.port());
    let begun = Instant::now();
    for number in 1..=FLOOD {
        let with_key = |key: String, client: String| {
            from(&stack, "/api/x", &client).header("authorization", format!("Bearer {key}"))
        };
        // Half of the flood comes from one IPv6 /48, with a /64 for each request.
        let client = match number % 2 {
            0 => format!("2001:db8:1:{number:x}::1"),
            _ => format!("198.51.100.{}", number % FLOODERS),
        };
        let answer = flood.exchange(&with_key(format!("made-up-{number:016}"), client));
        assert!([401, 429].contains(&answer.status), "{}", answer.text());
        if number % EACH == 0 {
            let client = format!("192.0.2.{}", number % 250);
            let answer = other.exchange(&with_key(imported(number / EACH), client));
            assert_eq!(answer.status, 200, "{number}: {}", answer.text());
        }
    }
    let seconds = begun.elapsed().as_secs() + 1;
    let unknown = counted(&stack, "keygate_decision.deny.unknown_key");
    println!("{unknown} of {FLOOD} looked up, in {seconds} s");
    assert!(unknown <= 200 + 50 * seconds, "{unknown} in {seconds} s");
}
