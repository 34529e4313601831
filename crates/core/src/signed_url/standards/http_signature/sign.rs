//! Signatures as RFC 9421 has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;

use super::base::{Seen, base};
use super::fields::Input;
use super::{HttpSignature, Keys};
use crate::http::path::canonical;
use crate::http::request::{Header, Request};
use crate::signed_url::crypto::public_key::Scheme;
use crate::signed_url::parts::signing;
use crate::signed_url::sign::{Order, SignError, Signed};

/// Signs what must be covered and the headers of the order, with the first secret that
/// counts or with the private key of the order.
pub(super) fn sign(links: &HttpSignature, order: &Order<'_>) -> Result<Signed, SignError> {
    order.only(&["expires", "headers"])?;
    if order.authority().is_empty() {
        return Err(SignError::new("the URL must be whole: its host is signed"));
    }
    let mut headers: Vec<Header> = vec![
        (":method".into(), order.method.into()),
        (":authority".into(), order.authority().into()),
        (":path".into(), order.target.whole.into()),
    ];
    let given = order.headers.iter();
    headers.extend(given.map(|(name, value)| ((*name).into(), (*value).into())));
    let request = Request::read(&headers).map_err(|reason| {
        SignError::new(format!("the request cannot be read: {}", reason.code()))
    })?;

    let mut names: Vec<&str> = links.components.iter().map(String::as_str).collect();
    for (name, _) in order.headers {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let quoted: Vec<_> = names.iter().map(|it| format!("\"{it}\"")).collect();
    let (id, key) = signer(links, order)?;
    let mut text = format!(
        "({});created={};keyid=\"{id}\"",
        quoted.join(" "),
        order.now.as_secs()
    );
    if let Some(expires) = order.expires {
        text.push_str(&format!(";expires={}", expires.as_secs()));
    }
    if let Some(tag) = &links.tag {
        text.push_str(&format!(";tag=\"{tag}\""));
    }
    let unsaid = |_| {
        SignError::new("a header cannot be covered: it is absent, not in lower case, or not text")
    };
    let input = Input::parse(&text).map_err(unsaid)?;
    if let Some(missing) = links.missing(&input, &request) {
        let message = format!("{missing} must be covered: add it to the headers");
        return Err(SignError::new(message));
    }
    let target = canonical(order.target.whole);
    let seen = Seen {
        request: &request,
        scheme: links.scheme,
        target: &target,
    };
    let signature = key(base(&input, &seen).map_err(unsaid)?.as_bytes());
    let signature = signature.ok_or_else(|| SignError::new("the private key is invalid"))?;
    let label = links.label.as_deref().unwrap_or("sig1");
    Ok(Signed {
        url: format!("{}{}", order.origin, order.target.whole),
        headers: vec![
            ("signature-input".to_owned(), format!("{label}={text}")),
            (
                "signature".to_owned(),
                format!("{label}=:{}:", STANDARD.encode(signature)),
            ),
        ],
        cookies: Vec::new(),
    })
}

type Sign<'a> = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a>;

fn signer<'a>(
    links: &'a HttpSignature,
    order: &'a Order<'_>,
) -> Result<(&'a str, Sign<'a>), SignError> {
    match &links.keys {
        Keys::HmacSha256(ring) => {
            let entry = signing::first(ring, order.now)?;
            let sign: Sign<'a> = Box::new(|text| {
                let mut mac = entry.key.clone();
                mac.update(text);
                Some(mac.finalize().into_bytes().to_vec())
            });
            Ok((entry.id.as_str(), sign))
        }
        Keys::Ed25519(ring) => {
            let (entry, private) = signing::of_private(ring, order)?;
            let sign: Sign<'a> = Box::new(move |text| private.sign_as(Scheme::Ed25519, text));
            Ok((entry.id.as_str(), sign))
        }
    }
}
