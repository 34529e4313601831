//! What was found of a SAS, and what was signed when it does not hold.

use super::{AzureSas, Resource, Token, signs, split};
use crate::http::parameter::find_parameter;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::Format as _;
use crate::signed_url::parts::rings::ring;

/// Parameters that other kinds of SAS have, and what they are.
const OTHERS: [(&str, &str); 6] = [
    ("si", "a stored access policy, which only Azure can look up"),
    (
        "skoid",
        "a user delegation key, which only Azure can look up",
    ),
    ("ss", "an account SAS, which is not supported"),
    ("srt", "an account SAS, which is not supported"),
    ("snapshot", "a snapshot, which is not supported"),
    ("versionid", "a version, which is not supported"),
];

/// The steps of the check, without its result.
pub(super) fn lines(links: &AzureSas, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
    let token = match Token::find(request) {
        Ok(token) => token,
        Err(Reason::MissingCredential) => return vec!["parameter \"sig\": no token".to_owned()],
        Err(_) => return malformed(request),
    };
    let mut steps = vec![
        "parameter \"sig\": a token".to_owned(),
        format!(
            "it says: permissions {}, from {}, valid until {}, version {}, for a {}",
            token.permissions,
            given(&token.start),
            token.expiry,
            token.version,
            match token.resource {
                Resource::Blob => "blob",
                Resource::Container => "container",
            }
        ),
        format!(
            "it is for addresses {} and protocols {}",
            given(&token.range),
            given(&token.protocol)
        ),
        ring(&links.ring, facts.now),
    ];
    if !token.permissions.contains('r') {
        steps.push("its permissions lack r: it does not allow reading".to_owned());
    }
    if !token.fits_scheme(request) {
        steps.push("it is for https, but the request used http".to_owned());
    }
    if let (Some(only), Ok((container, _))) = (&links.container, split(request.target.path))
        && *only != container
    {
        steps.push(format!("the container is not \"{only}\""));
    }
    if links.verify(request, facts).err() == Some(Reason::WrongSignature) {
        let told = near(links, request, &token);
        steps.push(told.unwrap_or_else(|| {
            "cannot tell what was signed: another path, account, field or secret".to_owned()
        }));
    }
    steps
}

fn malformed(request: &Request<'_>) -> Vec<String> {
    let mut steps = vec!["parameter \"sig\": a malformed token".to_owned()];
    for (name, what) in OTHERS {
        if !matches!(find_parameter(&request.target, name), Ok(None)) {
            steps.push(format!("parameter \"{name}\" is of {what}"));
        }
    }
    for name in ["sp", "se", "sv", "sr"] {
        if matches!(find_parameter(&request.target, name), Ok(None)) {
            steps.push(format!("parameter \"{name}\" is missing"));
        }
    }
    steps
}

fn given(text: &str) -> &str {
    if text.is_empty() { "any" } else { text }
}

/// What differs from what was signed.
fn near(links: &AzureSas, request: &Request<'_>, token: &Token<'_>) -> Option<String> {
    let raw = request.target.path;
    let (container, path) = split(raw).ok()?;
    let account = &links.account;
    let blob = path.rsplit('/').next().unwrap_or_default();
    let slashed = match path.strip_suffix('/') {
        Some(path) => path.to_owned(),
        None => format!("{path}/"),
    };
    let right = links.resource(token.resource, &container, &path);
    let candidates = [
        ("as it is", right),
        (
            "the path as it arrived, not decoded",
            format!("/blob/{account}{raw}"),
        ),
        (
            "the blob, and not its container",
            links.resource(Resource::Blob, &container, &path),
        ),
        (
            "the container, and not the blob",
            links.resource(Resource::Container, &container, &path),
        ),
        (
            "a slash at the end of the path",
            format!("/blob/{account}{slashed}"),
        ),
        ("the resource without /blob", format!("/{account}{path}")),
        ("the path without the account", format!("/blob{path}")),
        ("the path alone", path.clone()),
        (
            "the blob without folders",
            format!("/blob/{account}/{container}/{blob}"),
        ),
    ];
    for (what, resource) in candidates {
        let signed = token.string_to_sign(&resource);
        let mut all = links.ring.0.iter();
        if let Some(entry) = all.find(|it| signs(&it.key, &signed, &token.mac)) {
            return Some(format!(
                "the secret \"{}\" signed it, over: {what}",
                entry.id
            ));
        }
    }
    None
}
