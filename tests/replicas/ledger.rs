//! Clients that change keys, an edge that follows, and what must be true of both in the end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use keygate_tests::wait;
use serde_json::{Value, json};

use crate::edge::{self, News};
use crate::fleet::{BOUND, Fleet, call, new_key};

const WRITERS: usize = 8;

/// Between a call that failed and the next one. Without it, a minute of them takes every port that
/// this machine has for connections.
pub const PAUSE: Duration = Duration::from_millis(20);

/// What the writers were told of a key.
struct Told {
    /// When its creation was asked for, and acknowledged.
    created: (Instant, Instant),
    /// How many changes were acknowledged.
    acknowledged: usize,
    /// How many may have been made or not: no answer came, or one of 5xx.
    unclear: usize,
}

/// Ends a loop when it is dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

type Ledger = Mutex<HashMap<String, Told>>;

/// Lets eight clients change keys while `disturb` runs, and an edge follow that asks another service
/// each time.
///
/// # Panics
/// When the edge was not told of every acknowledged change once and in order.
pub fn nothing_is_lost(fleet: &Fleet, disturb: impl FnOnce() + Send) {
    let start = edge::place(fleet.any());
    let ledger = Ledger::default();
    let [is_writing, is_following] = [(); 2].map(|()| AtomicBool::new(true));
    let hashes = thread::scope(|scope| {
        // Also when something panics, or the scope would wait for them without end.
        let _end = [&is_writing, &is_following].map(End);
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (ledger, is_writing) = (&ledger, &is_writing);
                scope.spawn(move || write(fleet, number, ledger, is_writing))
            })
            .collect();
        let follower = scope.spawn(|| follow(fleet, start.clone(), &is_following));
        scope.spawn(disturb).join().unwrap();
        // A while without trouble: all that was unclear has become clear.
        let before = acknowledged(&ledger.lock().unwrap());
        wait::until("changes after the trouble", Duration::from_secs(20), || {
            (acknowledged(&ledger.lock().unwrap()) > before + 50).then_some(())
        });
        is_writing.store(false, Ordering::Relaxed);
        writers.into_iter().for_each(|it| it.join().unwrap());
        is_following.store(false, Ordering::Relaxed);
        follower.join().unwrap()
    });
    let ledger = ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
    compare(fleet, &ledger, &hashes);
}

/// Creates keys, changes and revokes them, each at another service.
fn write(fleet: &Fleet, number: usize, ledger: &Ledger, goes_on: &AtomicBool) {
    let mut own: Vec<String> = Vec::new();
    let mut turn = 0_u32;
    while goes_on.load(Ordering::Relaxed) {
        turn += 1;
        let asked = Instant::now();
        if own.len() < 5 || turn.is_multiple_of(3) {
            let account = format!("writer-{number}");
            let answer = call(fleet.any(), "POST", "/v1/keys", &new_key(&account));
            if let Some(answer) = answer.ok().filter(|it| it.status == 201) {
                let id = answer.json()["id"].as_str().unwrap().to_owned();
                let told = Told {
                    created: (asked, Instant::now()),
                    acknowledged: 1,
                    unclear: 0,
                };
                ledger.lock().unwrap().insert(id.clone(), told);
                own.push(id);
            } else {
                thread::sleep(PAUSE);
            }
            continue;
        }
        let at = fastrand::usize(0..own.len());
        let id = own[at].clone();
        let revokes = turn.is_multiple_of(5);
        let answer = if revokes {
            own.swap_remove(at);
            call(
                fleet.any(),
                "POST",
                &format!("/v1/keys/{id}/revoke"),
                &json!({}),
            )
        } else {
            let body = json!({ "metadata": { "turn": turn } });
            call(fleet.any(), "PATCH", &format!("/v1/keys/{id}"), &body)
        };
        let mut ledger = ledger.lock().unwrap();
        let told = ledger.get_mut(&id).unwrap();
        match answer {
            Ok(answer) if answer.status < 300 => told.acknowledged += 1,
            Ok(answer) if answer.status < 500 => panic!("{}", answer.text()),
            _ => {
                told.unclear += 1;
                drop(ledger);
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Reads the feed until no more is written, and returns the hashes in their order.
fn follow(fleet: &Fleet, mut place: edge::Place, goes_on: &AtomicBool) -> Vec<String> {
    let mut all = Vec::new();
    let mut is_last = false;
    let mut over: Option<Instant> = None;
    while !is_last {
        let was_over = !goes_on.load(Ordering::Relaxed);
        if was_over {
            let since = over.get_or_insert_with(Instant::now).elapsed();
            assert!(since < BOUND + BOUND, "the edge has not caught up");
        }
        let wait = Duration::from_millis(fastrand::u64(0..300));
        let Ok(news) = edge::poll(fleet.any(), Some(&place), wait) else {
            thread::sleep(PAUSE);
            continue;
        };
        let News {
            place: next,
            is_reset,
            hashes,
        } = news;
        assert!(!is_reset, "the edge forgets all at {}", place.epoch);
        let step = u64::try_from(hashes.len()).unwrap();
        assert_eq!(
            next.epoch,
            place.epoch + step,
            "a gap after {}",
            place.epoch
        );
        // A service may not have read the newest yet: the database says whether this is all.
        is_last = was_over && hashes.is_empty() && next.epoch == fleet.epoch();
        all.extend(hashes);
        place = next;
    }
    all
}

fn compare(fleet: &Fleet, ledger: &HashMap<String, Told>, hashes: &[String]) {
    let mut distinct: Vec<String> = hashes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let records = edge::lookup(fleet.any(), &distinct);
    let text = |record: &Value, field: &str| record[field].as_str().unwrap().to_owned();
    let ids: HashMap<String, String> = records
        .iter()
        .map(|record| (text(record, "hash"), text(record, "id")))
        .collect();
    assert_eq!(
        ids.len(),
        distinct.len(),
        "the feed names keys that are not there"
    );
    let mut times: HashMap<&str, usize> = HashMap::new();
    let mut latest_asked: Option<Instant> = None;
    for hash in hashes {
        let id = ids[hash].as_str();
        let count = times.entry(id).or_default();
        *count += 1;
        if *count == 1
            && let Some(told) = ledger.get(id)
        {
            let (asked, acknowledged) = told.created;
            assert!(
                latest_asked.is_none_or(|it| it <= acknowledged),
                "a key comes after one that was asked for after its creation was acknowledged"
            );
            latest_asked = latest_asked.max(Some(asked));
        }
    }
    for (id, told) in ledger {
        let found = times.get(id.as_str()).copied().unwrap_or(0);
        let allowed = told.acknowledged..=told.acknowledged + told.unclear;
        assert!(
            allowed.contains(&found),
            "{id}: {found} entries, and {allowed:?} are right"
        );
    }
    let count = acknowledged(ledger);
    let all = hashes.len();
    eprintln!("{count} acknowledged changes, {all} in the feed");
}

fn acknowledged(ledger: &HashMap<String, Told>) -> usize {
    ledger.values().map(|it| it.acknowledged).sum()
}
