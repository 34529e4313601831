//! Presigned URLs of S3.

use serde_json::{Value, json};

use super::Case;

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let text = |value: &Value, what: &str| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or(format!("no {what}"))
    };
    let secret = text(&vector["secret"]["secret_key"], "secret_key")?;
    let id = text(&vector["secret"]["access_key"], "access_key")?;
    let url = text(&vector["expected"], "expected")?;
    let method = inputs["method"].as_str().unwrap_or("GET");
    let mut provider = json!({ "format": "s3", "region": inputs["region"], "methods": [method] });
    if inputs["service"].is_string() {
        provider["service"] = inputs["service"].clone();
    }
    let mut case = Case::new(provider, &secret, &url).covered(":authority");
    case.ring[0]["id"] = json!(id);
    case.headers[0].1 = method.into();
    let headers = inputs["headers"].as_object().into_iter().flatten();
    for (name, value) in headers.filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        let value = text(value, "value of a header")?;
        case = case.with(&name.to_ascii_lowercase(), &value);
    }
    Ok(case)
}
