//! A real Envoy: how often it polls and with how many bytes while keys are revoked, what its
//! workers take with nothing and with many keys in their caches, and how many connections.

use std::collections::BTreeMap;
use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use keygate_tests::client::{self, Connection};
use keygate_tests::envoy::Envoy;
use keygate_tests::service::Service;
use keygate_tests::wait;
use serde_json::{Value, json};

use super::CACHED;
use super::fleet::metric;
use super::service::{Rows, revocation};
use crate::cpu;
use crate::report::figure;
use crate::{credentials, subject};

/// Workers of an Envoy.
pub const WORKERS: u32 = 16;

/// Revocations per second.
const RATES: [u32; 4] = [0, 1, 20, 100];

/// How long each of them lasts in a round, and how long before it is counted.
const WINDOW: Duration = Duration::from_secs(10);
const SETTLING: Duration = Duration::from_secs(3);

/// How often an Envoy is started to see its memory.
const STARTS: usize = 3;

/// Connections at a time that bring keys.
const CLIENTS: usize = 32;

/// Connections enough that every worker has some.
const TO_ALL: usize = 512;

/// Measures. `texts` are keys that the service knows, `size` of them in all.
pub fn run(
    service: &Service,
    size: u32,
    texts: &[String],
    rounds: usize,
) -> Result<Value, Box<dyn Error>> {
    let mut memory: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..STARTS {
        let caches = fill_cache(service, texts);
        let workers = start(service, WORKERS);
        let empty = rss(&workers);
        let further = (empty - caches["empty_rss"]) / f64::from(WORKERS - 1);
        let connections = all_connections(&workers, texts);
        let of_workers = [
            ("bytes_per_further_worker", further),
            ("rss_of_16_workers", empty),
            ("connections", connections),
        ];
        for (name, value) in caches.into_iter().chain(of_workers) {
            memory.entry(name).or_default().push(value);
        }
    }
    let memory: serde_json::Map<_, _> = memory
        .into_iter()
        .map(|(name, values)| (name.to_owned(), figure(&values)))
        .collect();
    let envoy = start(service, WORKERS);
    let mut rows = Rows::open(service, size)?;
    let mut of_rates: Vec<Vec<Seen>> = RATES.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (rate, seen) in RATES.iter().zip(&mut of_rates) {
            seen.push(window(&envoy, service, &mut rows, *rate)?);
        }
    }
    let polls = RATES.iter().zip(&of_rates).map(|(rate, seen)| {
        let of = |value: fn(&Seen) -> f64| figure(&seen.iter().map(value).collect::<Vec<_>>());
        json!({
            "revocations_per_second": rate,
            "polls_per_second": of(|it| it.polls),
            "bytes_asked_per_poll": of(|it| it.sent / it.polls),
            "bytes_answered_per_poll": of(|it| it.received / it.polls),
            "bytes_per_second": of(|it| it.sent + it.received),
            "envoy_cpu_ms_per_second": of(|it| it.envoy),
            "service_cpu_ms_per_second": of(|it| it.service)
        })
    });
    Ok(json!({ "workers": WORKERS, "polls": polls.collect::<Vec<_>>(), "memory": memory }))
}

/// What one second of a window had.
struct Seen {
    polls: f64,
    sent: f64,
    received: f64,
    envoy: f64,
    service: f64,
}

fn window(envoy: &Envoy, service: &Service, rows: &mut Rows, rate: u32) -> rusqlite::Result<Seen> {
    revoke(service, rows, rate, SETTLING)?;
    let counted = || {
        let route =
            "keygate_service_requests_total{route=\"/v1/changes\",method=\"GET\",status=\"2xx\"}";
        let polls = metric(service, route).unwrap_or(0);
        [
            polls,
            stat(envoy, "upstream_cx_tx_bytes_total"),
            stat(envoy, "upstream_cx_rx_bytes_total"),
            cpu::time(process(envoy)),
            cpu::time(service.id()),
        ]
    };
    let before = counted();
    let start = Instant::now();
    revoke(service, rows, rate, WINDOW)?;
    let took = start.elapsed().as_secs_f64();
    let after = counted();
    let [polls, sent, received, envoy, service] =
        std::array::from_fn(|at| (after[at] - before[at]) as f64 / took);
    Ok(Seen {
        polls,
        sent,
        received,
        envoy: envoy / 1e6,
        service: service / 1e6,
    })
}

/// Revokes so many keys a second, for so long.
fn revoke(service: &Service, rows: &mut Rows, rate: u32, span: Duration) -> rusqlite::Result<()> {
    let keys = rows.pick((f64::from(rate) * span.as_secs_f64()) as usize)?;
    let mut admin = Connection::open(service.port());
    let start = Instant::now();
    for (number, (id, _)) in keys.iter().enumerate() {
        let due = Duration::from_secs_f64(number as f64 / f64::from(rate));
        sleep(due.saturating_sub(start.elapsed()));
        let answer = admin.exchange(&revocation(service, id));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    sleep(span.saturating_sub(start.elapsed()));
    Ok(())
}

/// Fills the cache of one worker, each key once.
fn fill_cache(service: &Service, texts: &[String]) -> BTreeMap<&'static str, f64> {
    let envoy = start(service, 1);
    let (empty_rss, empty) = (rss(&envoy), gauge(&envoy));
    let asked = || {
        [
            "upstream_rq_total",
            "upstream_cx_tx_bytes_total",
            "upstream_cx_rx_bytes_total",
        ]
        .map(|it| stat(&envoy, it))
    };
    let (before, spent) = (asked(), cpu::time(service.id()));
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| Connection::open(envoy.port()))
        .collect();
    for some in texts.chunks(CLIENTS) {
        for (client, key) in clients.iter_mut().zip(some) {
            client.send(with_key(&envoy, key).bytes());
        }
        for (client, _) in clients.iter_mut().zip(some) {
            assert_eq!(client.receive().status, 200, "a known key was rejected");
        }
    }
    let spent = cpu::time(service.id()) - spent;
    let after = asked();
    let [calls, sent, received] = std::array::from_fn(|at| (after[at] - before[at]) as f64);
    let count = f64::from(CACHED);
    BTreeMap::from([
        ("empty_rss", empty_rss),
        ("empty_vm", empty),
        ("full_vm", gauge(&envoy)),
        ("vm_bytes_per_key", (gauge(&envoy) - empty) / count),
        ("rss_bytes_per_key", (rss(&envoy) - empty_rss) / count),
        ("keys_per_lookup", count / calls),
        ("bytes_asked_per_key", sent / count),
        ("bytes_answered_per_key", received / count),
        ("service_cpu_us_per_key", spent as f64 / 1e3 / count),
    ])
}

fn with_key(envoy: &Envoy, key: &str) -> client::Request {
    client::get(envoy.port(), "/api/hello").header("authorization", format!("Bearer {key}"))
}

/// Connections to the service when every worker has asked for keys.
fn all_connections(envoy: &Envoy, texts: &[String]) -> f64 {
    let clients: Vec<_> = (0..TO_ALL)
        .map(|_| Connection::open(envoy.port()))
        .collect();
    for (mut client, key) in clients.into_iter().zip(texts) {
        let answer = client.exchange(&with_key(envoy, key));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    stat(envoy, "upstream_cx_active") as f64
}

fn start(service: &Service, workers: u32) -> Envoy {
    let patient = |policy: &mut Value| {
        credentials::edit_policy(policy);
        // All of it may share one core, where an answer takes as long as it takes.
        policy["key_service"]["timeout"] = json!("5s");
    };
    let config = subject::keygate(patient, service.port()).concurrency(workers);
    let envoy = Envoy::start(subject::with_secrets(config));
    let begun = || envoy.stat("wasmcustom.keygate_feed.begun").unwrap_or(0);
    wait::until("every worker to follow the feed", wait::STARTUP, || {
        // Envoy's main thread follows it, too.
        (begun() > u64::from(workers)).then_some(())
    });
    envoy
}

fn process(envoy: &Envoy) -> u32 {
    envoy.id().expect("an Envoy in a container is not measured")
}

fn rss(envoy: &Envoy) -> f64 {
    cpu::memory(process(envoy)) as f64
}

/// Memory of the virtual machine, as of its next tick.
fn gauge(envoy: &Envoy) -> f64 {
    sleep(Duration::from_secs(1));
    let bytes = envoy.stat("wasmcustom.keygate_memory.bytes");
    bytes.expect("the filter says so") as f64
}

/// Of lookups and polls together.
fn stat(envoy: &Envoy, name: &str) -> u64 {
    let of = |cluster| envoy.stat(&format!("cluster.{cluster}.{name}"));
    let both = ["keygate_keys", "keygate_polls"].map(|it| of(it).unwrap_or(0));
    both.iter().sum()
}
