//! Bunny's token authentication, version 2.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::{Attack, Case};

/// The header in which these requests say the client's country.
const COUNTRY: &str = "x-country";

/// The provider and request of a vector.
pub fn case(vector: &Value) -> Result<Case, String> {
    let inputs = &vector["inputs"];
    let text = |field: &str| inputs[field].as_str().unwrap_or_default();
    let url = vector["expected"].as_str().ok_or("no URL")?;
    let client: Option<IpAddr> = match text("userIp") {
        "" => None,
        address => Some(address.parse().map_err(|_| "no address")?),
    };
    let case = made(vector, url, client.is_some())?;
    let mut case = case.with(COUNTRY, text("countryCode")).free_all(COUNTRY);
    case.client = client.or(case.client);
    // What lies below the path that is allowed is free, and with `token_ignore_params` the
    // other parameters are.
    let allowed = text("pathAllowed").trim_end_matches('/');
    if !allowed.is_empty() {
        let target = target_of(&case);
        let below = target.find(&format!("{allowed}/")).ok_or("not below")?;
        let begin = below + allowed.len() + 1;
        let end = target.get(begin..).and_then(|it| it.find('?'));
        let end = end.map_or(target.len(), |it| begin + it);
        case.free.push((":path".to_owned(), begin..end));
    }
    Ok(case)
}

/// A forged request, with the address that it was made for and without one.
pub fn attack(attack: &Value) -> Result<Attack, String> {
    let [forged, legit] = ["attack", "legit"].map(|it| attack[it].as_str().ok_or("no URL"));
    let (forged, legit) = (forged?, legit?);
    // "50.56.57.48 (=ASCII …": the description contains the address that a link is bound to.
    let words = attack["description"].as_str().unwrap_or_default();
    let client = words.split(' ').find_map(|it| it.parse::<Ipv4Addr>().ok());
    let is_bound = legit.contains("HS256-1-");
    let cases = |url: &str, bound: bool| {
        let mut case = made(attack, url, bound)?;
        case.client = client.map(IpAddr::V4).or(case.client);
        case.now = 1_598_024_586;
        Ok::<_, String>(case)
    };
    Ok(Attack {
        forged: vec![cases(forged, false)?, cases(forged, true)?],
        legit: Some(cases(legit, is_bound)?),
    })
}

fn made(entry: &Value, url: &str, bind_address: bool) -> Result<Case, String> {
    let secret = entry["secret"].as_str().ok_or("no secret")?;
    let provider = json!({
        "format": "bunny",
        "max_lifetime": "366d",
        "bind_address": bind_address,
        "country_header": COUNTRY
    });
    Ok(Case::new(provider, secret, url))
}

fn target_of(case: &Case) -> String {
    let mut all = case.headers.iter();
    let path = all.find(|(name, _)| name == b":path");
    path.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .unwrap_or_default()
}
