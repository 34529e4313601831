//! The signers of other languages against the known answers, each by its real interpreter.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod browser;
mod examples;
mod known_answers;
mod packages;
mod page;
mod rejections;

use std::fs;

use keygate_tests::repository;
use serde_json::{Value, json};

/// The vectors of a system in a file of `tests/vectors`.
fn vectors(file: &str, system: &str) -> Vec<Value> {
    let path = repository().join("tests/vectors").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let json: Value = serde_json::from_str(&text).unwrap();
    let all = json["vectors"].as_array().unwrap().iter();
    let found: Vec<Value> = all.filter(|it| it["system"] == system).cloned().collect();
    assert!(found.len() > 5, "{file} has no vectors of {system}");
    found
}

/// The good part of a link in the format `keygate`, to be changed.
fn plain() -> Value {
    json!({
        "url": "https://media.example.com/video/cat.mp4?q=hd",
        "key_id": "k1",
        "secret": "no secret at all",
        "expires": 1_767_225_600,
    })
}

/// PEM of an Ed25519 key (RFC 8410 section 7).
fn pem(seed: &[u8]) -> String {
    use base64::Engine as _;
    let head = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let der = [&head[..], seed].concat();
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}
