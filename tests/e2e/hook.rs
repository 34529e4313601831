//! The hook before save at the real key service, and what becomes of its keys at a real Envoy.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit as _, Mac as _};
use keygate_core::UnixMillis;
use keygate_tests::client::Response;
use keygate_tests::fake_service::{Answer, Asked, FakeService, http};
use keygate_tests::service::{ADMIN_TOKEN, Options, Service};
use keygate_tests::{Stack, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{call, code, followed, now};

const SECRET: &[u8] = b"a-webhook-secret-of-32-bytes-000";

/// What the hook says of a draft, by the name of the key.
fn answer(asked: &Asked) -> Answer {
    let question: Value = serde_json::from_slice(&asked.body).unwrap();
    let at = |seconds: u64| UnixMillis((now() + seconds) * 1000).to_string();
    let allow = |draft: Value| json!({ "allow": true, "draft": draft });
    let answer = match question["draft"]["name"].as_str().unwrap() {
        "as it is" => json!({ "allow": true }),
        "narrower" => allow(json!({ "scopes": ["files:read"], "expires_at": at(3600) })),
        "shorter" => allow(json!({ "expires_at": at(4) })),
        "refused" => json!({ "allow": false, "detail": "ask\u{1b} for a ticket" }),
        "wider" => allow(json!({ "scopes": ["files:read", "admin"] })),
        "longer" => allow(json!({ "expires_at": null })),
        "rubbish" => return http(200, "<html>allow</html>").into(),
        "error" => return http(500, "{\"allow\":true}").into(),
        "elsewhere" => return http(302, "").header("location", "/hook").into(),
        "closed" => return Answer::Close,
        "no http" => return Answer::Raw(b"{\"allow\":true}".to_vec()),
        "half" => return Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()),
        "without end" => {
            return Answer::Trickle(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n".to_vec());
        }
        "silent" => return Answer::Never,
        other => panic!("{other}"),
    };
    http(200, answer.to_string()).into()
}

/// Whether a call is signed with [`SECRET`], by the rules of Standard Webhooks.
fn is_signed(asked: &Asked) -> bool {
    let header = |name: &str| {
        let found = asked.headers.iter().find(|(it, _)| it == name);
        String::from_utf8(found.unwrap().1.clone()).unwrap()
    };
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(&asked.body);
    let signature = header("webhook-signature");
    let signature = STANDARD.decode(signature.strip_prefix("v1,").unwrap());
    mac.verify_slice(&signature.unwrap()).is_ok()
}

struct Rig {
    hook: FakeService,
    service: Service,
    _folder: TempDir,
}

impl Rig {
    fn start() -> Self {
        let hook = FakeService::start();
        hook.on("/hook", answer);
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("keygate.toml");
        let url = format!("http://127.0.0.1:{}/hook", hook.port());
        let text = format!("[hook]\nurl = {url:?}\nsecret_env = \"KEYGATE_HOOK_SECRET\"\n");
        fs::write(&config, text).unwrap();
        let secret = format!("whsec_{}", STANDARD.encode(SECRET));
        let service = Service::start_with(Options {
            arguments: vec!["--config".to_owned(), config.display().to_string()],
            variables: vec![("KEYGATE_HOOK_SECRET".to_owned(), secret)],
            ..Options::default()
        });
        Self {
            hook,
            service,
            _folder: folder,
        }
    }

    /// Asks for a key that may do everything for a day.
    fn create(&self, name: &str) -> Response {
        let scopes = ["files:read", "files:write"];
        let key = json!({ "account": "alice", "name": name, "scopes": scopes, "expires_in": "1d" });
        self.service
            .request("POST", "/v1/keys", ADMIN_TOKEN, Some(&key))
    }

    fn names(&self) -> Vec<String> {
        let list = self.service.request("GET", "/v1/keys", ADMIN_TOKEN, None);
        let list = list.json();
        let keys = list["keys"].as_array().unwrap().iter();
        keys.map(|key| key["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn created(response: &Response) -> (String, Value) {
    assert_eq!(response.status, 201, "{}", response.text());
    let json = response.json();
    (json["key"].as_str().unwrap().to_owned(), json)
}

#[test]
fn a_key_that_the_hook_narrowed_has_fewer_scopes_and_a_shorter_life_at_envoy() {
    let rig = Rig::start();
    let scopes = json!([{ "methods": ["GET"], "need": "files:read" }, { "need": "files:write" }]);
    let edit = |policy: &mut Value| {
        let rules = policy["rules"].as_array_mut().unwrap();
        let api = rules.iter_mut().find(|rule| rule["name"] == "api").unwrap();
        api["scopes"] = scopes;
    };
    let stack = Stack::builder()
        .edit_policy(edit)
        .concurrency(1)
        .key_service_at(rig.service.port())
        .start();
    followed(&stack, 1);
    let sent_scopes = || stack.echo.last().values("x-keygate-scopes").join(" ");
    let post = |key: &str| {
        let authorization = format!("Bearer {key}");
        let request = stack.post("/api/x").header("authorization", authorization);
        request.send()
    };

    let (whole, json) = created(&rig.create("as it is"));
    assert_eq!(json["scopes"], json!(["files:read", "files:write"]));
    assert_eq!(post(&whole).status, 200);
    assert_eq!(sent_scopes(), "files:read files:write");

    let (narrower, json) = created(&rig.create("narrower"));
    assert_eq!(json["scopes"], json!(["files:read"]));
    let hours = |until: u64| UnixMillis((now() + until * 3600) * 1000).to_string();
    let end = json["expires_at"].as_str().unwrap();
    assert!(end <= &*hours(1) && end > &*hours(0), "{end}");
    assert_eq!(call(&stack, "/api/x", &narrower).status, 200);
    assert_eq!(sent_scopes(), "files:read");
    let beyond = post(&narrower);
    assert_eq!(
        (beyond.status, code(&beyond)),
        (403, "insufficient_scope".to_owned())
    );

    let (shorter, _) = created(&rig.create("shorter"));
    wait::until("the short life to end", Duration::from_secs(15), || {
        let answer = call(&stack, "/api/x", &shorter);
        (answer.status == 401).then(|| assert_eq!(code(&answer), "expired"))
    });
    assert_eq!(call(&stack, "/api/x", &whole).status, 200);

    let asked = rig.hook.asked("/hook");
    assert_eq!(asked.len(), 3);
    for asked in asked {
        assert!(is_signed(&asked), "{asked:?}");
        let text = String::from_utf8(asked.body).unwrap();
        for key in [&whole, &narrower, &shorter] {
            let (_, secret) = key.rsplit_once('_').unwrap();
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn a_refusal_of_the_hook_reaches_the_client_with_its_words() {
    let rig = Rig::start();
    let answer = rig.create("refused");
    let problem = answer.json();
    assert_eq!(
        (answer.status, &problem["code"]),
        (403, &json!("hook_refused"))
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("ask for a ticket"), "{problem}");
    assert_eq!(rig.names(), [""; 0]);
}

#[test]
fn a_hook_that_fails_in_any_way_is_503_and_nothing_is_saved() {
    let rig = Rig::start();
    let names = [
        "wider",
        "longer",
        "rubbish",
        "error",
        "elsewhere",
        "closed",
        "no http",
        "half",
        "without end",
        "silent",
    ];
    std::thread::scope(|scope| {
        for name in names {
            let rig = &rig;
            scope.spawn(move || {
                let answer = rig.create(name);
                let problem = answer.json();
                let found = (answer.status, &problem["code"]);
                assert_eq!(found, (503, &json!("hook_failed")), "{name}");
                assert!(answer.header("retry-after").is_some(), "{name}");
            });
        }
    });
    assert_eq!(rig.names(), [""; 0]);
    let (_, key) = created(&rig.create("as it is"));
    let path = format!("/v1/keys/{}", key["id"].as_str().unwrap());
    let change = json!({ "name": "silent", "scopes": [] });
    let answer = rig
        .service
        .request("PATCH", &path, ADMIN_TOKEN, Some(&change));
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(rig.names(), ["as it is"], "a change fails closed as well");
}
