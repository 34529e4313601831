//! What a refused client receives: status, headers and body.

use serde_json::Value;

use crate::reason::{PublicReason, Reason};
use crate::request::Header;
use crate::scopes::Scopes;

/// The body of a refusal, as configured.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// JSON; texts in it are filled in, its structure stays.
    Json(Value),
    /// HTML; what is filled in is escaped.
    Html(String),
}

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
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Of what.
    pub scheme: Scheme,
}

/// A local reply in place of the upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The precise reason, for the metric.
    pub reason: Reason,
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond the status.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// For `%RESPONSE_CODE_DETAILS%`: the precise reason and the rule.
    pub details: String,
}

/// The values that a template may name.
struct Fields<'a> {
    reason: &'static str,
    message: &'static str,
    status: u16,
    request_id: &'a str,
    rule: &'a str,
}

/// The names that may stand in braces in a template.
pub const PLACEHOLDERS: [&str; 5] = ["reason", "message", "status", "request_id", "rule"];

impl Refusal {
    /// 400, 401, 403 or 503. A signed link knows no 401: HTTP has no challenge for it.
    pub fn status(self) -> u16 {
        match (self.reason.public(), self.scheme) {
            (PublicReason::AmbiguousRequest, _) => 400,
            (
                PublicReason::NotAllowedHere
                | PublicReason::InsufficientScope
                | PublicReason::ChallengeRequired,
                _,
            ) => 403,
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
        match (self.scheme, self.reason.public()) {
            (Scheme::SignedUrl, PublicReason::MissingCredential) => "This link needs a signature.",
            (Scheme::SignedUrl, PublicReason::InvalidCredential) => "This link is not valid.",
            (Scheme::SignedUrl, PublicReason::Expired) => "This link has expired.",
            (_, reason) => reason.message(),
        }
    }

    /// `www-authenticate` in the words of RFC 6750 section 3.
    fn challenge(self) -> Option<&'static str> {
        if self.scheme != Scheme::AppKey {
            return None;
        }
        match self.reason.public() {
            PublicReason::MissingCredential => Some("Bearer realm=\"keygate\""),
            PublicReason::InvalidCredential | PublicReason::Expired => {
                Some("Bearer realm=\"keygate\", error=\"invalid_token\"")
            }
            PublicReason::AmbiguousRequest => {
                Some("Bearer realm=\"keygate\", error=\"invalid_request\"")
            }
            PublicReason::NotAllowedHere
            | PublicReason::InsufficientScope
            | PublicReason::ChallengeRequired
            | PublicReason::Unavailable => None,
        }
    }

    /// The answer to the client who sent `headers`, from the rule's template or in the
    /// form that the client prefers.
    pub fn answer(self, headers: &[Header], template: Option<&Template>, rule: &str) -> Denial {
        let request_id = visible(first(headers, b"x-request-id"));
        let fields = Fields {
            reason: self.reason.public().code(),
            message: self.message(),
            status: self.status(),
            request_id: &request_id,
            rule,
        };
        let (content_type, body) = if is_grpc(headers) {
            // Envoy puts the body into grpc-message.
            ("text/plain", fields.message.to_owned())
        } else {
            match template {
                Some(Template::Json(value)) => {
                    ("application/json", fields.fill_json(value).to_string())
                }
                Some(Template::Html(page)) => (HTML, fields.fill(page, escape)),
                None if prefers_html(headers) => (HTML, fields.fill(DEFAULT_PAGE, escape)),
                None => ("application/problem+json", fields.problem()),
            }
        };
        let mut answer = vec![
            ("content-type", content_type.to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ];
        if content_type == HTML {
            answer.push(("content-security-policy", CONTENT_SECURITY.to_owned()));
        }
        if template.is_none() {
            answer.push(("vary", "accept".to_owned()));
        }
        if let Some(challenge) = self.challenge() {
            answer.push(("www-authenticate", challenge.to_owned()));
        }
        if self.status() == 503 {
            answer.push(("retry-after", "1".to_owned()));
        }
        let code = self.reason.code();
        Denial {
            reason: self.reason,
            status: self.status(),
            headers: answer,
            body,
            details: format!("keygate_denied{{reason={code},rule={rule}}}"),
        }
    }
}

impl Denial {
    /// Says which scopes would do (RFC 6750 section 3.1); `None` if none would.
    pub fn need(&mut self, scopes: Option<&Scopes>) {
        let scope = scopes.map_or_else(String::new, |scopes| {
            format!(", scope=\"{}\"", scopes.names().join(" "))
        });
        let challenge = format!("Bearer realm=\"keygate\", error=\"insufficient_scope\"{scope}");
        self.headers.push(("www-authenticate", challenge));
    }
}

const HTML: &str = "text/html; charset=utf-8";

const CONTENT_SECURITY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const DEFAULT_PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
     <meta name=\"viewport\" content=\"width=device-width\"><title>{message}</title>\
     <style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;\
     padding:0 1rem}small{opacity:.6}</style>\
     <h1>{message}</h1><p><small>{status} · {request_id}</small></p></html>\n";

impl Fields<'_> {
    fn value(&self, name: &str) -> Option<String> {
        match name {
            "reason" => Some(self.reason.to_owned()),
            "message" => Some(self.message.to_owned()),
            "status" => Some(self.status.to_string()),
            "request_id" => Some(self.request_id.to_owned()),
            "rule" => Some(self.rule.to_owned()),
            _ => None,
        }
    }

    /// Fills in one pass, so that a value with braces in it stays as it is.
    fn fill(&self, template: &str, escape: fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(template.len().saturating_add(64));
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let named = after
                .split_once('}')
                .and_then(|(name, tail)| Some((self.value(name)?, tail)));
            match named {
                Some((value, tail)) => {
                    filled.push_str(&escape(&value));
                    rest = tail;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn fill_json(&self, template: &Value) -> Value {
        match template {
            Value::String(text) if text == "{status}" => Value::from(self.status),
            Value::String(text) => Value::String(self.fill(text, str::to_owned)),
            Value::Array(items) => items.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.fill_json(value)))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
        }
    }

    /// Problem details, RFC 9457.
    fn problem(&self) -> String {
        serde_json::json!({
            "type": "about:blank",
            "title": title(self.status),
            "status": self.status,
            "detail": self.message,
            "reason": self.reason,
            "request_id": self.request_id,
        })
        .to_string()
    }
}

/// The reason phrases of RFC 9110, as RFC 9457 section 4.2.1 wants for `about:blank`.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        _ => "Service Unavailable",
    }
}

fn first<'a>(headers: &'a [Header], name: &[u8]) -> &'a [u8] {
    let found = headers.iter().find(|(candidate, _)| candidate == name);
    found.map_or(&[], |(_, value)| value)
}

/// A text that is safe to show, or nothing: visible ASCII of at most 128 characters.
fn visible(value: &[u8]) -> String {
    let shown = value.len() <= 128 && value.iter().all(u8::is_ascii_graphic);
    let text = std::str::from_utf8(value).unwrap_or_default();
    if shown {
        text.to_owned()
    } else {
        String::new()
    }
}

fn is_grpc(headers: &[Header]) -> bool {
    first(headers, b"content-type").starts_with(b"application/grpc")
}

/// A browser names `text/html` before anything else; programs rarely name it at all.
fn prefers_html(headers: &[Header]) -> bool {
    let accept = String::from_utf8_lossy(first(headers, b"accept")).to_ascii_lowercase();
    match (accept.find("text/html"), accept.find("json")) {
        (Some(html), Some(json)) => html < json,
        (html, None) => html.is_some(),
        (None, Some(_)) => false,
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
