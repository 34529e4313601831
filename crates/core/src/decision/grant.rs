//! What an allowed request looks like to the upstream: a list of edits.

use std::borrow::Cow;
use std::rc::Rc;

use crate::http::cookie::{cookies_without, lenient_values};
use crate::http::edit::Edit;
use crate::http::edit::Name;
use crate::http::edit::Strip;
use crate::http::path::{AmbiguousPath, Target};
use crate::http::query;
use crate::http::request::Request;
use crate::identity::{Field, Identity, IdentityHeaders};
use crate::reason::Reason;

/// Why a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A credential holds.
    Verified,
    /// None was asked for.
    Anonymous,
    /// A challenge was passed in place of a credential.
    Cleared,
    /// A key is genuine and could not be looked up, and the policy lets it pass then.
    Unchecked,
    /// The rule only simulates; in block mode this would have been the reason.
    WouldDeny(Reason),
}

/// Permission for a request to pass, after these edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// In the order in which they are to be made.
    pub edits: Vec<Edit>,
    /// Names and values for other filters and the access log, if the policy wants them: filter
    /// state in Envoy.
    pub state: Vec<(&'static str, String)>,
    /// Who calls, if a credential says so.
    pub identity: Option<Rc<Identity>>,
    /// Edits of the answer of the upstream, in their order.
    pub response_edits: Vec<Edit>,
    /// Why.
    pub outcome: Outcome,
    /// The place of the rule that decided, from 0; `None` if no rule matched.
    pub rule: Option<usize>,
}

/// A URL with a key in it must not travel on: not in the `referer` of what the answer
/// loads, and not into a cache.
const KEY_IN_URL: [(&str, &str); 2] = [
    ("referrer-policy", "no-referrer"),
    ("cache-control", "private, no-store"),
];

impl Grant {
    /// Lets a request pass: identity headers of the client go, then the credentials
    /// in `strips`, then comes what is known of the caller.
    pub fn new(
        request: &Request<'_>,
        headers: &IdentityHeaders,
        outcome: Outcome,
        strips: &[Strip<'_>],
        identity: Option<Rc<Identity>>,
    ) -> Self {
        let mut edits = Vec::with_capacity(8);
        let claimed = request.headers.iter().map(|(name, _)| &**name);
        for name in claimed.filter(|name| headers.is_claimed_by(name)) {
            let remove = Edit::Remove(String::from_utf8_lossy(name).into_owned().into());
            if !edits.contains(&remove) {
                edits.push(remove);
            }
        }
        edits.extend(strip_connection(request, headers));
        let own = headers.own_cookies.iter().map(String::as_str);
        strip_all(&mut edits, strips, own, request);
        edits.extend(strip_target(request, strips));
        let known = identity.iter().flat_map(|it| headers.values(it));
        edits.extend(known.map(|(name, value)| Edit::set(name.clone(), value.to_owned())));
        let result: Option<Cow<'static, str>> = match outcome {
            Outcome::Verified => Some("allow".into()),
            Outcome::Anonymous => None,
            Outcome::Cleared => Some("cleared".into()),
            Outcome::Unchecked => {
                let reason = Reason::KeyServiceUnavailable.code();
                Some(["allow;reason=", reason].concat().into())
            }
            Outcome::WouldDeny(reason) => {
                Some(["would-deny;reason=", reason.code()].concat().into())
            }
        };
        if let Some(result) = &result {
            edits.push(Edit::set(
                headers.name(Field::Result).clone(),
                result.clone(),
            ));
        }
        let mut state = Vec::new();
        if headers.filter_state {
            state = identity.as_deref().map(Identity::state).unwrap_or_default();
            state.extend(result.map(|result| ("keygate_result", result.into_owned())));
        }
        let is_in_url = strips.iter().any(|it| matches!(it, Strip::KeyParameter(_)));
        let is_used = is_in_url && matches!(outcome, Outcome::Verified | Outcome::Unchecked);
        Self {
            edits,
            state,
            identity,
            response_edits: KEY_IN_URL
                .iter()
                .filter(|_| is_used)
                .map(|&(name, value)| Edit::set(name, value))
                .collect(),
            outcome,
            rule: None,
        }
    }
}

/// The edits that keep a client from naming an identity header in `connection`. Envoy forwards
/// that header with an upgrade only.
#[inline]
fn strip_connection<'a>(
    request: &'a Request<'_>,
    headers: &'a IdentityHeaders,
) -> impl Iterator<Item = Edit> + 'a {
    let names = ["connection", "proxy-connection"].into_iter();
    names.filter_map(|name| {
        let kept = headers.connection_without_claims(request.values(name))?;
        Some(match kept.is_empty() {
            true => Edit::Remove(name.into()),
            false => Edit::Set(name.into(), kept.into()),
        })
    })
}

/// The edits that take credentials out of the headers; all cookies go in one, since each
/// starts from the request as it came.
fn strip_all<'a>(
    edits: &mut Vec<Edit>,
    strips: &[Strip<'a>],
    own_cookies: impl Iterator<Item = &'a str>,
    request: &Request<'_>,
) {
    let is_there = |name: &&str| lenient_values(request, name).next().is_some();
    let mut cookies: Vec<&str> = own_cookies.filter(is_there).collect();
    for strip in strips {
        match strip {
            // One target: see `strip_target`.
            Strip::Target(_)
            | Strip::Segment(..)
            | Strip::Parameter(_)
            | Strip::KeyParameter(_) => {}
            Strip::Header(name) => edits.push(Edit::Remove(known_name(name))),
            Strip::Cookie(name) => cookies.push(*name),
        }
    }
    if !cookies.is_empty() && request.values("cookie").next().is_some() {
        edits.push(match cookies_without(request, &cookies) {
            Some(rest) => Edit::Set("cookie".into(), rest.into()),
            None => Edit::Remove("cookie".into()),
        });
    }
}

/// The header that nearly every key comes in needs no text of its own.
#[inline]
fn known_name(name: &str) -> Name {
    const AUTHORIZATION: &str = "authorization";
    match name == AUTHORIZATION {
        true => AUTHORIZATION.into(),
        false => name.to_owned().into(),
    }
}

/// Takes every credential out of the target, of a link and of an app key alike. What a path
/// segment carried is out of it already.
fn strip_target(request: &Request<'_>, strips: &[Strip<'_>]) -> Option<Edit> {
    let mut cut: Option<Cow<'_, str>> = None;
    let mut names = Vec::new();
    for strip in strips {
        match strip {
            Strip::Target(target) => cut = Some(Cow::Borrowed(target)),
            Strip::Segment(before, instead, after) => {
                cut = Some(Cow::Owned(format!("{before}{instead}{after}")));
            }
            Strip::Parameter(name) | Strip::KeyParameter(name) => names.push(*name),
            Strip::Header(_) | Strip::Cookie(_) => {}
        }
    }
    let kept = match &cut {
        None if names.is_empty() && request.target.whole == request.arrived => return None,
        None => query::without_hidden(&request.target, &names),
        // A part of an unambiguous target is one, too; should it not be, nothing is kept.
        Some(cut) => match Target::parse(cut.as_bytes()) {
            Ok(target) => query::without_hidden(&target, &names),
            Err(AmbiguousPath) => "/".to_owned(),
        },
    };
    (kept != request.arrived).then(|| Edit::set(":path", kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `:path` that the upstream gets of `/a?key=K` after these strips.
    fn path_after(strips: &[Strip<'_>]) -> Option<Vec<u8>> {
        let headers = [
            (":method", "GET"),
            (":authority", "h"),
            (":path", "/a?key=K"),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let request = Request::read(&headers).unwrap();
        let identity = IdentityHeaders::default();
        let grant = Grant::new(&request, &identity, Outcome::Anonymous, strips, None);
        grant.edits.into_iter().find_map(|edit| match edit {
            Edit::Set(name, value) if name == ":path" => Some(value.into_owned()),
            _ => None,
        })
    }

    #[test]
    fn a_target_with_two_readings_never_reaches_the_upstream() {
        let ambiguous = [Strip::Target("//evil/a"), Strip::Segment("/a/", "..", "/b")];
        for strip in ambiguous {
            assert_eq!(path_after(&[strip]), Some(b"/".to_vec()), "{strip:?}");
            let both = [strip, Strip::Parameter("key")];
            assert_eq!(path_after(&both), Some(b"/".to_vec()), "{strip:?}");
        }
        assert_eq!(path_after(&[Strip::Target("/b")]), Some(b"/b".to_vec()));
        assert_eq!(path_after(&[Strip::Parameter("key")]), Some(b"/a".to_vec()));
        assert_eq!(path_after(&[Strip::Header("x")]), None);
    }
}
