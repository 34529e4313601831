//! Makes links and policies for these tests.

use keygate_core::secret::RingEntry;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_core::{Header, Policy, Reason};
use serde_json::{Value, json};

pub use keygate_testkit::judge::{after, get, judge_from, policy_of};

pub const SECRET: &str = "a secret of thirty-two bytes ...";
pub const NOW: u64 = 1_767_225_600;
pub const END: u64 = NOW + 3600;

pub fn provider() -> Value {
    json!({
        "type": "signed_url", "format": "keygate", "secrets": "ring",
        "max_lifetime": "7d", "query_ignore": ["utm_*", "ref"]
    })
}

pub fn provider_with(more: Value) -> Value {
    let mut provider = provider();
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    provider
}

pub fn policy() -> Policy {
    policy_of(&provider(), SECRET)
}

pub fn entry(id: &str, secret: &str) -> RingEntry<hmac::Hmac<sha2::Sha256>> {
    RingEntry {
        id: id.to_owned(),
        key: keygate_core::secret::mac(secret.as_bytes()),
        not_before: None,
        not_after: None,
    }
}

pub fn terms() -> Terms<'static> {
    Terms {
        expires_secs: END,
        ..Terms::default()
    }
}

pub fn place(target: &str) -> Place<'_> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Place {
        host: "example.com",
        path,
        query,
    }
}

/// The token for a target.
pub fn token(terms: &Terms<'_>, target: &str) -> String {
    hs256(terms, &place(target), &entry("01", SECRET)).unwrap()
}

/// A target with its token in the query.
pub fn link(terms: &Terms<'_>, target: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}kg={}", token(terms, target))
}

/// A token with these fields and a right signature over `signed`.
pub fn raw(fields: &str, signed: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    use hmac::Mac as _;
    let mut mac = entry("01", SECRET).key;
    mac.update(signed.as_bytes());
    let signature = B64.encode(mac.finalize().into_bytes());
    format!("kg1.{}.{signature}", B64.encode(fields))
}

/// `k` and `e`, as every token here has them.
pub const HEAD: &str = "k2:01e10:1767229200";

/// `H`, `P` and `Q` of `GET /a`.
pub const REQUEST: &str = "H11:example.comP2:/aQ0:";

/// A link for `/a` with these fields, rightly signed.
pub fn forged(fields: &str) -> String {
    let text = format!("keygate-link-v1\nA5:HS256{fields}{REQUEST}");
    format!("/a?kg={}", raw(fields, &text))
}

pub fn judge(policy: &Policy, headers: &[Header]) -> Result<String, Reason> {
    judge_from(policy, headers, "", NOW)
}

/// A request with another method or host.
pub fn request(method: &str, host: &str, target: &str, more: &[(&str, &str)]) -> Vec<Header> {
    let mut headers = get(target, more);
    headers[0].1 = method.into();
    headers[2].1 = host.into();
    headers
}
