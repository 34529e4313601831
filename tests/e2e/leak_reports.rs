//! A report of a leaked key at the key service, and what becomes of the key at a real Envoy. The
//! report is signed by openssl.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate_tests::client::{self, Connection, Response};
use keygate_tests::service::{Options, Service};
use keygate_tests::{Stack, wait};
use serde_json::json;
use tempfile::TempDir;

use crate::support::followed;

const IDENTIFIER: &str = "reporter-1";

fn openssl(dir: &Path, args: &[&str]) {
    let done = Command::new("openssl").current_dir(dir).args(args).output();
    let done = done.unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "openssl {args:?}: {errors}");
}

/// A service that takes reports of a reporter with these keys.
fn start(reporter: &TempDir) -> Service {
    let dir = reporter.path();
    let curve = "ec_paramgen_curve:P-256";
    let made = ["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out"];
    openssl(dir, &[&made[..], &["key.pem"]].concat());
    openssl(
        dir,
        &["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"],
    );
    let key = fs::read_to_string(dir.join("key.pub")).unwrap();
    let keys = json!({ "public_keys": [{ "key_identifier": IDENTIFIER, "key": key }] });
    fs::write(dir.join("keys.json"), keys.to_string()).unwrap();
    let file = format!("[leaks]\nkeys_file = {:?}\n", dir.join("keys.json"));
    fs::write(dir.join("keygate.toml"), file).unwrap();
    let config = dir.join("keygate.toml").display().to_string();
    Service::start_with(Options {
        arguments: vec!["--config".to_owned(), config],
        ..Options::default()
    })
}

/// Sends `body` with the signature of `signed`.
fn report(service: &Service, reporter: &TempDir, body: &str, signed: &str) -> Response {
    let dir = reporter.path();
    fs::write(dir.join("body"), signed).unwrap();
    let sign = ["dgst", "-sha256", "-sign", "key.pem", "-out", "sig", "body"];
    openssl(dir, &sign);
    let signature = STANDARD.encode(fs::read(dir.join("sig")).unwrap());
    client::post(service.port(), "/v1/leaks")
        .header("content-type", "application/json")
        .header("github-public-key-identifier", IDENTIFIER)
        .header("github-public-key-signature", signature)
        .body(body)
        .send()
}

#[test]
fn a_warm_key_that_is_reported_as_leaked_is_rejected_within_2_s() {
    let reporter = tempfile::tempdir().unwrap();
    let service = start(&reporter);
    let stack = Stack::builder()
        .concurrency(2)
        .key_service_at(service.port())
        .start();
    followed(&stack, 2);
    let [leaked, other] = ["alice", "bob"].map(|it| service.create_key(&json!({ "account": it })));
    let mut connections: Vec<Connection> = (0..16)
        .map(|_| Connection::open(stack.envoy.port()))
        .collect();
    let mut until = |what: &str, key: &str, status: u16, bound: Duration| {
        let authorization = format!("Bearer {key}");
        let request = stack.get("/api/x").header("authorization", authorization);
        wait::until(what, bound, || {
            let statuses = connections
                .iter_mut()
                .map(|it| it.exchange(&request).status);
            let statuses: Vec<u16> = statuses.collect();
            statuses.iter().all(|it| *it == status).then_some(())
        });
    };
    for key in [&leaked, &other] {
        until("the key to pass", &key.key, 200, wait::STARTUP);
    }
    let found = json!([{
        "token": leaked.key, "type": "keygate_key", "url": "https://example.com/a", "source": "commit",
    }])
    .to_string();
    let rejected = report(&service, &reporter, &found, "[]");
    assert_eq!(rejected.status, 401, "{}", rejected.text());
    assert_eq!(rejected.json()["code"], "invalid_signature");
    until(
        "the key to pass still",
        &leaked.key,
        200,
        Duration::from_millis(500),
    );

    let accepted = report(&service, &reporter, &found, &found);
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    assert_eq!(accepted.json()[0]["label"], "true_positive");
    let bound = Duration::from_secs(2);
    until("the leaked key to be rejected", &leaked.key, 401, bound);
    until(
        "the other to pass",
        &other.key,
        200,
        Duration::from_millis(500),
    );
    let (_, secret) = leaked.key.rsplit_once('_').unwrap();
    assert!(!service.log().contains(secret), "{}", service.log());
}
