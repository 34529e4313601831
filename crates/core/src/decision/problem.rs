//! What is wrong with a configuration.

use std::fmt;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `rules[2].match.path`; empty for the text as a whole.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// The JSON is not of the form that is asked for. Whatever else is wrong beside and
    /// behind this field was not looked at.
    pub is_shape: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" | "." | "?" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}
