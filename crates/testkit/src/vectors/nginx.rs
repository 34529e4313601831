//! nginx's secure_link module, and a filter that does as one of its modes.

use serde_json::{Value, json};

use super::{Attack, Case};

/// The template of nginx's documents, for attacks, which do not say theirs.
const DOCUMENTED: &str = "$secure_link_expires$uri$remote_addr secret";

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let url = vector["expected"].as_str().ok_or("no URL")?;
    let secret = vector["secret"].as_str().ok_or("no secret")?;
    let prefix = ["prefix", "protected_prefix"].map(|it| inputs[it].as_str());
    let provider = match prefix.into_iter().flatten().next() {
        Some(prefix) => json!({ "mode": "secure_link_secret", "prefix": prefix }),
        None => {
            let template = inputs["template"].as_str().ok_or("no template")?;
            linked(template, secret)
        }
    };
    made(provider, secret, url, inputs["remote_addr"].as_str())
}

/// A forged request: `TARGET from ADDRESS`.
pub fn attack(attack: &Value) -> Result<Attack, String> {
    let secret = attack["secret"].as_str().ok_or("no secret")?;
    let template = attack["inputs"]["template"].as_str().unwrap_or(DOCUMENTED);
    let [forged, legit] = ["attack", "legit"].map(|field| {
        let text = attack[field].as_str().ok_or("no request")?;
        let (url, address) = text.split_once(" from ").ok_or("no address")?;
        let mut case = made(linked(template, secret), secret, url, Some(address))?;
        case.now = 2_147_483_600;
        Ok::<_, String>(case)
    });
    Ok(Attack {
        forged: vec![forged?],
        legit: Some(legit?),
    })
}

/// nginx's template contains the secret itself, ours contains its name.
fn linked(template: &str, secret: &str) -> Value {
    let mut parts = template.split('$');
    let mut ours = parts
        .next()
        .unwrap_or_default()
        .replace(secret, "${secret}");
    for part in parts {
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let end = match part.find('}') {
            Some(end) if part.starts_with('{') => end + 1,
            _ => part.find(|it| !is_name(it)).unwrap_or(part.len()),
        };
        let (name, text) = part.split_at(end);
        ours.push_str(&format!("${name}{}", text.replace(secret, "${secret}")));
    }
    let mut provider = json!({ "template": ours });
    if template.contains("$secure_link_expires") {
        provider["max_lifetime"] = json!("366d");
    }
    provider
}

fn made(
    mut provider: Value,
    secret: &str,
    url: &str,
    address: Option<&str>,
) -> Result<Case, String> {
    provider["format"] = json!("nginx");
    provider["allow_weak"] = json!(true);
    let has_host = provider["template"]
        .as_str()
        .is_some_and(|it| it.contains("$host"));
    let mut case = Case::new(provider, secret, url);
    if has_host {
        case = case.covered(":authority");
    }
    if let Some(address) = address {
        case.client = Some(address.parse().map_err(|_| "no address")?);
    }
    Ok(case)
}
