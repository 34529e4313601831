//! Nothing passes without an explicit allow, whatever the host does.

use serde_json::json;

use crate::host::{Fault, Worker};
use crate::{answer_lookup, header, key, lookup_answer, policy, send, start, start_polled, status};

#[test]
fn requests_that_need_nothing_pass_without_client_identity_headers() {
    let worker = start();
    let (request, passes) = send(&worker, "/healthz", None);
    assert!(passes && worker.body(request) && worker.trailers(request));
    assert_eq!(header(&worker.exchange(request), "x-keygate-account"), None);
}

#[test]
fn nothing_passes_before_the_verdict_and_everything_after_it() {
    let worker = start_polled();
    let key = key(1);
    let (request, passes) = send(&worker, "/api/x", Some(&key));
    assert!(!passes && !worker.body(request) && !worker.trailers(request));
    worker.turn();
    assert!(!worker.body(request));
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    assert!(worker.exchange(request).is_resumed);
    assert!(worker.body(request) && worker.trailers(request));
    let exchange = worker.exchange(request);
    assert_eq!(
        header(&exchange, "x-keygate-account").as_deref(),
        Some("alice")
    );
    assert_eq!(header(&exchange, "authorization"), None);
    let account = ("keygate_account".to_owned(), "alice".to_owned());
    assert!(exchange.state.contains(&account), "{:?}", exchange.state);
}

#[test]
fn nothing_of_a_rejected_request_passes() {
    let worker = start();
    let (request, passes) = send(&worker, "/api/x", None);
    assert!(!passes && !worker.body(request) && !worker.trailers(request));
    let reply = worker.exchange(request).reply.unwrap();
    assert_eq!(reply.status, 401);
    assert_eq!(
        reply.details,
        "keygate_denied{reason=missing_credential,rule=api}"
    );
    assert_eq!(
        worker.counter("keygate_decision.deny.missing_credential"),
        1
    );
}

#[test]
fn a_host_that_fails_closes_the_gate() {
    // What else a host call can say than Envoy does is in `ends`.
    let worker = start();
    worker.fail(Fault::ReadHeaders);
    let (request, passes) = send(&worker, "/healthz", None);
    assert!(!passes && !worker.body(request));
    let reply = worker.exchange(request).reply.unwrap();
    assert_eq!(reply.status, 503);
    assert_eq!(reply.details, "keygate_denied{reason=host_failure,rule=-}");
}

#[test]
fn a_wrong_configuration_is_rejected_and_the_log_names_the_field() {
    let mut wrong = policy();
    wrong["rules"][1]["match"]["path"] = json!("api");
    let log = Worker::start(&wrong.to_string()).err().unwrap().join("\n");
    assert!(
        log.contains("rules[1].match.path: must start with \"/\""),
        "{log}"
    );
    for text in ["", "{", "\u{a}\u{5}"] {
        assert!(Worker::start(text).is_err(), "{text:?}");
    }
}

#[test]
fn bytes_that_are_not_text_are_rejected_safely() {
    let worker = start();
    let whole: Vec<(&str, &[u8])> = vec![
        (":method", b"GET"),
        (":path", b"/api/x"),
        (":authority", b"h"),
    ];
    for (name, value) in [
        ("authorization", &b"Bearer caf\xe9"[..]),
        ("authorization", b"Basic \xff"),
        ("x-request-id", b"\xff\xfe"),
        ("accept", b"\xff"),
        ("x-keygate-account\u{e9}", b"\xff"),
    ] {
        let mut headers = whole.clone();
        headers.push((name, value));
        let (request, passes) = worker.request(&headers);
        assert!(!passes);
        assert_eq!(status(&worker, request), Some(401), "{name}");
    }
    for at in 0..3 {
        let mut headers = whole.clone();
        headers[at].1 = b"/\xc3\x28";
        let (request, _) = worker.request(&headers);
        assert_eq!(status(&worker, request), Some(400), "{}", headers[at].0);
    }
}

#[test]
fn neither_identity_nor_credential_in_trailers_arrives() {
    let worker = start();
    let (request, _) = send(&worker, "/healthz", None);
    let trailers = [
        ("x-keygate-account", "root"),
        ("x_keygate_scopes", "a"),
        ("x.keygate.account", "root"),
        ("x-original-url", "/api/x"),
        ("authorization", "Bearer KEY"),
        ("cookie", "app_key=KEY"),
        ("x-sum", "1"),
    ];
    assert!(worker.trailers_of(request, &trailers));
    let left = worker.exchange(request).trailers;
    assert_eq!(left, [(b"x-sum".to_vec(), b"1".to_vec())]);
}
