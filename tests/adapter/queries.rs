//! A key in the query: what becomes of the request, and of the answer of the upstream.

use serde_json::json;

use crate::host::Worker;
use crate::{answer_lookup, header, key, lookup_answer, policy, status};

const HEADERS: [(&str, &str); 2] = [
    ("referrer-policy", "no-referrer"),
    ("cache-control", "private, no-store"),
];

pub fn start() -> Worker {
    let mut policy = policy();
    policy["providers"]["key"]["from"] = json!([{ "query": "key" }]);
    policy["providers"]["key"]["query_referrers"] = json!(["https://app.example.com"]);
    Worker::start(&policy.to_string()).unwrap()
}

pub fn send(worker: &Worker, page: &str, more: &[(&str, &[u8])]) -> (u32, bool) {
    let path = format!("/api/x?a=1&key={}", key(1).text.as_str());
    let mut headers: Vec<(&str, &[u8])> = vec![
        (":method", b"GET"),
        (":path", path.as_bytes()),
        (":authority", b"example.com"),
        ("referer", page.as_bytes()),
    ];
    headers.extend(more);
    worker.request(&headers)
}

fn response(worker: &Worker, context: u32) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let set = worker.exchange(context).response.into_iter();
    set.map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn the_answer_is_kept_out_of_caches_whether_the_key_was_cold_or_warm() {
    let worker = start();
    let (cold, passes) = send(&worker, "https://app.example.com/", &[]);
    assert!(!passes);
    worker.tick(10);
    answer_lookup(&worker, &lookup_answer(0, &[&key(1)]));
    assert!(worker.exchange(cold).is_resumed);
    let expected = HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let path = header(&worker.exchange(cold), ":path");
    assert_eq!(path.as_deref(), Some("/api/x?a=1"));
    assert!(response(&worker, cold).is_empty());
    assert!(worker.response(cold));
    assert_eq!(response(&worker, cold), expected);
    // A second answer, such as Envoy's own in place of it, changes nothing more.
    assert!(worker.response(cold));
    assert_eq!(response(&worker, cold).len(), HEADERS.len());
}

#[test]
fn a_rejected_request_keeps_no_key_in_its_path() {
    let worker = start();
    let (rejected, passes) = send(&worker, "https://evil.example/", &[]);
    assert!(!passes);
    assert_eq!(status(&worker, rejected), Some(403));
    let path = header(&worker.exchange(rejected), ":path");
    assert_eq!(path.as_deref(), Some("/api/x?a=1"));
    assert!(
        worker.response(rejected),
        "Envoy asks about our own answers, too"
    );
    assert!(response(&worker, rejected).is_empty());
}

#[test]
fn only_grpc_clients_get_a_grpc_status() {
    let worker = start();
    for (kind, expected) in [("application/grpc", 7), ("application/json", -1)] {
        let more: [(&str, &[u8]); 1] = [("content-type", kind.as_bytes())];
        let (rejected, _) = send(&worker, "https://evil.example/", &more);
        let reply = worker.exchange(rejected).reply.unwrap();
        assert_eq!(reply.grpc_status, expected, "{kind}");
    }
}
