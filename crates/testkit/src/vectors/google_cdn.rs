//! Google's Cloud CDN: signed URLs, prefixes and cookies.

use serde_json::{Value, json};

use super::Case;

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let expected = vector["expected"].as_str().ok_or("no signature")?;
    let secret = vector["secret"]["base64url"].as_str().ok_or("no secret")?;
    let provider = |url: &str| {
        json!({
            "format": "google-cdn",
            "scheme": url.split_once("://").map_or("https", |(scheme, _)| scheme),
            "max_lifetime": "366d"
        })
    };
    let mut case = match inputs["prefix"].as_str() {
        None => Case::new(provider(expected), secret, expected),
        Some(prefix) => under_prefix(prefix, expected, |url| {
            Case::new(provider(prefix), secret, url)
        }),
    };
    case.ring[0]["id"] = inputs["KeyName"].clone();
    Ok(case.encoded("base64url").covered(":authority"))
}

/// A request below a signed prefix: what follows the prefix is free.
pub fn under_prefix(prefix: &str, expected: &str, case: impl Fn(&str) -> Case) -> Case {
    let (_, below) = prefix.split_once("://").unwrap_or(("", prefix));
    let start = below.len() - below.find('/').unwrap_or(below.len());
    let mut case = match expected.split_once("Cookie=") {
        Some(_) if !expected.starts_with("http") => {
            let slash = if prefix.ends_with('/') { "" } else { "/" };
            case(&format!("{prefix}{slash}x.ts")).with("cookie", expected)
        }
        _ => case(expected),
    };
    let (_, path) = &case.headers[2];
    let path = String::from_utf8_lossy(path).into_owned();
    let end = path.find("URLPrefix=").map_or(path.len(), |at| at - 1);
    case.free.push((":path".to_owned(), start..end));
    case
}
