//! A secret is replaced while links of the old one are in use, over edges and signers that
//! learn of it at different times: no valid link is rejected.

use keygate_core::signed_url::Order;
use keygate_core::{Policy, Provider, Reason, UnixMillis};
use keygate_testkit::judge::{get, judge, policy_with_ring};
use serde_json::{Value, json};

const START: u64 = 1_767_225_600;
const HOUR: u64 = 3600;

/// Secrets of a ring: the first signs.
type Ring<'a> = &'a [&'a str];

fn native() -> Value {
    json!({ "format": "keygate", "max_lifetime": "7d" })
}

fn cloudflare() -> Value {
    json!({ "format": "cloudflare", "stamp": "expires", "max_lifetime": "7d" })
}

fn policy(format: &Value, ring: Ring<'_>) -> Policy {
    let entry = |id: &&str| json!({ "id": id, "env": format!("SECRET_{}", id.to_uppercase()) });
    policy_with_ring(format, &ring.iter().map(entry).collect())
}

/// A link that lives for `lifetime` seconds from `now`.
fn signed(policy: &Policy, now: u64, lifetime: u64) -> String {
    let order = Order {
        origin: "https://example.com",
        expires: Some(UnixMillis::from_secs(now + lifetime)),
        ..keygate_testkit::judge::order("/a", UnixMillis::from_secs(now))
    };
    let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
        panic!("the rule requires a link");
    };
    let url = links.format.sign(&order).unwrap().url;
    url.strip_prefix("https://example.com").unwrap().to_owned()
}

/// The ring that a process has at an hour: the last one before that hour.
fn ring_at<'a>(changes: &[(u64, Ring<'a>)], hour: u64) -> Ring<'a> {
    let mut before = changes.iter().rev();
    before.find(|(from, _)| *from <= hour).unwrap().1
}

/// Every link that any signer makes is tried in every hour of its life on every edge:
/// how many were rejected, and how many passed.
fn roll_out(
    format: &Value,
    signers: &[&[(u64, Ring<'_>)]],
    edges: &[&[(u64, Ring<'_>)]],
    hours: u64,
    lifetime: u64,
) -> (usize, usize) {
    let policies = |changes: &[(u64, Ring<'_>)]| -> Vec<(u64, Policy)> {
        let all = changes.iter();
        all.map(|(from, ring)| (*from, policy(format, ring)))
            .collect()
    };
    let edges: Vec<_> = edges.iter().map(|it| policies(it)).collect();
    let (mut rejected, mut passed) = (0, 0);
    for signer in signers {
        for made in 0..hours {
            let secrets = ring_at(signer, made);
            let link = signed(
                &policy(format, secrets),
                START + made * HOUR,
                lifetime * HOUR,
            );
            for hour in made..made + lifetime {
                for edge in &edges {
                    let (_, policy) = edge.iter().rev().find(|(from, _)| *from <= hour).unwrap();
                    match judge(policy, &get(&link, &[]), START + hour * HOUR) {
                        Ok(_) => passed += 1,
                        Err(_) => rejected += 1,
                    }
                }
            }
        }
    }
    (rejected, passed)
}

// First every edge learns the new secret, then every signer uses it, and when the last
// link of the old one has ended, the old one goes.
const SIGNER_A: &[(u64, Ring<'_>)] = &[(0, &["old"]), (6, &["new"])];
const SIGNER_B: &[(u64, Ring<'_>)] = &[(0, &["old"]), (9, &["new"])];
const EDGE_A: &[(u64, Ring<'_>)] = &[(0, &["old"]), (3, &["old", "new"]), (14, &["new"])];
const EDGE_B: &[(u64, Ring<'_>)] = &[(0, &["old"]), (5, &["new", "old"]), (17, &["new"])];

#[test]
fn no_valid_link_is_rejected_while_a_secret_is_replaced() {
    for format in [native(), cloudflare()] {
        let (rejected, passed) = roll_out(&format, &[SIGNER_A, SIGNER_B], &[EDGE_A, EDGE_B], 20, 5);
        assert_eq!((rejected, passed), (0, 2 * 2 * 20 * 5), "{format}");
    }
}

#[test]
fn a_rotation_without_the_time_of_both_rejects_links_so_that_the_test_can_tell() {
    let hasty: &[(u64, Ring<'_>)] = &[(0, &["old"]), (6, &["new"])];
    for format in [native(), cloudflare()] {
        let (rejected, _) = roll_out(&format, &[SIGNER_B], &[hasty], 20, 5);
        assert!(rejected > 0, "{format}");
    }
}

#[test]
fn a_removed_secret_makes_no_valid_link() {
    for format in [native(), cloudflare()] {
        let link = signed(&policy(&format, &["old"]), START, HOUR);
        let gone = policy(&format, &["new"]);
        let found = judge(&gone, &get(&link, &[]), START);
        assert_eq!(found, Err(Reason::WrongSignature), "{format}");
    }
}

#[test]
fn a_ring_can_say_beforehand_when_each_secret_counts() {
    // One policy for the whole rotation, so timing does not matter.
    let ring = json!([
        { "id": "old", "env": "SECRET_OLD", "not_after": "2026-01-01T14:00:00Z" },
        { "id": "new", "env": "SECRET_NEW", "not_before": "2026-01-01T03:00:00Z" }
    ]);
    for format in [native(), cloudflare()] {
        let edge = policy_with_ring(&format, &ring);
        let at = |id: &str, hour: u64| {
            let now = START + hour * HOUR;
            let link = signed(&policy(&format, &[id]), now, 600);
            judge(&edge, &get(&link, &[]), now)
        };
        for (id, hour, holds) in [
            ("old", 0, true),
            ("new", 2, false),
            ("new", 3, true),
            ("old", 13, true),
            ("old", 14, false),
            ("new", 20, true),
        ] {
            let expected = match holds {
                true => Ok("/a".to_owned()),
                false => Err(Reason::WrongSignature),
            };
            assert_eq!(at(id, hour), expected, "{id} at {hour}: {format}");
        }
        // Who signs with it takes the first that counts.
        let early = signed(&edge, START, 600);
        let late = signed(&edge, START + 14 * HOUR, 600);
        let (old, new) = (policy(&format, &["old"]), policy(&format, &["new"]));
        assert!(judge(&old, &get(&early, &[]), START).is_ok());
        assert!(judge(&new, &get(&late, &[]), START + 14 * HOUR).is_ok());
    }
}

#[test]
fn each_of_sixteen_secrets_signs_valid_links() {
    let ids: Vec<String> = (1..=16).map(|it| format!("k{it:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for format in [native(), cloudflare()] {
        let edge = policy(&format, &ids);
        for id in &ids {
            let link = signed(&policy(&format, &[id]), START, HOUR);
            let found = judge(&edge, &get(&link, &[]), START);
            assert_eq!(found.as_deref(), Ok("/a"), "{id}: {format}");
        }
        let stranger = signed(&policy(&format, &["k17"]), START, HOUR);
        let found = judge(&edge, &get(&stranger, &[]), START);
        assert_eq!(found, Err(Reason::WrongSignature), "{format}");
    }
}

#[test]
fn a_native_link_names_its_secret_and_no_other_is_tried() {
    // Two rings whose entries have one secret under two names.
    let ring = |id: &str| json!([{ "id": id, "env": "SECRET_SAME" }]);
    let link = signed(&policy_with_ring(&native(), &ring("a")), START, HOUR);
    let other = policy_with_ring(&native(), &ring("b"));
    let found = judge(&other, &get(&link, &[]), START);
    assert_eq!(found, Err(Reason::WrongSignature));
}

/// So many tenants, each with a ring, a provider and a rule of its own.
fn tenants(count: usize) -> Policy {
    let names = || (0..count).map(|it| format!("t{it}"));
    let object = |of: &dyn Fn(&str) -> Value| -> Value {
        let all = names().map(|it| (it.clone(), of(&it)));
        Value::Object(all.collect())
    };
    let policy = json!({
        "version": 1,
        "secrets": object(&|it| json!([{ "id": "k1", "env": format!("SECRET_{it}") }])),
        "providers": object(&|it| json!({
            "type": "signed_url", "format": "keygate", "secrets": it, "max_lifetime": "7d"
        })),
        "rules": names().map(|it| json!({
            "name": it, "require": it, "match": { "path": format!("/{it}/**") }
        })).collect::<Vec<_>>(),
        "unmatched": "deny"
    });
    let environment = |name: &str| Some(format!("the secret of {name}").into_bytes());
    Policy::parse(policy.to_string().as_bytes(), &environment).unwrap()
}

#[test]
fn ten_thousand_rings_cost_a_request_no_more_than_ten() {
    use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
    let decide = |policy: &Policy, secret_of: usize| {
        let count = policy.rules.all().len();
        let last = format!("/t{}/a", count - 1);
        let secret = format!("the secret of SECRET_t{secret_of}");
        let entry = keygate_core::secret::RingEntry {
            id: "k1".to_owned(),
            key: keygate_core::secret::mac(secret.as_bytes()),
            not_before: None,
            not_after: None,
        };
        let terms = Terms {
            expires_secs: START + HOUR,
            ..Terms::default()
        };
        let place = Place {
            host: "example.com",
            path: &last,
            query: None,
        };
        let token = hs256(&terms, &place, &entry).unwrap();
        let headers = get(&format!("{last}?kg={token}"), &[]);
        let mut found = Ok(String::new());
        // What a decision does beside arithmetic is memory: a search over the rings shows.
        let counted = allocation_counter::measure(|| found = judge(policy, &headers, START));
        (found, counted.count_total)
    };
    let (ten, few) = decide(&tenants(10), 9);
    let large = tenants(10_000);
    let (many, count) = decide(&large, 9_999);
    assert_eq!(
        (ten.as_deref(), many.as_deref()),
        (Ok("/t9/a"), Ok("/t9999/a"))
    );
    assert_eq!(count, few);
    // The rule leads to its ring alone: that another ring holds the secret is no help.
    let (other, _) = decide(&large, 0);
    assert_eq!(other, Err(Reason::WrongSignature));
}

#[test]
fn a_ring_without_a_current_secret_is_a_reason_of_its_own() {
    let nginx = json!({ "format": "nginx", "template": "$secure_link_expires$uri ${secret}",
        "allow_weak": true, "max_lifetime": "7d" });
    let public = |reason: Reason| (reason.public(), reason.public().grpc_status());
    for format in [native(), cloudflare(), nginx] {
        let spanned = |bound: &str| {
            let ring = json!([{ "id": "old", "env": "SECRET_OLD", bound: "2026-01-01T01:00:00Z" }]);
            policy_with_ring(&format, &ring)
        };
        let link = signed(&policy(&format, &["old"]), START, 2 * HOUR);
        let at = |policy: &Policy, link: &str, now| judge(policy, &get(link, &[]), now);
        let (ends, begins) = (spanned("not_after"), spanned("not_before"));
        assert!(at(&ends, &link, START + HOUR - 1).is_ok(), "{format}");
        assert_eq!(
            at(&ends, &link, START + HOUR),
            Err(Reason::NoCurrentSecret),
            "{format}"
        );
        assert_eq!(
            at(&begins, &link, START),
            Err(Reason::NoCurrentSecret),
            "{format}"
        );
        let other = link.replacen("/a", "/b", 1);
        assert_eq!(
            at(&ends, &other, START),
            Err(Reason::WrongSignature),
            "{format}"
        );
        assert_eq!(
            at(&ends, "/a", START + HOUR),
            Err(Reason::MissingCredential),
            "{format}"
        );
    }
    assert_eq!(
        public(Reason::NoCurrentSecret),
        public(Reason::WrongSignature)
    );
}
