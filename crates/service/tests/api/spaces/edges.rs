//! What an edge learns that is bound to a space.

use serde_json::{Value, json};

use super::{bound, in_space};
use crate::keys::revoke_path;
use crate::support::{EDGE, Running, hash};

#[test]
fn a_bound_edge_follows_its_space_without_a_gap_or_a_reset() {
    let service = Running::start();
    let staging = bound(&service, "edge", "staging");
    let keys = ["staging", "default", "staging"].map(|space| in_space(&service, space));
    let changes = |token: &str, after: u64| {
        let path = format!("/v1/changes?after={after}");
        service.send("GET", &path, Some(token), "").expect(200)
    };
    let hashes = [hash(&keys[0]), hash(&keys[2])];
    let answer = changes(&staging, 0);
    assert_eq!(answer["changed"], json!(hashes));
    assert_eq!(
        (&answer["epoch"], &answer["reset"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(answer["incarnation"], changes(EDGE, 0)["incarnation"]);

    service.post(&revoke_path(&keys[1]), "").expect(200);
    let answer = changes(&staging, 3);
    assert_eq!(answer["changed"], json!([]), "of another space");
    assert_eq!(
        (&answer["epoch"], &answer["reset"]),
        (&json!(4), &json!(false))
    );
    assert_eq!(answer["more"], false);
    service.post(&revoke_path(&keys[0]), "").expect(200);
    let answer = changes(&staging, 4);
    assert_eq!(answer["changed"], json!([hashes[0]]));
    assert_eq!(changes(EDGE, 3)["changed"].as_array().unwrap().len(), 2);

    let lookup = |token: &str| {
        let all: Vec<String> = keys.iter().map(hash).collect();
        let mut found = Vec::new();
        // One at a time, and all in one statement after the other.
        for hashes in all.iter().map(std::slice::from_ref).chain([&all[..]]) {
            let body = json!({ "hashes": hashes }).to_string();
            let answer = service.send("POST", "/v1/lookups", Some(token), &body);
            found.push(answer.expect(200)["records"].as_array().unwrap().len());
        }
        found
    };
    assert_eq!(lookup(&staging), [1, 0, 1, 2]);
    assert_eq!(lookup(EDGE), [1, 1, 1, 3]);
}

#[test]
fn a_long_feed_of_other_spaces_is_passed_in_bounded_pages() {
    let service = Running::start();
    let staging = bound(&service, "edge", "staging");
    let raw = service.raw();
    raw.add_changes(2500);
    raw.run("UPDATE changes SET space = 'staging' WHERE seq = 2000", &[]);
    let mut after = 0;
    let mut pages = Vec::new();
    loop {
        let path = format!("/v1/changes?after={after}");
        let page = service.send("GET", &path, Some(&staging), "").expect(200);
        assert_eq!(page["reset"], false);
        after = page["epoch"].as_u64().unwrap();
        pages.push((after, page["changed"].as_array().unwrap().len()));
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(pages, [(1000, 0), (2000, 1), (2500, 0)]);
}

#[test]
fn uses_that_a_bound_edge_reports_count_for_its_keys_alone() {
    let service = Running::start();
    let staging = bound(&service, "edge", "staging");
    let keys = ["staging", "default"].map(|space| in_space(&service, space));
    let uses: Vec<Value> = keys
        .iter()
        .map(|key| json!({ "id": key["id"], "minute": 1, "allowed": 1, "rejected": 0 }))
        .collect();
    let body = json!({ "uses": uses }).to_string();
    let report = |token: &str| {
        service
            .send("POST", "/v1/uses", Some(token), &body)
            .expect(200)
    };
    assert_eq!(report(&staging), json!({ "counted": 1, "dropped": 1 }));
    assert_eq!(report(EDGE), json!({ "counted": 2, "dropped": 0 }));
}

/// An edge says by itself which start it is of, and operators of its space read the starts of edges
/// that are not bound.
#[test]
fn a_bound_edge_cannot_report_as_another_edge() {
    let service = Running::start();
    let staging = bound(&service, "edge", "staging");
    let poll = |token: &str, epoch: u64| {
        let path = format!("/v1/changes?after={epoch}");
        let report =
            format!("start=9f0c6a7be2d14a58 lease=60000 version=0.1.0 applied={epoch} name=edge");
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", &*authorization),
            ("x-keygate-edge", &report),
        ];
        service.send_with("GET", &path, &headers, "").expect(200)
    };
    poll(EDGE, 0);
    in_space(&service, "prod");
    poll(&staging, 1);
    let prod = bound(&service, "operator", "prod");
    let listed = service
        .send("GET", "/v1/edges", Some(&prod), "")
        .expect(200);
    let edges = listed["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 1, "{listed}");
    assert_eq!(
        (&edges[0]["space"], &edges[0]["state"]),
        (&Value::Null, &json!("behind"))
    );
}
