//! What the formats say alike when they explain a link, and where they put a token.

use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::format::FieldRemark;
use crate::signed_url::sign::SignError;
use crate::time::UnixMillis;

/// Something that a signer may have signed; without a name it is what should be.
pub(crate) type Guess<M> = (Option<String>, M);

/// Which of the guesses one of the secrets signed.
pub(crate) fn found<K, M>(
    ring: &KeyRing<K>,
    now: UnixMillis,
    guesses: &[Guess<M>],
    signed: impl Fn(&K, &M) -> bool,
) -> Vec<String> {
    let found = guesses.iter().find_map(|(what, message)| {
        let entry = ring.0.iter().find(|it| signed(&it.key, message))?;
        Some((what, entry))
    });
    let Some((what, entry)) = found else {
        return vec![
            "cannot tell what was signed: another path, other parameters or another secret"
                .to_owned(),
        ];
    };
    let id = &entry.id;
    let mut told = vec![format!("it was signed with the secret \"{id}\"")];
    if !entry.is_current(now) {
        told.push(format!(
            "what differs: the secret \"{id}\" is not valid at this time (not_before, not_after)"
        ));
    }
    told.extend(
        what.iter()
            .map(|it| format!("what differs: the signature covers {it}")),
    );
    told
}

/// Whether it is worth while to look for what was signed.
pub(crate) fn is_unsigned<T>(verified: &Result<T, Reason>) -> bool {
    matches!(verified, Err(Reason::WrongSignature))
}

/// The carriers of a token, and whether each has one.
pub(crate) fn places(carriers: &[Carrier], request: &Request<'_>) -> Vec<String> {
    let place = |carrier: &Carrier| {
        let found = crate::signed_url::carrier::find(std::slice::from_ref(carrier), request);
        let is_there = match found {
            Ok(_) => "a token",
            Err(Reason::MissingCredential) => "no token",
            Err(_) => "an unreadable token, or several",
        };
        format!("{}: {is_there}", named(carrier))
    };
    carriers.iter().map(place).collect()
}

/// A carrier in words.
pub(crate) fn named(carrier: &Carrier) -> String {
    let kind = match carrier {
        Carrier::Query(_) => "parameter",
        Carrier::Header(_) => "header",
        Carrier::Cookie(_) => "cookie",
        Carrier::Path(_) | Carrier::PathParameter(_) => "path segment",
    };
    format!("{kind} \"{}\"", carrier.name())
}

/// Near times in ten digits, each with what differs.
pub(crate) fn times(shown: UnixMillis) -> impl Iterator<Item = (String, String)> {
    let near = (1..=3600).flat_map(move |off| {
        let shown = shown.as_secs();
        [shown.saturating_add(off), shown.saturating_sub(off)]
    });
    near.map(|it| {
        let what = format!("the time {it} instead of the time in the link");
        (what, it.to_string())
    })
}

/// The remark on links that never expire.
pub(crate) fn endless(why: &str) -> FieldRemark {
    let message = format!("such links never expire: {why}");
    ("format", message.into())
}

/// Why links never expire that say no time at all.
pub(crate) const NO_TIME: &str = "they last until the secret changes";

/// The remark on a hash that is weak, or no MAC.
pub(crate) fn weak() -> FieldRemark {
    let message = "this format is weak: use another one as soon as the signer supports it";
    ("allow_weak", message.into())
}

/// The error of a signer that has only a public key.
pub(crate) fn no_private_key() -> SignError {
    SignError::new("a private key is required: give it with --private-key-file")
}

/// The error of a signer when no secret is valid.
pub(crate) fn no_key() -> SignError {
    SignError::new("no secret of the ring is valid now")
}

/// The error of a signer when the link would never expire.
pub(crate) fn no_end() -> SignError {
    SignError::new("the link needs an expiry, such as --expires-in 3h")
}
