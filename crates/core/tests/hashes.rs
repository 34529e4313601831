//! Moving signed links from SHA-1 to SHA-256, as docs/policy.md describes it.

use keygate_core::signed_url::PrivateKey;
use keygate_core::{Policy, UnixMillis};
use keygate_testkit::judge::{get, judge, policy, signed_as};
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;
const SECRET: &str = "00112233445566778899aabbccddeeff";
const PUBLIC: &str = include_str!("keys/rsa2048.pub");

/// What each format calls its two hashes.
fn formats() -> [(&'static str, Value, Value); 4] {
    let weak = |name: &str, hash: &str| json!({ name: hash, "allow_weak": true });
    [
        ("akamai", weak("algorithm", "sha1"), json!({})),
        ("cloudfront", weak("hash", "sha1"), json!({})),
        (
            "fastly",
            json!({ "hash": "sha1" }),
            json!({ "hash": "sha256" }),
        ),
        (
            "google-media-cdn",
            weak("algorithm", "hmac-sha1"),
            json!({ "algorithm": "hmac-sha256" }),
        ),
    ]
}

/// A rule for everything that takes the links of any of these providers.
fn edge(format: &str, providers: &[&Value]) -> Policy {
    let entry = match format {
        "cloudfront" => json!({ "id": "K1", "public_key": PUBLIC }),
        _ => json!({ "id": "K1", "env": "SECRET", "encoding": "hex" }),
    };
    let mut named = serde_json::Map::new();
    for (index, more) in providers.iter().enumerate() {
        let mut provider = json!({ "type": "signed_url", "format": format, "secrets": "ring",
            "max_lifetime": "1d" });
        let members = provider.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        named.insert(format!("p{index}"), provider);
    }
    let names: Vec<&String> = named.keys().collect();
    let json = json!({ "version": 1, "secrets": { "ring": [entry] }, "providers": named,
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": { "any": names } }],
        "unmatched": "deny" });
    policy(&json, SECRET)
}

#[test]
fn links_move_from_sha1_to_sha256_without_an_interruption() {
    let key = PrivateKey::parse(include_str!("keys/rsa2048.pem")).unwrap();
    // An order borrows for any time.
    let key: &'static PrivateKey = Box::leak(Box::new(key));
    for (format, weak, strong) in formats() {
        let before = edge(format, &[&weak]);
        let meanwhile = edge(format, &[&strong, &weak]);
        let after = edge(format, &[&strong]);
        let link = |policy: &Policy| {
            signed_as(policy, 0, "/film/1.mp4", &|order| {
                order.now = UnixMillis::from_secs(NOW);
                order.expires = Some(UnixMillis::from_secs(NOW + 3600));
                order.private_key = Some(key).filter(|_| format == "cloudfront");
            })
        };
        let (old, new) = (link(&before), link(&after));
        assert_ne!(old, new, "{format}");
        let check = |policy: &Policy, link: &str| judge(policy, &get(link, &[]), NOW);
        for (edge, link) in [
            (&before, &old),
            (&meanwhile, &old),
            (&meanwhile, &new),
            (&after, &new),
        ] {
            let passed = check(edge, link);
            assert_eq!(passed.as_deref(), Ok("/film/1.mp4"), "{format}: {link}");
        }
        assert!(check(&after, &old).is_err(), "{format}: {old}");
        // One rule for both does not make a forged link good.
        let forged = new.replace("/film/1", "/film/2");
        assert!(check(&meanwhile, &forged).is_err(), "{format}");
    }
}
