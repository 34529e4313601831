//! The answer to a refused request, as configured, and how its blanks are filled in.

use crate::json::{Object, quote};
use crate::path::{is_unreserved, upper_digit};
use crate::reason::PublicReason;

/// The names that may stand in braces in a template.
pub const PLACEHOLDERS: [&str; 6] = ["reason", "message", "status", "request_id", "rule", "url"];

/// The answer to a refused request, as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What holds for a reason that has no answer of its own.
    pub reply: Reply,
    /// Answers of their own, each whole.
    pub reasons: Vec<(PublicReason, Reply)>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status; without one, that of the refusal or of the redirect.
    pub status: Option<u16>,
    /// Headers beyond our own: names in lower case, and values to be filled in.
    pub headers: Vec<(String, String)>,
    /// What the client is to see.
    pub form: Form,
}

/// What the client is to see.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// One of these bodies: the one that the client prefers.
    Bodies(Bodies),
    /// Another page: its address, to be filled in.
    Redirect(String),
}

/// At least one body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bodies {
    /// JSON; texts in it are filled in, its structure stays.
    pub json: Option<Json>,
    /// HTML; what is filled in is escaped.
    pub html: Option<String>,
    /// Plain text.
    pub text: Option<String>,
}

/// JSON with blanks in its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// A text, to be filled in.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object: its members in their order.
    Object(Vec<(String, Json)>),
    /// `null`, `true`, `false` or a number, as it was written.
    Word(String),
}

impl Template {
    /// The answer for this reason.
    pub fn reply(&self, reason: PublicReason) -> &Reply {
        let own = self.reasons.iter().find(|(of, _)| *of == reason);
        own.map_or(&self.reply, |(_, reply)| reply)
    }
}

/// The values that a template may name.
pub(super) struct Fields<'a> {
    pub reason: &'static str,
    pub message: &'static str,
    pub status: u16,
    pub request_id: &'a str,
    pub rule: &'a str,
    /// It is percent-encoded, so that it fits wherever it is put.
    pub url: &'a str,
}

impl Fields<'_> {
    fn value(&self, name: &str) -> Option<String> {
        match name {
            "reason" => Some(self.reason.to_owned()),
            "message" => Some(self.message.to_owned()),
            "status" => Some(self.status.to_string()),
            "request_id" => Some(self.request_id.to_owned()),
            "rule" => Some(self.rule.to_owned()),
            "url" => Some(percent_encode(self.url)),
            _ => None,
        }
    }

    /// Fills in one pass, so that a value with braces in it stays as it is.
    pub fn fill(&self, template: &str, escape: fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(template.len().saturating_add(64));
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let named = after
                .split_once('}')
                .and_then(|(name, tail)| Some((name, self.value(name)?, tail)));
            match named {
                Some((name, value, tail)) => {
                    let is_escaped = name == "url";
                    filled.push_str(&if is_escaped { value } else { escape(&value) });
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

    /// Fills the texts of a JSON value; names of members stay.
    pub fn fill_json(&self, template: &Json) -> String {
        match template {
            Json::Text(text) if text == "{status}" => self.status.to_string(),
            Json::Text(text) => {
                let mut filled = String::new();
                quote(&mut filled, &self.fill(text, str::to_owned));
                filled
            }
            Json::List(items) => {
                let items = items.iter().map(|item| self.fill_json(item));
                format!("[{}]", items.collect::<Vec<_>>().join(","))
            }
            Json::Object(members) => members
                .iter()
                .fold(Object::new(), |object, (name, value)| {
                    object.raw(name, &self.fill_json(value))
                })
                .end(),
            Json::Word(word) => word.clone(),
        }
    }
}

/// For text and attributes of HTML.
pub(super) fn escape_html(text: &str) -> String {
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

/// For one value in a query: all but the unreserved characters of RFC 3986 section 2.3.
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) {
            encoded.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(upper_digit);
            encoded.push('%');
            encoded.extend(digits.map(char::from));
        }
    }
    encoded
}
