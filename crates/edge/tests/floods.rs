//! Floods of links with wrong public-key signatures: how many are checked, and who still passes.

use keygate_core::signed_url::{Order, PrivateKey, Scope};
use keygate_core::{Client, NoClaims, Policy, Provider, Reason, Target, UnixMillis, Verdict};
use keygate_edge::{Edge, RequestId, Seed, Step};
use serde_json::json;

use crate::worker::address;

const NOW: u64 = 1_700_000_000;
const PUBLIC: &str = include_str!("../../core/tests/keys/ed25519.pub");
const PRIVATE: &str = include_str!("../../core/tests/keys/ed25519.pem");

fn policy() -> Policy {
    let policy = json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "k", "public_key": PUBLIC }] },
        "providers": { "it": { "type": "signed_url", "format": "keygate", "secrets": "ring",
                               "algorithm": "EdDSA", "max_lifetime": "1h" } },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    Policy::parse(policy.to_string().as_bytes(), &|_| None).unwrap()
}

/// Path and query of a link to `path` on example.com.
fn link(policy: &Policy, path: &str) -> String {
    let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
        panic!("the rule requires a link");
    };
    let key = PrivateKey::parse(PRIVATE).unwrap();
    let order = Order {
        origin: "https://example.com",
        target: Target::parse(path.as_bytes()).unwrap(),
        method: "GET",
        now: UnixMillis::from_secs(NOW),
        not_before: None,
        expires: Some(UnixMillis::from_secs(NOW + 200)),
        scope: Scope::Path,
        addresses: &[],
        headers: &[],
        cookies: &[],
        account: None,
        once: None,
        options: &[],
        private_key: Some(&key),
    };
    let signed = links.format.as_ref().sign(&order).unwrap();
    let target = signed.url.strip_prefix("https://example.com").unwrap();
    target.to_owned()
}

/// Why a request is rejected, if it is.
fn send(edge: &mut Edge, host: &str, path: &str, now: u64, client: &str) -> Option<Reason> {
    let headers = [(":method", "GET"), (":path", path), (":authority", host)];
    let headers = headers.map(|(name, value)| (name.into(), value.into()));
    let (client, now) = (Client::Known(address(client)), UnixMillis::from_secs(now));
    match edge.request(RequestId(1), headers.to_vec(), client, &NoClaims, now) {
        Step::Decided(Verdict::Allow(_)) => None,
        Step::Decided(Verdict::Deny(denial)) => Some(denial.reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn during_floods_from_one_and_from_many_addresses_new_links_pass() {
    let signer = policy();
    let mut edge = Edge::new(policy(), Seed([1, 2]));
    let link_of_flood = link(&signer, "/a");
    let mut checked = 0;
    for request in 0..3000_u32 {
        let now = NOW + u64::from(request / 100);
        let client = match request {
            0..1000 => "203.0.113.1".to_owned(),
            _ => format!("198.51.100.{}", request % 40),
        };
        // The signature is that of another host.
        let rejected = send(&mut edge, "other.example", &link_of_flood, now, &client);
        checked += u32::from(rejected.unwrap() == Reason::WrongSignature);
        if request % 100 == 99 {
            let new = link(&signer, &format!("/new/{request}"));
            let client = format!("192.0.2.{}", request % 250);
            let rejected = send(&mut edge, "example.com", &new, now, &client);
            assert_eq!(rejected, None, "{request}");
        }
    }
    // 10 seconds from one address, and 20 from 40.
    assert!((65..=70 + 100 + 20 * 25).contains(&checked), "{checked}");
}
