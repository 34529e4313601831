//! Service SAS of Azure Blob Storage.

use serde_json::{Value, json};

use super::Case;

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let text = |value: &Value, what: &str| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or(format!("no {what}"))
    };
    let secret = text(&vector["secret"]["account_key_b64"], "account_key_b64")?;
    let query = text(&vector["expected"], "expected")?;
    let provider = json!({
        "format": "azure-sas",
        "account": inputs["account"],
        "max_lifetime": "367d",
    });
    let url = match query.split_once('?') {
        Some(_) => query.clone(),
        None => {
            let container = text(&inputs["container"], "container")?;
            let blob = inputs["blob"].as_str().unwrap_or("some/blob");
            format!("/{}/{}?{query}", encode(&container), encode(blob))
        }
    };
    let mut case = Case::new(provider, &secret, &url)
        .encoded("base64")
        .with(":scheme", "https");
    // Whatever the token does not say is free.
    if !query.contains("spr=https&") && !query.ends_with("spr=https") {
        case = case.free_all(":scheme");
    }
    if query.contains("sr=c&") || query.ends_with("sr=c") {
        let target = String::from_utf8_lossy(&case.headers[2].1).into_owned();
        let end = target.find('?').unwrap_or(target.len());
        let blob = target[1..].find('/').map_or(end, |at| at + 2);
        case.free.push((":path".to_owned(), blob..end));
    }
    let range = inputs["sip"].as_str().unwrap_or_default();
    let first = range.split('-').next().unwrap_or_default();
    if let Ok(address) = first.parse() {
        case.client = Some(address);
    }
    Ok(case)
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
