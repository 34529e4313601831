//! The body of a refusal in the form that the client prefers, and the headers of a body.

use arrayvec::ArrayVec;

use super::blanks::Fields;
use super::{Blanks, Bodies, Headers, Spelling, accept};
use crate::json::Object;

/// What goes out beside status and standard headers.
pub(super) struct Content {
    pub kind: &'static str,
    pub text: String,
    /// Whether another `accept` would have brought another body.
    pub is_negotiated: bool,
    pub location: Option<String>,
}

impl Content {
    pub fn of(kind: &'static str, text: String) -> Self {
        Self {
            kind,
            text,
            is_negotiated: false,
            location: None,
        }
    }

    pub fn headers(&self) -> Headers {
        let is_page = self.kind == HTML;
        let known = [
            (!self.kind.is_empty()).then_some(("content-type", self.kind)),
            Some(("cache-control", "no-store")),
            Some(("x-content-type-options", "nosniff")),
            is_page.then_some(("content-security-policy", CONTENT_SECURITY)),
            self.is_negotiated.then_some(("vary", "accept")),
        ];
        // Room for what a credential is asked for with, too.
        let mut headers = Vec::with_capacity(8);
        let known = known.into_iter().flatten();
        headers.extend(known.map(|(name, value)| (name.into(), value.into())));
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

pub(super) const DEFAULT_PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
     <meta name=\"viewport\" content=\"width=device-width\"><title>{message}</title>\
     <style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;\
     padding:0 1rem}small{opacity:.6}</style>\
     <h1>{message}</h1><p><small>{status} · {request_id}</small></p></html>\n";

impl Fields<'_> {
    /// The one of these bodies that the client prefers.
    pub fn body<'b>(&self, bodies: &'b Bodies, accept: &str) -> Content {
        let all = [
            (JSON, &["application/json"][..], &bodies.json),
            (HTML, &["text/html"], &bodies.html),
            (TEXT, &["text/plain"], &bodies.text),
        ];
        let of =
            |(kind, types, body): (_, _, &'b Option<Blanks>)| Some((kind, types, body.as_ref()?));
        let offers: ArrayVec<_, 3> = all.into_iter().filter_map(of).collect();
        let types: ArrayVec<&[&str], 3> = offers.iter().map(|(_, types, _)| *types).collect();
        // The configuration refuses a response without a body.
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
    pub fn default_body(&self, accept: &str) -> Content {
        let content = match accept::choose(accept, &[&[PROBLEM, JSON], &["text/html"]]) {
            0 => Content::of(PROBLEM, self.problem()),
            _ => {
                let page = Blanks::of(DEFAULT_PAGE, Spelling::Html);
                Content::of(HTML, page.fill(self))
            }
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
        Object::new()
            .text("detail", self.message)
            .text_if("instance", instance.as_deref())
            .text("reason", self.reason)
            .text("request_id", id)
            .number("status", self.status.into())
            .text("title", title(self.status))
            .text("type", "about:blank")
            .end()
    }
}

/// The reason phrases of RFC 9110, as RFC 9457 section 4.2.1 wants for `about:blank`.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        429 => "Too Many Requests",
        _ => "Service Unavailable",
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
