//! What is wrong with a tree, and where.

use std::fmt;

use serde::de::{Expected, Unexpected};
use serde_json::Value as Json;

/// What is wrong, by the path of a value and its place in the text.
// Boxed: it goes through the results of everything that is read.
#[derive(Debug)]
pub struct Error(Box<Told>);

#[derive(Debug, Default)]
struct Told {
    message: String,
    path: String,
    /// The offset in the text.
    at: Option<usize>,
}

impl Error {
    #[cold]
    pub(super) fn new(message: &dyn fmt::Display) -> Self {
        Self(Box::new(Told {
            message: message.to_string(),
            ..Told::default()
        }))
    }

    /// The path, such as `rules[2].match`; empty for the value that was read.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What is wrong, and the line and column of this text where it is.
    pub fn message(&self, text: &[u8]) -> String {
        let Some(before) = self.0.at.and_then(|at| text.get(..at)) else {
            return self.0.message.clone();
        };
        let line_start = before.iter().rposition(|byte| *byte == b'\n');
        let line_start = line_start.map_or(0, |at| at.saturating_add(1));
        let newlines = before.iter().filter(|byte| **byte == b'\n').count();
        let line = newlines.saturating_add(1);
        let column = before.len().saturating_sub(line_start);
        format!("{} at line {line} column {column}", self.0.message)
    }

    /// Another message, which says its place itself.
    #[cold]
    pub(super) fn in_words(mut self, message: String) -> Self {
        self.0.message = message;
        self.0.at = None;
        self
    }

    /// It is here, unless its place is known already.
    #[cold]
    pub(super) fn or_at(mut self, offset: usize) -> Self {
        self.0.at.get_or_insert(offset);
        self
    }

    /// It is in the member of this name.
    #[cold]
    pub(super) fn in_member(mut self, name: &str) -> Self {
        let separator = match self.0.path.chars().next() {
            None | Some('[') => "",
            Some(_) => ".",
        };
        self.0.path = format!("{name}{separator}{}", self.0.path);
        self
    }

    /// It is in the item of this index.
    #[cold]
    pub(super) fn in_item(self, index: usize) -> Self {
        self.in_member(&format!("[{index}]"))
    }
}

impl serde::de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message)
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = InJson(found);
        Self::new(&format_args!("invalid type: {found}, expected {expected}"))
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = InJson(found);
        Self::new(&format_args!("invalid value: {found}, expected {expected}"))
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// What was found, in the words of JSON.
struct InJson<'a>(Unexpected<'a>);

impl fmt::Display for InJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Unit => f.write_str("null"),
            Unexpected::Float(value) => write!(f, "floating point `{}`", Json::from(value)),
            found => found.fmt(f),
        }
    }
}
