//! The cost of a rejection: requests that any client can send, relative to a rejected HMAC link
//! in the same run. Each has a bound, and a run that misses one fails. `make bench-rejections`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cpu::Cores;
use crate::credentials::now_secs;
use crate::load::{Request, Script};
use crate::measure::Plan;
use crate::statistics::Figure;
use crate::subject::{self, Subject};

/// Seconds of one case in one round: a flood is measured as its mean, after the burst.
const SECONDS: u64 = 10;

/// Rounds, without the first, which wakes all of them up and empties the buckets.
const ROUNDS: usize = 3;

/// Different requests of a case.
const REQUESTS: u32 = 5_000;

/// How many rules with `**` the longest path is compared with.
const GLOBS: u32 = 200;

/// The longest path that is read, and its most segments.
const PATH: usize = 8 * 1024;
const SEGMENTS: usize = 256;

/// The case that the costs of the others are relative to.
const BASE: &str = "rejected_hmac_link";

/// RSA of 4096 bits: the most expensive key.
const RSA_4096: &str = include_str!("../../crates/core/tests/keys/rsa4096.pub");

struct Case {
    name: &'static str,
    title: &'static str,
    /// The highest cost, relative to that of [`BASE`].
    bound: f64,
    has_many_rules: bool,
    requests: Vec<Request>,
}

/// Measures all cases.
///
/// # Panics
/// When a proxy lets a request pass.
pub fn run(cores: Cores, plan: &Plan) -> Value {
    let proxies = [false, true].map(|has_many_rules| {
        let config = subject::keygate(|policy| *policy = self::policy(has_many_rules), 1);
        Subject::envoy(config, 1, Some(cores.proxies))
    });
    let cases = cases();
    let scripts: Vec<Script> = cases.iter().map(|it| Script::new(&it.requests)).collect();
    let mut costs: Vec<Vec<f64>> = cases.iter().map(|_| Vec::new()).collect();
    let rounds = plan.rounds.min(ROUNDS);
    for round in 0..=rounds {
        eprintln!("bench: rejections, round {round} of {rounds}");
        for (place, case) in cases.iter().enumerate() {
            let proxy = &proxies[usize::from(case.has_many_rules)];
            let before = proxy.time();
            let counted = scripts[place].run(proxy.port(), SECONDS, cores.load);
            let nanos = proxy.time().saturating_sub(before);
            let name = case.name;
            assert!(counted.requests > 0, "{name}: nothing was answered");
            assert_eq!(
                counted.rejected, counted.requests,
                "{name}: something passed"
            );
            if round > 0 {
                costs[place].push(nanos as f64 / 1e3 / counted.requests as f64);
            }
        }
    }
    let base = cases
        .iter()
        .position(|it| it.name == BASE)
        .expect("it is there");
    let figures = cases.iter().enumerate().map(|(place, case)| {
        let ratio = Figure::of_ratios(&costs[place], &costs[base]).middle;
        let figure = json!({
            "title": case.title, "cpu_us": Figure::of(&costs[place]).middle,
            "ratio": ratio, "bound": case.bound, "is_met": ratio <= case.bound
        });
        (case.name.to_owned(), figure)
    });
    Value::Object(figures.collect())
}

/// The figures as a table.
pub fn table(figures: &Value) -> String {
    let mut table =
        "| | µs | relative to a rejected HMAC link | at most |\n| --- | ---: | ---: | ---: |\n"
            .to_owned();
    for (_, figure) in figures.as_object().into_iter().flatten() {
        let number = |name: &str| figure[name].as_f64().unwrap_or(f64::NAN);
        let _ = writeln!(
            table,
            "| {} | {:.1} | {:.2} | {} |",
            figure["title"].as_str().unwrap_or_default(),
            number("cpu_us"),
            number("ratio"),
            number("bound"),
        );
    }
    table
}

/// The names of cases that cost more than their bound.
pub fn missed(figures: &Value) -> Vec<&str> {
    let all = figures.as_object().into_iter().flatten();
    all.filter(|(_, figure)| figure["is_met"] != true)
        .map(|(name, _)| name.as_str())
        .collect()
}

fn policy(has_many_rules: bool) -> Value {
    let rule = |name: &str| json!({ "name": name, "match": { "path": format!("/{name}/**") }, "require": name });
    let mut rules = vec![rule("hmac"), rule("rsa"), rule("signature")];
    if has_many_rules {
        rules.extend((0..GLOBS).map(|it| {
            json!({
                "name": format!("glob-{it}"), "require": "hmac",
                "match": { "path": format!("/**/a/**/a/**/b{it}") }
            })
        }));
    }
    json!({
        "version": 1,
        "secrets": {
            "media": [{ "id": "demo", "env": "KEYGATE_MEDIA" }],
            "rsa": [{ "id": "K1", "public_key": RSA_4096 }]
        },
        "providers": {
            "hmac": { "type": "signed_url", "format": "keygate", "secrets": "media", "max_lifetime": "7d" },
            "rsa": { "type": "signed_url", "format": "cloudfront", "secrets": "rsa", "max_lifetime": "7d" },
            "signature": {
                "type": "signed_url", "format": "http-signature", "secrets": "media",
                "algorithm": "hmac-sha256", "max_age": "24h"
            }
        },
        "rules": rules,
        "unmatched": "deny"
    })
}

fn cases() -> Vec<Case> {
    let of = |name, title, bound, requests| Case {
        name,
        title,
        bound,
        has_many_rules: false,
        requests,
    };
    let rsa = |expires: u64, key: &str| -> Vec<Request> {
        (0..REQUESTS)
            .map(|it| cloudfront(it, expires, key))
            .collect()
    };
    let later = now_secs() + 3600;
    vec![
        of(
            BASE,
            "a link of our own format with a wrong MAC",
            1.0,
            wrong_macs(),
        ),
        of(
            "expired_public_key_link",
            "a CloudFront link (RSA-4096) that expired in 2001",
            1.3,
            rsa(1_000_000_000, "K1"),
        ),
        of(
            "unknown_key_id",
            "a CloudFront link that names an unknown key",
            1.3,
            rsa(later, "K2"),
        ),
        of(
            "forged_public_key_flood",
            "a flood of forged CloudFront links (RSA-4096) from one address, mean of 10 s",
            2.0,
            rsa(later, "K1"),
        ),
        of(
            "most_components",
            "a message signature over 32 components of 6 KiB, with a wrong MAC",
            10.0,
            (0..64).map(most_components).collect(),
        ),
        of(
            "most_labels",
            "a message signature with 6 KiB of labels",
            10.0,
            vec![most_labels()],
        ),
        Case {
            has_many_rules: true,
            ..of(
                "longest_path",
                "a path of 8 KiB in 256 segments, with 200 rules that have `**`",
                10.0,
                vec![longest_path()],
            )
        },
    ]
}

/// Links whose token is that of another path.
fn wrong_macs() -> Vec<Request> {
    let links = crate::credentials::links("native-link", "/hmac");
    let forged = links.iter().take(REQUESTS as usize).map(|link| {
        let link = link.replacen("/a-film/", "/no-film/", 1);
        Request::get(link)
    });
    forged.collect()
}

/// A canned link under `/rsa/` with a signature as long as the key's, and smaller than its
/// modulus.
fn cloudfront(number: u32, expires: u64, key: &str) -> Request {
    canned("rsa", number, &random_signature(number, 512), expires, key)
}

/// So many bytes, below any modulus of as many.
pub fn random_signature(number: u32, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number.into());
    let mut signature = vec![0; length];
    random.fill(&mut signature);
    if let Some(first) = signature.first_mut() {
        *first = 1;
    }
    signature
}

/// A link of CloudFront's with a canned policy, under the directory of its rule.
pub fn canned(rule: &str, number: u32, signature: &[u8], expires: u64, key: &str) -> Request {
    let text = STANDARD.encode(signature);
    let text = text.replace('+', "-").replace('=', "_").replace('/', "~");
    Request::get(format!(
        "/{rule}/segment-{number:05}.ts?Expires={expires}&Signature={text}&Key-Pair-Id={key}"
    ))
}

fn most_components(number: u32) -> Request {
    let names: Vec<String> = (0..30)
        .map(|it| format!("x-{it:02}-{}", "n".repeat(190)))
        .collect();
    let quoted: Vec<String> = names.iter().map(|it| format!("\"{it}\"")).collect();
    let created = now_secs();
    let input = format!(
        "s=(\"@method\" \"@target-uri\" {});created={created};keyid=\"demo\"",
        quoted.join(" ")
    );
    let mut request = Request::with(format!("/signature/{number}"), "signature-input", input);
    let signature = format!("s=:{}:", STANDARD.encode([7; 32]));
    request.headers.push(("signature", signature));
    for name in names {
        request.headers.push((leak(name), "a value".to_owned()));
    }
    request
}

fn most_labels() -> Request {
    let labels: Vec<String> = (0..1000).map(|it| format!("l{it}=()")).collect();
    let mut request = Request::with("/signature/a", "signature-input", labels.join(","));
    request.headers.push(("signature", "l1=:AAAA:".to_owned()));
    request
}

/// Names of headers live as long as the run.
fn leak(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

/// As many segments and bytes as are read, and half of the segments are what the globs look
/// for.
fn longest_path() -> Request {
    let long = "a".repeat(2 * PATH / SEGMENTS - 3);
    Request::get(format!("/{long}/a").repeat(SEGMENTS / 2))
}
