//! Makes links.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::parameters::Parameters;
use super::{Bunny, OWN, SEGMENT, Token};
use crate::http::client::Client;
use crate::http::path::{canonical, is_unreserved, percent_encode};
use crate::signed_url::parts::{signing, ten_digits, told};
use crate::signed_url::sign::{Order, Scope, SignError, Signed};

/// Signs a URL; with the option `directory` the token is in a path segment.
pub(super) fn sign(links: &Bunny, order: &Order<'_>) -> Result<Signed, SignError> {
    let known = [
        "expires",
        "prefix",
        "addresses",
        "countries",
        "countries_blocked",
        "ignore_params",
        "limit",
        "directory",
    ];
    order.only(&known)?;
    let wrong = |text: &str| SignError::new(text);
    let digits = ten_digits::write(order.expires.ok_or_else(told::no_end)?)?;
    let path = canonical(order.target.path);
    let mut fields: Vec<(&str, String)> = Vec::new();
    for (name, option) in [
        ("limit", "limit"),
        ("token_countries", "countries"),
        ("token_countries_blocked", "countries_blocked"),
        ("token_ignore_params", "ignore_params"),
    ] {
        fields.extend(order.option(option).map(|it| (name, it.to_owned())));
    }
    let token_path = match order.scope {
        Scope::Prefix(prefix) => {
            super::covers(order.target.path, prefix)
                .ok_or_else(|| wrong("the URL is not below the prefix"))?;
            fields.push(("token_path", prefix.to_owned()));
            Some(prefix)
        }
        Scope::Path | Scope::Globs(_) => None,
    };
    let is_flag = |it: Option<&str>| it.is_none_or(|it| it == "true");
    if !is_flag(order.option("ignore_params")) || !is_flag(order.option("directory")) {
        return Err(wrong("ignore_params and directory can only be \"true\""));
    }
    let is_directory = order.option("directory").is_some();
    let client = match order.addresses {
        [net] if links.bind_address && net.prefix_len() == net.max_prefix_len() => Some(net.addr()),
        [] if !links.bind_address => None,
        _ => {
            return Err(wrong(
                "bind_address requires one address, and allows none otherwise",
            ));
        }
    };
    let address = links
        .address(Client::Known(client))
        .map_err(|it| wrong(it.code()))?;
    let more: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .chain([format!("expires={digits}")])
        .collect();
    let more = more.join("&");
    let query = order.target.query.unwrap_or_default();
    let all = match query {
        "" => more.clone(),
        query => format!("{query}&{more}"),
    };
    if query
        .split('&')
        .any(|it| OWN.contains(&it.split('=').next().unwrap_or_default()))
    {
        return Err(wrong("the query already has parameters of a token"));
    }
    let parameters = Parameters::read(None, Some(&all))
        .map_err(|_| wrong("the query has characters that this format cannot sign"))?;
    let token = Token {
        end: ten_digits::parse(&digits).map_err(|it| wrong(it.code()))?,
        digits,
        mac: Vec::new(),
        parameters,
    };
    let key = &signing::first(&links.ring, order.now)?.key;
    let mac = key.sign(&token.message(token_path.unwrap_or(&path), &address));
    let flag = if links.bind_address { "1-" } else { "" };
    let mac = format!("HS256-{flag}{}", URL_SAFE_NO_PAD.encode(mac));
    let url = match is_directory {
        true => format!(
            "{}/{SEGMENT}={mac}&{more}{}",
            order.origin, order.target.whole
        ),
        false => order.with_query(&format!("token={mac}&{more}")),
    };
    Ok(Signed {
        url,
        ..Signed::default()
    })
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    percent_encode(&mut encoded, text.as_bytes(), is_unreserved);
    encoded
}
