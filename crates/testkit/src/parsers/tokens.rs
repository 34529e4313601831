//! An input is a byte that says what the rest is: an assertion, the claims of one that is
//! signed here, a clearance, or the cookie of an exchange. Unsigned input grants nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keygate_core::identity::assertion::{Algorithm, SigningKey, Verifier};
use keygate_core::keys::NothingKnown;
use keygate_core::secret::{KeyRing, RingEntry};
use keygate_core::signed_url::Checks;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_core::{
    Client, Edit, Facts, Header, Millis, NoClaims, Policy, Secret, UnixMillis, Verdict,
};
use sha2::Sha256;

use super::{NOW, SECRET, policy};

thread_local! {
    static VERIFIER: Verifier = verifier();
    static POLICY: Policy = policy(TEXT).unwrap();
    static COOKIE: String = cookie();
}

const TEXT: &str = r#"{ "version": 1,
  "secrets": { "links": [{ "id": "01", "env": "A" }], "work": [{ "id": "01", "env": "B" }],
    "cookies": [{ "id": "01", "env": "C" }] },
  "providers": { "link": { "type": "signed_url", "format": "keygate", "secrets": "links",
      "max_lifetime": "30d", "exchange": { "secrets": "cookies", "max_session": "6h" } },
    "other": { "type": "signed_url", "format": "cloudflare", "secrets": "work", "ttl": "3h" } },
  "rules": [
    { "name": "work", "match": { "path": "/puzzle/**" }, "require": "other", "mode": "challenge",
      "challenge": { "secrets": "work", "difficulty": 8, "clearance": "10m" } },
    { "name": "link", "match": { "path": "/**" }, "require": "link" }
  ],
  "unmatched": "deny" }"#;

pub fn run(data: &[u8]) {
    let Some((kind, text)) = data.split_first() else {
        return;
    };
    match kind % 4 {
        0 => assertion(text),
        1 => {
            let (head, claims) = super::line(text);
            let signed = [head, claims]
                .map(|it| URL_SAFE_NO_PAD.encode(it))
                .join(".");
            let signature = URL_SAFE_NO_PAD.encode(mac(signed.as_bytes()));
            assertion(format!("{signed}.{signature}").as_bytes());
        }
        2 => clearance(text),
        _ => exchange(text),
    }
}

fn mac(text: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn verifier() -> Verifier {
    let key = SigningKey::new(&Secret::new(SECRET.to_vec()), Algorithm::Hs256).unwrap();
    let entry = RingEntry {
        id: "01".to_owned(),
        key: key.verifying(),
        not_before: None,
        not_after: None,
    };
    Verifier {
        ring: KeyRing(vec![entry]),
        issuer: "keygate".to_owned(),
        audience: "us".to_owned(),
        skew: Millis::from_secs(5),
    }
}

/// What is taken is signed, of the closed form, of and for us, and short-lived.
fn assertion(token: &[u8]) {
    let Ok(taken) = VERIFIER.with(|it| it.verify(token, NOW)) else {
        return;
    };
    let token = std::str::from_utf8(token).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(mac(signed.as_bytes())), signature);
    let parts = signed.split('.').map(|it| {
        let json = URL_SAFE_NO_PAD.decode(it).unwrap();
        serde_json::from_slice::<serde_json::Value>(&json).unwrap()
    });
    let [head, claims] = &parts.collect::<Vec<_>>()[..] else {
        panic!("more than two parts");
    };
    assert_eq!(
        *head,
        serde_json::json!({ "alg": "HS256", "typ": "JWT", "kid": "01" })
    );
    let known = [
        "iss", "aud", "sub", "scope", "key_id", "iat", "nbf", "exp", "jti",
    ];
    let names = claims.as_object().unwrap().keys();
    assert!(names.clone().all(|it| known.contains(&it.as_str())));
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&"keygate".into(), &"us".into())
    );
    let at = |name: &str| claims[name].as_u64().unwrap();
    let now = NOW.as_secs();
    assert!(
        at("exp") > at("iat") && at("exp") - at("iat") <= 60,
        "{claims}"
    );
    assert!(at("iat") <= now + 5 && at("nbf") <= now + 5, "{claims}");
    assert!(now < at("exp").saturating_add(5), "{claims}");
    assert_eq!(claims["sub"].as_str(), Some(&*taken.account));
    assert_eq!(claims["scope"].as_str(), Some(&*taken.scopes.join(" ")));
}

fn decide(path: &str, cookie: &[u8], more: &[(&str, &[u8])]) -> Verdict {
    let pseudo: [(&str, &[u8]); 4] = [
        (":method", b"GET"),
        (":path", path.as_bytes()),
        (":authority", b"example.com"),
        ("cookie", cookie),
    ];
    let headers = pseudo.iter().chain(more);
    let headers: Vec<Header> = headers.map(|it| (it.0.into(), it.1.into())).collect();
    let facts = Facts {
        checks: Checks::default(),
        client: Client::Known(Some([192, 0, 2, 1].into())),
        keys: &NothingKnown,
        claims: &NoClaims,
        now: NOW,
    };
    POLICY.with(|it| it.decide(&headers, &facts))
}

/// As a solution and as a clearance: none was issued.
fn clearance(text: &[u8]) {
    let cookie = [b"keygate_clearance=", text].concat();
    for verdict in [
        decide("/puzzle/a", &cookie, &[("accept", b"text/html")]),
        decide("/puzzle/a", b"", &[("x-keygate-solution", text)]),
    ] {
        assert!(matches!(verdict, Verdict::Deny(_)), "{verdict:?}");
    }
}

/// The one cookie that was signed opens what it covers, and no other one anything.
fn exchange(text: &[u8]) {
    let (path, text) = super::line(text);
    let Ok(path) = std::str::from_utf8(path) else {
        return;
    };
    let cookie = [b"keygate_link=", text].concat();
    let Verdict::Allow(grant) = decide(path, &cookie, &[]) else {
        return;
    };
    let genuine = COOKIE.with(String::clone);
    assert_eq!(text.trim_ascii(), genuine.as_bytes());
    assert!(path.starts_with("/video/"), "{path}");
    let is_gone = |it: &Edit| matches!(it, Edit::Remove(name) if name == "cookie");
    assert!(
        grant.edits.iter().any(is_gone),
        "the upstream sees the cookie"
    );
}

/// The value of the cookie that a link for `/video/` is exchanged for.
fn cookie() -> String {
    let terms = Terms {
        expires_secs: NOW.as_secs() + 3600,
        prefix: Some("/video/"),
        ..Terms::default()
    };
    let place = Place {
        host: "example.com",
        path: "/video/a",
        query: None,
    };
    let entry = RingEntry {
        id: "01".to_owned(),
        key: Hmac::<Sha256>::new_from_slice(SECRET).unwrap(),
        not_before: None::<UnixMillis>,
        not_after: None,
    };
    let token = hs256(&terms, &place, &entry).unwrap();
    let Verdict::Allow(grant) = decide(&format!("/video/a?kg={token}"), b"", &[]) else {
        panic!("a signed link is rejected");
    };
    let value = |edit: &Edit| match edit {
        Edit::Add(name, value) if name == "set-cookie" => Some(value.to_vec()),
        _ => None,
    };
    let cookie = grant.response_edits.iter().find_map(value).unwrap();
    let cookie = String::from_utf8(cookie).unwrap();
    let (_, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
    value.to_owned()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let head = r#"{"alg":"HS256","typ":"JWT","kid":"01"}"#;
    let iat = NOW.as_secs();
    let claims = format!(
        r#"{{"iss":"keygate","aud":"us","sub":"alice","scope":"a b","key_id":"k","iat":{iat},"nbf":{iat},"exp":{},"jti":"1"}}"#,
        iat + 60
    );
    let signed = format!("\u{1}{head}\n{claims}");
    let none = signed.replace("HS256", "none");
    let cookie = format!("\u{3}/video/a/b?c=d\n{}", COOKIE.with(String::clone));
    let clearance = format!("\u{2}{}.{}", iat + 60, "A".repeat(43));
    super::texts(&[
        &signed,
        &none,
        &cookie,
        &clearance,
        "\0a.b.c",
        &format!("{clearance}:7"),
    ])
}
