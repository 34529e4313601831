//! One worker beside two, each with a cache of its own: what a request costs the proxy, and how
//! often the key service is asked for a key.

use std::fmt::Write as _;

use keygate_tests::envoy::{Envoy, EnvoyConfig};
use keygate_tests::service::Service;
use serde_json::{Value, json};

use super::{callouts, keygate, process, script, start};
use crate::cpu::{self, Cores};
use crate::load::Script;
use crate::report::{figure, ratio, shown};
use crate::scale::metric;
use crate::{credentials, subject};

/// Workers of the Envoys.
const WORKERS: [u32; 2] = [1, 2];

/// Measures in so many rounds of so many seconds for each Envoy; one round before them warms
/// up, and does not count. The key service is not bound to a core.
///
/// # Panics
/// When a key is rejected.
pub fn run(cores: Cores, rounds: usize, seconds: u64) -> Value {
    let service = Service::start();
    let keys = credentials::app_keys(&service);
    let script = script(&keys);
    let mut proxies: Vec<Proxy> = WORKERS
        .into_iter()
        .flat_map(|it| {
            [subject::with_filters(&[]), keygate(&service)]
                .map(|config| Proxy::start(config, it, cores))
        })
        .collect();
    let mut order: Vec<usize> = (0..proxies.len()).collect();
    let mut random = fastrand::Rng::with_seed(5);
    for round in 0..=rounds {
        eprintln!("bench: one worker and two, round {round} of {rounds}");
        random.shuffle(&mut order);
        for &place in &order {
            proxies[place].round(&script, &service, seconds, cores.load, round > 0);
        }
    }
    let of = |[plain, keygate]: &[Proxy; 2]| {
        let per_key = |count: u64| count as f64 / keys.len() as f64;
        json!({
            "workers": keygate.workers,
            "plain_cpu_us": figure(&plain.cpu),
            "keygate_cpu_us": figure(&keygate.cpu),
            "cpu_ratio": ratio(&keygate.cpu, &plain.cpu),
            "plain_requests_per_second": figure(&plain.per_second),
            "keygate_requests_per_second": figure(&keygate.per_second),
            "questions_per_key": per_key(keygate.questions),
            "callouts_per_key": per_key(callouts(&keygate.envoy))
        })
    };
    let (pairs, _) = proxies.as_chunks();
    let rows: Vec<Value> = pairs.iter().map(of).collect();
    json!({ "rounds": rounds, "keys": keys.len(), "envoys": rows })
}

struct Proxy {
    envoy: Envoy,
    workers: u32,
    /// Microseconds on a core for each request, round by round.
    cpu: Vec<f64>,
    /// Round by round.
    per_second: Vec<f64>,
    /// Keys that the service was asked for, in all rounds.
    questions: u64,
}

impl Proxy {
    fn start(config: EnvoyConfig, workers: u32, cores: Cores) -> Self {
        Self {
            envoy: start(config, workers, cores),
            workers,
            cpu: Vec::new(),
            per_second: Vec::new(),
            questions: 0,
        }
    }

    /// One second under load or more. No other proxy is under load meanwhile, so that all keys
    /// that the service is asked for are this one's.
    fn round(
        &mut self,
        script: &Script,
        service: &Service,
        seconds: u64,
        core: usize,
        counts: bool,
    ) {
        let process = process(&self.envoy);
        let (asked, spent) = (hashes(service), cpu::time(process));
        let counted = script.run(self.envoy.port(), seconds, core);
        let spent = cpu::time(process) - spent;
        self.questions += hashes(service) - asked;
        assert_eq!(counted.rejected, 0, "a known key was rejected");
        assert!(counted.requests > 0, "nothing was answered");
        if counts {
            let requests = counted.requests as f64;
            self.cpu.push(spent as f64 / 1e3 / requests);
            let duration = counted.duration.as_secs_f64();
            self.per_second.push(requests / duration);
        }
    }
}

/// Keys that the service was asked for so far.
fn hashes(service: &Service) -> u64 {
    metric(
        service,
        "keygate_service_lookup_hashes_total{result=\"found\"}",
    )
    .unwrap_or(0)
}

/// For a reader, in Markdown.
pub fn table(json: &Value) -> String {
    let mut out = format!(
        "One worker and two, {} cached API keys in turn; median and quartiles of {} \
         rounds:\n\n\
         | workers | CPU per request: plain Envoy | Keygate | relative to plain Envoy | requests/s: \
         plain Envoy | Keygate | lookups per key, whole run | callouts per key, whole run |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        json["keys"], json["rounds"],
    );
    for it in json["envoys"].as_array().into_iter().flatten() {
        let shown = |name: &str| shown(it, &format!("/{name}"), 1.0);
        let number = |name: &str| it[name].as_f64().unwrap_or(f64::NAN);
        let _ = writeln!(
            out,
            "| {} | {} µs | {} µs | {} | {} | {} | {:.2} | {:.2} |",
            it["workers"],
            shown("plain_cpu_us"),
            shown("keygate_cpu_us"),
            shown("cpu_ratio"),
            shown("plain_requests_per_second"),
            shown("keygate_requests_per_second"),
            number("questions_per_key"),
            number("callouts_per_key"),
        );
    }
    out
}
