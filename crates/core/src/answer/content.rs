//! The body of a rejection in the form that the client prefers, and the headers of a body.

use std::borrow::Cow;

use arrayvec::ArrayVec;
use serde::Serialize;

use super::blanks::Fields;
use super::page::Page;
use super::{Blanks, Bodies, Headers, accept};

/// What is sent in addition to the status and the standard headers.
pub(super) struct Content {
    pub kind: &'static str,
    /// The content security policy of a page; without one, that of configured pages.
    pub security: Option<String>,
    pub text: String,
    /// Whether another `accept` would have brought another body.
    pub is_negotiated: bool,
    pub location: Option<String>,
}

impl Content {
    pub(super) fn of(kind: &'static str, text: String) -> Self {
        Self {
            kind,
            security: None,
            text,
            is_negotiated: false,
            location: None,
        }
    }

    pub(super) fn headers(&self) -> Headers {
        let is_page = self.kind == HTML;
        let known = [
            (!self.kind.is_empty()).then_some(("content-type", self.kind)),
            Some(("cache-control", "no-store")),
            Some(("x-content-type-options", "nosniff")),
            self.is_negotiated.then_some(("vary", "accept")),
        ];
        // Room for what a credential is asked for with, too.
        let mut headers = Vec::with_capacity(8);
        let known = known.into_iter().flatten();
        headers.extend(known.map(|(name, value)| (name.into(), value.into())));
        if is_page {
            let own = self.security.clone().map(Cow::Owned);
            let security = own.unwrap_or(CONTENT_SECURITY.into());
            headers.push(("content-security-policy".into(), security));
        }
        let location = self.location.clone();
        headers.extend(location.map(|to| ("location".into(), to.into())));
        headers
    }
}

pub(super) const JSON: &str = "application/json";
pub(super) const PROBLEM: &str = "application/problem+json";
pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

pub(super) const CONTENT_SECURITY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Fields<'_> {
    /// The one of these bodies that the client prefers.
    pub(super) fn body<'b>(&self, bodies: &'b Bodies, accept: &str) -> Content {
        let all = [
            (JSON, &["application/json"][..], &bodies.json),
            (HTML, &["text/html"], &bodies.html),
            (TEXT, &["text/plain"], &bodies.text),
        ];
        let of =
            |(kind, types, body): (_, _, &'b Option<Blanks>)| Some((kind, types, body.as_ref()?));
        let offers: ArrayVec<_, 3> = all.into_iter().filter_map(of).collect();
        let types: ArrayVec<&[&str], 3> = offers.iter().map(|(_, types, _)| *types).collect();
        // The configuration rejects a response without a body.
        let content = match offers.get(accept::choose(accept, &types)) {
            Some((kind, _, body)) => Content::of(kind, body.fill(self)),
            None => Content::of(TEXT, String::new()),
        };
        Content {
            is_negotiated: types.len() > 1,
            ..content
        }
    }

    /// Problem details for programs, a page for people.
    pub(super) fn default_body(&self, accept: &str, page: &Page) -> Content {
        let content = match accept::choose(accept, &[&[PROBLEM, JSON], &["text/html"]]) {
            0 => Content::of(PROBLEM, self.problem()),
            _ => Content {
                security: Some(page.security.clone()),
                ..Content::of(HTML, page.body.fill(self))
            },
        };
        Content {
            is_negotiated: true,
            ..content
        }
    }

    /// Problem details, RFC 9457.
    fn problem(&self) -> String {
        let id = self.request_id;
        let instance = is_uuid(id).then(|| format!("urn:uuid:{id}"));
        let problem = Problem {
            detail: self.words.message,
            instance: instance.as_deref(),
            reason: self.reason,
            request_id: id,
            status: self.status,
            title: title(self.status),
            r#type: "about:blank",
        };
        // Texts and a number are JSON.
        serde_json::to_string(&problem).unwrap_or_default()
    }
}

/// Problem details, RFC 9457 section 3.1, with two members of our own.
#[derive(Serialize)]
struct Problem<'a> {
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    reason: &'a str,
    request_id: &'a str,
    status: u16,
    title: &'a str,
    r#type: &'a str,
}

/// The reason phrases of RFC 9110 and RFC 6585, as RFC 9457 section 4.2.1 wants for
/// `about:blank`. A policy can set any status from 400 to 599.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ if status < 500 => "Client Error",
        _ => "Server Error",
    }
}

/// RFC 9562 section 4, as Envoy makes its request ids.
fn is_uuid(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}
