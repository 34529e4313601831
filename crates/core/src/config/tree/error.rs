//! What is wrong with a tree, and where.

use std::fmt;

use crate::text::json::{self, Fault};

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

    /// What was found is not the type, or the value, that was expected.
    #[cold]
    pub(super) fn mismatch(
        kind: &str,
        found: &dyn fmt::Display,
        expected: &dyn fmt::Display,
    ) -> Self {
        Self::new(&format_args!(
            "invalid {kind}: {found}, expected {expected}"
        ))
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
        self.0.path = json::below(name, &self.0.path);
        self
    }

    /// It is in the item of this index.
    #[cold]
    pub(super) fn in_item(self, index: usize) -> Self {
        self.in_member(&format!("[{index}]"))
    }
}

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Self {
        let mut error = Self::new(&fault.what).or_at(fault.at);
        error.0.path = fault.path;
        error
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}
