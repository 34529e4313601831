//! How the time of a decision grows with the rules of a policy.
//!
//! `cargo bench -p keygate-core --bench rules`
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a bench may panic"
)]

use divan::{Bencher, black_box};
use keygate_core::keys::NoAnswer;
use keygate_core::signed_url::Checks;
use keygate_core::{Facts, Header, NoClaims, Policy, Reason, UnixMillis};
use serde_json::json;

fn main() {
    divan::main();
}

/// A policy of so many rules, each for a path (or a host) of its own.
fn policy(rules: usize, by_host: bool) -> Policy {
    let rule = |number: usize| {
        let matches = if by_host {
            json!({ "path": "/**", "hosts": [format!("t{number}.example.com")] })
        } else {
            json!({ "path": format!("/tenant-{number}/files/**") })
        };
        json!({ "name": format!("rule-{number}"), "match": matches, "require": "nothing" })
    };
    let json = json!({
        "version": 1,
        "rules": (0..rules).map(rule).collect::<Vec<_>>(),
        "unmatched": "deny"
    });
    Policy::parse(json.to_string().as_bytes(), &|_| None).unwrap()
}

fn decide(bencher: Bencher, rules: usize, by_host: bool) {
    let policy = policy(rules, by_host);
    // The last rule of all: trying them in order would try every one.
    let last = rules - 1;
    let host = format!("t{last}.example.com");
    let path = format!("/tenant-{last}/files/a/b.txt");
    let headers: Vec<Header> = [(":method", "GET"), (":authority", &host), (":path", &path)]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec();
    let facts = Facts {
        checks: Checks::default(),
        client: keygate_core::Client::Known(None),
        keys: &NoAnswer(Reason::KeyServiceUnavailable),
        claims: &NoClaims,
        now: UnixMillis(0),
    };
    bencher.bench_local(|| policy.decide(black_box(&headers), black_box(&facts)));
}

#[divan::bench(args = [1, 100, 10_000])]
fn by_path(bencher: Bencher, rules: usize) {
    decide(bencher, rules, false);
}

#[divan::bench(args = [1, 100, 10_000])]
fn by_host(bencher: Bencher, rules: usize) {
    decide(bencher, rules, true);
}
