//! Texts with blanks, taken apart once and filled in for each rejection.

use super::words::Words;
use crate::http::path::{is_unreserved, percent_encode};
use crate::text::cut::cut;
use crate::text::{html, json};

/// Declares what may be left blank, a row each: its variant of `Blank`, and its name in braces.
macro_rules! blanks {
    ($($Blank:ident = $name:literal;)*) => {
        /// The names that are allowed in braces.
        pub const PLACEHOLDERS: &[&str] = &[$($name),*];

        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Blank {
            $($Blank,)*
        }

        impl Blank {
            fn of(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$Blank),)*
                    _ => None,
                }
            }
        }
    };
}

blanks! {
    Reason = "reason";
    Message = "message";
    Title = "title";
    Explanation = "explanation";
    Advice = "advice";
    Status = "status";
    RequestId = "request_id";
    Rule = "rule";
    Url = "url";
}

/// A text with blanks.
#[derive(Clone, Debug, PartialEq)]
pub struct Blanks {
    spelling: Spelling,
    /// The text before each placeholder.
    pieces: Vec<(String, Blank)>,
    /// The text after the last one.
    rest: String,
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

/// How a value is spelled in what it becomes part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As it is.
    Plain,
    /// For text and attributes of HTML.
    Html,
    /// For one value in a query.
    Url,
    /// For a text of JSON.
    Json,
}

/// The values that a template may name.
pub(super) struct Fields<'a> {
    pub reason: &'static str,
    pub words: Words,
    pub status: u16,
    pub request_id: &'a str,
    pub rule: &'a str,
    /// It is percent-encoded, so that it fits wherever it is put; and made where it is named.
    pub url: &'a dyn Fn() -> &'a str,
}

impl Blanks {
    /// A text, in which a `{name}` that is none of [`PLACEHOLDERS`] stays as it is.
    pub fn of(text: &str, spelling: Spelling) -> Self {
        let mut blanks = Self::new(spelling);
        blanks.add(text);
        blanks
    }

    /// JSON with blanks in its texts: its structure and the names of its members stay. The
    /// text `{status}` becomes a number.
    pub fn json(value: &Json) -> Self {
        let mut blanks = Self::new(Spelling::Json);
        blanks.add_json(value);
        blanks
    }

    /// In one pass, so that a value with braces in it stays as it is.
    pub(super) fn fill(&self, fields: &Fields<'_>) -> String {
        let mut filled = String::with_capacity(256);
        for (said, blank) in &self.pieces {
            filled.push_str(said);
            fields.write(*blank, self.spelling, &mut filled);
        }
        filled.push_str(&self.rest);
        filled
    }

    fn new(spelling: Spelling) -> Self {
        Self {
            spelling,
            pieces: Vec::new(),
            rest: String::new(),
        }
    }

    fn add(&mut self, text: &str) {
        let mut text = text;
        while let Some((before, after)) = cut(text, b'{') {
            self.say(before);
            let named = cut(after, b'}').and_then(|(name, tail)| Some((Blank::of(name)?, tail)));
            text = match named {
                Some((blank, tail)) => {
                    self.leave(blank);
                    tail
                }
                None => {
                    self.say("{");
                    after
                }
            };
        }
        self.say(text);
    }

    fn add_json(&mut self, value: &Json) {
        match value {
            Json::Text(text) if text == "{status}" => self.leave(Blank::Status),
            Json::Text(text) => {
                self.rest.push('"');
                self.add(text);
                self.rest.push('"');
            }
            Json::List(items) => {
                self.rest.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        self.rest.push(',');
                    }
                    self.add_json(item);
                }
                self.rest.push(']');
            }
            Json::Object(members) => {
                self.rest.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    if place > 0 {
                        self.rest.push(',');
                    }
                    self.rest.push('"');
                    json::escape(&mut self.rest, name);
                    self.rest.push_str("\":");
                    self.add_json(value);
                }
                self.rest.push('}');
            }
            Json::Word(word) => self.rest.push_str(word),
        }
    }

    fn say(&mut self, text: &str) {
        match self.spelling {
            Spelling::Json => json::escape(&mut self.rest, text),
            Spelling::Plain | Spelling::Html | Spelling::Url => self.rest.push_str(text),
        }
    }

    fn leave(&mut self, blank: Blank) {
        self.pieces.push((std::mem::take(&mut self.rest), blank));
    }
}

impl Fields<'_> {
    fn write(&self, blank: Blank, spelling: Spelling, to: &mut String) {
        let value = match blank {
            Blank::Reason => self.reason,
            Blank::Message => self.words.message,
            Blank::Title => self.words.title,
            Blank::Explanation => self.words.explanation,
            Blank::Advice => self.words.advice,
            Blank::Status => return to.push_str(&self.status.to_string()),
            Blank::RequestId => self.request_id,
            Blank::Rule => self.rule,
            Blank::Url => return percent_encode(to, (self.url)().as_bytes(), is_unreserved),
        };
        match (spelling, blank) {
            (Spelling::Plain, _) => to.push_str(value),
            (Spelling::Json, _) => json::escape(to, value),
            (Spelling::Html, _) => html::escape(to, value),
            (Spelling::Url, _) => percent_encode(to, value.as_bytes(), is_unreserved),
        }
    }
}
