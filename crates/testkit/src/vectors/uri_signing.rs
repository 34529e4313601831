//! RFC 9246: a token in each of its carriers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Case;

const CARRIERS: [(&str, &str); 4] = [
    ("query", "query"),
    ("path_param", "path_parameter"),
    ("inline_segment", "path"),
    ("cookie", "cookie"),
];

/// The provider and requests of a vector: one for each carrier that it gives, and one with a
/// URL of ours when it gives none.
pub fn case(vector: &Value) -> Result<Case, String> {
    let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
    let token = expected["token"].as_str().or(expected.as_str());
    let token = token.ok_or("no token")?;
    let part = |index: usize| -> Value {
        let part = token.split('.').nth(index).unwrap_or_default();
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    let (header, claims) = (part(0), part(1));
    let provider = provider(&header, &claims);
    let url = sample(&claims);
    let mut cases = Vec::new();
    for (field, carrier) in CARRIERS {
        let Some(text) = inputs[field].as_str() else {
            continue;
        };
        let mut provider = provider.clone();
        provider["from"] = json!([carrier]);
        let case = match carrier {
            "cookie" => {
                let target = inputs["path"].as_str().or(inputs["url"].as_str());
                make(vector, provider, &header, target.unwrap_or(&url))?.with("cookie", text)
            }
            _ => make(vector, provider, &header, text)?,
        };
        cases.push(case);
    }
    if cases.is_empty() {
        let url = inputs["url"].as_str().unwrap_or(&url);
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}URISigningPackage={token}");
        cases.push(make(vector, provider, &header, &url)?);
    }
    for case in &mut cases {
        free(case, &claims);
        if let Some(range) = claims["cdniip"].as_str() {
            case.client = range.split('/').next().and_then(|it| it.parse().ok());
        }
        case.now = claims["exp"]
            .as_u64()
            .map_or(case.now, |it| it.saturating_sub(1));
    }
    let mut cases = cases.into_iter();
    let mut first = cases.next().ok_or("no carrier")?;
    first.also = cases.collect();
    Ok(first)
}

fn provider(header: &Value, claims: &Value) -> Value {
    let mut provider = json!({
        "format": "uri-signing",
        "algorithm": header["alg"],
        "max_lifetime": "366d",
        "allow_any_uri": claims["cdniuc"].is_null()
    });
    if claims["iss"].is_string() {
        provider["issuers"] = json!([claims["iss"]]);
    }
    match &claims["aud"] {
        Value::Null => {}
        Value::Array(all) => provider["audience"] = json!(all),
        one => provider["audience"] = json!([one]),
    }
    provider["ignore_jti"] = json!(!claims["jti"].is_null());
    provider["ignore_renewal"] = json!(!claims["cdnistt"].is_null());
    provider
}

fn make(vector: &Value, mut provider: Value, header: &Value, url: &str) -> Result<Case, String> {
    if url.starts_with("http://") {
        provider["scheme"] = json!("http");
    }
    let secret = &vector["secret"];
    let found = [
        ("jwk_k", "base64url"),
        ("hmac_hex", "hex"),
        ("hex", "hex"),
        ("base64", "base64"),
        ("base64url", "base64url"),
        ("public_key_pem", "utf8"),
    ]
    .into_iter()
    .find_map(|(field, encoding)| Some((secret[field].as_str()?, encoding)));
    let (text, encoding) = found
        .or(secret.as_str().map(|it| (it, "utf8")))
        .ok_or("no secret")?;
    let mut case = Case::new(provider, text, url).encoded(encoding);
    if let Some(kid) = header["kid"].as_str() {
        case.ring[0]["id"] = json!(kid);
    }
    Ok(case)
}

/// What the claims leave free: all of the URL without `cdniuc`, and some of it with an
/// expression: those bytes are not distinguished here, and stay as they are.
fn free(case: &mut Case, claims: &Value) {
    if claims["cdniuc"]
        .as_str()
        .is_some_and(|it| it.starts_with("hash:"))
    {
        case.free.retain(|(name, _)| name != ":authority");
        return;
    }
    let path = case.headers.iter().find(|(name, _)| name == b":path");
    let path = path
        .map(|(_, it)| String::from_utf8_lossy(it).into_owned())
        .unwrap_or_default();
    let name = "URISigningPackage=";
    match path.find(name) {
        // A `;` in front of the name belongs to the token, a `/` does not.
        Some(at) => {
            case.free.push((":path".to_owned(), 0..at - 1));
            let end = path[at..].find('/').map_or(path.len(), |it| at + it);
            case.free.push((":path".to_owned(), end..path.len()));
        }
        None => case.free.push((":path".to_owned(), 0..path.len())),
    }
}

/// A URL that the expression of the claims matches: `X*` and `X?` are nothing, `.` and a
/// class are a letter or digit, `{n}` repeats.
fn sample(claims: &Value) -> String {
    let container = claims["cdniuc"].as_str().unwrap_or_default();
    let Some(pattern) = container.strip_prefix("regex:") else {
        return "https://example.com/someasset.ts".to_owned();
    };
    let atoms = atoms(&pattern.chars().collect::<Vec<_>>());
    let url: String = atoms.concat();
    match url.split_once("://") {
        Some((scheme, rest)) if rest.starts_with('/') => format!("{scheme}://h{rest}"),
        _ => url,
    }
}

fn atoms(pattern: &[char]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < pattern.len() {
        let (atom, length) = match pattern[at] {
            '\\' => (
                pattern.get(at + 1).copied().unwrap_or_default().to_string(),
                2,
            ),
            '.' => ("0".to_owned(), 1),
            '^' | '$' => (String::new(), 1),
            '[' => {
                let end = pattern[at + 1..].iter().position(|it| *it == ']');
                let end = at + 2 + end.unwrap_or_default();
                let atom = match pattern[at + 1] {
                    '^' => '0',
                    first => first,
                };
                (atom.to_string(), end - at)
            }
            '(' => {
                let mut depth = 0;
                let end = pattern[at..].iter().position(|it| {
                    depth += i32::from(*it == '(') - i32::from(*it == ')');
                    depth == 0
                });
                let end = at + end.unwrap_or_default();
                let inner = &pattern[at + 1..end];
                let first = inner.split(|it| *it == '|').next().unwrap_or_default();
                (atoms(first).concat(), end + 1 - at)
            }
            other => (other.to_string(), 1),
        };
        at += length;
        let rest: String = pattern[at.min(pattern.len())..].iter().collect();
        let (times, length) = match rest.chars().next() {
            Some('*' | '?') => (
                usize::from(rest.starts_with('?') && atom != "?" && found.concat() == "http"),
                1,
            ),
            Some('+') => (1, 1),
            Some('{') => {
                let end = rest.find('}').unwrap_or_default();
                let times = rest[1..end]
                    .split(',')
                    .next()
                    .and_then(|it| it.parse().ok());
                (times.unwrap_or(1), end + 1)
            }
            _ => (1, 0),
        };
        at += length;
        found.push(atom.repeat(times));
    }
    found
}
