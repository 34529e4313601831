//! Amazon CloudFront's links and cookies.

use serde_json::{Value, json};

use super::Case;

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let (inputs, secret, expected) = (&vector["inputs"], &vector["secret"], &vector["expected"]);
    let text = |value: &Value, what: &str| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("no {what}"))
    };
    let pem = text(&secret["public_key_pem"], "public key")?;
    // Cookies are separate from the URL; a link is all of it.
    let cookies = expected.get("cookies").unwrap_or(expected);
    let signed = expected.as_str().or(expected["url"].as_str());
    let url = match signed {
        Some(url) => url.to_owned(),
        None => text(&inputs["url"], "URL")?,
    };
    let is_sha256 = format!("{inputs}{expected}").contains("SHA256")
        || format!("{inputs}").to_lowercase().contains("sha256");
    let mut provider = json!({ "format": "cloudfront", "max_lifetime": "366d", "hash": "sha256" });
    if !is_sha256 {
        provider["hash"] = json!("sha1");
        provider["allow_weak"] = json!(true);
    }
    if url.starts_with("http://") {
        provider["scheme"] = json!("http");
    }
    let policy = inputs["policy"]
        .as_str()
        .or(inputs["canned_policy"].as_str());
    let policy: Value = policy
        .and_then(|it| serde_json::from_str(it).ok())
        .unwrap_or_default();
    let statement = &policy["Statement"][0];
    let resource = statement["Resource"].as_str();
    if statement.is_object() && resource.is_none() {
        provider["allow_any_resource"] = json!(true);
    }
    let mut case = Case::new(provider, &pem, &url);
    case.ring[0]["id"] = json!(text(&secret["key_pair_id"], "key id")?);
    let list: Vec<String> = cookies
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with("CloudFront-"))
        .map(|(name, value)| match value.as_str() {
            Some(value) => format!("{name}={value}"),
            None => format!("{name}={value}"),
        })
        .collect();
    if !list.is_empty() {
        case = case.with("cookie", &list.join("; "));
    }
    let condition = &statement["Condition"];
    let expires = &condition["DateLessThan"]["AWS:EpochTime"];
    let expires = expires.as_u64().or(inputs["DateLessThan"].as_u64());
    case.now = expires.map_or(case.now, |it| it - 1);
    if let Some(range) = condition["IpAddress"]["AWS:SourceIp"].as_str() {
        let address = range.split('/').next().unwrap_or_default();
        case.client = address.parse().ok();
    }
    let plain = inputs["url"].as_str().unwrap_or(&url).to_owned();
    let is_custom = inputs["policy"].is_string();
    Ok(open(
        case,
        resource.filter(|_| is_custom),
        &plain,
        statement.is_object() && resource.is_none(),
    ))
}

/// What the wildcards of the resource leave free; without one all of the URL is signed.
fn open(mut case: Case, resource: Option<&str>, url: &str, is_any: bool) -> Case {
    let after_scheme = url.find("://").map_or(0, |it| it + 3);
    let host_ends = url[after_scheme..]
        .find('/')
        .map_or(url.len(), |it| after_scheme + it);
    let (first, last) = match resource {
        Some(it) => (
            it.find(['*', '?']),
            it.rfind(['*', '?']).map(|at| it.len() - at - 1),
        ),
        None if is_any => (Some(0), Some(0)),
        None => (None, None),
    };
    let Some((first, last)) = first.zip(last) else {
        return case.covered(":authority");
    };
    // A query is a wildcard of its own: `?` is any one byte.
    let begin = first.max(host_ends) - host_ends;
    case.free
        .push((":path".to_owned(), begin..url.len() - host_ends - last));
    match first < host_ends {
        true => case,
        false => case.covered(":authority"),
    }
}
