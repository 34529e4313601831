//! What was found of a presigned URL, and what was signed when it does not hold.

use super::canonical::{Parts, encode, recoded};
use super::{S3, SIGNATURE, Token};
use crate::http::path::decode;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::Format as _;
use crate::signed_url::parts::rings::ring;
use crate::time::Millis;

/// The digest of an empty body.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The steps of the check, without its result.
pub(super) fn lines(links: &S3, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
    let token = match Token::find(request) {
        Ok(token) => token,
        Err(Reason::MissingCredential) => {
            return vec![format!("parameter \"{SIGNATURE}\": no token")];
        }
        Err(_) => {
            return vec![format!(
                "parameter \"{SIGNATURE}\" and its neighbours: one is missing, duplicate or \
                 malformed"
            )];
        }
    };
    let end = token.made.plus(token.lifetime);
    let mut steps = vec![
        format!("parameter \"{SIGNATURE}\": a token"),
        format!(
            "it says: access key \"{}\", made {}, valid through {end}, region \"{}\", service \
             \"{}\", headers {}",
            token.access_key,
            token.made,
            token.region,
            token.service,
            token.headers.join(", ")
        ),
        ring(&links.ring, facts.now),
    ];
    if token.region != links.region || token.service != links.service {
        steps.push(format!(
            "region or service differs: this provider is for {}/{}",
            links.region, links.service
        ));
    }
    let known = links.ring.0.iter().find(|it| it.id == token.access_key);
    match known {
        None => steps.push("the ring has no such access key".to_owned()),
        Some(entry) if !entry.is_current(facts.now) => {
            steps.push("the key is not valid now".to_owned());
        }
        Some(_) => {}
    }
    if links.verify(request, facts).err() == Some(Reason::WrongSignature) {
        let told = near(links, request, &token);
        steps.push(told.unwrap_or_else(|| {
            "cannot tell what was signed: another path, query, host, header, time or secret"
                .to_owned()
        }));
    }
    if token.lifetime > links.max_lifetime {
        let Millis(most) = links.max_lifetime;
        steps.push(format!("its lifetime is longer than {} s", most / 1000));
    }
    steps
}

/// What differs from what was signed.
fn near(links: &S3, request: &Request<'_>, token: &Token<'_>) -> Option<String> {
    let right = Parts::of(request, &token.headers).ok()?;
    let methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"];
    for entry in &links.ring.0 {
        let key = links.signing_key(&entry.key, &token.date);
        let signs = |parts: &Parts, method| links.signs(&key, token, &parts.request(method));
        for (what, parts) in candidates(&right, request) {
            let method = methods.iter().find(|it| signs(&parts, it));
            let Some(method) = method else { continue };
            let mut told = vec![format!("the secret \"{}\" signed it", entry.id)];
            if entry.id != token.access_key {
                told.push("which is not that of its access key".to_owned());
            }
            if *method != request.method {
                told.push(format!("for the method {method}"));
            }
            told.extend(what.map(str::to_owned));
            if told.len() == 1 {
                told.push("but the request has an x-amz- header that is not signed".to_owned());
            }
            return Some(told.join(", "));
        }
    }
    None
}

/// What a signer may have signed; without a name, what is right.
fn candidates(right: &Parts, request: &Request<'_>) -> Vec<(Option<&'static str>, Parts)> {
    let with_path = |path: String| Parts {
        path,
        ..right.clone()
    };
    let with_host = |value: String| {
        let mut parts = right.clone();
        let host = parts.headers.iter_mut().find(|(name, _)| name == "host");
        if let Some((_, host)) = host {
            *host = value;
        }
        parts
    };
    let raw = request.target.path;
    let plain = decode(raw).map(|it| String::from_utf8_lossy(&it).into_owned());
    let host = request.authority.as_str();
    let (name, _) = host.rsplit_once(':').unwrap_or((host, ""));
    let (bucket, rest) = name.split_once('.').unwrap_or((name, ""));
    let slashless = right.path.trim_end_matches('/').to_owned();
    let other_slash = match right.path.ends_with('/') {
        true => slashless,
        false => format!("{}/", right.path),
    };
    vec![
        (None, right.clone()),
        (
            None,
            right.with_plain_host().unwrap_or_else(|| right.clone()),
        ),
        (
            Some("with the path encoded twice"),
            with_path(encode(&right.path, b"/")),
        ),
        (
            Some("with the path as it arrived"),
            with_path(raw.to_owned()),
        ),
        (
            Some("with the path decoded"),
            with_path(plain.unwrap_or_default()),
        ),
        (
            Some("with or without a slash at the end of the path"),
            with_path(other_slash),
        ),
        (
            Some("with the bucket in front of the path"),
            with_path(format!("/{}{}", recoded(bucket, b""), right.path)),
        ),
        (
            Some("with the host without its port"),
            with_host(name.to_owned()),
        ),
        (
            Some("with the port 443 in the host"),
            with_host(format!("{name}:443")),
        ),
        (
            Some("with the port 80 in the host"),
            with_host(format!("{name}:80")),
        ),
        (
            Some("with the host without the bucket"),
            with_host(rest.to_owned()),
        ),
        (
            Some("with the digest of an empty body in place of UNSIGNED-PAYLOAD"),
            Parts {
                payload: EMPTY.to_owned(),
                ..right.clone()
            },
        ),
    ]
}
