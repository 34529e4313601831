//! KeyCDN's secure token.

use serde_json::{Value, json};

use super::Case;

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let url = vector["expected"].as_str().ok_or("no URL")?;
    let secret = vector["secret"].as_str().ok_or("no secret")?;
    let mut provider = json!({ "format": "keycdn", "allow_weak": true });
    if vector["inputs"]["expire"].is_null() {
        provider["mode"] = json!("image");
    } else {
        provider["max_lifetime"] = json!("366d");
    }
    Ok(Case::new(provider, secret, url))
}
