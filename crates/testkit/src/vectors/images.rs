//! Programs that make images: imgproxy, thumbor, Google Maps.

use serde_json::{Value, json};

use super::Case;

/// imgproxy: a key and a salt.
pub fn imgproxy(vector: &Value) -> Result<Case, String> {
    let url = vector["expected"].as_str().ok_or("no URL")?;
    let [key, salt] = ["key_hex", "salt_hex"].map(|it| vector["secret"][it].as_str());
    let provider = json!({ "format": "imgproxy", "salts": "salts" });
    let mut case = Case::new(provider, key.ok_or("no key")?, url).encoded("hex");
    let salts = json!([{ "id": "vector", "env": "SALT", "encoding": "hex" }]);
    case.rings.push(("salts".to_owned(), salts));
    let salt = salt.ok_or("no salt")?.to_owned();
    case.environment.push(("SALT".to_owned(), salt));
    Ok(case)
}

/// thumbor.
pub fn thumbor(vector: &Value) -> Result<Case, String> {
    let url = vector["expected"].as_str().ok_or("no URL")?;
    let secret = vector["secret"].as_str().ok_or("no secret")?;
    Ok(Case::new(json!({ "format": "thumbor" }), secret, url))
}

/// Google Maps.
pub fn google_maps(vector: &Value) -> Result<Case, String> {
    let url = vector["expected"].as_str().ok_or("no URL")?;
    let secret = vector["secret"]["base64url"].as_str().ok_or("no secret")?;
    let case = Case::new(json!({ "format": "google-maps" }), secret, url);
    Ok(case.encoded("base64url"))
}
