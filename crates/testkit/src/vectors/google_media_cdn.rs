//! Google's Media CDN: tokens, and requests signed with Ed25519.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keygate_core::signed_url::PrivateKey;
use serde_json::{Value, json};

use super::Case;
use super::akamai::fits;
use super::google_cdn::under_prefix;

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let expected = vector["expected"].as_str().ok_or("no signature")?;
    let is_token = inputs["token_body"].is_string();
    let mut case = match is_token {
        true => token(inputs, expected)?,
        false => signature(inputs, expected)?,
    };
    if is_token {
        case.provider["algorithm"] = json!(match expected.rsplit_once("~hmac=") {
            None => "ed25519",
            Some((_, mac)) if mac.len() == 40 => "hmac-sha1",
            Some(_) => "hmac-sha256",
        });
        case.provider["allow_weak"] = json!(true);
    }
    case.provider["format"] = json!("google-media-cdn");
    case.provider["max_lifetime"] = json!("366d");
    let id = inputs["KeyName"].as_str().unwrap_or("vector");
    let secret = &vector["secret"];
    match secret["hmac_b64url"].as_str() {
        Some(secret) => {
            case.environment = vec![("SECRET".to_owned(), secret.to_owned())];
            case = case.encoded("base64url");
        }
        None => {
            let seed = secret["ed25519_seed_b64url"].as_str().ok_or("no seed")?;
            let private = PrivateKey::parse(seed).map_err(|it| it.to_string())?;
            case.ring = json!([{ "id": id, "public_key": private.public_key() }]);
        }
    }
    Ok(case)
}

fn signature(inputs: &Value, expected: &str) -> Result<Case, String> {
    let at = |it: &str| {
        let url = match it.starts_with("http") {
            true => it.to_owned(),
            false => inputs["prefix"].as_str().unwrap_or_default().to_owned(),
        };
        let scheme = url.split("://").next().unwrap_or_default().to_owned();
        json!({ "mode": "signatures", "scheme": scheme })
    };
    let case = if let Some(prefix) = inputs["prefix"].as_str() {
        under_prefix(prefix, expected, |url| Case::new(at(prefix), "", url))
    } else {
        let mut case = Case::new(at(expected), "", expected);
        if inputs["url_prefix"].is_string() {
            // Behind the segment with the signature all is free.
            let path = String::from_utf8_lossy(&case.headers[2].1).into_owned();
            let segment = path.find("edge-cache-token=").ok_or("no segment")?;
            let end = path[segment..].find('/').ok_or("nothing behind it")?;
            let free = segment + end + 1..path.len();
            case.free.push((":path".to_owned(), free));
        }
        case
    };
    Ok(case.covered(":authority"))
}

fn token(inputs: &Value, expected: &str) -> Result<Case, String> {
    let path = inputs["request_path"].as_str().ok_or("no path")?;
    let field = |name: &str| {
        let mut all = expected.split('~');
        all.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
    };
    let decoded = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|it| it.to_string())?;
        String::from_utf8(bytes).map_err(|it| it.to_string())
    };
    let separator = if path.contains('?') { '&' } else { '?' };
    let target = format!("{path}{separator}edge-cache-token={expected}");
    let mut case = match field("URLPrefix") {
        None => Case::new(json!({}), "", &target),
        Some(prefix) => {
            let prefix = decoded(prefix)?;
            let (scheme, rest) = prefix.split_once("://").ok_or("no scheme")?;
            let host = rest.split('/').next().unwrap_or_default();
            let url = format!("{scheme}://{host}{target}");
            let mut case = Case::new(json!({ "scheme": scheme }), "", &url);
            let start = rest.len() - host.len();
            case.free.push((":path".to_owned(), start..path.len()));
            case.covered(":authority")
        }
    };
    let has_query = path.find('?');
    if field("PathGlobs").is_some() {
        free_by_globs(&mut case, field("PathGlobs").unwrap_or_default(), path);
    } else if let Some(query) = has_query {
        case.free.push((":path".to_owned(), query + 1..path.len()));
    }
    for (name, value) in inputs["request_headers"].as_object().into_iter().flatten() {
        let value = value.as_str().ok_or("a header without a text")?;
        case = case.with(&name.to_ascii_lowercase(), value);
    }
    if let Some(ranges) = field("IPRanges") {
        let ranges = decoded(ranges)?;
        let first = ranges.split(',').next().unwrap_or_default();
        let address = first.split('/').next().unwrap_or_default();
        case.client = Some(address.parse().map_err(|it| format!("{address}: {it}"))?);
    }
    Ok(case)
}

/// What the globs open is no forgery; nor is the query, which no token signs.
fn free_by_globs(case: &mut Case, globs: &str, path: &str) {
    let globs: Vec<&str> = globs.split(['!', ',']).collect();
    let end = path.find('?').unwrap_or(path.len());
    for at in 1..path.len() {
        let mut other = path.as_bytes().to_vec();
        other[at] = match other[at].to_ascii_lowercase() {
            b'b' => b'c',
            _ => b'b',
        };
        if at >= end || globs.iter().any(|it| fits(it.as_bytes(), &other[..end])) {
            case.free.push((":path".to_owned(), at..at + 1));
        }
    }
}
