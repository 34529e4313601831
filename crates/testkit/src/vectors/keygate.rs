//! The native format. What a link does not sign is found by trying: a changed request that
//! means the same to the link is no forgery.

use keygate_core::http::PathGlob;
use keygate_core::http::path::{canonical, readable};
use serde_json::{Value, json};

use super::{Attack, Case};

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let url = vector["expected"].as_str().ok_or("no URL")?;
    let mut case = case_of(inputs, &vector["secret"], url)?;
    let target = case.headers[2].1.clone();
    let target = String::from_utf8(target.to_vec()).map_err(|it| it.to_string())?;
    let meant = meaning(&target, inputs);
    for at in 1..target.len() {
        let mut changed = target.clone().into_bytes();
        changed[at] = if changed[at].eq_ignore_ascii_case(&b'b') {
            b'c'
        } else {
            b'b'
        };
        if String::from_utf8(changed).is_ok_and(|it| meaning(&it, inputs) == meant) {
            case.free.push((":path".to_owned(), at..at + 1));
        }
    }
    if inputs["any_host"] != true {
        case = case.covered(":authority");
    }
    Ok(case)
}

/// A forged request, and the good one.
pub fn attack(attack: &Value) -> Result<Attack, String> {
    let case = |field: &str| {
        let url = attack[field].as_str().ok_or("no URL")?;
        let mut case = case_of(&attack["inputs"], &attack["secret"], url)?;
        case.now = attack["now"].as_u64().ok_or("no time")?;
        Ok::<_, String>(case)
    };
    Ok(Attack {
        forged: vec![case("attack")?],
        legit: attack["legit"]
            .is_string()
            .then(|| case("legit"))
            .transpose()?,
    })
}

fn case_of(inputs: &Value, secret: &Value, url: &str) -> Result<Case, String> {
    let text = |name: &str| inputs[name].as_str().unwrap_or_default();
    let (carrier, name, token) = (text("carrier"), text("name"), text("token"));
    let provider = json!({
        "format": "keygate",
        "algorithm": inputs["algorithm"],
        "from": [{ carrier: name }],
        "max_lifetime": "366d",
        "query_ignore": inputs["ignore"].as_array().cloned().unwrap_or_default(),
    });
    let encodings = ["hex", "base64", "base64url"];
    let encoded = encodings.map(|it| secret[it].as_str().map(|text| (it, text)));
    let mut case = match (secret.as_str(), encoded.into_iter().flatten().next()) {
        (Some(text), _) => Case::new(provider, text, url),
        (None, Some((encoding, text))) => Case::new(provider, text, url).encoded(encoding),
        (None, None) => {
            let mut case = Case::new(provider, "", url);
            case.ring = json!([{ "public_key": secret["public_key_base64"] }]);
            case
        }
    };
    case.ring[0]["id"] = inputs["key_id"].clone();
    case.headers[0].1 = text("method").into();
    let pairs = |name: &str| -> Vec<(String, String)> {
        let all = inputs[name].as_array().cloned().unwrap_or_default();
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        all.iter().map(|it| (text(&it[0]), text(&it[1]))).collect()
    };
    for (name, value) in pairs("headers") {
        case = case.with(&name, &value);
    }
    let mut cookies = pairs("cookies");
    match carrier {
        "header" => case = case.with(name, token),
        "cookie" => cookies.push((name.to_owned(), token.to_owned())),
        _ => {}
    }
    if !cookies.is_empty() {
        let all: Vec<_> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        case = case.with("cookie", &all.join("; "));
    }
    if let Some(client) = inputs["client"].as_str() {
        case.client = Some(client.parse().map_err(|_| "the client is no address")?);
    }
    Ok(case)
}

/// What a target means to a link: token, path and query as far as they are signed.
fn meaning(target: &str, inputs: &Value) -> (Vec<String>, String, String) {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, query),
        None => (target, ""),
    };
    let is_in = |place: &str| inputs["carrier"] == place;
    let head = format!("{}=", inputs["name"].as_str().unwrap_or_default());
    let (tokens, segments): (Vec<_>, Vec<_>) = path
        .split('/')
        .partition(|it| is_in("path") && it.starts_with(&head));
    let (more, parameters): (Vec<_>, Vec<_>) = query
        .split('&')
        .partition(|it| is_in("query") && it.starts_with(&head));
    let tokens = tokens.into_iter().chain(more).map(str::to_owned).collect();
    (
        tokens,
        path_meaning(&segments.join("/"), inputs),
        query_meaning(&parameters, inputs),
    )
}

fn path_meaning(path: &str, inputs: &Value) -> String {
    let globs = inputs["globs"].as_array();
    let is_within = match (inputs["prefix"].as_str(), globs) {
        (Some(prefix), _) => canonical(path).starts_with(prefix),
        (None, Some(globs)) => globs
            .iter()
            .filter_map(Value::as_str)
            .any(|it| PathGlob::parse(it).is_ok_and(|it| it.matches(&readable(path)))),
        (None, None) => return canonical(path).into_owned(),
    };
    is_within.to_string()
}

fn query_meaning(parameters: &[&str], inputs: &Value) -> String {
    if inputs["any_query"] == true {
        return String::new();
    }
    let ignored = inputs["ignore"].as_array().cloned().unwrap_or_default();
    let is_ignored = |parameter: &str| {
        let name = canonical(parameter.split('=').next().unwrap_or_default()).into_owned();
        let mut patterns = ignored.iter().filter_map(Value::as_str);
        patterns.any(|it| match it.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == it,
        })
    };
    let kept = parameters.iter().filter(|it| !is_ignored(it));
    kept.map(|it| canonical(it)).collect::<Vec<_>>().join("&")
}
