//! Requests, policies and orders for tests, and what a policy says of a request.

use std::net::IpAddr;

use keygate_core::keys::{KeyLookup, NoAnswer};
use keygate_core::signed_url::{Checks, Format, Order, Scope, SignError, Signed};
use keygate_core::{
    Client, Facts, Header, NoClaims, Policy, Provider, Reason, Target, UnixMillis, Verdict,
};

/// The headers of a GET, and more.
pub fn get(target: &str, more: &[(&str, &str)]) -> Vec<Header> {
    let pseudo = [
        (":method", "GET"),
        (":path", target),
        (":authority", "example.com"),
    ];
    pseudo
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// A policy from JSON; `secret` is the value of every environment variable but `TOKEN`.
pub fn policy(json: &serde_json::Value, secret: &str) -> Policy {
    let environment = |name: &str| match name {
        "TOKEN" => Some(b"edge-token".to_vec()),
        _ => Some(secret.as_bytes().to_vec()),
    };
    Policy::parse(json.to_string().as_bytes(), &environment).unwrap()
}

/// A policy with one rule for everything, which requires `provider`.
pub fn policy_of(provider: &serde_json::Value, secret: &str) -> Policy {
    let json = serde_json::json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "01", "env": "SECRET" }] },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    policy(&json, secret)
}

/// Facts without a session.
pub fn facts(keys: &dyn KeyLookup, client: Option<IpAddr>, now: UnixMillis) -> Facts<'_> {
    Facts {
        checks: Checks::default(),
        client: Client::Known(client),
        keys,
        claims: &NoClaims,
        now,
    }
}

/// `Ok(:path for the upstream)` or why it was rejected, without any known key.
pub fn judge(policy: &Policy, headers: &[Header], now_secs: u64) -> Result<String, Reason> {
    judge_from(policy, headers, "", now_secs)
}

/// What a header is after the edits, several joined by a comma.
pub fn after(headers: &[Header], edits: &[keygate_core::Edit], name: &str) -> Option<String> {
    use keygate_core::Edit;
    let mut values: Vec<String> = headers
        .iter()
        .filter(|(candidate, _)| candidate == name.as_bytes())
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .collect();
    for edit in edits {
        match edit {
            Edit::Remove(removed) if removed == name => values.clear(),
            Edit::Set(set, value) if set == name => {
                values = vec![String::from_utf8(value.to_vec()).unwrap()];
            }
            Edit::Add(added, value) if added == name => {
                values.push(String::from_utf8(value.to_vec()).unwrap());
            }
            Edit::SetSecret(set, value) if set == name => {
                values = vec![String::from_utf8(value.expose().to_vec()).unwrap()];
            }
            Edit::Remove(_) | Edit::Set(..) | Edit::Add(..) | Edit::SetSecret(..) => {}
        }
    }
    (!values.is_empty()).then(|| values.join(","))
}

/// A link for a target, signed as the first provider of a rule does, at a time.
pub fn signed(policy: &Policy, rule: usize, target: &str, now: UnixMillis) -> String {
    signed_as(policy, rule, target, &|order| order.now = now)
}

/// Signs with the other options of the order.
pub fn signed_as(
    policy: &Policy,
    rule: usize,
    target: &str,
    change: &dyn Fn(&mut Order<'_>),
) -> String {
    let mut order = Order {
        origin: "https://example.com",
        ..order(target, UnixMillis(0))
    };
    change(&mut order);
    let url = sign(policy, rule, &order).unwrap().url;
    url.strip_prefix(order.origin).unwrap().to_owned()
}

/// An order for a link to a target, and no more.
pub fn order(target: &str, now: UnixMillis) -> Order<'_> {
    Order {
        origin: "",
        target: Target::parse(target.as_bytes()).unwrap(),
        method: "GET",
        now,
        not_before: None,
        expires: None,
        scope: Scope::Path,
        addresses: &[],
        headers: &[],
        cookies: &[],
        account: None,
        once: None,
        options: &[],
        private_key: None,
    }
}

/// A provider of links with a ring of these entries, whose variables hold their own names.
pub fn policy_with_ring(format: &serde_json::Value, ring: &serde_json::Value) -> Policy {
    let mut provider = format.clone();
    provider["type"] = "signed_url".into();
    provider["secrets"] = "ring".into();
    let environment = |name: &str| Some(format!("the secret of {name}").into_bytes());
    policy_in(&provider, ring, &environment).unwrap()
}

/// A policy of a provider whose ring, `ring`, has these entries, or its first problem.
pub fn policy_in(
    provider: &serde_json::Value,
    ring: &serde_json::Value,
    environment: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Policy, String> {
    let policy = serde_json::json!({
        "version": 1,
        "secrets": { "ring": ring },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    Policy::parse(policy.to_string().as_bytes(), environment).map_err(|it| it[0].to_string())
}

/// What the one provider of a rule makes of an order.
pub fn sign(policy: &Policy, rule: usize, order: &Order<'_>) -> Result<Signed, SignError> {
    format_of(policy, rule).sign(order)
}

/// The format of the one provider of a rule.
pub fn format_of(policy: &Policy, rule: usize) -> &dyn Format {
    let Provider::SignedUrl(links) = policy.rules.all()[rule].require.providers()[0] else {
        panic!("rule {rule} requires a signed URL first");
    };
    links.format.as_ref()
}

/// `Ok(:path for the upstream)` or why it was rejected, for a client with an address; without
/// one, the address is unknown. A link that works once meets a key service that does not answer.
pub fn judge_from(
    policy: &Policy,
    headers: &[Header],
    client: &str,
    now_secs: u64,
) -> Result<String, Reason> {
    let unknown = NoAnswer(Reason::KeyServiceUnavailable);
    let facts = facts(
        &unknown,
        client.parse().ok(),
        UnixMillis::from_secs(now_secs),
    );
    match policy.decide(headers, &facts) {
        Verdict::Allow(grant) => Ok(after(headers, &grant.edits, ":path").unwrap_or_default()),
        Verdict::Deny(denial) => Err(denial.reason),
        Verdict::Redeem(redemption) => Err(redemption.unavailable.reason),
        other @ (Verdict::Ask(_) | Verdict::Reply(_)) => panic!("not without a key: {other:?}"),
    }
}

/// Why a provider is not taken, or nothing.
pub fn problems_of(provider: &serde_json::Value) -> Vec<String> {
    let text = serde_json::json!({
        "version": 1,
        "secrets": {
            "ring": [{ "id": "01", "env": "SECRET" }],
            "other": [{ "id": "01", "env": "SECRET" }],
            "others": [{ "id": "02", "env": "SECRET" }]
        },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    })
    .to_string();
    let environment = |_: &str| Some(b"secret".to_vec());
    match Policy::parse(text.as_bytes(), &environment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// What the format of the first rule says of a link.
pub fn explains(policy: &Policy, headers: &[Header], client: &str, now_secs: u64) -> String {
    use keygate_core::keys::NothingKnown;
    let mut kept = String::new();
    let request = policy.read(headers, &mut kept).unwrap();
    let now = UnixMillis::from_secs(now_secs);
    let facts = facts(&NothingKnown, client.parse().ok(), now);
    format_of(policy, 0)
        .explain(&request, &facts.of_link())
        .join("\n")
}
