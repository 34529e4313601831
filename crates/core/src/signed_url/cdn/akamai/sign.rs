//! Signs a URL or an access list.

use super::{Akamai, token, url};
use crate::http::path::canonical;
use crate::signed_url::parts::deliver::deliver;
use crate::signed_url::parts::lifetime::seconds;
use crate::signed_url::parts::{signing, told};
use crate::signed_url::sign::{Order, Scope, SignError, Signed};
use crate::text::hex;

/// Signs an order: for its URL, or with an access list for a prefix or patterns.
///
/// Options: `id`, `data`, and `escape`: `python` or `javascript`, where the other side
/// has "Escape token input" on.
pub(super) fn sign(links: &Akamai, order: &Order<'_>) -> Result<Signed, SignError> {
    let known = [
        "not_before",
        "expires",
        "prefix",
        "globs",
        "addresses",
        "id",
        "data",
        "escape",
    ];
    order.only(&known)?;
    let escape = escaping(order)?;
    let expires = order.expires.ok_or_else(told::no_end)?;
    let mut fields = Vec::new();
    if let Some(ip) = ip(order)? {
        fields.push(format!("ip={}", escape(&ip)));
    }
    if let Some(time) = order.not_before {
        fields.push(format!("st={}", seconds("not_before", time)?));
    }
    fields.push(format!("exp={}", seconds("expires", expires)?));
    let acl = acl(order)?;
    fields.extend(acl.iter().map(|it| format!("acl={it}")));
    for name in ["id", "data"] {
        if let Some(value) = order.option(name) {
            fields.push(format!("{name}={}", plain(name, &escape(value))?));
        }
    }
    let text = fields.join("~");
    let target = order.target;
    let signed_url = match links.ignore_query_string {
        true => target.path,
        false => target.whole,
    };
    let signed_url = canonical(signed_url);
    if acl.is_none() && token::reads_as_fields(&signed_url) {
        return Err(SignError::new(
            "the path contains text that reads as a field of a token",
        ));
    }
    let entry = signing::first(&links.ring, order.now)?;
    let mut message = text.clone().into_bytes();
    if acl.is_none() {
        message.extend_from_slice(format!("~url={}", escape(&signed_url)).as_bytes());
    }
    if let Some(salt) = &links.salt {
        message.extend_from_slice(b"~salt=");
        message.extend_from_slice(salt.expose());
    }
    let token = format!("{text}~hmac={}", hex::encode(&entry.key.sign(&message)));
    deliver(&links.carriers, order, token)
}

fn escaping(order: &Order<'_>) -> Result<fn(&str) -> String, SignError> {
    match order.option("escape") {
        None => Ok(str::to_owned),
        Some("python") => Ok(url::escape_plus),
        Some("javascript") => Ok(url::escape_component),
        Some(_) => Err(SignError::new(
            "--option escape must be python or javascript",
        )),
    }
}

fn ip(order: &Order<'_>) -> Result<Option<String>, SignError> {
    match order.addresses {
        [] => Ok(None),
        [net] if net.prefix_len() == net.max_prefix_len() => Ok(Some(net.addr().to_string())),
        _ => Err(SignError::new(
            "a token of this format is for one --address",
        )),
    }
}

fn acl(order: &Order<'_>) -> Result<Option<String>, SignError> {
    let list = match order.scope {
        Scope::Path => return Ok(None),
        Scope::Prefix(prefix) if prefix.contains(['*', '?']) => {
            return Err(SignError::new(
                "--prefix must not contain \"*\" or \"?\": use --glob",
            ));
        }
        Scope::Prefix(prefix) => vec![format!("{}*", canonical(prefix))],
        Scope::Globs(globs) => globs.iter().map(|it| canonical(it).into_owned()).collect(),
    };
    let fits = |it: &String| it.starts_with('/') && !it.contains('!') && plain("", it).is_ok();
    if list.is_empty() || !list.iter().all(fits) {
        return Err(SignError::new(
            "--prefix and --glob must start with \"/\" and contain no \"!\", \"~\", \"&\" or \";\"",
        ));
    }
    Ok(Some(list.join("!")))
}

/// Rejects what would end a field, a parameter or a cookie.
fn plain<'v>(name: &str, value: &'v str) -> Result<&'v str, SignError> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"~&;,\"#\\".contains(&byte);
    if value.is_empty() || !value.bytes().all(fits) {
        return Err(SignError::new(format!(
            "{name}: must be visible ASCII without \"~\", \"&\", \";\" or \",\""
        )));
    }
    Ok(value)
}
