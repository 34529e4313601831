//! Akamai's EdgeAuth 2.0: tokens for a URL and with an access list.

use serde_json::{Value, json};

use super::{Attack, Case};

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let token = vector["expected"].as_str().ok_or("no token")?;
    let args: Vec<&str> = match &inputs["arg"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let patterns: Vec<&str> = args.iter().flat_map(|it| it.split('!')).collect();
    let first = patterns.first().ok_or("no URL or list")?;
    let is_acl = inputs["kind"] == "acl";
    let target = match is_acl {
        true => visible(&first.replace('*', "x/y").replace('?', "z")),
        false => visible(args[0]),
    };
    // A token in a query would be signed with a query of the URL.
    let fits_query = !target.contains('?') && token.bytes().all(|it| it.is_ascii_graphic());
    let in_query = fits_query && !token.contains(['&', '#']);
    let url = match in_query {
        true => format!("{target}?__token__={token}"),
        false => target.clone(),
    };
    let mut case = Case::new(provider(inputs, in_query), text(vector, "secret")?, &url);
    case = case.encoded("hex");
    if let Some(salt) = inputs["salt"].as_str() {
        case.provider["salt_env"] = json!("SALT");
        case.environment.push(("SALT".into(), salt.into()));
    }
    if let Some(ip) = inputs["ip"].as_str() {
        case.client = Some(ip.parse().map_err(|it| format!("{it}"))?);
    }
    if !in_query {
        case = case.with("hdnts", token);
    }
    if is_acl {
        free_by_wildcards(&mut case, &patterns, &target);
    }
    Ok(case)
}

/// A forged token, at a few paths.
pub fn attack(attack: &Value) -> Result<Attack, String> {
    let token = text(attack, "attack")?;
    let secret = text(attack, "secret")?;
    let mut forged = Vec::new();
    for path in ["/", "/a/b", "/video/only/a", "/secret"] {
        for now in [1_600_000_000, 1_893_455_999, 1_893_456_001, 9_999_999_990] {
            let case = Case::new(provider(attack, false), secret, path).encoded("hex");
            let mut case = case.with("hdnts", token);
            case.now = now;
            forged.push(case);
        }
    }
    Ok(Attack {
        forged,
        legit: None,
    })
}

fn provider(inputs: &Value, in_query: bool) -> Value {
    let from = match in_query {
        true => json!([{ "query": "__token__" }]),
        false => json!([{ "header": "hdnts" }]),
    };
    let algorithm = inputs["algorithm"].as_str().unwrap_or("sha256");
    json!({
        "format": "akamai",
        "from": from,
        "algorithm": algorithm,
        "allow_weak": algorithm != "sha256",
        "max_lifetime": "366d"
    })
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, String> {
    value[name].as_str().ok_or(format!("no {name}"))
}

/// What a client puts on the wire for a URL.
fn visible(url: &str) -> String {
    url.bytes()
        .map(|byte| match byte {
            b'!'..=b'~' if !b"\"#<>\\^`{|}".contains(&byte) => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Whatever else the list opens is no forgery.
fn free_by_wildcards(case: &mut Case, patterns: &[&str], target: &str) {
    for at in 1..target.len() {
        let mut other = target.as_bytes().to_vec();
        other[at] = if other[at].eq_ignore_ascii_case(&b'b') {
            b'c'
        } else {
            b'b'
        };
        if patterns.iter().any(|it| fits(it.as_bytes(), &other)) {
            case.free.push((":path".to_owned(), at..at + 1));
        }
    }
}

/// Whether a pattern matches a path, decided in another way than in the core.
pub fn fits(pattern: &[u8], path: &[u8]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=path.len()).any(|at| fits(rest, &path[at..])),
        (Some((wanted, rest)), Some((found, tail))) => {
            (wanted == found || (*wanted == b'?' && *found != b'/')) && fits(rest, tail)
        }
        _ => false,
    }
}
