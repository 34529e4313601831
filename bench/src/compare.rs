//! One module of the filter beside another, in the same run: `keygate-bench compare
//! target/keygate.wasm other.wasm`. Each module has an Envoy of its own, and all cases are
//! sent to each of them in turn; the first module is what the others are compared with.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use keygate_tests::envoy::EnvoyConfig;
use keygate_tests::service::Service;
use serde_json::{Value, json};

use crate::cpu::{self, Cores};
use crate::credentials::{self, now_secs};
use crate::load::{Request, Script};
use crate::measure::Plan;
use crate::rejections::{canned, random_signature};
use crate::report::{figure, ratio};
use crate::subject::{self, Subject};

/// One case of one module in one round: short, so that what else the machine does meets all
/// modules alike.
const SLICE: Duration = Duration::from_millis(250);

/// The same where a request takes long, so that those that are under way at the end are few.
const LONG_SLICE: Duration = Duration::from_secs(1);

/// How often each Envoy is started to see how long it takes.
const STARTS: usize = 7;

/// Different requests of a case with a public key.
const REQUESTS: u32 = 5_000;

/// The public keys whose checks are measured: a rule and a provider each.
const PUBLIC_KEYS: [(&str, usize, &str); 3] = [
    (
        "rsa2048",
        256,
        include_str!("../../crates/core/tests/keys/rsa2048.pub"),
    ),
    (
        "rsa4096",
        512,
        include_str!("../../crates/core/tests/keys/rsa4096.pub"),
    ),
    (
        "p256",
        64,
        include_str!("../../crates/core/tests/keys/p256.pub"),
    ),
];

struct Case {
    name: String,
    rejects: bool,
    requests: Vec<Request>,
    /// Of one module in one round.
    slice: Duration,
}

/// Measures all cases of `BENCH_ONLY`, or all, with each of these modules.
///
/// # Panics
/// When an Envoy answers other than it has to.
pub fn run(modules: &[PathBuf], cores: Cores, plan: &Plan) -> Value {
    let service = Service::start();
    cpu::pin(service.id(), cores.services);
    let config = |module: &PathBuf| {
        subject::keygate(policy, service.port())
            .with_module(&std::path::absolute(module).expect("a path"))
    };
    let proxies: Vec<Subject> = modules
        .iter()
        .map(|it| Subject::envoy(config(it), 1, Some(cores.proxies)))
        .collect();
    let mut cases = cases(&service);
    if let Some(names) = &plan.only {
        cases.retain(|it| names.contains(&it.name));
    }
    let mut figures = json!({});
    let mut costs = vec![vec![Vec::new(); modules.len()]; cases.len()];
    let scripts: Vec<Script> = cases.iter().map(|it| Script::new(&it.requests)).collect();
    let mut order: Vec<usize> = (0..modules.len()).collect();
    let mut random = fastrand::Rng::with_seed(1);
    // The first round wakes all of them up.
    for round in 0..=plan.rounds {
        eprintln!("bench: round {round} of {}", plan.rounds);
        for (place, case) in cases.iter().enumerate() {
            random.shuffle(&mut order);
            for &module in &order {
                let cost = cost(&proxies[module], &scripts[place], case, cores);
                if round > 0 {
                    costs[place][module].push(cost);
                }
            }
        }
    }
    for (case, costs) in cases.iter().zip(&costs) {
        figures[&case.name] = beside(&costs[..]);
    }
    let memory = proxies.iter().map(|it| vec![it.memory() as f64 / 1e6]);
    figures["memory_mb_after_load"] = beside(&memory.collect::<Vec<_>>());
    drop(proxies);
    let [millis, cpu_millis, megabytes] = starts(modules, &config);
    figures["start_ms"] = beside(&millis);
    figures["start_cpu_ms"] = beside(&cpu_millis);
    figures["memory_mb_at_start"] = beside(&megabytes);
    let bytes = |it: &PathBuf| vec![std::fs::metadata(it).expect("it is there").len() as f64];
    figures["bytes"] = beside(&modules.iter().map(bytes).collect::<Vec<_>>());
    figures
}

/// The figures as a table.
pub fn table(modules: &[PathBuf], figures: &Value) -> String {
    let name = |it: &PathBuf| it.file_stem().unwrap_or_default().display().to_string();
    let names: Vec<String> = modules.iter().map(name).collect();
    let mut table = format!(
        "| | {} |\n| --- |{}\n",
        names.join(" | "),
        " ---: |".repeat(names.len())
    );
    for (case, of_modules) in figures.as_object().into_iter().flatten() {
        let cells = of_modules.as_array().into_iter().flatten().map(|it| {
            let at = |pointer: &str| {
                it.pointer(pointer)
                    .and_then(Value::as_f64)
                    .unwrap_or(f64::NAN)
            };
            format!(
                "{:.1}; {:.3} ({:.3} – {:.3})",
                at("/cost/middle"),
                at("/ratio/middle"),
                at("/ratio/spread/0"),
                at("/ratio/spread/1")
            )
        });
        table += &format!("| {case} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    table
}

/// Each module's figure, and beside that of the first.
fn beside(costs: &[Vec<f64>]) -> Value {
    let first = costs.first().expect("there is a module");
    let each = costs
        .iter()
        .map(|own| json!({ "cost": figure(own), "ratio": ratio(own, first) }));
    each.collect()
}

/// Microseconds of one request.
fn cost(proxy: &Subject, script: &Script, case: &Case, cores: Cores) -> f64 {
    let before = proxy.time();
    let counted = script.run_for(proxy.port(), case.slice, cores.load);
    let nanos = proxy.time().saturating_sub(before);
    let rejected = if case.rejects { counted.requests } else { 0 };
    let name = &case.name;
    assert!(counted.requests > 0, "{name}: nothing was answered");
    assert_eq!(
        counted.rejected, rejected,
        "{name}: other answers than expected"
    );
    nanos as f64 / 1e3 / counted.requests as f64
}

/// For each module: milliseconds until Envoy is ready, those on a core, and its memory then.
fn starts(modules: &[PathBuf], config: &dyn Fn(&PathBuf) -> EnvoyConfig) -> [Vec<Vec<f64>>; 3] {
    let mut all = [(); 3].map(|()| vec![Vec::new(); modules.len()]);
    for start in 0..=STARTS {
        for (place, module) in modules.iter().enumerate() {
            let begin = Instant::now();
            let proxy = Subject::envoy(config(module), 1, None);
            let figures = [
                begin.elapsed().as_secs_f64() * 1e3,
                proxy.time() as f64 / 1e6,
                proxy.memory() as f64 / 1e6,
            ];
            for (all, figure) in all.iter_mut().zip(figures) {
                if start > 0 {
                    all[place].push(figure);
                }
            }
        }
    }
    all
}

/// The policy of the other benchmarks, public keys, and room for every failure.
fn policy(policy: &mut Value) {
    credentials::edit_policy(policy);
    let most = 1_000_000;
    policy["signature_limit"] = json!({
        "per_second": most, "burst": most, "per_second_48": most, "per_second_worker": most
    });
    for (name, _, key) in PUBLIC_KEYS {
        policy["secrets"][name] = json!([{ "id": "K1", "public_key": key }]);
        policy["providers"][name] = json!({
            "type": "signed_url", "format": "cloudfront", "secrets": name, "hash": "sha256", "max_lifetime": "7d"
        });
        let rules = policy["rules"].as_array_mut().expect("a list");
        let rule =
            json!({ "name": name, "match": { "path": format!("/{name}/**") }, "require": name });
        rules.insert(0, rule);
    }
}

fn cases(service: &Service) -> Vec<Case> {
    let of = |name: &str, rejects, requests| Case {
        name: name.to_owned(),
        rejects,
        requests,
        slice: SLICE,
    };
    let get = |targets: &[String]| targets.iter().map(Request::get).collect();
    let bearer =
        |key: &String| Request::with("/api/hello", "authorization", format!("Bearer {key}"));
    let native = credentials::links("native-link", "/native");
    let keys = credentials::app_keys(service);
    let forged = |link: &String| link.replacen("/a-film/", "/no-film/", 1);
    let wrong: Vec<String> = native.iter().map(forged).collect();
    let mut cases = vec![
        of("signed_url_keygate", false, get(&native)),
        of("signed_url_keygate_repeated", false, get(&native[..1])),
        of(
            "signed_url_cloudflare",
            false,
            get(&credentials::links("media-link", "/media")),
        ),
        of("app_key_warm", false, keys.iter().map(bearer).collect()),
        of("rejected", true, vec![Request::get("/api/hello")]),
        of("forged_link", true, get(&wrong)),
    ];
    let later = now_secs() + 3600;
    let rsa = |expires: u64, key: &str| {
        let link = |number| {
            canned(
                "rsa4096",
                number,
                &random_signature(number, 512),
                expires,
                key,
            )
        };
        (0..REQUESTS).map(link).collect::<Vec<_>>()
    };
    cases.push(of(
        "expired_public_key_link",
        true,
        rsa(1_000_000_000, "K1"),
    ));
    cases.push(of("unknown_key_id", true, rsa(later, "K2")));
    for (name, length, _) in PUBLIC_KEYS {
        let forged = (0..REQUESTS).map(|number| {
            let signature = random_signature(number, length);
            let signature = if name == "p256" {
                in_der(&signature)
            } else {
                signature
            };
            canned(name, number, &signature, later, "K1")
        });
        cases.push(Case {
            slice: LONG_SLICE,
            ..of(name, true, forged.collect())
        });
    }
    cases
}

/// Two numbers whose first byte is below 0x80 and not zero, as ECDSA's signatures are written.
fn in_der(numbers: &[u8]) -> Vec<u8> {
    let (r, s) = numbers.split_at(32);
    let mut s = s.to_vec();
    s[0] = 1;
    [&[0x30, 0x44, 2, 32], r, &[2, 32], &s].concat()
}
