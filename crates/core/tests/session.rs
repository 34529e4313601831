//! What a policy decides about sessions, and how it vouches for who calls.

use keygate_core::identity::Claims;
use keygate_core::identity::assertion::{Algorithm, SigningKey, Verifier};
use keygate_core::keys::NoAnswer;
use keygate_core::secret::{KeyRing, RingEntry};
use keygate_core::signed_url::Checks;
use keygate_core::{Facts, Header, Millis, Policy, Reason, Secret, UnixMillis, Verdict};
use keygate_testkit::judge::{after, get, policy};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn config() -> Value {
    json!({
        "version": 1,
        "secrets": {
            "keys": [{ "id": "01", "env": "KEYS" }],
            "vouch": [{ "id": "v1", "env": "VOUCH" }]
        },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "key": { "type": "app_key", "secrets": "keys" },
            "session": { "type": "jwt", "scopes_claim": "scope",
                         "strip": [{ "cookie": "a" }, { "cookie": "b" }, "authorization", { "header": "x-t" }] },
            "other": { "type": "jwt", "filter": "f", "metadata_key": "m", "account_claim": "email" }
        },
        "rules": [
            { "name": "open", "match": { "path": "/open" }, "require": "nothing" },
            { "name": "off", "match": { "path": "/off" }, "require": "session", "mode": "off" },
            { "name": "beta", "match": { "path": "/beta" }, "require": "session", "mode": "simulate" },
            { "name": "other", "match": { "path": "/other" }, "require": "other" },
            { "name": "all", "match": { "path": "/**" }, "require": { "any": ["key", "session"] } }
        ],
        "unmatched": "deny",
        "assertion": { "algorithm": "HS256", "secrets": "vouch", "audience": "keys", "header": "x-who" }
    })
}

/// A session of `alice`, or none.
struct Session(bool);

impl Claims for Session {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        let text = match path {
            ["envoy.filters.http.jwt_authn", "payload", "sub"] => "alice",
            ["envoy.filters.http.jwt_authn", "payload", "scope"] => "files:read keys:write",
            ["f", "m", "email"] => "alice@example.com",
            _ => return None,
        };
        self.0.then(|| text.into())
    }
}

fn decide(policy: &Policy, headers: &[Header], has_session: bool) -> Verdict {
    let facts = Facts {
        checks: Checks::default(),
        client: keygate_core::Client::Known(None),
        keys: &NoAnswer(Reason::KeyServiceUnavailable),
        claims: &Session(has_session),
        now: NOW,
    };
    policy.decide(headers, &facts)
}

/// A header as the upstream gets it.
fn upstream(policy: &Policy, headers: &[Header], has_session: bool, name: &str) -> Option<String> {
    let Verdict::Allow(grant) = decide(policy, headers, has_session) else {
        panic!("is rejected")
    };
    after(headers, &grant.edits, name)
}

#[test]
fn a_session_passes_with_its_account_and_scopes() {
    let policy = policy(&config(), SECRET);
    let headers = get(
        "/x",
        &[("x-keygate-account", "root"), ("x-keygate-key-id", "k")],
    );
    let header = |name| upstream(&policy, &headers, true, name);
    assert_eq!(header("x-keygate-account").as_deref(), Some("alice"));
    let scopes = "files:read keys:write";
    assert_eq!(header("x-keygate-scopes").as_deref(), Some(scopes));
    assert_eq!(header("x-keygate-key-id"), None, "the client's is removed");
    let headers = get("/other", &[]);
    let account = upstream(&policy, &headers, true, "x-keygate-account");
    assert_eq!(account.as_deref(), Some("alice@example.com"));
}

#[test]
fn no_session_is_401_despite_headers_of_the_client() {
    let policy = policy(&config(), SECRET);
    for more in [
        vec![],
        vec![("x-keygate-account", "alice")],
        vec![("x-who", "a.b.c")],
        vec![("cookie", "a=token")],
    ] {
        let Verdict::Deny(denial) = decide(&policy, &get("/other", &more), false) else {
            panic!("passes with {more:?}")
        };
        assert_eq!(
            (denial.status, denial.reason),
            (401, Reason::MissingCredential)
        );
        let challenge = ("www-authenticate".into(), "Bearer realm=\"keygate\"".into());
        assert!(denial.headers.contains(&challenge));
    }
}

#[test]
fn the_token_of_a_session_is_stripped_where_the_policy_says_so() {
    let policy = policy(&config(), SECRET);
    let headers = get(
        "/x",
        &[
            ("cookie", "a=token; theme=dark; b=token"),
            ("x-t", "token"),
            ("authorization", "Bearer token"),
        ],
    );
    let header = |name| upstream(&policy, &headers, true, name);
    assert_eq!(header("cookie").as_deref(), Some("theme=dark"));
    assert_eq!((header("x-t"), header("authorization")), (None, None));
    // Also under the rules of others; `authorization` only for a session that is verified.
    for (path, is_there) in [("/other", true), ("/open", true), ("/open", false)] {
        let more = [("cookie", "a=token; c=1"), ("authorization", "Bearer t")];
        let headers = get(path, &more);
        let header = |name| upstream(&policy, &headers, is_there, name);
        assert_eq!(header("cookie").as_deref(), Some("c=1"), "{path}");
        let kept = (!is_there).then_some("Bearer t");
        assert_eq!(header("authorization").as_deref(), kept, "{path}");
    }
}

#[test]
fn only_authenticated_requests_get_an_assertion() {
    let policy = policy(&config(), SECRET);
    let key = SigningKey::new(&Secret::new(SECRET.into()), Algorithm::Hs256).unwrap();
    let verifier = Verifier {
        ring: KeyRing(vec![RingEntry {
            id: "v1".to_owned(),
            key: key.verifying(),
            not_before: None,
            not_after: None,
        }]),
        issuer: "keygate".to_owned(),
        audience: "keys".to_owned(),
        skew: Millis(0),
    };
    for path in ["/x", "/beta", "/other"] {
        let headers = get(
            path,
            &[
                ("x-request-id", "r-1"),
                ("X_Who", "forged"),
                ("x-who", "forged"),
            ],
        );
        let token = upstream(&policy, &headers, true, "x-who").unwrap();
        let assertion = verifier.verify(token.as_bytes(), NOW).unwrap();
        assert!(assertion.account.starts_with("alice"));
        assert_eq!(assertion.key_id, None);
        assert_eq!(assertion.request_id.as_deref(), Some("r-1"));
        assert_eq!(upstream(&policy, &headers, true, "X_Who"), None);
    }
    for (path, has_session) in [("/open", true), ("/off", true), ("/beta", false)] {
        let headers = get(
            path,
            &[("x-who", "forged"), ("x-keygate-assertion", "forged")],
        );
        for name in ["x-who", "x-keygate-assertion"] {
            assert_eq!(
                upstream(&policy, &headers, has_session, name),
                None,
                "{path}"
            );
        }
    }
}

#[test]
fn only_the_named_rules_vouch() {
    let mut config = config();
    config["assertion"]["rules"] = json!(["all"]);
    let policy = policy(&config, SECRET);
    assert!(upstream(&policy, &get("/x", &[]), true, "x-who").is_some());
    let headers = get("/other", &[("x-who", "forged")]);
    assert_eq!(upstream(&policy, &headers, true, "x-who"), None);
}

#[test]
fn without_a_signing_key_the_request_does_not_pass() {
    let mut config = config();
    config["secrets"]["vouch"][0]["not_after"] = json!("2020-01-01T00:00:00Z");
    let policy = policy(&config, SECRET);
    let Verdict::Deny(denial) = decide(&policy, &get("/x", &[]), true) else {
        panic!("passes")
    };
    assert_eq!((denial.status, denial.reason), (503, Reason::NoSigningKey));
    assert!(matches!(
        decide(&policy, &get("/open", &[]), true),
        Verdict::Allow(_)
    ));
}

#[test]
fn the_example_of_the_documentation_is_a_policy() {
    let text = include_str!("../../../docs/sessions.md");
    let (_, rest) = text.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    let policy = policy(&example, SECRET);
    let headers = get("/app/x", &[]);
    let account = upstream(&policy, &headers, true, "x-keygate-account");
    assert_eq!(account.as_deref(), Some("alice"));
    assert!(upstream(&policy, &get("/keys", &[]), true, "x-keygate-assertion").is_some());
}
