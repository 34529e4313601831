//! Every attribute of a key, by the list that the service declares: stored, shown, imported and
//! looked up. One that is added needs a sample here, and no test of its own for that.

use keygate_core::Secret;
use keygate_core::keys::{KeyDigest, MasterSecret, OpaqueKey};
use keygate_service::Attributes;
use serde_json::{Value, json};

use crate::support::{Running, hash, text};

const KEY: &str = "legacy:alice:0123456789abcdef";

/// A value of every attribute, as the API shows it.
pub fn samples() -> Value {
    let samples = json!({
        "account": "alice",
        "space": "staging",
        "name": "CI",
        "scopes": ["keys:write"],
        "metadata": { "plan": "pro" },
        "allowed_ips": ["10.0.0.0/8"],
        "allowed_referrers": ["https://a.example"],
        "labels": ["team=core", "plan="],
        "rate_limit": "100/1m",
        "expires_at": "2999-01-01T00:00:00.000Z",
    });
    for name in Attributes::NAMES {
        assert!(samples.get(name).is_some(), "there is no sample of {name}");
    }
    samples
}

#[test]
fn every_attribute_is_stored_and_shown() {
    let service = Running::start();
    let created = service.create(&samples().to_string());
    let read = service.get(&format!("/v1/keys/{}", text(&created, "id")));
    let listed = service.get("/v1/keys").expect(200)["keys"][0].clone();
    for shown in [created, read.expect(200), listed] {
        for (name, value) in samples().as_object().unwrap() {
            assert_eq!(shown[name], *value, "{name}");
        }
    }
}

#[test]
fn every_attribute_but_those_of_the_operator_reaches_the_edge() {
    let service = Running::start();
    let created = service.create(&samples().to_string());
    let answer = service.lookup(&[hash(&created)]);
    let record = answer["records"][0].as_object().unwrap();
    // For people alone, and what decides which edge gets the record.
    let for_people = ["name", "labels", "space"];
    let others = Attributes::NAMES.iter();
    for name in others.filter(|name| !for_people.contains(name)) {
        assert!(record.contains_key(*name), "a record has no {name}");
    }
    for name in for_people {
        assert!(!record.contains_key(name), "{name}");
    }
}

#[test]
fn every_attribute_is_imported_and_tells_two_imports_apart() {
    let service = Running::start();
    let import = |item: &Value| {
        let body = json!({ "keys": [item] }).to_string();
        service.post("/v1/keys/import", &body).expect(200)["results"][0].clone()
    };
    let mut item = samples();
    item["key"] = json!(KEY);
    assert_eq!(import(&item)["result"], "imported");
    assert_eq!(import(&item)["result"], "unchanged");
    for name in Attributes::NAMES {
        let mut other = item.clone();
        match *name {
            "account" => other["account"] = json!("bob"),
            name => drop(other.as_object_mut().unwrap().remove(name)),
        }
        let outcome = import(&other);
        assert_eq!(outcome["result"], "conflict", "{name}");
        let detail = text(&outcome, "detail");
        assert!(
            detail.ends_with(&format!("with another {name}")),
            "{detail}"
        );
    }
    let master = MasterSecret::derive(&Secret::new(vec![7; 32])).unwrap();
    let key = OpaqueKey::parse(KEY.as_bytes()).unwrap();
    let hash = master.hash_digest(&KeyDigest::of(&key)).to_string();
    let record = service.lookup(&[hash])["records"][0].clone();
    assert_eq!(record["metadata"], samples()["metadata"]);
}
