//! A login that the test plays, in front of `envoy/self-service.yaml`: its tokens, and
//! the three ways in which one reaches the gateway.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use keygate_tests::client::{self, Request, Response};
use keygate_tests::echo::Echo;
use keygate_tests::envoy::{Envoy, EnvoyConfig};
use keygate_tests::service::{APP_KEYS, EDGE_TOKEN, Options, Service};
use serde_json::{Value, json};

pub const ASSERTION: &str = "assertion-secret-for-the-tests-0123456789";
const FILTERS: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";

/// The three ways of a token, each as a header.
pub const WAYS: [(&str, &str); 3] = [
    ("cookie", "theme=dark; CF_Authorization="),
    ("cf-access-token", ""),
    ("authorization", "Bearer "),
];

pub struct Rig {
    pub envoy: Envoy,
    pub echo: Echo,
    pub service: Service,
}

pub fn login() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// What the login puts into a token of this account, with changes.
pub fn claims(account: &str, changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://login.example.com", "aud": ["keygate-example"], "sub": account,
        "iat": now() - 10, "exp": now() + 300
    });
    let members = claims.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    claims
}

pub fn token_of(key: &SigningKey, head: &Value, claims: &Value) -> String {
    let signed = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = signed.join(".");
    let signature = key.sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub fn token(account: &str, changes: &Value) -> String {
    let head = json!({ "alg": "EdDSA", "typ": "JWT", "kid": "login" });
    token_of(&login(), &head, &claims(account, changes))
}

pub fn alice() -> String {
    token("alice", &json!({}))
}

impl Rig {
    pub fn start() -> Self {
        Self::with(
            &[
                "--assertion-secret",
                "2026-11=VOUCH",
                "--assertion-audience",
                "keygate-keys",
            ],
            ASSERTION,
            |config| config.env("KEYGATE_ASSERTION", ASSERTION),
        )
    }

    pub fn with(
        arguments: &[&str],
        vouch: &str,
        change: impl FnOnce(EnvoyConfig) -> EnvoyConfig,
    ) -> Self {
        let echo = Echo::start();
        let service = Service::start_with(Options {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            variables: vec![("VOUCH".to_owned(), vouch.to_owned())],
            ..Options::default()
        });
        let x = URL_SAFE_NO_PAD.encode(login().verifying_key().as_bytes());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
                                      "use": "sig", "kid": "login", "x": x }] });
        let config = EnvoyConfig::from_file("envoy/self-service.yaml")
            .env("KEYGATE_APP_KEYS", APP_KEYS)
            .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN)
            .upstream(echo.port())
            .key_service(service.port())
            .cluster("keygate_self_service", service.port())
            .change(|bootstrap| {
                let filters = bootstrap.pointer_mut(FILTERS).unwrap();
                assert_eq!(filters[0]["name"], "envoy.filters.http.jwt_authn");
                assert_eq!(filters[1]["name"], "keygate");
                for provider in ["browser", "command-line"] {
                    let provider = &mut filters[0]["typed_config"]["providers"][provider];
                    provider["local_jwks"]["inline_string"] = json!(keys.to_string());
                }
            });
        let envoy = Envoy::start(change(config));
        Self {
            envoy,
            echo,
            service,
        }
    }

    pub fn request(&self, method: &str, path: &str, (name, value): (&str, String)) -> Request {
        client::request(method, self.envoy.port(), path).header(name, value)
    }

    pub fn get(&self, path: &str, header: (&str, String)) -> Response {
        self.request("GET", path, header).send()
    }

    pub fn post(&self, path: &str, header: (&str, String), body: &Value) -> Response {
        let request = self.request("POST", path, header);
        let request = request.header("content-type", "application/json");
        request.body(body.to_string()).send()
    }
}

pub fn by((name, before): (&'static str, &str), token: &str) -> (&'static str, String) {
    (name, format!("{before}{token}"))
}

pub fn bearer(token: &str) -> (&'static str, String) {
    by(WAYS[2], token)
}

#[track_caller]
pub fn expect(answer: &Response, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.json()
}

pub fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}
