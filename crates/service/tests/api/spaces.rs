//! Spaces: a bound caller sees, creates and changes keys of its own, and nothing of another.

mod edges;

use std::collections::BTreeMap;

use keygate_service::roles::Role;
use keygate_service::{Ambient, KeyLimits, Space};
use serde_json::{Value, json};

use crate::accounts::{self, by_key, session};
use crate::attributes::samples;
use crate::keys::revoke_path;
use crate::roles::{ROUTES, path_of};
use crate::support::{ADMIN, Answer, EDGE, Raw, Running, hash, place, text};

const FORBIDDEN: (u16, &str) = (403, "wrong_space");
const MISSING: (u16, &str) = (404, "no_such_key");

/// The text of a new token that is bound to this space.
fn bound(service: &Running, role: &str, space: &str) -> String {
    let body = json!({ "name": "x", "role": role, "space": space }).to_string();
    text(&service.post("/v1/tokens", &body).expect(201), "token")
}

fn in_space(service: &Running, space: &str) -> Value {
    service.create(&json!({ "account": "a", "space": space }).to_string())
}

fn path(key: &Value) -> String {
    format!("/v1/keys/{}", text(key, "id"))
}

#[track_caller]
fn assert_problem(answer: &Answer, expected: (u16, &str)) {
    assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()));
}

fn ids(list: &Value) -> Vec<String> {
    let keys = list["keys"].as_array().unwrap().iter();
    keys.map(|key| text(key, "id")).collect()
}

#[test]
fn a_key_is_in_the_space_of_its_creation_for_life() {
    let service = Running::start();
    let key = service.create(r#"{"account":"a"}"#);
    assert_eq!(key["space"], "default");
    let key = in_space(&service, "staging");
    assert_eq!(key["space"], "staging");
    for space in [r#""default""#, r#""staging""#, "null"] {
        let body = format!(r#"{{"space":{space}}}"#);
        let answer = service.send("PATCH", &path(&key), Some(ADMIN), &body);
        assert_eq!(answer.wrong(400), ["/space"], "{space}");
        assert!(answer.text.contains("cannot be changed"), "{}", answer.text);
    }
    let rotate = format!("{}/rotate", path(&key));
    assert_eq!(service.post(&rotate, "").expect(201)["space"], "staging");
    let malformed = json!({ "account": "a", "space": "no space" }).to_string();
    let answer = service.post("/v1/keys", &malformed);
    assert_eq!(answer.wrong(400), ["/space"]);
}

#[test]
fn a_list_and_a_bulk_revocation_take_a_space() {
    let service = Running::start();
    let keys = ["default", "staging", "staging"].map(|space| in_space(&service, space));
    let list = |query: &str| ids(&service.get(&format!("/v1/keys?{query}")).expect(200));
    let staging = [text(&keys[2], "id"), text(&keys[1], "id")];
    assert_eq!(list("space=staging"), staging);
    assert_eq!(list("space=staging&account=a"), staging);
    assert_eq!(list("space=staging&account=b"), [""; 0]);
    assert_eq!(list("space=absent"), [""; 0]);
    assert_eq!(list("").len(), 3);
    let answer = service.get("/v1/keys?space=a%20b");
    assert_eq!(answer.wrong(400), ["space"]);
    let revoke = |expect: u32| {
        let body = json!({ "filter": { "space": "staging" }, "expect": expect });
        service.post("/v1/keys/revoke", &body.to_string())
    };
    assert_problem(&revoke(3), (409, "unexpected_count"));
    assert_eq!(revoke(2).expect(200)["revoked"], 2);
    assert_eq!(list("status=active"), [text(&keys[0], "id")]);
}

#[test]
fn a_bound_caller_creates_in_its_space_alone() {
    let service = Running::start();
    let token = bound(&service, "operator", "staging");
    let post =
        |path: &str, body: Value| service.send("POST", path, Some(&token), &body.to_string());
    let own = json!({ "account": "a" });
    let named = json!({ "account": "a", "space": "staging" });
    let other = json!({ "account": "a", "space": "default" });
    for body in [&own, &named] {
        let created = post("/v1/keys", body.clone()).expect(201);
        assert_eq!(created["space"], "staging");
    }
    assert_problem(&post("/v1/keys", other.clone()), FORBIDDEN);
    let batch = post("/v1/keys/batch", json!({ "keys": [own, named] })).expect(201);
    assert_eq!(batch["keys"][0]["space"], "staging");
    let mixed = json!({ "keys": [{ "account": "a" }, other] });
    assert_problem(&post("/v1/keys/batch", mixed), FORBIDDEN);

    let import = |key: &str, space: Option<&str>| {
        let mut item = json!({ "account": "a", "key": key });
        if let Some(space) = space {
            item["space"] = space.into();
        }
        let answer = post("/v1/keys/import", json!({ "keys": [item] })).expect(200);
        answer["results"][0].clone()
    };
    let imported = import("legacy:alice:0123456789", None);
    assert_eq!(imported["result"], "imported");
    let shown = service.get(&format!("/v1/keys/{}", text(&imported, "id")));
    assert_eq!(shown.expect(200)["space"], "staging");
    let refused = import("legacy:bob:0123456789", Some("default"));
    assert_eq!(refused["result"], "refused");
    assert_eq!(refused["errors"][0]["pointer"], "/space");
    // A key that is there, but not for this caller.
    let mut elsewhere = samples();
    elsewhere["key"] = "legacy:carol:0123456789".into();
    elsewhere["space"] = "default".into();
    let body = json!({ "keys": [elsewhere] }).to_string();
    let there = service.post("/v1/keys/import", &body).expect(200);
    assert_eq!(there["results"][0]["result"], "imported");
    let refused = import("legacy:carol:0123456789", None);
    assert_eq!(refused["result"], "refused");
    assert_eq!(refused.get("id"), None);
    let listed = service.get("/v1/keys?space=default").expect(200);
    assert_eq!(ids(&listed).len(), 1, "nothing else was stored there");
}

/// The roles that may call each route, each bound to another space than the key.
#[test]
fn no_route_shows_or_changes_a_key_of_another_space() {
    let service = Running::start();
    let owner = bound(&service, "owner", "other");
    let key = in_space(&service, "own");
    let token = service.post(
        "/v1/tokens",
        r#"{"name":"of own","role":"auditor","space":"own"}"#,
    );
    let token = token.expect(201);
    let before = service.get(&path(&key)).expect(200);
    let tokens: BTreeMap<&str, String> = Role::WORDS
        .iter()
        .map(|role| (*role, bound(&service, role, "other")))
        .collect();
    let (key_id, token_id, digest) = (text(&key, "id"), text(&token, "id"), hash(&key));
    let mut with_id = 0;
    for (method, route, body, roles) in ROUTES {
        let id = match route.starts_with("/v1/tokens") {
            true => &token_id,
            false => &key_id,
        };
        let body = match route {
            "/v1/lookups" => json!({ "hashes": [digest] }).to_string(),
            "/v1/uses" => {
                let used = json!({ "id": key_id, "minute": 1, "allowed": 1, "rejected": 0 });
                json!({ "uses": [used] }).to_string()
            }
            "/v1/keys/revoke" => r#"{"filter":{"account":"a"},"expect":1}"#.to_owned(),
            _ => body.to_owned(),
        };
        for role in roles {
            let ask = |path: &str| service.send(method, path, Some(&tokens[role]), &body);
            let path = match route {
                "/v1/changes" => "/v1/changes?after=0".to_owned(),
                _ => route.replace("{id}", id),
            };
            let answer = ask(&path);
            let what = format!("{method} {route} as {role}: {}", answer.text);
            for secret in [&key_id, &token_id, &digest] {
                assert!(!answer.text.contains(secret.as_str()), "{what}");
            }
            if route.contains("{id}") {
                with_id += 1;
                assert_eq!(answer.status, 404, "{what}");
                assert_eq!(answer.problem(), ask(&path_of(route)).problem(), "{what}");
            }
        }
    }
    assert!(with_id > 10, "{with_id}");
    assert_eq!(service.get(&path(&key)).expect(200), before);
    let still = service.get("/v1/tokens").expect(200);
    let still = still["tokens"].as_array().unwrap().iter();
    let mut still = still.filter(|it| it["id"] == token["id"]);
    assert_eq!(still.next().unwrap()["status"], "active");
    // A bound caller that is in the right space is none of these.
    let own = bound(&service, "owner", "own");
    service.send("GET", &path(&key), Some(&own), "").expect(200);
    for space in ["own", "default"] {
        let path = format!("/v1/keys?space={space}");
        assert_problem(&service.send("GET", &path, Some(&owner), ""), FORBIDDEN);
    }
}

#[test]
fn a_bound_owner_makes_and_sees_tokens_of_its_space_alone() {
    let service = Running::start();
    let owner = bound(&service, "owner", "staging");
    let create = |space: Value| {
        let body = json!({ "name": "x", "role": "edge", "space": space }).to_string();
        service.send("POST", "/v1/tokens", Some(&owner), &body)
    };
    assert_eq!(create(json!("staging")).expect(201)["space"], "staging");
    assert_eq!(create(Value::Null).expect(201)["space"], "staging");
    assert_problem(&create(json!("default")), FORBIDDEN);
    let free = service.post("/v1/tokens", r#"{"name":"free","role":"edge"}"#);
    let free = free.expect(201);
    assert_eq!(free["space"], Value::Null);
    let list = service
        .send("GET", "/v1/tokens", Some(&owner), "")
        .expect(200);
    let list = list["tokens"].as_array().unwrap();
    assert_eq!(list.len(), 3);
    assert!(list.iter().all(|it| it["space"] == "staging"), "{list:?}");
    let revoke = format!("/v1/tokens/{}/revoke", text(&free, "id"));
    let answer = service.send("POST", &revoke, Some(&owner), "");
    assert_problem(&answer, (404, "no_such_token"));
    let malformed = service.post("/v1/tokens", r#"{"name":"x","role":"edge","space":""}"#);
    assert_eq!(malformed.wrong(400), ["/space"]);
}

#[test]
fn a_bound_token_stays_bound_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let (token, key) = {
        let service = Running::on(&database);
        (
            bound(&service, "auditor", "staging"),
            in_space(&service, "default"),
        )
    };
    let service = Running::on(&database);
    let answer = service.send("GET", &path(&key), Some(&token), "");
    assert_problem(&answer, MISSING);
    let raw = Raw::open(&database);
    raw.run("UPDATE tokens SET space = 'not a space'", &[]);
    drop(service);
    let opened = keygate_service::Store::open(&place(&database));
    assert!(opened.is_err(), "it must not see everything");
}

#[test]
fn a_bound_auditor_reads_entries_and_edges_of_its_space() {
    let service = Running::start();
    let auditor = bound(&service, "auditor", "staging");
    let edge = bound(&service, "edge", "default");
    let own = in_space(&service, "staging");
    in_space(&service, "default");
    let log = |token: &str| {
        service
            .send("GET", "/v1/audit", Some(token), "")
            .expect(200)
    };
    let seen = log(&auditor);
    let entries = seen["entries"].as_array().unwrap();
    let targets: Vec<&Value> = entries.iter().map(|it| &it["target"]).collect();
    assert_eq!(targets.len(), 2, "the token and the key: {seen}");
    assert_eq!(targets[1], &own["id"]);
    assert_eq!(seen["space"], "staging");
    assert_eq!(log(ADMIN)["space"], Value::Null);
    assert_eq!(log(ADMIN)["entries"].as_array().unwrap().len(), 4);

    for (token, start) in [(edge.as_str(), "1"), (EDGE, "2")] {
        let authorization = format!("Bearer {token}");
        let report = format!("start=000000000000000{start} lease=60000 version=0.1.0");
        let headers = [
            ("authorization", authorization.as_str()),
            ("x-keygate-edge", report.as_str()),
        ];
        service
            .send_with("GET", "/v1/changes", &headers, "")
            .expect(200);
    }
    let edges = |token: &str| {
        let list = service
            .send("GET", "/v1/edges", Some(token), "")
            .expect(200);
        let edges = list["edges"].as_array().unwrap().iter();
        edges.map(|it| it["space"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(edges(ADMIN), [json!("default"), Value::Null]);
    assert_eq!(edges(&auditor), [Value::Null], "those that see its keys");
}

#[test]
fn a_key_manages_keys_of_its_own_space_and_a_session_those_of_the_default_one() {
    let service = accounts::start();
    let body = json!({
        "account": "alice", "space": "staging", "scopes": ["keys:read", "keys:write"],
    });
    let parent = service.create(&body.to_string());
    let default = service.create(r#"{"account":"alice"}"#);
    let key = by_key(&parent, "keys:read keys:write");
    let session = session("alice");
    let send = |caller: &str, method: &str, path: &str, body: &str| {
        accounts::send(&service, method, path, caller, body)
    };
    let child = send(&key, "POST", "/v1/keys", "{}").expect(201);
    assert_eq!(child["space"], "staging");
    let of_session = send(&session, "POST", "/v1/keys", "{}").expect(201);
    assert_eq!(of_session["space"], "default");
    for (caller, other) in [(&key, "default"), (&session, "staging")] {
        let body = json!({ "space": other }).to_string();
        assert_problem(&send(caller, "POST", "/v1/keys", &body), FORBIDDEN);
    }
    assert_problem(&send(&key, "GET", &path(&default), ""), MISSING);
    assert_problem(&send(&session, "GET", &path(&child), ""), MISSING);
    let revoke = send(&key, "POST", &revoke_path(&of_session), "");
    assert_problem(&revoke, MISSING);
    let list = |caller: &str| ids(&send(caller, "GET", "/v1/keys", "").expect(200));
    assert_eq!(list(&key), [text(&child, "id"), text(&parent, "id")]);
    assert_eq!(
        list(&session),
        [text(&of_session, "id"), text(&default, "id")]
    );
    // The descendants are of the same space, and end with it.
    let revoked = service.post(&revoke_path(&parent), "").expect(200);
    assert_eq!(revoked["descendants_revoked"], 1);
}

#[test]
fn a_space_has_limits_of_its_own_and_counts_alone() {
    let service = Running::configured(Ambient::real().randomness, |config| {
        config.key_limits.active_keys_per_account = Some(1);
        let staging = KeyLimits {
            active_keys_per_account: Some(2),
            allowed_scopes: Some(vec!["files:read".to_owned()]),
            creations_per_token: Some(3),
            ..KeyLimits::default()
        };
        config.space_limits = BTreeMap::from([(Space::parse("staging").unwrap(), staging)]);
    });
    let create = |space: &str, scope: &str| {
        let body = json!({ "account": "a", "space": space, "scopes": [scope] });
        service.post("/v1/keys", &body.to_string())
    };
    assert_problem(&create("staging", "other"), (403, "beyond_limits"));
    create("staging", "files:read").expect(201);
    create("default", "other").expect(201);
    create("staging", "files:read").expect(201);
    assert_problem(&create("staging", "files:read"), (409, "too_many_keys"));
    assert_problem(&create("default", "other"), (409, "too_many_keys"));
    let other = |account: &str| {
        let body = json!({ "account": account, "space": "staging" });
        service.post("/v1/keys", &body.to_string())
    };
    other("b").expect(201);
    assert_problem(&other("c"), (429, "too_many_creations"));
    service.create(r#"{"account":"d"}"#);
}

#[test]
fn a_bound_owner_cannot_use_up_the_tokens_of_other_spaces() {
    let service = Running::start();
    let owner = bound(&service, "owner", "staging");
    let other = bound(&service, "owner", "prod");
    let create = |token: &str| {
        service.send(
            "POST",
            "/v1/tokens",
            Some(token),
            r#"{"name":"x","role":"edge"}"#,
        )
    };
    let created = (0..200)
        .take_while(|_| create(&owner).status == 201)
        .count();
    assert_eq!(created, 99, "with its own they are 100");
    assert_problem(&create(&owner), (409, "too_many_tokens"));
    create(&other).expect(201);
}
