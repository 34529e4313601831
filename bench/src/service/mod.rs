//! How the key service bears load: what many writers gain from each other, what they do to a
//! revocation, what lists do to lookups, and what a lookup costs. Both sides of a ratio alternate in one run, on a disk
//! that is 5 ms slow, so that a figure is of the service and not of the disk.

mod copy;
mod lists;
mod lookups;
pub(crate) mod replicas;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keygate_tests::client::{self, Connection};
use keygate_tests::service::{ADMIN_TOKEN, Options, Service};
use serde_json::{Value, json};

use crate::statistics::{Figure, quantile};
use crate::{load, scale};

/// Clients that create keys at once.
pub(crate) const CREATORS: usize = 64;

/// So many that most of them are rejected.
const CROWD: usize = 2000;

/// Keys in the database while lists and lookups are measured: in a whole run, and in a short one.
const KEYS: [u32; 2] = [1_000_000, 100_000];

/// Of each side, in one round.
const SLICE: Duration = Duration::from_secs(2);

/// How long a rejected creator has to wait. It then waits for up to as long again, as clients do that
/// must not come back together with all others.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Revocations of one side in one round.
const REVOCATIONS: usize = 100;

/// A ratio or a time, and what it may be.
struct Row {
    name: &'static str,
    what: &'static str,
    values: Vec<f64>,
    bound: Bound,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// Measures all of it.
///
/// # Errors
/// The database cannot be filled, or the slow disk cannot be compiled.
pub fn run(
    target: &Path,
    rounds: usize,
    is_whole: bool,
) -> Result<Value, Box<dyn std::error::Error>> {
    load::allow_many_files()?;
    let slow = slow_sync(target)?;
    let service = Service::start_with(Options {
        variables: vec![("LD_PRELOAD".to_owned(), slow.display().to_string())],
        ..Options::default()
    });
    let mut rows = Vec::new();
    rows.extend(writers(&service, rounds));
    rows.extend(crowd(&service, rounds));
    service.stop();
    let keys = KEYS[usize::from(!is_whole)];
    scale::fill(&service, keys)?;
    service.restart();
    rows.extend(lists::measure(&service, rounds)?);
    rows.extend(lookups::measure(&service, rounds)?);
    drop(service);
    rows.extend(replicas::measure(&slow, keys, rounds));
    rows.extend(copy::measure()?);
    let rows = rows.into_iter().map(|row| {
        let figure = Figure::of(&row.values);
        let (kind, bound) = match row.bound {
            Bound::AtLeast(bound) => ("at least", bound),
            Bound::AtMost(bound) => ("at most", bound),
        };
        json!({
            "name": row.name, "what": row.what, "median": figure.middle,
            "quartiles": figure.spread, "kind": kind, "bound": bound,
            "is_met": match row.bound {
                Bound::AtLeast(bound) => figure.middle >= bound,
                Bound::AtMost(bound) => figure.middle <= bound,
            },
        })
    });
    Ok(json!({ "keys": keys, "rows": rows.collect::<Vec<_>>() }))
}

/// Many who create keys beside one.
fn writers(service: &Service, rounds: usize) -> [Row; 1] {
    let rate = |creators| {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let work = || create_until(service.port(), &stop, |_, _| {});
            let threads: Vec<_> = (0..creators).map(|_| scope.spawn(work)).collect();
            thread::sleep(SLICE);
            stop.store(true, Ordering::Relaxed);
            let counts = threads.into_iter().map(|it| it.join().expect("no panic"));
            counts.sum::<usize>() as f64
        })
    };
    let values = (0..rounds).map(|round| {
        eprintln!("bench: writers, round {round} of {rounds}");
        let one = rate(1);
        rate(CREATORS) / one
    });
    [Row {
        name: "creators",
        what: "keys a second of 64 creators, relative to one",
        values: values.collect(),
        bound: Bound::AtLeast(10.0),
    }]
}

/// Revocations beside more creators than may wait.
fn crowd(service: &Service, rounds: usize) -> [Row; 2] {
    let revocations = || {
        let ids: Vec<String> = (0..REVOCATIONS)
            .map(|_| service.create_key(&json!({ "account": "victim" })).id)
            .collect();
        move || {
            let times = ids.iter().map(|id| {
                let start = Instant::now();
                service.revoke(id);
                start.elapsed().as_secs_f64() * 1000.0
            });
            quantile(&times.collect::<Vec<_>>(), 0.99)
        }
    };
    let (mut ratios, mut rejections) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        eprintln!("bench: revocations, round {round} of {rounds}");
        let (quiet, crowded) = (revocations(), revocations());
        let quiet = quiet();
        let stop = AtomicBool::new(false);
        let rejected = Mutex::new(Vec::new());
        let started = AtomicUsize::new(0);
        let created = AtomicUsize::new(0);
        let before = stored(service);
        thread::scope(|scope| {
            for _ in 0..CROWD {
                let work = || {
                    // They come within a second, and not at one instant.
                    thread::sleep(RETRY_AFTER.mul_f64(fastrand::f64()));
                    started.fetch_add(1, Ordering::Relaxed);
                    let note = |status, time: Duration| {
                        assert_eq!(status, 503, "no other rejection");
                        let time = time.as_secs_f64() * 1000.0;
                        rejected.lock().expect("no panic").push(time);
                        thread::sleep(RETRY_AFTER.mul_f64(1.0 + fastrand::f64()));
                    };
                    let count = create_until(service.port(), &stop, note);
                    created.fetch_add(count, Ordering::Relaxed);
                };
                let thread = thread::Builder::new().stack_size(128 << 10);
                thread.spawn_scoped(scope, work).expect("a thread");
            }
            while started.load(Ordering::Relaxed) < CROWD {
                thread::sleep(Duration::from_millis(10));
            }
            thread::sleep(SLICE);
            let crowded = crowded();
            eprintln!("bench: p99 of a revocation {quiet:.1} ms, crowded {crowded:.1} ms");
            ratios.push(crowded / quiet);
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(
            stored(service) - before,
            created.into_inner(),
            "no rejected key is stored"
        );
        let rejected = rejected.into_inner().expect("no panic");
        assert!(!rejected.is_empty(), "more came than may wait");
        rejections.push(quantile(&rejected, 0.99));
    }
    [
        Row {
            name: "revocations",
            what: "p99 of a revocation under 2,000 creators, relative to a quiet service",
            values: ratios,
            bound: Bound::AtMost(4.0),
        },
        Row {
            name: "overloaded",
            what: "p99 in ms until a creator is rejected",
            values: rejections,
            bound: Bound::AtMost(100.0),
        },
    ]
}

/// Creates keys on one connection, and returns how many. `note` learns of each rejection.
fn create_until(port: u16, stop: &AtomicBool, note: impl Fn(u16, Duration)) -> usize {
    let request = client::post(port, "/v1/keys")
        .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
        .header("content-type", "application/json")
        .body(r#"{"account":"a"}"#)
        .bytes();
    let mut connection = Connection::open(port);
    let mut created = 0;
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        connection.send(&request);
        match connection.receive().status {
            201 => created += 1,
            status => note(status, start.elapsed()),
        }
    }
    created
}

/// How many keys the service has made since its start.
fn stored(service: &Service) -> usize {
    let metrics = client::get(service.port(), "/metrics").send().text();
    let name = "keygate_service_keys_created_total ";
    let line = metrics.lines().find_map(|it| it.strip_prefix(name));
    line.and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// The library that makes the disk slow.
fn slow_sync(target: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let source = keygate_tests::repository().join("bench/src/service/slow_sync.c");
    let library = target.join("slow_sync.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O", "-o"]);
    compiler.arg(&library).arg(source).arg("-ldl");
    match compiler.status()?.success() {
        true => Ok(library),
        false => Err("cc cannot compile bench/src/service/slow_sync.c".into()),
    }
}

/// The rows as a table.
pub fn table(json: &Value) -> String {
    let mut table = format!(
        "{} keys while lists are measured; a sync takes 5 ms more.\n\n\
         | | median (quartiles) | bound |\n| --- | ---: | ---: |\n",
        json["keys"]
    );
    for row in json["rows"].as_array().into_iter().flatten() {
        let number = |value: &Value| format!("{:.2}", value.as_f64().unwrap_or(f64::NAN));
        table += &format!(
            "| {} | {} ({} – {}) | {} {} |\n",
            row["what"].as_str().unwrap_or_default(),
            number(&row["median"]),
            number(&row["quartiles"][0]),
            number(&row["quartiles"][1]),
            row["kind"].as_str().unwrap_or_default(),
            row["bound"],
        );
    }
    table
}

/// The rows that miss their bounds.
pub fn missed(json: &Value) -> Vec<&str> {
    let rows = json["rows"].as_array().into_iter().flatten();
    let missed = rows.filter(|row| row["is_met"] != true);
    missed.filter_map(|row| row["name"].as_str()).collect()
}
