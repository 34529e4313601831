//! What no Envoy does, and where the SDK therefore ends the virtual machine. Each row is a
//! process of its own, which dies in the callback: no verdict comes out of it, and Envoy
//! answers 503 until the machine runs again.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use crate::host::{Fault, Worker};
use crate::{
    GENUINE, answer_lookup, key, lookup_answer, only_call, queries, send, start, start_polled,
};

/// Tells a process which row it is.
const ROW: &str = "KEYGATE_ADAPTER_ENDS";

/// What a process says that has come out of the callback.
const CAME_BACK: &str = "the callback has come back";

const SIGABRT: i32 = 6;

/// A name, what the SDK says, and what the host does.
type Row = (&'static str, &'static str, fn());

const ROWS: [Row; 10] = [
    ("no clock", "unexpected status: 10", || {
        let worker = start();
        worker.fail(Fault::Clock);
        send(&worker, "/healthz", None);
    }),
    ("headers cannot be changed", "unexpected status: 2", || {
        let worker = start();
        worker.fail(Fault::WriteHeaders);
        send(&worker, "/healthz", None);
    }),
    (
        "the key stays in the path of a rejected request",
        "unexpected status: 2",
        || {
            let worker = queries::start();
            worker.fail(Fault::WriteHeaders);
            queries::send(&worker, "https://evil.example/", &[]);
        },
    ),
    (
        "headers of the upstream's answer cannot be changed",
        "unexpected status: 2",
        || {
            let worker = queries::start();
            let (request, _) = queries::send(&worker, "https://app.example.com/", &[]);
            worker.tick(10);
            answer_lookup(&worker, &lookup_answer(0, &[&key(1)]));
            assert!(worker.exchange(request).is_resumed);
            worker.fail(Fault::WriteHeaders);
            worker.response(request);
        },
    ),
    (
        "a request ends in the middle of its own callback",
        "already borrowed",
        || {
            let worker = start();
            worker.fail(Fault::EndAtReply);
            send(&worker, "/api/x", None);
        },
    ),
    (
        "a request of an unknown root context",
        "invalid root_context_id",
        || {
            start();
            send(&Worker { root: u32::MAX }, "/healthz", None);
        },
    ),
    (
        "headers of a request that has ended",
        "invalid context_id",
        || {
            let (worker, request) = ended();
            worker.headers_of(request);
        },
    ),
    (
        "a body of a request that has ended",
        "invalid context_id",
        || {
            let (worker, request) = ended();
            worker.body(request);
        },
    ),
    (
        "an upstream's answer to a request that has ended",
        "invalid context_id",
        || {
            let (worker, request) = ended();
            worker.response(request);
        },
    ),
    ("an answer to no call", "invalid token_id", || {
        let worker = start_polled();
        send(&worker, "/api/x", Some(&key(1)));
        worker.turn();
        let mut call = only_call(&worker, "/v1/lookups");
        call.token = u32::MAX;
        worker.answer(&call, &GENUINE, b"");
    }),
];

fn ended() -> (Worker, u32) {
    let worker = start();
    let (request, passes) = send(&worker, "/healthz", None);
    assert!(passes);
    worker.disconnect(request);
    (worker, request)
}

#[test]
fn an_impossible_call_of_envoy_ends_the_vm_and_passes_no_request() {
    if let Ok(row) = std::env::var(ROW) {
        let (.., act) = ROWS.iter().find(|(name, ..)| *name == row).unwrap();
        act();
        println!("{CAME_BACK}");
        return;
    }
    let name = "ends::an_impossible_call_of_envoy_ends_the_vm_and_passes_no_request";
    for (row, says, _) in ROWS {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]).env(ROW, row);
        let output = command.output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert_eq!(output.status.signal(), Some(SIGABRT), "{row}: {printed}");
        assert!(printed.contains(says), "{row}: {printed}");
        assert!(!printed.contains(CAME_BACK), "{row}: {printed}");
    }
}
