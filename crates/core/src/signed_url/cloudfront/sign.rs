//! Links as CloudFront's own tools make them.

use serde_json::{Value, json};

use super::policy::canned;
use super::token::encode;
use super::{COOKIES, Carrier, CloudFront, PARAMETERS};
use crate::http::path::canonical;
use crate::signed_url::parts::{signing, told};
use crate::signed_url::sign::{Order, Scope, SignError, Signed};

/// Signs with the private key of the order; its public one must be in the ring. With the
/// option `carrier` = `cookies`, or where the provider takes nothing else, the token goes
/// into cookies.
pub(super) fn sign(links: &CloudFront, order: &Order<'_>) -> Result<Signed, SignError> {
    let known = [
        "not_before",
        "expires",
        "prefix",
        "globs",
        "addresses",
        "carrier",
    ];
    order.only(&known)?;
    let error = |text: &str| SignError::new(text);
    let carrier = carrier(links, order)?;
    let expires = order.expires.ok_or_else(told::no_end)?;
    let expires = expires.as_secs().to_string();
    let (entry, private) = signing::of_private(&links.ring, order)?;

    let origin = format!("{}://", links.scheme);
    if !order.origin.starts_with(&origin) || order.authority().is_empty() {
        let message = format!("the URL must be whole and begin with {origin}: all of it is signed");
        return Err(error(&message));
    }
    let has_own = PARAMETERS.iter().any(|name| {
        let found = crate::http::parameter::find_parameter(&order.target, name);
        found != Ok(None)
    });
    if has_own {
        let message = format!(
            "the URL must not have parameters of these names: {}",
            PARAMETERS.join(", ")
        );
        return Err(error(&message));
    }
    let origin = links.origin(order.parsed_authority()?);
    let url = format!("{origin}{}", canonical(order.target.whole));
    if url.contains('\\') {
        return Err(error(
            "this format has no links with \\ in the URL: encode it as %5C",
        ));
    }
    let is_plain =
        order.scope == Scope::Path && order.not_before.is_none() && order.addresses.is_empty();
    let (name, value, text) = if is_plain {
        let text = canned(&url, &expires);
        (0, expires, text)
    } else {
        let text = custom(order, &origin, &url, &expires)?;
        (1, encode(&text), text)
    };
    let scheme = links.hash.scheme(private.kind());
    let signature = private.sign_as(scheme, &text);
    let signature = signature.ok_or_else(|| error("the private key is invalid"))?;
    let parts = [
        (name, value),
        (2, encode(&signature)),
        (3, entry.id.clone()),
        (4, links.hash.name().to_owned()),
    ];
    // CloudFront's own links of SHA-1 do not say so.
    let is_said = |index: usize| index != 4 || links.hash == super::Hash::Sha256;
    let parts = parts.into_iter().filter(|(index, _)| is_said(*index));
    let named = |names: [&'static str; 5]| {
        parts.filter_map(move |(index, value)| Some(((*names.get(index)?).to_owned(), value)))
    };
    Ok(match carrier {
        Carrier::Query => {
            let parts = named(PARAMETERS).map(|(name, value)| format!("{name}={value}"));
            Signed {
                url: order.with_query(&parts.collect::<Vec<_>>().join("&")),
                ..Signed::default()
            }
        }
        Carrier::Cookies => Signed {
            url: format!("{}{}", order.origin, order.target.whole),
            cookies: named(COOKIES).collect(),
            ..Signed::default()
        },
    })
}

fn carrier(links: &CloudFront, order: &Order<'_>) -> Result<Carrier, SignError> {
    let wanted = match order.option("carrier") {
        Some("query") => Some(Carrier::Query),
        Some("cookies") => Some(Carrier::Cookies),
        Some(_) => return Err(SignError::new("carrier must be query or cookies")),
        None => links.carriers.first().copied(),
    };
    wanted
        .filter(|it| links.carriers.contains(it))
        .ok_or_else(|| SignError::new("the provider does not accept this carrier"))
}

fn custom(order: &Order<'_>, origin: &str, url: &str, expires: &str) -> Result<Vec<u8>, SignError> {
    let resource = match order.scope {
        Scope::Path => url.to_owned(),
        Scope::Prefix(prefix) => format!("{origin}{prefix}*"),
        Scope::Globs([glob]) => format!("{origin}{glob}"),
        Scope::Globs(_) => {
            return Err(SignError::new("a link of this format has only one glob"));
        }
    };
    let seconds = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| SignError::new("the time is out of bounds"))
    };
    let mut condition = json!({ "DateLessThan": { "AWS:EpochTime": seconds(expires)? } });
    let mut add = |name: &str, value: Value| {
        if let Some(all) = condition.as_object_mut() {
            all.insert(name.to_owned(), value);
        }
    };
    match order.addresses {
        [] => {}
        [range] => add("IpAddress", json!({ "AWS:SourceIp": range.to_string() })),
        _ => {
            return Err(SignError::new(
                "a link of this format has only one range of addresses",
            ));
        }
    }
    if let Some(begin) = order.not_before {
        // It holds after the second that it names.
        let before = begin.as_secs().saturating_sub(1);
        add("DateGreaterThan", json!({ "AWS:EpochTime": before }));
    }
    let policy = json!({ "Statement": [{ "Resource": resource, "Condition": condition }] });
    Ok(policy.to_string().into_bytes())
}
