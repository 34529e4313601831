//! Which master secret a key depends on.

use keygate_core::Secret;
use keygate_core::keys::{KeyRingId, MasterSecret};
use keygate_service::ServiceConfig;
use serde_json::{Value, json};

use crate::support::{ADMIN, Raw, Running, text};

const IMPORT: &str = r#"{"keys":[{"account":"a","key":"legacy:alice:0123456789"}]}"#;

/// The service after its master secret was replaced.
fn replaced(config: &mut ServiceConfig) {
    let secret = Secret::new(vec![8; 32]);
    let new = MasterSecret::derive(&secret).unwrap();
    config.retired = vec![(config.kid, std::mem::replace(&mut config.master, new))];
    config.kid = KeyRingId::parse("02").unwrap();
}

fn imported(service: &Running) -> Value {
    service.post("/v1/keys/import", IMPORT).expect(200)["results"][0].clone()
}

#[test]
fn keys_are_listed_and_revoked_by_the_master_secret_they_depend_on() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let (old, import) = {
        let service = Running::on(&database);
        let old = service.create(r#"{"account":"a"}"#);
        assert_eq!(old["secret_id"], "01");
        (text(&old, "id"), text(&imported(&service), "id"))
    };
    let service = Running::on_with(&database, replaced);
    let new = text(&service.create(r#"{"account":"a"}"#), "id");
    let rotated = service
        .post(&format!("/v1/keys/{old}/rotate"), "")
        .expect(201);
    assert_eq!(rotated["secret_id"], "02", "the old one keeps its own");
    assert_eq!(
        imported(&service)["result"],
        "unchanged",
        "known under the old secret"
    );
    let list = |query: &str| {
        let list = service.get(&format!("/v1/keys?{query}")).expect(200);
        let keys = list["keys"].as_array().unwrap().iter();
        keys.map(|key| text(key, "id")).collect::<Vec<_>>()
    };
    assert_eq!(list("secret_id=01"), [import.clone(), old.clone()]);
    assert_eq!(list("secret_id=02"), [text(&rotated, "id"), new.clone()]);
    assert_eq!(list("secret_id=03"), [""; 0]);
    assert_eq!(list("secret_id=unknown"), [""; 0]);
    for wrong in ["1", "0_", "012", "", "any"] {
        let answer = service.get(&format!("/v1/keys?secret_id={wrong}"));
        assert_eq!(answer.wrong(400), ["secret_id"], "{wrong}");
    }
    let revoke = json!({ "filter": { "secret_id": "01" }, "expect": 2 }).to_string();
    let revoked = service.send("POST", "/v1/keys/revoke", Some(ADMIN), &revoke);
    assert_eq!(revoked.expect(200)["revoked"], 2);
    assert_eq!(list("status=active").len(), 2);
}

#[test]
fn the_secret_of_an_old_import_is_unknown_until_it_is_imported_again() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let id = text(&imported(&Running::on(&database)), "id");
    let raw = Raw::open(&database);
    raw.run("UPDATE keys SET secret_id = NULL", &[]);
    let service = Running::on_with(&database, replaced);
    let list = |secret: &str| {
        let list = service
            .get(&format!("/v1/keys?secret_id={secret}"))
            .expect(200);
        list["keys"].as_array().unwrap().clone()
    };
    assert_eq!(list("unknown")[0]["id"], id);
    assert_eq!(list("unknown")[0]["secret_id"], Value::Null);
    assert_eq!(list("01"), [Value::Null; 0]);
    let dry = IMPORT.replace("}]}", r#"}],"dry_run":true}"#);
    service.post("/v1/keys/import", &dry).expect(200);
    assert_eq!(list("unknown").len(), 1, "a dry run notes nothing");
    let epoch = service.changes("")["epoch"].clone();
    assert_eq!(imported(&service)["result"], "unchanged");
    assert_eq!((list("unknown").len(), list("02").len()), (0, 0));
    assert_eq!(list("01")[0]["id"], id);
    assert_eq!(service.changes("")["epoch"], epoch, "no edge has to know");
}
