//! `jwt_authn`, which may be before Keygate: that no claim of a token becomes a header that Keygate
//! reads or sets.

use std::collections::BTreeSet;

use serde_json::Value;

use super::at::At;
use super::exam::{Exam, Gate};
use super::findings::Id;
use super::known::jwt as known;

/// The type of the filter.
pub const JWT: &str = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication";

/// Headers that Keygate reads without being named in a policy.
const ALWAYS: [&str; 4] = ["authorization", "cookie", "host", "referer"];

/// Examines a filter in a chain with these Keygate filters.
pub fn examine(exam: &mut Exam<'_>, filter: &At<'_>, config: &At<'_>, gate: &Gate) {
    known::AUTHENTICATION.check(config, &mut exam.findings);
    let providers = config.inside("providers");
    for (name, provider) in providers.iter().flat_map(At::members) {
        let place = format!("{}/providers/{name}", filter.place);
        let provider = At::new(provider.json(), place);
        known::PROVIDER.check(&provider, &mut exam.findings);
        let claims = provider.items("claim_to_headers");
        let mut written: Vec<&str> = claims.iter().map(|it| it.text("header_name")).collect();
        written.push(provider.text("forward_payload_header"));
        for header in written {
            if is_used(header, gate) {
                exam.say(Id::ClaimHeader, &provider, header);
            }
        }
    }
}

fn is_used(header: &str, gate: &Gate) -> bool {
    let lower = header.to_ascii_lowercase();
    let mut policies = gate.policies.iter();
    // A claim can even become the path.
    lower.starts_with(':')
        || ALWAYS.contains(&lower.as_str())
        || gate.headers.contains(&lower)
        || policies.any(|it| it.identity.is_claimed_by(lower.as_bytes()))
}

/// The headers that a policy names, in lower case: those with credentials, those that rules match,
/// and those that keys set.
pub fn headers_of(policy: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = vec![policy];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(members) => {
                let listed = members.get("headers").and_then(Value::as_array);
                let listed = listed.into_iter().flatten();
                let listed = listed.map(|it| it.get("name").unwrap_or(it));
                let named = members.get("header").into_iter().chain(listed);
                found.extend(named.filter_map(Value::as_str).map(str::to_ascii_lowercase));
                rest.extend(members.values());
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn headers_of_carriers_matches_and_sealed_headers_are_found() {
        let policy = json!({
            "providers": { "key": { "from": ["bearer", { "header": "X-API-Key" }] } },
            "rules": [{
                "match": { "headers": [{ "name": "X-Tier", "value": "gold" }, { "name": "x-b" }] },
                "sealed": { "headers": ["x-upstream-token"] }
            }],
            "responses": { "api": { "headers": { "x-answer": "1" } } }
        });
        let found: Vec<String> = headers_of(&policy).into_iter().collect();
        assert_eq!(found, ["x-api-key", "x-b", "x-tier", "x-upstream-token"]);
    }
}
