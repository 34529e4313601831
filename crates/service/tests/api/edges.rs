//! Which edges the service lists, and what a revocation says for those that wait for them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::keys::revoke_path;
use crate::support::{EDGE, Running, text};

const START: &str = "start=00000000000000ff";

/// A poll of the edge, which says this of itself.
fn poll(service: &Running, query: &str, report: &str) -> Value {
    let authorization = format!("Bearer {EDGE}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-keygate-edge", report),
    ];
    let path = format!("/v1/changes{query}");
    service.send_with("GET", &path, &headers, "").expect(200)
}

fn edges(service: &Running) -> Vec<Value> {
    let list = service.get("/v1/edges").expect(200);
    list["edges"].as_array().unwrap().clone()
}

#[test]
fn an_edge_is_current_again_when_it_reports_the_epoch_of_the_revocation() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    let report = |more: &str| format!("{START} lease=60000 version=0.1.0 name=node-1{more}");
    poll(&service, "", &report(""));
    let [edge] = &edges(&service)[..] else {
        panic!("one edge polls")
    };
    assert_eq!(edge["name"], "node-1");
    assert_eq!(edge["start"], "00000000000000ff");
    assert_eq!(
        (&edge["state"], &edge["epoch"]),
        (&json!("current"), &json!(1))
    );
    assert_eq!(edge["lease_seconds"], 60);
    assert_eq!(edge["outage_allow"], false);

    let revoked = service.post(&revoke_path(&created), "").expect(200);
    assert_eq!(revoked["epoch"], 2);
    poll(&service, "?after=1", &report(" applied=1"));
    let edge = &edges(&service)[0];
    assert_eq!(
        (&edge["state"], &edge["epoch"]),
        (&json!("behind"), &json!(1))
    );
    assert_eq!(edge["changes_behind"], 1);
    let metrics = service.get("/metrics").text;
    let line = "keygate_service_applied_epoch 1\n";
    assert!(metrics.contains(line), "{metrics}");
    poll(&service, "?after=2", &report(" applied=2 outage=allow"));
    let list = service.get("/v1/edges").expect(200);
    assert_eq!(list["incarnation"], revoked["incarnation"]);
    assert_eq!(list["edges"][0]["state"], "current");
    assert_eq!(list["edges"][0]["outage_allow"], true);
    let metrics = service.get("/metrics").text;
    for line in [
        "keygate_service_edges{state=\"current\"} 1\n",
        "keygate_service_applied_epoch 2\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn an_edge_whose_lease_has_ended_is_gone() {
    let service = Running::start();
    poll(&service, "", &format!("{START} lease=200 version=0.1.0"));
    let started = Instant::now();
    while edges(&service)[0]["state"] != "gone" {
        assert!(started.elapsed() < Duration::from_secs(10), "not gone");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_edge_of_another_history_has_applied_nothing() {
    let service = Running::start();
    service.create(r#"{"account":"a"}"#);
    let report = format!("{START} lease=60000 version=0.1.0 applied=9");
    let answer = poll(&service, "?after=9", &report);
    assert_eq!(answer["reset"], true);
    let edge = &edges(&service)[0];
    assert_eq!(
        (&edge["state"], &edge["epoch"]),
        (&json!("behind"), &json!(0))
    );
}

#[test]
fn an_edge_that_reports_nothing_useful_is_served_and_listed_as_unknown() {
    let service = Running::start();
    service.changes("");
    for report in ["", "x", "start=1 lease=60000 version=1", "name=<b>"] {
        let answer = poll(&service, "", report);
        assert_eq!(answer["reset"], false);
    }
    let all = edges(&service);
    assert_eq!(all.len(), 1);
    assert_eq!(text(&all[0], "state"), "unknown");
    assert_eq!(all[0]["epoch"], Value::Null);
}
