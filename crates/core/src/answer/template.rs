//! The answer to a refused request, as configured, and how its blanks are filled in.

use crate::cut::cut;
use crate::json::quote;
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
    /// It is percent-encoded, so that it fits wherever it is put; and made where it is named.
    pub url: &'a dyn Fn() -> &'a str,
}

/// Adds a text in the spelling of what it becomes part of.
pub(super) type Write = fn(&mut String, &str);

impl Fields<'_> {
    /// Adds the value of this name; whether there is one.
    fn value(&self, to: &mut String, name: &str, write: Write) -> bool {
        match name {
            "reason" => write(to, self.reason),
            "message" => write(to, self.message),
            "status" => write(to, &self.status.to_string()),
            "request_id" => write(to, self.request_id),
            "rule" => write(to, self.rule),
            "url" => percent_encode(to, (self.url)()),
            _ => return false,
        }
        true
    }

    /// Fills in one pass, so that a value with braces in it stays as it is.
    pub fn fill(&self, template: &str, write: Write) -> String {
        let mut filled = String::with_capacity(template.len().saturating_add(64));
        let mut rest = template;
        while let Some((before, after)) = cut(rest, b'{') {
            filled.push_str(before);
            rest = match cut(after, b'}') {
                Some((name, tail)) if self.value(&mut filled, name, write) => tail,
                _ => {
                    filled.push('{');
                    after
                }
            };
        }
        filled.push_str(rest);
        filled
    }

    /// Adds the value that a text of JSON names, quoted; whether it names one and has nothing
    /// beside it. The URL is encoded before it is quoted.
    fn quote_value(&self, to: &mut String, text: &str) -> bool {
        let name = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        name.is_some_and(|name| name != "url" && self.value(to, name, quote))
    }

    /// Adds a JSON value with its texts filled in; names of members stay.
    pub fn fill_json(&self, to: &mut String, template: &Json) {
        match template {
            Json::Text(text) if text == "{status}" => to.push_str(&self.status.to_string()),
            // Nearly every text is one value, or none.
            Json::Text(text) if self.quote_value(to, text) => {}
            Json::Text(text) if !text.contains('{') => quote(to, text),
            Json::Text(text) => quote(to, &self.fill(text, String::push_str)),
            Json::List(items) => {
                to.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        to.push(',');
                    }
                    self.fill_json(to, item);
                }
                to.push(']');
            }
            Json::Object(members) => {
                to.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    if place > 0 {
                        to.push(',');
                    }
                    quote(to, name);
                    to.push(':');
                    self.fill_json(to, value);
                }
                to.push('}');
            }
            Json::Word(word) => to.push_str(word),
        }
    }
}

/// For text and attributes of HTML.
pub(super) fn escape_html(to: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            other => to.push(other),
        }
    }
}

/// For one value in a query: all but the unreserved characters of RFC 3986 section 2.3.
pub(super) fn percent_encode(to: &mut String, text: &str) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            to.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(upper_digit);
            to.push('%');
            to.extend(digits.map(char::from));
        }
    }
}
