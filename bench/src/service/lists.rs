//! Lookups beside lists that find nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use keygate_tests::client::Connection;
use keygate_tests::service::{ADMIN_TOKEN, Service};

use super::lookups::requests;
use super::{Bound, Row, SLICE};
use crate::statistics::quantile;

/// Clients that list.
const LISTERS: usize = 8;

/// What no key has, each with another way through the rows.
const FILTERS: [&str; 4] = [
    "status=revoked",
    "status=expired",
    "space=default&status=revoked",
    "secret_id=99",
];

/// Lookups of one side in one round.
const LOOKUPS: usize = 1000;

/// Measures both.
pub(super) fn measure(service: &Service, rounds: usize) -> rusqlite::Result<[Row; 2]> {
    let requests = requests(service, LOOKUPS)?;
    let lookups = || {
        let mut connection = Connection::open(service.port());
        let times = requests.iter().map(|lookup| {
            let start = Instant::now();
            connection.send(lookup);
            assert_eq!(connection.receive().status, 200);
            start.elapsed().as_secs_f64() * 1000.0
        });
        quantile(&times.collect::<Vec<_>>(), 0.99)
    };
    let (mut ratios, mut pages) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        eprintln!("bench: lists, round {round} of {rounds}");
        let quiet = lookups();
        let stop = AtomicBool::new(false);
        let times = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for filter in FILTERS.into_iter().cycle().take(LISTERS) {
                let (stop, times) = (&stop, &times);
                scope.spawn(move || list_until(service, filter, stop, times));
            }
            thread::sleep(SLICE / 4);
            let beside = lookups();
            eprintln!("bench: p99 of a lookup {quiet:.3} ms, beside lists {beside:.3} ms");
            ratios.push(beside / quiet);
            stop.store(true, Ordering::Relaxed);
        });
        pages.push(quantile(&times.into_inner().expect("no panic"), 0.5));
    }
    Ok([
        Row {
            name: "lookups",
            what: "p99 of a lookup beside eight clients that list, relative to a quiet service",
            values: ratios,
            bound: Bound::AtMost(3.0),
        },
        Row {
            name: "pages",
            what: "time in ms of a page that finds nothing, beside seven others",
            values: pages,
            bound: Bound::AtMost(50.0),
        },
    ])
}

/// Follows the pages of a list again and again, and notes the time in ms of each.
fn list_until(service: &Service, filter: &str, stop: &AtomicBool, times: &Mutex<Vec<f64>>) {
    let mut cursor = None;
    while !stop.load(Ordering::Relaxed) {
        let next = cursor.map(|it| format!("&cursor={it}")).unwrap_or_default();
        let path = format!("/v1/keys?{filter}&limit=100{next}");
        let start = Instant::now();
        let page = service.request("GET", &path, ADMIN_TOKEN, None);
        let time = start.elapsed().as_secs_f64() * 1000.0;
        assert_eq!(page.status, 200);
        times.lock().expect("no panic").push(time);
        cursor = page.json()["next_cursor"].as_str().map(str::to_owned);
    }
}
