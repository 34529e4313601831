//! What the requests carry: links, keys and tokens, all different and all valid, so that
//! nothing that remembers a decision is measured in place of one that decides.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use keygate_core::keys::{KeyRingId, MasterSecret, Prefix};
use keygate_core::signed_url::{Order, Scope};
use keygate_core::{Millis, Policy, Provider, Secret, Target, UnixMillis};
use keygate_tests::service::{APP_KEYS, MEDIA, Service};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use crate::load::HOST;

/// How many different links and forged keys: several times as many as a worker remembers.
pub const LINKS: u32 = 100_000;

/// How many different keys, users and sessions.
pub const CALLERS: u32 = 1_000;

/// How long all of it is valid.
const LIFETIME_SECS: u64 = 2 * 3600;

/// The policy of the demo with links in Cloudflare's format under `/media/`, and one more rule:
/// native links under `/native/`.
pub fn edit_policy(policy: &mut Value) {
    policy["providers"]["media-link"] = json!({ "type": "signed_url", "format": "cloudflare",
        "secrets": "media", "parameter": "verify", "ttl": "3h" });
    policy["providers"]["native-link"] = json!({
        "type": "signed_url", "format": "keygate", "secrets": "media", "max_lifetime": "7d"
    });
    let rules = policy["rules"].as_array_mut().expect("a list");
    let native = json!({
        "name": "native", "match": { "path": "/native/**", "methods": ["GET", "HEAD"] },
        "require": "native-link", "deny": "page"
    });
    rules.insert(1, native);
}

/// Links of a provider of [`edit_policy`], without scheme and host.
pub fn links(provider: &str, directory: &str) -> Vec<String> {
    let mut policy = json!({
        "version": 1,
        "secrets": { "media": [{ "id": "demo", "env": "MEDIA" }] },
        "providers": {
            "native-link": { "type": "signed_url", "format": "keygate", "secrets": "media", "max_lifetime": "7d" },
            "media-link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "parameter": "verify", "ttl": "3h" }
        },
        "rules": [{ "name": "links", "match": { "path": "/**" }, "require": provider }],
        "unmatched": "deny"
    });
    policy["providers"] = json!({ provider: policy["providers"][provider] });
    let secret = |_: &str| Some(MEDIA.into());
    let policy = Policy::parse(policy.to_string().as_bytes(), &secret).expect("a policy");
    let Some(Provider::SignedUrl(links)) =
        policy.rules.all()[0].require.providers().first().copied()
    else {
        panic!("the rule requires a link");
    };
    let origin = format!("https://{HOST}");
    let now = UnixMillis::from_secs(now_secs());
    let ends = provider == "native-link";
    let sign = |number| {
        let target = format!("{directory}/2026/11/a-film/segment-{number:05}.ts");
        let order = Order {
            origin: &origin,
            target: Target::parse(target.as_bytes()).expect("a path"),
            method: "GET",
            now,
            not_before: None,
            expires: ends.then(|| now.plus(Millis::from_secs(LIFETIME_SECS))),
            scope: Scope::Path,
            addresses: &[],
            headers: &[],
            cookies: &[],
            account: None,
            once: None,
            private_key: None,
            options: &[],
        };
        let url = links.format.sign(&order).expect("it can be signed").url;
        url.strip_prefix(&origin).expect("our origin").to_owned()
    };
    (0..LINKS).map(sign).collect()
}

/// App keys, made by the key service.
pub fn app_keys(service: &Service) -> Vec<String> {
    let account = |number| json!({ "account": format!("account-{number}") });
    (0..CALLERS)
        .map(|number| service.create_key(&account(number)).key)
        .collect()
}

/// Keys whose form and checksum hold, by a secret that is not ours.
pub fn forged_keys() -> Vec<String> {
    let kid = KeyRingId::parse("01").expect("an id");
    let prefix = Prefix::parse("kg").expect("a prefix");
    let secret: String = APP_KEYS.chars().rev().collect();
    let master = MasterSecret::derive(&Secret::new(secret.into())).expect("long enough");
    let mut random = fastrand::Rng::with_seed(1);
    (0..LINKS)
        .map(|_| master.generate(&prefix, kid, &mut |bytes| random.fill(bytes)))
        .map(|key| key.text.to_string())
        .collect()
}

/// Keys for Envoy's own filter: as long as ours.
pub fn plain_keys() -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(2);
    let mut key = || (0..60).map(|_| random.alphanumeric()).collect();
    (0..CALLERS).map(|_| key()).collect()
}

/// The secret of the sessions, base64url.
pub fn session_secret() -> String {
    URL_SAFE_NO_PAD.encode(MEDIA)
}

/// JSON Web Tokens (HS256).
pub fn sessions() -> Vec<String> {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(&json!({ "alg": "HS256", "kid": "bench", "typ": "JWT" }));
    let session = |number| {
        let claims = json!({
            "iss": "bench", "sub": format!("account-{number}"), "aud": "media",
            "exp": now_secs() + LIFETIME_SECS
        });
        let text = format!("{header}.{}", part(&claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(MEDIA.as_bytes()).expect("any length");
        mac.update(text.as_bytes());
        format!(
            "{text}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    };
    (0..CALLERS).map(session).collect()
}

/// Names and passwords: an htpasswd file, and a value of `authorization` for each.
pub fn users() -> (String, Vec<String>) {
    let user = |number| {
        let (name, password) = (format!("account-{number}"), format!("password-{number}"));
        let hash = STANDARD.encode(Sha1::digest(&password));
        let value = STANDARD.encode(format!("{name}:{password}"));
        (format!("{name}:{{SHA}}{hash}\n"), format!("Basic {value}"))
    };
    (0..CALLERS).map(user).unzip()
}

/// The secret of nginx's links.
pub const NGINX_SECRET: &str = "nginx-secret-for-the-bench";

/// Links of nginx's `secure_link`.
pub fn nginx_links() -> Vec<String> {
    let expires = now_secs() + LIFETIME_SECS;
    let link = |number| {
        let path = format!("/media/2026/11/a-film/segment-{number:05}.ts");
        let sum = Md5::digest(format!("{expires}{path} {NGINX_SECRET}"));
        format!(
            "{path}?md5={}&expires={expires}",
            URL_SAFE_NO_PAD.encode(sum)
        )
    };
    (0..LINKS).map(link).collect()
}

/// Unix seconds.
pub fn now_secs() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed();
    since.expect("the clock is past 1970").as_secs()
}
