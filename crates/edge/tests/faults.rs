//! How a call to the key service fails: what is counted, and what an operator reads.

use keygate_edge::{Fault, Level, NotSent, Notice};
use serde_json::json;

use crate::worker::{
    CHANGES, GENUINE, LOOKUPS, Worker, changes, key, lookup, policy, start_polled,
};

const MARKED: (&str, &str) = ("x-keygate-service", "1");

/// A cold key, and the answer to the lookup.
fn look_up(worker: &mut Worker, number: u8, headers: &[(&str, &str)], body: &[u8]) -> Option<u16> {
    let request = worker.send(&key(number));
    worker.turn();
    worker.respond(worker.only(LOOKUPS), headers, body);
    worker.status(request)
}

fn kinds(worker: &Worker) -> Vec<Fault> {
    let faults = worker.notices.iter().filter_map(|notice| match notice {
        Notice::Fault { fault, .. } => Some(*fault),
        _ => None,
    });
    faults.collect()
}

#[test]
fn each_way_to_fail_has_a_counter_a_line_and_no_answer() {
    let good = lookup(10, &[&key(1)]).to_string();
    // A good answer, but for its length.
    let huge = format!("{good}{}", " ".repeat(3 * 1024 * 1024));
    let unusable = |status, is_marked| Fault::Unusable { status, is_marked };
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str, Fault);
    let rows: [Row<'_>; 15] = [
        (&[(":status", "503")], "", "unreachable", Fault::Unreachable),
        (&[], "", "unreachable", Fault::Unreachable),
        (&[(":status", "504")], "", "timed_out", Fault::TimedOut),
        (
            &[(":status", "401"), MARKED],
            "",
            "token_refused",
            Fault::TokenRefused(401),
        ),
        (
            &[(":status", "403"), MARKED],
            "",
            "token_refused",
            Fault::TokenRefused(403),
        ),
        // Another server may answer so: it says nothing about the token.
        (&[(":status", "401")], "", "unusable", unusable(401, false)),
        (
            &[(":status", "503"), MARKED],
            &good,
            "unusable",
            unusable(503, true),
        ),
        (
            &[(":status", "404"), MARKED],
            &good,
            "unusable",
            unusable(404, true),
        ),
        (
            &[(":status", "200")],
            &good,
            "unusable",
            unusable(200, false),
        ),
        (
            &[GENUINE[0], ("x-keygate-service", "2")],
            &good,
            "unusable",
            unusable(200, false),
        ),
        (
            &[GENUINE[0], MARKED, MARKED],
            &good,
            "unusable",
            unusable(200, false),
        ),
        (&GENUINE, "", "unusable", unusable(200, true)),
        (&GENUINE, "<html>", "unusable", unusable(200, true)),
        (&GENUINE, "{\"epoch\":10}", "unusable", unusable(200, true)),
        (&GENUINE, &huge, "unusable", unusable(200, true)),
    ];
    for (headers, body, counter, fault) in rows {
        let mut worker = start_polled(&policy());
        let status = look_up(&mut worker, 1, headers, body.as_bytes());
        assert_eq!(status, Some(503), "{headers:?}");
        let counter = format!("keygate_key_service.{counter}");
        assert_eq!(worker.counter(&counter), 1, "{headers:?}");
        assert_eq!(worker.counter("keygate_lookup.unavailable"), 1);
        assert_eq!(kinds(&worker), [fault], "{headers:?}");
    }
}

#[test]
fn a_record_that_could_break_a_header_is_rejected_and_logged() {
    let mut worker = start_polled(&policy());
    let mut strange = lookup(10, &[&key(1)]);
    strange["records"][0]["account"] = json!("a\r\nx-evil: 1");
    let status = look_up(&mut worker, 1, &GENUINE, strange.to_string().as_bytes());
    assert_eq!(status, Some(503));
    assert_eq!(worker.notices, [Notice::UnusableRecord]);
}

#[test]
fn each_fault_is_logged_once_a_minute() {
    let mut worker = start_polled(&policy());
    let away = [(":status", "503")];
    for number in 1..=20 {
        look_up(&mut worker, number, &away, b"");
    }
    assert_eq!(worker.counter("keygate_key_service.unreachable"), 20);
    assert_eq!(kinds(&worker), [Fault::Unreachable]);
    look_up(&mut worker, 21, &[(":status", "504")], b"");
    assert_eq!(kinds(&worker)[1..], [Fault::TimedOut], "another fault");
    worker.tick(60_000);
    look_up(&mut worker, 22, &away, b"");
    assert_eq!(kinds(&worker)[2..], [Fault::Unreachable]);
}

#[test]
fn a_line_says_what_to_do_and_names_the_cluster() {
    let mut policy = policy();
    policy["key_service"]["poll_cluster"] = json!("polls");
    let mut worker = crate::worker::start(&policy);
    worker.refuses = Some(NotSent::NoSuchCluster);
    worker.tick(10);
    let [notice] = &*worker.notices else {
        panic!("{:?}", worker.notices);
    };
    assert_eq!(notice.level(), Level::Warning);
    assert_eq!(
        notice.to_string(),
        "Envoy did not send a call to the key service: it has no cluster polls; add it, or \
         correct the name in key_service"
    );
}

#[test]
fn the_end_of_the_lease_is_logged_by_the_worker_that_polls_and_so_is_its_renewal() {
    let mut policy = policy();
    policy["key_service"]["lease"] = json!("10s");
    let mut worker = start_polled(&policy);
    let mut other = worker.beside(&policy);
    other.tick(10);
    for _ in 0..20 {
        worker.tick(1_000);
        other.tick(0);
        for call in worker.calls(CHANGES) {
            worker.respond(call, &[(":status", "503")], b"");
        }
    }
    let ended = |worker: &Worker| {
        let notices = worker.notices.iter();
        notices.filter(|it| **it == Notice::LeaseEnded).count()
    };
    assert_eq!((ended(&worker), ended(&other)), (1, 0));
    worker.tick(1_000);
    worker.answer_only(CHANGES, &changes(10, &[]));
    worker.tick(10);
    let last = &worker.notices[worker.notices.len() - 2..];
    assert_eq!(last, [Notice::AnswersAgain, Notice::LeaseRenewed]);
    assert_eq!(worker.counter("keygate_lease.renewed"), 1);
}

#[test]
fn paths_that_are_not_normalized_are_logged_once_a_minute() {
    let mut worker = crate::worker::start(&policy());
    for _ in 0..3 {
        let request = worker.request(&[(":method", "GET"), (":path", "/%61pi/x")]);
        assert_eq!(worker.status(request), Some(400));
    }
    assert_eq!(worker.notices, [Notice::NotNormalized]);
    worker.tick(60_000);
    worker.request(&[(":method", "GET"), (":path", "/%61pi/x")]);
    assert_eq!(worker.notices[1..], [Notice::NotNormalized]);
}
