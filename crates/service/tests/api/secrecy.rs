//! Where a key, a hash or a token must not be.

use std::collections::HashSet;

use keygate_core::keys::KeyHash;
use serde_json::json;

use crate::keys::revoke_path;
use crate::support::{ADMIN, EDGE, Running, hash, text};

#[test]
fn no_answer_to_an_admin_but_the_first_contains_the_key_or_its_hash() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    let key = text(&created, "key");
    let (_, secret) = key.rsplit_once('_').unwrap();
    let hash = hash(&created);
    assert!(!created.to_string().contains(&hash));
    let id = text(&created, "id");
    for answer in [
        service.get("/v1/keys"),
        service.get(&format!("/v1/keys/{id}")),
        service.post(&revoke_path(&created), r#"{"note":"x"}"#),
        service.get("/metrics"),
        service.get("/readyz"),
    ] {
        assert_eq!(answer.status, 200);
        assert!(
            !holds_a_part(answer.text.as_bytes(), secret.as_bytes()),
            "{}",
            answer.text
        );
        assert!(!answer.text.contains(&hash), "{}", answer.text);
    }
}

#[test]
fn no_answer_to_an_edge_contains_the_key() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    let key = text(&created, "key");
    let (_, secret) = key.rsplit_once('_').unwrap();
    let answers = [
        service.lookup(&[hash(&created)]),
        service.changes("?after=0"),
    ];
    for answer in answers {
        assert!(
            !holds_a_part(answer.to_string().as_bytes(), secret.as_bytes()),
            "{answer}"
        );
    }
}

#[test]
fn the_database_contains_no_part_of_a_secret() {
    let service = Running::start();
    let keys: Vec<String> = (0..10)
        .map(|_| text(&service.create(r#"{"account":"a"}"#), "key"))
        .collect();
    let bytes = service.stored();
    for key in keys {
        let (start, secret) = key.rsplit_once('_').unwrap();
        // The scan works: it finds the public part.
        assert!(
            bytes
                .windows(start.len())
                .any(|part| part == start.as_bytes())
        );
        assert!(!holds_a_part(&bytes, secret.as_bytes()));
    }
}

#[test]
fn neither_a_stored_hash_nor_a_key_authenticates_to_the_service() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    let hash = hash(&created);
    let raw: String = KeyHash::parse(&hash)
        .unwrap()
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for token in [hash, raw, text(&created, "key")] {
        let list = service.send("GET", "/v1/keys", Some(&token), "");
        assert_eq!(list.status, 401);
        let lookup = json!({ "hashes": ["A".repeat(43)] }).to_string();
        assert_eq!(
            service
                .send("POST", "/v1/lookups", Some(&token), &lookup)
                .status,
            401
        );
    }
}

#[test]
fn the_configuration_prints_no_secret() {
    let config = crate::support::config(std::path::Path::new("keygate.db"));
    let printed = format!("{config:?}");
    assert!(
        !printed.contains(ADMIN) && !printed.contains(EDGE),
        "{printed}"
    );
    assert!(printed.contains("MasterSecret(..)"), "{printed}");
}

/// Whether any 8 bytes of the secret stand in `bytes`: by chance that is one in 10^14.
pub fn holds_a_part(bytes: &[u8], secret: &[u8]) -> bool {
    let parts: HashSet<&[u8]> = secret.windows(8).collect();
    bytes.windows(8).any(|window| parts.contains(window))
}
