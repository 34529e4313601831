//! Fastly's token authentication.

use serde_json::{Value, json};

use super::{Attack, Case};

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let url = vector["expected"].as_str().ok_or("no URL")?;
    made(vector, url)
}

/// A forged request. Its end may lie far ahead: nothing else is wrong about it.
pub fn attack(attack: &Value) -> Result<Attack, String> {
    let [forged, legit] = ["attack", "legit"].map(|it| attack[it].as_str().ok_or("no URL"));
    let [mut forged, mut legit] = [made(attack, forged?)?, made(attack, legit?)?];
    for case in [&mut forged, &mut legit] {
        case.now = 1_893_455_999;
    }
    Ok(Attack {
        forged: vec![forged],
        legit: Some(legit),
    })
}

fn made(entry: &Value, url: &str) -> Result<Case, String> {
    let secret = entry["secret"]["base64"].as_str().ok_or("no secret")?;
    let provider = json!({ "format": "fastly", "max_lifetime": "366d" });
    Ok(Case::new(provider, secret, url).encoded("base64"))
}
