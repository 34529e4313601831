//! An Envoy that has just started and knows no key, and a thousand clients at once: each with a
//! key of its own, and all with the same.

use std::error::Error;
use std::fmt::Write as _;
use std::iter::repeat_n;

use keygate_tests::service::Service;
use keygate_tests::wait;
use serde_json::{Value, json};

use super::{Generator, callouts, keygate, request, start, store};
use crate::cpu::{self, Cores};
use crate::load::{Crowd, Request};
use crate::report::{figure, shown};
use crate::statistics::quantile;

/// Clients, each with a connection; and keys in the database.
const CLIENTS: u32 = 1_000;

/// Workers of the Envoys.
const WORKERS: [u32; 2] = [1, 2];

/// Measures, and gives all of it as JSON. An Envoy is started so often for each case. The
/// key service is not bound to a core.
///
/// # Errors
/// The database cannot be filled.
///
/// # Panics
/// When a client with a key of its own gets anything but its 200, and when any gets no answer.
pub fn run(cores: Cores, starts: usize) -> Result<Value, Box<dyn Error>> {
    let service = Service::start();
    service.stop();
    let keys = store(&service, Generator::new().make(CLIENTS))?;
    service.restart();
    let own: Vec<Request> = keys.iter().map(request).collect();
    let same: Vec<Request> = repeat_n(request(&keys[0]), keys.len()).collect();
    let mut cases = Vec::new();
    for workers in WORKERS {
        for (keys, requests) in [(keys.len(), &own), (1, &same)] {
            eprintln!("bench: cold start, keys: {keys}, workers: {workers}");
            let seen: Vec<Seen> = (0..starts)
                .map(|_| once(&service, workers, requests, cores))
                .collect();
            assert!(
                keys == 1 || seen.iter().all(|it| it.rejected == 0.0),
                "a known key was rejected"
            );
            cases.push(case(workers, keys, &seen));
        }
    }
    Ok(json!({ "clients": CLIENTS, "starts": starts, "cases": cases }))
}

/// What one start has shown.
struct Seen {
    /// Milliseconds until the last request was sent.
    sent: f64,
    /// Milliseconds until half of the clients had their answer, 99 of a hundred, and all.
    answered: [f64; 3],
    /// Lookups at the key service.
    callouts: f64,
    /// Milliseconds that the key service has spent on a core.
    service: f64,
    /// Clients whose answer was not 200.
    rejected: f64,
}

fn once(service: &Service, workers: u32, requests: &[Request], cores: Cores) -> Seen {
    let envoy = start(keygate(service), workers, cores);
    let crowd = Crowd::open(envoy.port(), requests.len());
    wait::until("Envoy to take all connections", wait::STARTUP, || {
        let taken = envoy.stat("http.public.downstream_cx_active")?;
        (taken == requests.len() as u64).then_some(())
    });
    let before = cpu::time(service.id());
    let burst = crowd.ask(requests, cores.load);
    let spent = cpu::time(service.id()) - before;
    let took = burst.answers.iter().map(|(_, it)| it.as_secs_f64() * 1e3);
    let took: Vec<f64> = took.collect();
    let statuses = burst.answers.iter().map(|(status, _)| *status);
    let rejected = statuses.map(|it| it.expect("an answer for each client") != 200);
    Seen {
        sent: burst.sent.as_secs_f64() * 1e3,
        answered: [0.5, 0.99, 1.0].map(|share| quantile(&took, share)),
        callouts: callouts(&envoy) as f64,
        service: spent as f64 / 1e6,
        rejected: rejected.filter(|it| *it).count() as f64,
    }
}

fn case(workers: u32, keys: usize, seen: &[Seen]) -> Value {
    let of = |value: fn(&Seen) -> f64| figure(&seen.iter().map(value).collect::<Vec<_>>());
    json!({
        "workers": workers,
        "keys": keys,
        "sent_ms": of(|it| it.sent),
        "p50_ms": of(|it| it.answered[0]),
        "p99_ms": of(|it| it.answered[1]),
        "last_ms": of(|it| it.answered[2]),
        "callouts": of(|it| it.callouts),
        "service_cpu_ms": of(|it| it.service),
        "rejected": of(|it| it.rejected)
    })
}

/// For a reader, in Markdown.
pub fn table(json: &Value) -> String {
    let mut out = format!(
        "{} clients at once, at an Envoy that has just started and knows no key; median and \
         quartiles of {} starts:\n\n\
         | different keys | workers | all sent | p50 | p99 | last answer | callouts | CPU of the \
         key service | rejected |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        json["clients"], json["starts"],
    );
    for it in json["cases"].as_array().into_iter().flatten() {
        let shown = |name: &str| shown(it, &format!("/{name}"), 1.0);
        let _ = writeln!(
            out,
            "| {} | {} | {} ms | {} ms | {} ms | {} ms | {} | {} ms | {} |",
            it["keys"],
            it["workers"],
            shown("sent_ms"),
            shown("p50_ms"),
            shown("p99_ms"),
            shown("last_ms"),
            shown("callouts"),
            shown("service_cpu_ms"),
            shown("rejected"),
        );
    }
    out
}
