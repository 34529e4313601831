//! Reports of leaked keys: what a signed one revokes, and what any other cannot do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate_core::Millis;
use keygate_service::{
    Ambient, Endpoint, EventTarget, EventType, KeySource, ServiceConfig, WebhookSecrets,
};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};

use crate::receiver::{Receiver, Reply, secret};
use crate::secrecy::holds_a_part;
use crate::support::{ADMIN, Answer, Running, START, text};

/// The key of the reporter with this number.
fn reporter(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}

fn identifier(number: u8) -> String {
    format!("{number:064x}")
}

/// The keys with these numbers, as GitHub publishes them.
fn published(numbers: &[u8]) -> String {
    let key = |number: &u8| {
        let pem = reporter(*number)
            .verifying_key()
            .to_public_key_pem(LineEnding::LF);
        json!({ "key_identifier": identifier(*number), "key": pem.unwrap(), "is_current": true })
    };
    json!({ "public_keys": numbers.iter().map(key).collect::<Vec<_>>() }).to_string()
}

fn from(receiver: &Receiver) -> KeySource {
    KeySource::Url(Endpoint::parse(&receiver.url("/keys")).unwrap())
}

/// Takes reports that are signed by the first key.
fn start(more: impl FnOnce(&mut ServiceConfig)) -> (Running, Receiver) {
    let keys = Receiver::replying(|_, _| Reply::Body(published(&[1])));
    let source = from(&keys);
    let service = Running::configured(Ambient::real().randomness, |config| {
        config.leaks = Some(source);
        more(config);
    });
    (service, keys)
}

fn signature(number: u8, body: &str) -> String {
    let signature: Signature = reporter(number).sign(body.as_bytes());
    STANDARD.encode(signature.to_der())
}

fn send(service: &Running, headers: &[(&str, &str)], body: &str) -> Answer {
    service.send_with("POST", "/v1/leaks", headers, body)
}

/// A report that is signed by the key with this number.
fn report(service: &Running, number: u8, body: &str) -> Answer {
    let (identifier, signature) = (identifier(number), signature(number, body));
    let headers = [
        ("content-type", "application/json"),
        ("github-public-key-identifier", identifier.as_str()),
        ("github-public-key-signature", signature.as_str()),
    ];
    send(service, &headers, body)
}

fn leaked(token: &str) -> Value {
    json!({
        "token": token, "type": "keygate_key", "source": "commit",
        "url": "https://github.com/octocat/Hello-World/blob/1/foo.txt",
    })
}

fn status(service: &Running, key: &Value) -> Value {
    let path = format!("/v1/keys/{}", text(key, "id"));
    service.get(&path).expect(200)["status"].clone()
}

pub fn answer_without_a_signature() -> Answer {
    let (service, _keys) = start(|_| {});
    send(&service, &[], "[]")
}

pub fn answer_without_keys() -> Answer {
    let keys = Receiver::replying(|_, _| Reply::To("https://example.com/".to_owned()));
    let service = Running::configured(Ambient::real().randomness, |config| {
        config.leaks = Some(from(&keys));
    });
    report(&service, 1, "[]")
}

#[test]
fn a_signed_report_revokes_known_keys_with_their_descendants() {
    let events = Receiver::start();
    let target = EventTarget {
        endpoint: Endpoint::parse(&events.url("/")).unwrap(),
        secrets: WebhookSecrets::parse(&secret()).unwrap(),
        types: vec![EventType::Leaked],
    };
    let (service, _keys) = start(|config| config.events = vec![target]);
    let [leak, child, other, disabled] =
        ["a", "a", "b", "c"].map(|it| service.create(&json!({ "account": it }).to_string()));
    let raw = service.raw();
    let parent = "UPDATE keys SET created_by = ?1 WHERE id = ?2";
    raw.run(parent, &[&text(&leak, "id"), &text(&child, "id")]);
    let path = format!("/v1/keys/{}", text(&disabled, "id"));
    let change = r#"{"disabled":true}"#;
    service
        .send("PATCH", &path, Some(ADMIN), change)
        .expect(200);
    let import = r#"{"keys":[{"key":"legacy-key-0123456789","account":"d"}]}"#;
    let imported = service.post("/v1/keys/import", import).expect(200);
    let imported = json!({ "id": imported["results"][0]["id"] });

    let unknown = text(&Running::start().create(r#"{"account":"a"}"#), "key");
    let body = json!([
        leaked(&text(&leak, "key")),
        leaked(&unknown),
        leaked("legacy-key-0123456789"),
        leaked(&text(&disabled, "key")),
        { "token": "" },
        leaked(&text(&leak, "key")),
    ])
    .to_string();
    let answer = report(&service, 1, &body).expect(200);
    let labels = answer.as_array().unwrap().iter();
    let labels: Vec<&str> = labels.map(|it| it["label"].as_str().unwrap()).collect();
    let (yes, no) = ("true_positive", "false_positive");
    assert_eq!(labels, [yes, no, yes, yes, no, yes]);
    assert_eq!(answer[0]["token_type"], "keygate_key");
    assert_eq!(answer[0]["token_hash"].as_str().unwrap().len(), 64);
    assert_eq!(answer[0], answer[5]);
    for key in [&leak, &child, &imported, &disabled] {
        assert_eq!(status(&service, key), "revoked");
    }
    assert_eq!(status(&service, &other), "active");
    let shown = service
        .get(&format!("/v1/keys/{}", text(&leak, "id")))
        .expect(200);
    assert_eq!(shown["revoked_reason"], "key_compromise");
    let note = "leaked: https://github.com/octocat/Hello-World/blob/1/foo.txt";
    assert_eq!(shown["revoked_note"], note);

    let got = events.wait_for(3);
    let first = got.iter().map(|it| it.json());
    let mut first = first.filter(|it| it["data"]["key"]["id"] == leak["id"]);
    let event = first.next().unwrap();
    assert_eq!(event["data"]["key"]["status"], "revoked");
    assert_eq!(event["data"]["leak"]["source"], "commit");
    assert_eq!(event["data"]["actor"], "reporter");
    let audit = || {
        service
            .get("/v1/audit?actor=reporter&limit=1000")
            .expect(200)
    };
    let entries = audit()["entries"].as_array().unwrap().clone();
    let count = |action: &str| entries.iter().filter(|it| it["action"] == action).count();
    assert_eq!((count("key.revoke"), count("key.leak")), (4, 3));
    let entry = entries
        .iter()
        .find(|it| it["action"] == "key.leak")
        .unwrap();
    assert_eq!(entry["detail"], note);

    let again = report(&service, 1, &body).expect(200);
    assert_eq!(
        again, answer,
        "a report that is sent again has the same answer"
    );
    assert_eq!(audit()["entries"].as_array().unwrap().len(), entries.len());
    assert_eq!(events.got().len(), 3);
    let metrics = service.send("GET", "/metrics", None, "").text;
    for line in [
        r#"keygate_service_reported_keys_total{label="true_positive"} 8"#,
        r#"keygate_service_reported_keys_total{label="false_positive"} 4"#,
        "keygate_service_keys_revoked_total 4",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}

#[test]
fn no_answer_and_no_file_contains_a_reported_key() {
    let (service, _keys) = start(|_| {});
    let key = text(&service.create(r#"{"account":"a"}"#), "key");
    let (_, secret) = key.rsplit_once('_').unwrap();
    let unknown = text(&Running::start().create(r#"{"account":"a"}"#), "key");
    let (_, other) = unknown.rsplit_once('_').unwrap();
    let body = json!([leaked(&key), leaked(&unknown)]).to_string();
    let mut bytes = report(&service, 1, &body).text.into_bytes();
    let broken = format!("[{},", leaked(&key));
    let answer = report(&service, 1, &broken);
    assert_eq!(answer.problem(), (400, "invalid_body".to_owned()));
    bytes.extend(answer.text.into_bytes());
    bytes.extend(service.stored());
    for secret in [secret, other] {
        assert!(!holds_a_part(&bytes, secret.as_bytes()));
    }
}

fn signed(signature: &str) -> (&str, &str) {
    ("github-public-key-signature", signature)
}

#[test]
fn a_report_without_a_valid_signature_revokes_nothing() {
    let (service, _keys) = start(|_| {});
    let key = service.create(r#"{"account":"a"}"#);
    let body = json!([leaked(&text(&key, "key"))]).to_string();
    let own = signature(1, &body);
    let (identifier, other) = (identifier(1), identifier(2));
    let id = ("github-public-key-identifier", identifier.as_str());
    let authorization = format!("Bearer {ADMIN}");
    let raw = STANDARD.encode(STANDARD.decode(&own).unwrap().split_last().unwrap().1);
    let foreign = signature(2, &body);
    let of_another = signature(1, &format!("{body} "));
    let long = "A".repeat(4_000);
    for headers in [
        vec![],
        vec![("authorization", authorization.as_str())],
        vec![id],
        vec![signed(&own)],
        vec![id, signed("")],
        vec![id, signed("%")],
        vec![id, signed(&raw)],
        vec![id, signed(&long)],
        vec![id, signed(&foreign)],
        vec![id, signed(&of_another)],
        vec![id, id, signed(&own)],
        vec![id, signed(&own), signed(&own)],
        vec![
            ("github-public-key-identifier", other.as_str()),
            signed(&own),
        ],
        vec![
            ("github-public-key-identifier", long.as_str()),
            signed(&own),
        ],
    ] {
        let answer = send(&service, &headers, &body);
        let problem = (401, "invalid_signature".to_owned());
        assert_eq!(answer.problem(), problem, "{headers:?}");
        assert_eq!(status(&service, &key), "active", "{headers:?}");
    }
    // The signature comes before the form.
    assert_eq!(send(&service, &[id, signed(&own)], "{").problem().0, 401);
    assert_eq!(report(&service, 1, "{").problem().0, 400);
    assert_eq!(report(&service, 1, &" ".repeat(65 * 1024)).problem().0, 413);
    report(&service, 1, &body).expect(200);
    assert_eq!(status(&service, &key), "revoked");
}

#[test]
fn unknown_identifiers_cause_one_call_a_minute() {
    let (service, keys) = start(|_| {});
    let after = |seconds: u64| START.plus(Millis::from_secs(seconds));
    for (seconds, calls) in [(0, 1), (59, 1), (60, 2), (119, 2), (121, 3)] {
        service.set_now(after(seconds));
        for number in 2..20 {
            assert_eq!(report(&service, number, "[]").problem().0, 401);
        }
        report(&service, 1, "[]").expect(200);
        assert_eq!(keys.got().len(), calls, "{seconds}");
    }
    let day = 24 * 3600;
    service.set_now(after(120 + day));
    report(&service, 1, "[]").expect(200);
    assert_eq!(keys.got().len(), 3, "not a day old");
    service.set_now(after(122 + day));
    report(&service, 1, "[]").expect(200);
    assert_eq!(keys.got().len(), 4);
}

#[test]
fn a_new_key_of_the_reporter_is_read_and_an_old_one_goes() {
    let keys = Receiver::replying(|number, _| match number {
        0 => Reply::Body(published(&[1])),
        1 => Reply::Status(500),
        _ => Reply::Body(published(&[2])),
    });
    let service = Running::configured(Ambient::real().randomness, |config| {
        config.leaks = Some(from(&keys));
    });
    report(&service, 1, "[]").expect(200);
    for (seconds, first, second) in [(61, 200, 401), (122, 401, 200)] {
        service.set_now(START.plus(Millis::from_secs(seconds)));
        assert_eq!(report(&service, 2, "[]").status, second);
        assert_eq!(report(&service, 1, "[]").status, first, "{seconds}");
    }
}

#[test]
fn without_keys_a_report_is_503_until_they_can_be_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let source = KeySource::File(file.path().to_owned());
    let service = Running::configured(Ambient::real().randomness, |config| {
        config.leaks = Some(source);
    });
    let unavailable = (503, "report_keys_unavailable".to_owned());
    assert_eq!(report(&service, 1, "[]").problem(), unavailable);
    std::fs::write(file.path(), published(&[1])).unwrap();
    assert_eq!(report(&service, 1, "[]").problem(), unavailable);
    service.set_now(START.plus(Millis::from_secs(60)));
    report(&service, 1, "[]").expect(200);
}

#[test]
fn the_report_and_the_answer_of_the_page_are_those_of_the_service() {
    let page = include_str!("../../../../docs/leaks.md");
    let blocks = page.split("```json\n").skip(1);
    let blocks: Vec<Value> = blocks
        .map(|it| serde_json::from_str(it.split("```").next().unwrap()).unwrap())
        .collect();
    let [sent, shown] = &blocks[..] else {
        panic!("two blocks");
    };
    let (service, _keys) = start(|_| {});
    let key = text(&service.create(r#"{"account":"a"}"#), "key");
    let mut sent = sent.clone();
    sent[0]["token"] = key.clone().into();
    let mut answer = report(&service, 1, &sent.to_string()).expect(200);
    answer[0]["token_hash"] = shown[0]["token_hash"].clone();
    assert_eq!(answer, *shown);

    let (_, pattern) = page.split_once("`kg_[0-9A-Za-z]{12}_[0-9A-Za-z]{").unwrap();
    let (length, _) = pattern.split_once("}`").unwrap();
    let parts: Vec<&str> = key.split('_').collect();
    let lengths: Vec<String> = parts.iter().map(|it| it.len().to_string()).collect();
    assert_eq!(lengths, ["2", "12", length]);
}
