//! What the check of a signed URL costs beside the bare HMAC that it cannot do without.
//!
//! `cargo bench -p keygate-core --bench signatures`. At the end it prints the ratios, from
//! the fastest of many short runs of each, taken in turn.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench may panic"
)]

use std::time::Instant;

use divan::{Bencher, black_box};
use hmac::{Hmac, KeyInit as _, Mac as _};
use keygate_core::keys::NoAnswer;
use keygate_core::signed_url::keygate::Algorithm;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256, with};
use keygate_core::signed_url::{Checks, Format};
use keygate_core::{Facts, Header, NoClaims, Policy, Provider, Reason, Request, UnixMillis};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "a secret of thirty-two bytes ...";
const NOW: u64 = 1_767_225_600;
const PATH: &str = "/video/2026/11/a-film-of-cats/segment-00017.ts";
const QUERY: &str = "quality=hd&lang=en";

fn main() {
    divan::main();
    ratios();
}

/// One link, its policy, and the text under its MAC.
struct Sample {
    policy: Policy,
    headers: Vec<Header>,
    rule: usize,
    text: Vec<u8>,
}

impl Sample {
    fn native() -> Self {
        Self::of_rings(1)
    }

    /// A policy of so many rings, providers and rules; the link is of the last.
    fn of_rings(rings: usize) -> Self {
        let native = json!({ "format": "keygate", "max_lifetime": "7d" });
        let last = rings - 1;
        let path = format!("/t{last}{PATH}");
        let terms = Terms {
            expires_secs: NOW + 3600,
            ..Terms::default()
        };
        let place = Place {
            host: "example.com",
            path: &path,
            query: Some(QUERY),
        };
        let entry = keygate_core::secret::RingEntry {
            id: "01".to_owned(),
            key: keygate_core::secret::mac(SECRET.as_bytes()),
            not_before: None,
            not_after: None,
        };
        let token = hs256(&terms, &place, &entry).unwrap();
        let mut text = Vec::new();
        let keep = |it: &[u8]| {
            text = it.to_vec();
            Vec::new()
        };
        with(&terms, &place, Algorithm::Hs256, "01", keep).unwrap();
        Self {
            policy: policy(rings, &native),
            headers: headers(&format!("{path}?{QUERY}&kg={token}")),
            rule: last,
            text,
        }
    }

    fn cloudflare() -> Self {
        let policy = policy(1, &json!({ "format": "cloudflare", "ttl": "3h" }));
        let text = format!("/t0{PATH}?{QUERY}{NOW}").into_bytes();
        let mac = mac_of(&text);
        use base64::Engine as _;
        let mac = base64::engine::general_purpose::STANDARD.encode(mac);
        let mac = mac
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        Self {
            policy,
            headers: headers(&format!("/t0{PATH}?{QUERY}&verify={NOW}-{mac}")),
            rule: 0,
            text,
        }
    }

    fn format(&self) -> &dyn Format {
        let Provider::SignedUrl(links) = self.policy.rules.all()[self.rule].require.providers()[0]
        else {
            panic!("the rule requires a link");
        };
        links.format.as_ref()
    }
}

fn policy(rings: usize, format: &Value) -> Policy {
    let mut json = json!({
        "version": 1, "secrets": {}, "providers": {}, "rules": [], "unmatched": "deny"
    });
    for number in 0..rings {
        let mut provider = format.clone();
        provider["type"] = json!("signed_url");
        provider["secrets"] = json!(format!("r{number}"));
        json["secrets"][format!("r{number}")] = json!([{ "id": "01", "env": "SECRET" }]);
        json["providers"][format!("p{number}")] = provider;
        let rule = json!({
            "name": format!("rule-{number}"), "require": format!("p{number}"),
            "match": { "path": format!("/t{number}/**") }
        });
        json["rules"].as_array_mut().unwrap().push(rule);
    }
    let environment = |_: &str| Some(SECRET.into());
    Policy::parse(json.to_string().as_bytes(), &environment).unwrap()
}

fn headers(target: &str) -> Vec<Header> {
    [
        (":method", "GET"),
        (":authority", "example.com"),
        (":path", target),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .to_vec()
}

fn mac_of(text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn with_facts<R>(then: impl FnOnce(&Facts<'_>) -> R) -> R {
    then(&Facts {
        checks: Checks::default(),
        client: keygate_core::Client::Known(None),
        keys: &NoAnswer(Reason::KeyServiceUnavailable),
        claims: &NoClaims,
        now: UnixMillis::from_secs(NOW),
    })
}

fn verify(bencher: Bencher, sample: &Sample) {
    with_facts(|facts| {
        let request = Request::read(&sample.headers).unwrap();
        let format = sample.format();
        assert!(format.verify(&request, &facts.of_link()).is_ok());
        bencher.bench_local(|| format.verify(black_box(&request), black_box(&facts.of_link())));
    });
}

#[divan::bench]
fn verify_native(bencher: Bencher) {
    verify(bencher, &Sample::native());
}

#[divan::bench]
fn verify_cloudflare(bencher: Bencher) {
    verify(bencher, &Sample::cloudflare());
}

/// HMAC in one go over the text of the native link, the key made ready each time.
#[divan::bench]
fn hmac_native(bencher: Bencher) {
    let text = Sample::native().text;
    bencher.bench_local(|| mac_of(black_box(&text)));
}

#[divan::bench]
fn hmac_cloudflare(bencher: Bencher) {
    let text = Sample::cloudflare().text;
    bencher.bench_local(|| mac_of(black_box(&text)));
}

/// The same with a key that is ready.
#[divan::bench]
fn hmac_native_key_ready(bencher: Bencher) {
    let text = Sample::native().text;
    let ready = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    bencher.bench_local(|| {
        let mut mac = ready.clone();
        mac.update(black_box(&text));
        mac.finalize()
    });
}

/// A whole decision, with a ring for each of so many rules.
#[divan::bench(args = [1, 100, 10_000])]
fn decide_with_rings(bencher: Bencher, rings: usize) {
    let sample = Sample::of_rings(rings);
    with_facts(|facts| {
        bencher.bench_local(|| {
            sample
                .policy
                .decide(black_box(&sample.headers), black_box(facts))
        });
    });
}

/// Nanoseconds of the fastest of many short runs of each.
fn fastest<const N: usize>(mut all: [Box<dyn FnMut() + '_>; N]) -> [f64; N] {
    let mut best = [f64::MAX; N];
    for _ in 0..300 {
        for (run, best) in all.iter_mut().zip(&mut best) {
            let start = Instant::now();
            (0..200).for_each(|_| run());
            *best = best.min(start.elapsed().as_secs_f64() * 1e9 / 200.0);
        }
    }
    best
}

#[expect(clippy::print_stdout, reason = "a bench reports")]
fn ratios() {
    with_facts(|facts| {
        for (name, sample) in [
            ("native", Sample::native()),
            ("cloudflare", Sample::cloudflare()),
        ] {
            let request = Request::read(&sample.headers).unwrap();
            let format = sample.format();
            let ready = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            let [verify, bare, prepared] = fastest([
                Box::new(|| {
                    drop(black_box(
                        format.verify(black_box(&request), &facts.of_link()),
                    ))
                }),
                Box::new(|| {
                    black_box(mac_of(black_box(&sample.text)));
                }),
                Box::new(|| {
                    let mut mac = ready.clone();
                    mac.update(black_box(&sample.text));
                    black_box(mac.finalize());
                }),
            ]);
            println!(
                "{name}: verify {verify:.0} ns, HMAC-SHA256 {bare:.0} ns: {:.2} times; \
                 with a key that is ready {prepared:.0} ns: {:.2} times",
                verify / bare,
                verify / prepared
            );
        }
        let (one, many) = (Sample::of_rings(1), Sample::of_rings(10_000));
        let decide = |it: &Sample| drop(black_box(it.policy.decide(&it.headers, facts)));
        let [one, many] = fastest([Box::new(|| decide(&one)), Box::new(|| decide(&many))]);
        println!(
            "decide with 1 ring {one:.0} ns, with 10,000 {many:.0} ns: {:.2} times",
            many / one
        );
    });
}
