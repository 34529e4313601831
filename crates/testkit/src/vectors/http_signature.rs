//! RFC 9421: a request is made from the text that was signed.

use serde_json::{Value, json};

use super::Case;

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let (inputs, secret, expected) = (&vector["inputs"], &vector["secret"], &vector["expected"]);
    let text = inputs["signature_base"]
        .as_str()
        .ok_or("no signature base")?;
    let mut lines: Vec<(&str, &str)> = text.lines().filter_map(|it| it.split_once(": ")).collect();
    let (_, parameters) = lines.pop().ok_or("no parameters")?;
    let found = |name: &str| {
        let quoted = format!("\"{name}\"");
        let line = lines.iter().find(|(it, _)| *it == quoted);
        line.map(|(_, value)| (*value).to_owned())
    };
    let parameter = |name: &str| {
        let (_, rest) = parameters.split_once(&format!(";{name}="))?;
        Some(
            rest.split(';')
                .next()
                .unwrap_or_default()
                .trim_matches('"')
                .to_owned(),
        )
    };
    let keys = [
        ("base64", "base64"),
        ("hex", "hex"),
        ("hmac_hex", "hex"),
        ("base64url", "base64url"),
        ("utf8", "utf8"),
        ("public_key_pem", "utf8"),
    ];
    let key = keys
        .into_iter()
        .find_map(|(field, it)| Some((secret[field].as_str()?, it)));
    let key = key.or(secret.as_str().map(|it| (it, "utf8")));
    let (key, encoding) = key.ok_or("no secret")?;
    let is_public = key.contains("PUBLIC KEY");

    let names: Vec<_> = lines
        .iter()
        .map(|(name, _)| name.trim_matches('"'))
        .filter(|name| !name.contains('"'))
        .collect();
    let mut provider = json!({
        "format": "http-signature",
        "algorithm": if is_public { "ed25519" } else { "hmac-sha256" },
        "max_age": "5m",
        "content_digest": names.contains(&"content-digest"),
        "components": names
    });
    if let Some(tag) = parameter("tag") {
        provider["tag"] = json!(tag);
    }
    let queries = lines.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("\"@query-param\";name=\"")?;
        Some(format!("{}={value}", name.trim_end_matches('"')))
    });
    let queries = queries.collect::<Vec<_>>().join("&");
    let query = match found("@query") {
        Some(query) if query == "?" => String::new(),
        Some(query) => query,
        None if queries.is_empty() => String::new(),
        None => format!("?{queries}"),
    };
    let path = found("@path").unwrap_or_else(|| "/".to_owned());
    let target = found("@request-target").unwrap_or_else(|| format!("{path}{query}"));
    let authority = found("@authority")
        .or(found("host"))
        .unwrap_or_else(|| "example.com".to_owned());
    let url = found("@target-uri").unwrap_or_else(|| format!("https://{authority}{target}"));
    let scheme = found("@scheme").or(url.split_once("://").map(|(it, _)| it.to_owned()));
    provider["scheme"] = json!(scheme);

    let mut case = Case::new(provider, key, &url).encoded(encoding);
    if let Some(id) = parameter("keyid") {
        case.ring[0]["id"] = json!(id);
    }
    if let Some(method) = found("@method") {
        for (name, value) in &mut case.headers {
            if name == b":method" {
                *value = method.clone().into();
            }
        }
    }
    for (name, value) in &lines {
        let name = name.trim_matches('"');
        if !name.starts_with('@') && name != "host" {
            case = case.with(name, value);
        }
    }
    let signature = expected
        .as_str()
        .or(expected["signature"].as_str())
        .ok_or("no signature")?;
    let signature = signature.split_once("=:").map_or(signature, |(_, it)| it);
    let signature = signature.trim_matches(':');
    case = case
        .with("signature-input", &format!("sig1={parameters}"))
        .with("signature", &format!("sig1=:{signature}:"));
    let has = |some: &[&str]| some.iter().any(|it| names.contains(it));
    if has(&["@authority", "@target-uri", "host"]) {
        case = case.covered(":authority");
    }
    let has_path = has(&["@path", "@target-uri", "@request-target"]);
    let has_query = has(&["@query", "@target-uri", "@request-target"]) || !queries.is_empty();
    let split = url.split_once("://").map_or(url.as_str(), |(_, it)| it);
    let split = split.find('/').map_or("/", |at| &split[at..]);
    let path_ends = split.find('?').unwrap_or(split.len());
    if !has_path {
        case.free.push((":path".to_owned(), 0..path_ends));
    }
    if !has_query {
        case.free.push((":path".to_owned(), path_ends..usize::MAX));
    }
    let created = parameter("created").and_then(|it| it.parse::<u64>().ok());
    case.now = created.ok_or("no time of creation")? + 1;
    Ok(case)
}
