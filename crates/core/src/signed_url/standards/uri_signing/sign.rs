//! Tokens as RFC 9246 has them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Keys, UriSigning};
use crate::http::path::canonical;
use crate::secret::KeyRing;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::crypto::public_key::{PublicKey, Scheme};
use crate::signed_url::parts::deliver::deliver;
use crate::signed_url::parts::{signing, told};
use crate::signed_url::sign::{Order, Scope, SignError, Signed};

/// Signs with the first secret that counts, or with the private key of the order. The
/// token goes into the first carrier of the provider. A link for one URI has its hash, one
/// for a prefix an expression.
pub(super) fn sign(links: &UriSigning, order: &Order<'_>) -> Result<Signed, SignError> {
    let known = ["not_before", "expires", "prefix", "addresses", "account"];
    order.only(&known)?;
    let error = |text: &str| SignError::new(text);
    let begin = format!("{}://", links.scheme);
    if !order.origin.starts_with(&begin) || order.authority().is_empty() {
        let message = format!("the URL must be whole and begin with {begin}: all of it is signed");
        return Err(error(&message));
    }
    let (id, key) = signer(links, order)?;
    let header = json!({ "alg": links.keys.algorithm(), "kid": id, "typ": "JWT" });
    let claims = claims(links, order)?;
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = key(signed.as_bytes());
    let signature = signature.ok_or_else(|| error("the private key is invalid"))?;
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    place(links, order, token)
}

type Sign<'a> = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a>;

/// The id of the key that signs, and how it does.
fn signer<'a>(
    links: &'a UriSigning,
    order: &'a Order<'_>,
) -> Result<(&'a str, Sign<'a>), SignError> {
    let public = |ring: &'a KeyRing<PublicKey>, scheme: Scheme| {
        let (entry, private) = signing::of_private(ring, order)?;
        let sign: Sign<'a> = Box::new(move |text| private.sign_as(scheme, text));
        Ok((entry.id.as_str(), sign))
    };
    match &links.keys {
        Keys::Hs256(ring) => {
            let entry = signing::first(ring, order.now)?;
            let sign: Sign<'a> = Box::new(|text| {
                let mut mac = entry.key.clone();
                mac.update(text);
                Some(mac.finalize().into_bytes().to_vec())
            });
            Ok((entry.id.as_str(), sign))
        }
        Keys::Es256(ring) => public(ring, Scheme::Es256),
        Keys::EdDsa(ring) => public(ring, Scheme::Ed25519),
    }
}

fn claims(links: &UriSigning, order: &Order<'_>) -> Result<Value, SignError> {
    let expires = order.expires.ok_or_else(told::no_end)?;
    let origin = links.origin(order.parsed_authority()?);
    let container = match order.scope {
        Scope::Path => {
            let uri = format!("{origin}{}", canonical(order.target.whole));
            let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(uri));
            format!("hash:sha-256;{hash}")
        }
        Scope::Prefix(prefix) => {
            let start = format!("{origin}{}", canonical(prefix));
            format!("regex:{}.*", regex_lite::escape(&start))
        }
        Scope::Globs(_) => return Err(SignError::new("a link of this format has no globs")),
    };
    let mut claims = Map::new();
    let mut add = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    add("cdniv", json!(1));
    add("cdniuc", json!(container));
    add("exp", json!(expires.as_secs()));
    if let Some(issuer) = links.issuers.first() {
        add("iss", json!(issuer));
    }
    if let Some(audience) = links.audience.first() {
        add("aud", json!(audience));
    }
    if let Some(begin) = order.not_before {
        add("nbf", json!(begin.as_secs()));
    }
    if let Some(account) = order.account {
        add("sub", json!(account));
    }
    match order.addresses {
        [] => {}
        [range] => {
            add("cdniip", json!(range.to_string()));
        }
        _ => {
            let message = "a link of this format has only one range of addresses";
            return Err(SignError::new(message));
        }
    }
    Ok(Value::Object(claims))
}

fn place(links: &UriSigning, order: &Order<'_>, token: String) -> Result<Signed, SignError> {
    let Some(Carrier::Path(name)) = links.carriers.first() else {
        return deliver(&links.carriers, order, token);
    };
    // RFC 9246 section 2.2 puts it before the name of the file.
    let target = order.target;
    let query = target.query.map(|it| format!("?{it}")).unwrap_or_default();
    let (head, file) = target.path.rsplit_once('/').unwrap_or_default();
    Ok(Signed {
        url: format!("{}{head}/{name}={token}/{file}{query}", order.origin),
        ..Signed::default()
    })
}
