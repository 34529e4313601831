//! Signs a URL, or a prefix for the query, a cookie or a path segment.

use super::base64url::{Padding, encode};
use super::request::SIGNATURE;
use crate::http::path::canonical;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::parts::lifetime::seconds;
use crate::signed_url::parts::told;
use crate::signed_url::sign::{Order, Scope, SignError, Signed};

/// What signs: the key's id, and its signature of a message that may name it.
pub(crate) type Signer<'s> =
    &'s dyn Fn(&dyn Fn(&str) -> String) -> Result<(String, Vec<u8>), SignError>;

/// Signs an order for the first of the carriers that fits its scope.
pub(crate) fn sign(
    carriers: &[Carrier],
    order: &Order<'_>,
    signer: Signer<'_>,
) -> Result<Signed, SignError> {
    order.only(&["expires", "prefix"])?;
    let expires = order.expires.ok_or_else(told::no_end)?;
    let expires = seconds("expires", expires)?;
    if !order.origin.contains("://") {
        return Err(SignError::new(
            "the URL must begin with its scheme and its host: they are signed",
        ));
    }
    let target = canonical(order.target.whole).into_owned();
    let url = format!("{}{target}", order.origin);
    let bare = Signed {
        url: url.clone(),
        ..Signed::default()
    };
    let Scope::Prefix(prefix) = order.scope else {
        let has_query = carriers.iter().any(|it| matches!(it, Carrier::Query(_)));
        if !has_query {
            return Err(SignError::new(
                "only a prefix is signed for a cookie or a path",
            ));
        }
        let separator = if target.contains('?') { '&' } else { '?' };
        let message = |key: &str| format!("{url}{separator}Expires={expires}&KeyName={key}");
        let (key, signature) = signer(&message)?;
        let signature = encode(&signature, Padding::Always);
        return Ok(Signed {
            url: format!("{}&{SIGNATURE}={signature}", message(&key)),
            ..bare
        });
    };
    let prefix = format!("{}{}", order.origin, canonical(prefix));
    if !url.starts_with(&prefix) {
        return Err(SignError::new("the URL does not start with --prefix"));
    }
    let encoded = encode(prefix.as_bytes(), Padding::Always);
    let policy = |separator: char| {
        let encoded = encoded.clone();
        let expires = expires.clone();
        move |key: &str| {
            format!("URLPrefix={encoded}{separator}Expires={expires}{separator}KeyName={key}")
        }
    };
    match carriers.first() {
        Some(Carrier::Query(_)) => {
            let message = policy('&');
            let (key, signature) = signer(&message)?;
            let signature = encode(&signature, Padding::Always);
            let separator = if target.contains('?') { '&' } else { '?' };
            let url = format!("{url}{separator}{}&{SIGNATURE}={signature}", message(&key));
            Ok(Signed { url, ..bare })
        }
        Some(Carrier::Cookie(name)) => {
            let message = policy(':');
            let (key, signature) = signer(&message)?;
            let signature = encode(&signature, Padding::Always);
            let value = format!("{}:{SIGNATURE}={signature}", message(&key));
            let cookies = vec![(name.clone(), value)];
            Ok(Signed { cookies, ..bare })
        }
        Some(Carrier::Path(name)) => {
            let message = |key: &str| format!("{prefix}{name}=Expires={expires}&KeyName={key}");
            let (key, signature) = signer(&message)?;
            let signature = encode(&signature, Padding::Never);
            let rest = url.strip_prefix(&prefix).unwrap_or_default();
            let url = format!("{}&{SIGNATURE}={signature}/{rest}", message(&key));
            Ok(Signed { url, ..bare })
        }
        Some(Carrier::Header(_) | Carrier::PathParameter(_)) | None => Err(SignError::new(
            "the provider has no carrier for the signature",
        )),
    }
}
