//! Data that is sealed with a key: set, shown as a fact, looked up, replaced and removed.

use keygate_core::keys::{AppKey, Prefix, SealKey, Sealed, SealedHeaders};
use keygate_service::problem::Code;
use serde_json::{Value, json};

use crate::accounts::{by_key, send, session, start as with_accounts};
use crate::secrecy::holds_a_part;
use crate::support::{ADMIN, Answer, EDGE, Running, hash, text};

const SECRET: &str = "Bearer sk-live-4eC39HqLyjWDarjtT1zdp7dc";

/// A body that asks for a key with [`SECRET`] sealed.
fn asked() -> String {
    json!({ "account": "alice", "sealed": { "headers": { "authorization": SECRET } } }).to_string()
}

fn seal_key(created: &Value) -> SealKey {
    let text = text(created, "key");
    let prefix = Prefix::parse("kg").unwrap();
    SealKey::of(&AppKey::parse(text.as_bytes(), &prefix).unwrap())
}

/// What a client sends that seals for itself.
fn sealed_by_client(created: &Value) -> String {
    let mut headers = SealedHeaders::none();
    let value = SECRET.as_bytes().to_vec().into();
    headers.add("authorization".to_owned(), value).unwrap();
    let mut fill = |bytes: &mut [u8]| bytes.fill(7);
    let sealed = Sealed::seal(&headers, &seal_key(created), &mut fill).unwrap();
    json!({ "sealed": sealed.to_string() }).to_string()
}

fn path(created: &Value, of: &str) -> String {
    format!("/v1/keys/{}{of}", text(created, "id"))
}

fn put(service: &Running, created: &Value, body: &str) -> Answer {
    let path = path(created, "/sealed");
    service.send("PUT", &path, Some(ADMIN), body)
}

/// The record that an edge gets.
fn record(service: &Running, created: &Value, want: &[&str]) -> Value {
    let body = json!({ "hashes": [hash(created)], "want": want }).to_string();
    let answer = service.send("POST", "/v1/lookups", Some(EDGE), &body);
    answer.expect(200)["records"][0].clone()
}

/// The headers in a record, opened with the key.
fn opened(record: &Value, created: &Value) -> Vec<(String, String)> {
    let sealed = Sealed::parse(record["sealed"].as_str().unwrap()).unwrap();
    let headers = sealed.open(&seal_key(created)).unwrap();
    let text = |it: &[u8]| String::from_utf8(it.to_vec()).unwrap();
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name.to_owned(), text(value.expose())))
        .collect()
}

/// An answer with one of the codes that sealed data has.
pub fn answer(code: Code) -> Answer {
    let service = Running::start();
    let key = service.create(&asked());
    match code {
        Code::NotSealed => {
            let other = service.create(r#"{"account":"a"}"#);
            service.get(&path(&other, "/sealed"))
        }
        Code::KeyImported => {
            let keys = r#"{"keys":[{"key":"legacy:alice:0123456789","account":"a"}]}"#;
            let imported = service.post("/v1/keys/import", keys).expect(200);
            put(&service, &imported["results"][0], &sealed_by_client(&key))
        }
        _ => service.post(&path(&key, "/rotate"), ""),
    }
}

#[test]
fn the_service_seals_for_the_key_that_it_creates_and_forgets() {
    let service = Running::start();
    let created = service.create(&asked());
    assert_eq!(created["sealed"], true);
    let record = record(&service, &created, &["sealed"]);
    let expected = ("authorization".to_owned(), SECRET.to_owned());
    assert_eq!(opened(&record, &created)[0], expected);
    let batch = service.post("/v1/keys/batch", &format!(r#"{{"keys":[{}]}}"#, asked()));
    let batch = batch.expect(201)["keys"][0].clone();
    let of_batch = self::record(&service, &batch, &["sealed"]);
    assert_eq!(opened(&of_batch, &batch)[0], expected);
    assert!(!holds_a_part(&service.stored(), SECRET.as_bytes()));
}

#[test]
fn an_edge_that_asks_gets_sealed_data_and_no_other_caller_sees_it() {
    let service = Running::start();
    let created = service.create(&asked());
    for want in [&[][..], &["sealed"]] {
        let record = record(&service, &created, want);
        assert_eq!(record.get("sealed").is_some(), !want.is_empty());
    }
    let plain = service.create(r#"{"account":"a"}"#);
    assert_eq!(plain["sealed"], false);
    assert!(
        record(&service, &plain, &["sealed"])
            .get("sealed")
            .is_none()
    );
    let shown = service.get(&path(&created, "")).expect(200);
    let listed = service.get("/v1/keys?account=alice").expect(200);
    for object in [&shown, &listed["keys"][0]] {
        assert_eq!(object["sealed"], true);
        assert!(!object.to_string().contains("ks1."), "{object}");
    }
    let unknown = json!({ "hashes": [hash(&created)], "want": ["more"] }).to_string();
    let answer = service.send("POST", "/v1/lookups", Some(EDGE), &unknown);
    assert_eq!(answer.wrong(400), ["/want/0"]);
}

#[test]
fn a_client_sets_reads_and_removes_sealed_data_with_one_change_each() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    let body = sealed_by_client(&created);
    let changes = || {
        service.changes("?after=1")["changed"]
            .as_array()
            .unwrap()
            .len()
    };
    let set = put(&service, &created, &body);
    assert_eq!(set.header("etag"), "\"2\"");
    assert_eq!(set.expect(200)["sealed"], true);
    assert_eq!(changes(), 1);
    let read = service.get(&path(&created, "/sealed")).expect(200);
    assert_eq!(read.to_string(), body);
    let record = record(&service, &created, &["sealed"]);
    assert_eq!(opened(&record, &created).len(), 1);
    let remove = || service.send("DELETE", &path(&created, "/sealed"), Some(ADMIN), "");
    assert_eq!(remove().expect(200)["sealed"], false);
    assert_eq!(remove().expect(200)["version"], Value::Null);
    assert_eq!(changes(), 2, "the second removal changes nothing");
    assert_eq!(
        service.get(&path(&created, "/sealed")).problem().1,
        "not_sealed"
    );
    let audit = service.get("/v1/audit").expect(200).to_string();
    for action in ["key.seal", "key.unseal"] {
        assert!(audit.contains(&format!("{action}\"")), "{audit}");
    }
}

#[test]
fn a_change_of_sealed_data_is_for_the_version_that_the_client_names() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    let token = format!("Bearer {ADMIN}");
    let send = |method, version: &str| {
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
            ("if-match", version),
        ];
        let path = path(&created, "/sealed");
        service.send_with(method, &path, &headers, &sealed_by_client(&created))
    };
    assert_eq!(send("PUT", "\"2\"").problem().1, "stale");
    send("PUT", "\"1\"").expect(200);
    assert_eq!(send("DELETE", "\"1\"").problem().1, "stale");
}

#[test]
fn what_is_no_sealed_data_is_rejected_and_not_repeated() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    let whole = sealed_by_client(&created);
    for body in [
        json!({ "sealed": SECRET }),
        json!({ "sealed": "" }),
        json!({ "sealed": "ks1." }),
        json!({ "sealed": whole.replace("ks1", "ks2") }),
        json!({ "sealed": format!("ks1.{}", "A".repeat(5000)) }),
        json!({ "sealed": { "headers": { "authorization": SECRET } } }),
        json!({ "sealed": null }),
        json!({ "headers": { "authorization": SECRET } }),
        json!({}),
    ] {
        let answer = put(&service, &created, &body.to_string());
        assert_eq!(
            answer.problem(),
            (400, "invalid_field".to_owned()),
            "{body}"
        );
        assert!(!holds_a_part(answer.text.as_bytes(), SECRET.as_bytes()));
    }
    assert_eq!(
        service.get(&path(&created, "")).expect(200)["sealed"],
        false
    );
}

#[test]
fn headers_that_cannot_be_sealed_are_rejected_and_not_repeated() {
    let service = Running::start();
    let long = "x".repeat(2048);
    for (sealed, at) in [
        (r#"{"headers":{}}"#.to_owned(), "/sealed/headers"),
        (r#"{}"#.to_owned(), "/sealed/headers"),
        (
            r#"{"headers":{"host":"sk-live-1"}}"#.to_owned(),
            "/sealed/headers",
        ),
        (
            r#"{"headers":{"sk-live-1":"a\r\nb"}}"#.to_owned(),
            "/sealed/headers",
        ),
        (
            r#"{"headers":{"x-keygate-account":"sk-live-1"}}"#.to_owned(),
            "/sealed/headers",
        ),
        (
            r#"{"headers":{"x-a":"sk-live-1","x-a":"sk-live-1"}}"#.to_owned(),
            "/sealed/headers",
        ),
        (
            format!(r#"{{"headers":{{"x-a":"sk-live-1{long}"}}}}"#),
            "/sealed/headers",
        ),
        (
            r#"{"headers":[["x-a","sk-live-1"]]}"#.to_owned(),
            "/sealed/headers",
        ),
        (
            r#"{"headers":{"x-a":"a"},"more":"sk-live-1"}"#.to_owned(),
            "/sealed",
        ),
        (r#""ks1.AAAA""#.to_owned(), "/sealed"),
        (r#""sk-live-1""#.to_owned(), "/sealed"),
    ] {
        let body = format!(r#"{{"account":"a","sealed":{sealed}}}"#);
        let answer = service.post("/v1/keys", &body);
        assert_eq!(answer.wrong(400), [at], "{sealed}: {}", answer.text);
        assert!(!answer.text.contains("sk-live-1"), "{}", answer.text);
    }
    assert_eq!(service.get("/v1/keys").expect(200)["keys"], json!([]));
}

#[test]
fn sealed_data_cannot_be_remembered_for_an_idempotency_key() {
    let service = Running::start();
    let token = format!("Bearer {ADMIN}");
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "a"),
    ];
    let answer = service.send_with("POST", "/v1/keys", &headers, &asked());
    assert_eq!(answer.wrong(400), ["idempotency-key"]);
}

#[test]
fn a_sealed_key_is_rotated_with_new_data_or_without_any() {
    let service = Running::start();
    let created = service.create(&asked());
    let rotate = |body: &str| service.post(&path(&created, "/rotate"), body);
    assert_eq!(rotate("").problem(), (409, "sealed".to_owned()));
    let both = r#"{"drop_sealed":true,"sealed":{"headers":{"x-a":"b"}}}"#;
    assert_eq!(rotate(both).wrong(400), ["/drop_sealed"]);
    let new = rotate(r#"{"sealed":{"headers":{"x-token":"next"}}}"#).expect(201);
    let record = record(&service, &new, &["sealed"]);
    assert_eq!(
        opened(&record, &new),
        [("x-token".to_owned(), "next".to_owned())]
    );
    let dropped = service.post(&path(&new, "/rotate"), r#"{"drop_sealed":true}"#);
    assert_eq!(dropped.expect(201)["sealed"], false);
    // The one that is replaced goes on with what it has, and gets nothing new.
    let old = service.get(&path(&created, "")).expect(200);
    assert_eq!(old["sealed"], true);
    let set = put(&service, &created, &sealed_by_client(&created));
    assert_eq!(set.problem().1, "key_replaced");
}

#[test]
fn revoking_a_key_deletes_its_sealed_data_in_each_way() {
    let service = Running::start();
    let stored = || {
        let raw = service.raw();
        let count = "SELECT count(*) FROM keys WHERE sealed IS NOT NULL";
        raw.read::<i64>(count, &[])
    };
    let keys: Vec<Value> = (0..4).map(|_| service.create(&asked())).collect();
    assert_eq!(stored(), 4);
    service.post(&path(&keys[0], "/revoke"), "").expect(200);
    assert_eq!(stored(), 3);
    let at_once = r#"{"grace":"0","drop_sealed":true}"#;
    service
        .post(&path(&keys[1], "/rotate"), at_once)
        .expect(201);
    assert_eq!(stored(), 2);
    let own = json!({ "key": keys[2]["key"] }).to_string();
    service.post("/v1/keys/revoke-self", &own).expect(200);
    assert_eq!(stored(), 1);
    let expected = r#"{"filter":{"account":"alice","status":"active"},"expect":2}"#;
    service.post("/v1/keys/revoke", expected).expect(200);
    assert_eq!(stored(), 0);
    let set = put(&service, &keys[0], &sealed_by_client(&keys[0]));
    assert_eq!(set.problem(), (409, "key_revoked".to_owned()));
}

#[test]
fn an_account_seals_for_its_own_keys_and_no_others() {
    let service = with_accounts();
    let own = service.create(r#"{"account":"alice","scopes":["keys:write"]}"#);
    let other = service.create(r#"{"account":"bob"}"#);
    let alice = session("alice");
    let put = |token: &str, key: &Value| {
        let path = path(key, "/sealed");
        send(&service, "PUT", &path, token, &sealed_by_client(key))
    };
    put(&alice, &own).expect(200);
    assert_eq!(put(&alice, &other).problem().1, "no_such_key");
    put(&by_key(&own, "keys:write"), &own).expect(200);
    let reads = put(&by_key(&own, "keys:read"), &own);
    assert_eq!(reads.problem().1, "insufficient_scope");
    let read = send(&service, "GET", &path(&other, "/sealed"), &alice, "");
    assert_eq!(read.problem().1, "no_such_key");
    let created = send(&service, "POST", "/v1/keys", &alice, &asked()).expect(201);
    assert_eq!(created["sealed"], true);
}
