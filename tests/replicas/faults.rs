//! Services that are killed and a database that fails: no call hangs, and an edge learns of every
//! change that was acknowledged, once and in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keygate_tests::service::{ADMIN_TOKEN, Service};
use keygate_tests::wait;

use crate::edge;
use crate::fleet::{BOUND, Fleet, call, new_key};
use crate::ledger::{PAUSE, nothing_is_lost};
use crate::seconds;

#[test]
fn nothing_is_lost_while_services_are_killed_and_connections_end() {
    let fleet = Fleet::start();
    nothing_is_lost(&fleet, || {
        let start = Instant::now();
        let mut lost = 0;
        for turn in 0.. {
            if start.elapsed() > seconds(8, 60) && lost > 0 {
                break;
            }
            assert!(start.elapsed() < seconds(30, 120), "no answer was lost");
            let service = &fleet.services[turn % 2];
            service.kill9();
            thread::sleep(Duration::from_millis(fastrand::u64(100..500)));
            service.restart();
            for _ in 0..3 {
                thread::sleep(Duration::from_millis(fastrand::u64(200..900)));
                if fastrand::bool() {
                    fleet.server().cut(&fleet.database);
                } else {
                    let relay = &fleet.relays[fastrand::usize(0..2)];
                    relay.lose_answer_to(b"COMMIT");
                    let is_lost = || relay.has_lost();
                    lost += usize::from(wait::whether(Duration::from_secs(1), is_lost));
                }
            }
        }
    });
}

#[test]
fn nothing_is_lost_while_the_database_crashes_and_stays_away() {
    let fleet = Fleet::start();
    nothing_is_lost(&fleet, || {
        for _ in 0..2 {
            thread::sleep(seconds(1, 5));
            fleet.server().crash();
            let away = Instant::now();
            while away.elapsed() < seconds(3, 30) {
                let answer = call(fleet.any(), "POST", "/v1/keys", &new_key("alice"));
                let answer = answer.expect("a service that answers");
                assert_eq!(answer.status, 503, "{}", answer.text());
                assert!(answer.header("retry-after").is_some());
                thread::sleep(PAUSE);
            }
            fleet.server().go_on();
        }
    });
}

#[test]
fn nothing_is_lost_while_the_database_is_slow() {
    let fleet = Fleet::start();
    nothing_is_lost(&fleet, || {
        for delay in [50, 400, 3000, 0] {
            for relay in &fleet.relays {
                relay.delay(Duration::from_millis(delay));
            }
            thread::sleep(seconds(2, 15));
        }
    });
}

#[test]
fn nothing_is_lost_while_a_relay_is_silent() {
    let fleet = Fleet::start();
    nothing_is_lost(&fleet, || {
        for relay in &fleet.relays {
            thread::sleep(Duration::from_millis(500));
            relay.cut();
            thread::sleep(seconds(4, 30));
            relay.heal();
        }
    });
}

/// Another program that locks what every change needs, as a dump or a migration may.
#[test]
fn nothing_is_lost_while_another_program_locks_the_feed() {
    let fleet = Fleet::start();
    nothing_is_lost(&fleet, || {
        for mode in ["SHARE", "ACCESS EXCLUSIVE"] {
            thread::sleep(seconds(1, 5));
            let statement = format!(
                "BEGIN; LOCK TABLE keygate.changes IN {mode} MODE; SELECT pg_sleep(4); COMMIT"
            );
            // Not by way of `server`, which others ask meanwhile.
            let mut other = fleet
                .server()
                .in_the_background(&fleet.database, &statement);
            assert!(other.wait().unwrap().success());
        }
    });
}

/// A list that finds nothing reads many rows.
#[test]
fn lists_do_not_keep_lookups_waiting() {
    let fleet = Fleet::start();
    let key = |number| {
        let key = format!("legacy:alice:{number:016}");
        serde_json::json!({ "key": key, "account": "alice", "scopes": ["a:read"] })
    };
    fleet.services[0].import(&(0..3000).map(key).collect::<Vec<_>>());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    // 503 is right where too many wait.
                    let path = "/v1/keys?status=revoked&prefix=zzz";
                    let _ = fleet.services[0].try_request("GET", path, ADMIN_TOKEN, None, BOUND);
                }
            });
        }
        for at in 0..50 {
            let hash = format!("{at:042}A");
            let found = edge::lookup(&fleet.services[0], &[hash]);
            assert!(found.is_empty());
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// What the server says of a full disk and of a conflict, raised where a key is written.
#[test]
fn a_full_database_is_named_and_a_conflict_is_tried_again() {
    let fleet = Fleet::start();
    let ask = |statement: &str| fleet.server().query(&fleet.database, statement);
    let create = || call(fleet.any(), "POST", "/v1/keys", &new_key("alice")).unwrap();
    let fail = |body: &str| {
        let _ = ask(&format!(
            "CREATE OR REPLACE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN {body} RETURN NEW; END $$"
        ));
    };
    let epoch = fleet.epoch();
    fail("RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100';");
    let _ = ask(
        "CREATE TRIGGER fail BEFORE INSERT ON keygate.keys FOR EACH ROW \
         EXECUTE FUNCTION public.fail()",
    );
    let answer = create();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    let is_named = |it: &Service| it.log().contains("the database is full: no space left");
    assert!(fleet.services.iter().any(is_named));
    assert_eq!(fleet.epoch(), epoch);

    // A sequence counts also what was rolled back.
    let _ = ask("CREATE SEQUENCE public.tries");
    let _ = ask("GRANT ALL ON SEQUENCE public.tries TO PUBLIC");
    fail(
        "IF nextval('public.tries') = 1 THEN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END IF;",
    );
    let answer = create();
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(ask("SELECT last_value FROM public.tries"), "2");
    assert_eq!(fleet.epoch(), epoch + 1);
}
