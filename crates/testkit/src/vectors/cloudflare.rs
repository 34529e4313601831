//! Cloudflare's `is_timed_hmac_valid_v0`, and forgeries of links that its samples accept.

use serde_json::{Value, json};

use super::{Attack, Case};

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let secret = vector["secret"].as_str().ok_or("no secret")?;
    let mut provider = json!({ "format": "cloudflare", "ttl": format!("{}s", vector["ttl"]) });
    if inputs["flags"] == "s" {
        provider["base64"] = json!("url");
    }
    if let Some(name) = inputs["param"].as_str() {
        provider["parameter"] = json!(name);
    }
    let Some(target) = vector["expected"].as_str() else {
        provider["headers"] = json!({ "timestamp": "timestamp", "mac": "mac" });
        let message = inputs["message"].as_str().ok_or("no message")?;
        let stamp = inputs["headers"]["timestamp"]
            .as_str()
            .ok_or("no timestamp")?;
        let mac = vector["expected"]["mac_header"].as_str().ok_or("no MAC")?;
        let case = Case::new(provider, secret, message);
        return Ok(case.with("timestamp", stamp).with("mac", mac));
    };
    // In a link for a directory the name of the file is free.
    let request = inputs["request"].as_str();
    let directory = request.and_then(|it| it.rfind('/')).map(|at| at + 1);
    if let Some(length) = directory {
        provider["directory_length"] = json!(length);
    }
    let mut case = Case::new(provider, secret, target);
    if let (Some(length), Some(request)) = (directory, request) {
        case.free.push((":path".to_owned(), length..request.len()));
    }
    Ok(case)
}

/// A forged request. A forgery that is described in words is made here.
pub fn attack(attack: &Value) -> Result<Attack, String> {
    let secret = attack["secret"].as_str().ok_or("no secret")?;
    let text = |field: &str| attack[field].as_str().unwrap_or_default();
    let (legit, forged) = (text("legit"), text("attack"));
    let case = |target: &str, now: u64| {
        let provider = json!({ "format": "cloudflare", "parameter": "verify", "ttl": "3h" });
        let mut case = Case::new(provider, secret, target);
        case.now = now;
        case
    };
    let now = match legit.split_once("verify=").and_then(|(_, it)| it.get(..10)) {
        Some(stamp) => stamp.parse::<u64>().map_err(|it| it.to_string())? + 1,
        None => 1_700_000_001,
    };
    let forgeries = match text("id") {
        "attack/b64_malleable_mac" => {
            let bare = legit.trim_end_matches("%3D");
            let last = bare.chars().next_back().unwrap_or_default();
            let next = char::from(u8::try_from(last).unwrap_or_default() + 1);
            let stem = bare.strip_suffix(last).unwrap_or_default();
            let (head, tail) = legit.split_at(legit.len() - 10);
            vec![
                format!("{head}%21%21{tail}"),
                format!("{stem}{next}%3D"),
                bare.to_owned(),
            ]
        }
        "attack/timestamp_lenient_number" => {
            let (head, mac) = legit.split_once('-').ok_or("no MAC")?;
            let (path, stamp) = head.split_once("verify=").ok_or("no token")?;
            [
                "%20{}.0",
                "{}.0",
                "1.7e9",
                "0x6553F100",
                "+{}",
                " {}",
                "0{}",
            ]
            .map(|it| format!("{path}verify={}-{mac}", it.replace("{}", stamp)))
            .to_vec()
        }
        _ => vec![forged.to_owned()],
    };
    Ok(Attack {
        forged: forgeries.iter().map(|it| case(it, now)).collect(),
        legit: legit.starts_with('/').then(|| case(legit, now)),
    })
}
