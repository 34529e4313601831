//! A disk that is full: nothing that was acknowledged is lost, and the service says that it is not
//! ready.

use keygate_tests::service::{ADMIN_TOKEN, Options, Service};
use keygate_tests::wait;
use serde_json::{Value, json};

#[test]
fn a_full_disk_loses_no_key_and_is_not_ready() {
    let service = Service::start_with(Options {
        disk: Some(2),
        ..Options::default()
    });
    let request = |method: &str, path: &str, body: Option<&Value>| {
        let response = service.request(method, path, ADMIN_TOKEN, body);
        let json: Value = response.json();
        (response.status, json)
    };
    let large = json!({ "account": "a", "metadata": { "text": "x".repeat(4000) } });
    let mut acknowledged = Vec::new();
    let refused = wait::until("the disk to be full", wait::STARTUP, || {
        let (status, json) = request("POST", "/v1/keys", Some(&large));
        if status == 201 {
            acknowledged.push(json["id"].clone());
            return None;
        }
        Some((status, json))
    });
    assert_eq!(refused.0, 503);
    assert_eq!(refused.1["code"], "database_unavailable");
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    wait::until("the service to be not ready", wait::STARTUP, || {
        (request("GET", "/readyz", None).0 == 503).then_some(())
    });
    assert_eq!(request("GET", "/healthz", None).0, 200);
    let mut stored = Vec::new();
    let mut path = "/v1/keys?limit=100".to_owned();
    loop {
        let (status, page) = request("GET", &path, None);
        assert_eq!(status, 200, "{page}");
        let keys = page["keys"].as_array().expect("a list");
        stored.extend(keys.iter().map(|key| key["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/keys?limit=100&cursor={next}");
    }
    stored.reverse();
    assert_eq!(stored, acknowledged);
}
