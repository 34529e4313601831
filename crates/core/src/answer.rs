//! What a rejected client receives: status, headers and body.

mod accept;
mod authenticate;
mod blanks;
pub mod brand;
mod content;
mod page;
mod template;
mod words;

use std::borrow::Cow;
use std::cell::LazyCell;
use std::fmt;

use crate::http::edit::Edit;
use crate::http::path::Target;
use crate::http::path_token::PathToken;
use crate::http::query;
use crate::http::request::Header;
use crate::identity::scopes::Scopes;
use crate::reason::{PublicReason, Reason};

pub use authenticate::Authenticate;
use blanks::Fields;
pub use blanks::{Blanks, Json, PLACEHOLDERS, Spelling};
use content::Content;
pub use page::Page;
use page::UNBRANDED;
pub use template::{Bodies, Form, Reply, Template};
use words::Words;

/// What was asked for, which decides status and wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Nothing was asked for: the request itself is at fault.
    None,
    /// An app key.
    AppKey,
    /// A signed link.
    SignedUrl,
}

/// A reason, and what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// Of what.
    pub scheme: Scheme,
}

/// Names and values. Most are known when it is compiled.
pub type Headers = Vec<(Cow<'static, str>, Cow<'static, str>)>;

/// A local reply in place of the upstream's.
#[derive(Clone, PartialEq, Eq)]
pub struct Denial {
    /// The precise reason, for the metric.
    pub reason: Reason,
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond the status.
    pub headers: Headers,
    /// The body.
    pub body: String,
    /// For a gRPC client, who reads it in place of the status.
    pub grpc_status: Option<u8>,
    /// Credentials in the query of the request are removed, because of the access log.
    pub edits: Vec<Edit>,
    /// For `%RESPONSE_CODE_DETAILS%`: the precise reason and the rule.
    pub details: String,
    /// The place of the rule that decided, from 0; `None` if none did.
    pub rule: Option<usize>,
}

/// Its headers may hold the address of the request.
impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("reason", &self.reason)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// On whose behalf a request is rejected, and in whose words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Voice<'a> {
    /// The name of the rule; empty when there is none.
    pub rule: &'a str,
    /// The rule's answer; without one the client's preference decides.
    pub template: Option<&'a Template>,
    /// The standard page of the policy; without one, a page without a brand.
    pub page: Option<&'a Page>,
    /// What a 401 asks for.
    pub authenticate: Option<&'a Authenticate>,
    /// What the method needs, for a credential that lacks it.
    pub needed_scopes: Option<&'a Scopes>,
    /// Parameters that hold credentials of any rule: no answer repeats them.
    pub secret_parameters: &'a [String],
    /// Names of the path segments that carry tokens: neither does it repeat those.
    pub path_tokens: &'a [String],
    /// After how many seconds the client may try again, where that is known; otherwise after one.
    pub retry_after: Option<u64>,
}

impl Rejection {
    /// 400, 401, 403, 429 or 503. A signed link knows no 401: HTTP has no challenge for it.
    pub fn status(self) -> u16 {
        match (self.reason.public(), self.scheme) {
            (PublicReason::AmbiguousRequest, _) => 400,
            (
                PublicReason::NotAllowedHere
                | PublicReason::InsufficientScope
                | PublicReason::ChallengeRequired,
                _,
            ) => 403,
            (PublicReason::RateLimited, _) => 429,
            (PublicReason::Unavailable, _) => 503,
            (
                PublicReason::MissingCredential
                | PublicReason::InvalidCredential
                | PublicReason::Expired,
                Scheme::AppKey,
            ) => 401,
            (
                PublicReason::MissingCredential
                | PublicReason::InvalidCredential
                | PublicReason::Expired,
                Scheme::SignedUrl | Scheme::None,
            ) => 403,
        }
    }

    fn message(self) -> &'static str {
        Words::of(self).message
    }

    /// The answer to the client who sent `headers`, from the rule's template or in the
    /// form that the client prefers.
    pub fn answer(self, headers: &[Header], voice: &Voice<'_>) -> Denial {
        let public = self.reason.public();
        let is_grpc = is_grpc(headers);
        let reply = voice.template.map(|template| template.reply(public));
        // A gRPC client reads neither pages nor other statuses.
        let status = reply
            .filter(|_| !is_grpc)
            .map_or(self.status(), |reply| self.status_of(reply, headers));
        let request_id = visible(first(headers, b"x-request-id"));
        let own_url = LazyCell::new(|| own_url(headers, voice));
        let url = || own_url.as_deref().unwrap_or("/");
        let rule = if voice.rule.is_empty() {
            "-"
        } else {
            voice.rule
        };
        let fields = Fields {
            reason: public.code(),
            words: Words::of(self),
            status,
            request_id,
            rule,
            url: &url,
        };
        let content = match reply.map(|it| &it.form) {
            // Envoy puts the body into grpc-message.
            _ if is_grpc => Content::of("text/plain", fields.words.message.to_owned()),
            Some(Form::Redirect(to)) => Content {
                location: Some(to.fill(&fields)),
                ..Content::of("", String::new())
            },
            Some(Form::Bodies(bodies)) => fields.body(bodies, &accepted(headers)),
            Some(Form::Standard) | None => {
                let page = voice.page.unwrap_or(&UNBRANDED);
                fields.default_body(&accepted(headers), page)
            }
        };
        let mut answer = content.headers();
        for value in voice
            .authenticate
            .iter()
            .flat_map(|it| it.values(self, status, voice.needed_scopes))
        {
            answer.push(("www-authenticate".into(), value.into()));
        }
        if status == 503 || (status == 429 && public == PublicReason::RateLimited) {
            let seconds = voice.retry_after.map(|it| Cow::Owned(it.to_string()));
            answer.push(("retry-after".into(), seconds.unwrap_or("1".into())));
        }
        for (name, value) in reply.iter().flat_map(|it| &it.headers) {
            answer.retain(|(taken, _)| taken != name);
            let value = value.fill(&fields);
            answer.push((name.clone().into(), value.into()));
        }
        let path = first(headers, b":path");
        let without_secrets = match may_hold_secret(path, voice).then(|| &*own_url) {
            None => None,
            Some(Some(url)) => Some(url.clone()).filter(|it| it.as_bytes() != path),
            Some(None) => may_hold_token(path, voice).then(|| "/".to_owned()),
        };
        let code = self.reason.code();
        Denial {
            reason: self.reason,
            status,
            headers: answer,
            body: content.text,
            edits: without_secrets
                .into_iter()
                .map(|it| Edit::set(":path", it))
                .collect(),
            grpc_status: is_grpc.then(|| public.grpc_status()),
            details: ["keygate_denied{reason=", code, ",rule=", rule, "}"].concat(),
            rule: None,
        }
    }

    fn status_of(self, reply: &Reply, headers: &[Header]) -> u16 {
        let is_safe = [&b"GET"[..], b"HEAD"].contains(&first(headers, b":method"));
        match (reply.status, &reply.form) {
            (Some(status), _) => status,
            (None, Form::Bodies(_) | Form::Standard) => self.status(),
            // Some clients would send a body there again after a 302: RFC 9110 section 15.4.4.
            (None, Form::Redirect(_)) => {
                if is_safe {
                    302
                } else {
                    303
                }
            }
        }
    }
}

fn first<'a>(headers: &'a [Header], name: &[u8]) -> &'a [u8] {
    let found = headers.iter().find(|(candidate, _)| candidate == name);
    found.map_or(&[], |(_, value)| value)
}

/// A text that is safe to show, or nothing: visible ASCII of at most 128 characters.
fn visible(value: &[u8]) -> &str {
    let is_shown = value.len() <= 128 && value.iter().all(u8::is_ascii_graphic);
    let shown = if is_shown { value } else { &[] };
    std::str::from_utf8(shown).unwrap_or_default()
}

/// As Envoy has it: gRPC-Web is not among them.
fn is_grpc(headers: &[Header]) -> bool {
    let content_type = first(headers, b"content-type");
    let after = content_type.strip_prefix(b"application/grpc");
    after.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// All of `accept`; several are joined as RFC 9110 section 5.3 says.
fn accepted(headers: &[Header]) -> Cow<'_, str> {
    let values = headers.iter().filter(|(name, _)| name == b"accept");
    let mut values = values.map(|(_, value)| String::from_utf8_lossy(value));
    let first = values.next().unwrap_or_default();
    values.fold(first, |all, value| [&all, ",", &value].concat().into())
}

/// Path and query of the request, without credentials. `None` for an ambiguous path,
/// which a browser could take for another site.
fn own_url(headers: &[Header], voice: &Voice<'_>) -> Option<String> {
    let target = Target::parse(first(headers, b":path")).ok()?;
    // Of a path with two such segments nothing is repeated.
    let Ok(token) = PathToken::find(&target, voice.path_tokens) else {
        return Some("/".to_owned());
    };
    let kept = token.map(|it| it.without(&target));
    let target = match &kept {
        Some(kept) => Target::parse(kept.as_bytes()).ok()?,
        None => target,
    };
    Some(query::without_secrets(&target, voice.secret_parameters))
}

/// Whether there is a place for a credential in this path and query.
fn may_hold_secret(path: &[u8], voice: &Voice<'_>) -> bool {
    path.contains(&b'?')
        || PathToken::may_be_in(path, voice.path_tokens)
        || query::may_have_parameters(path)
}

/// Whether an unreadable path may contain a token at an unknown position: a name and its `=`,
/// in any encoding, even a repeated one.
fn may_hold_token(path: &[u8], voice: &Voice<'_>) -> bool {
    let mut parts = path.split(|&byte| byte == b'?');
    let path = parts.next().unwrap_or_default();
    let has_equals = path.contains(&b'=') || path.windows(2).any(|it| matches!(it, b"3d" | b"3D"));
    has_equals && !voice.path_tokens.is_empty()
}

#[cfg(test)]
mod tests;
