//! What is wrong with a configuration.

use std::fmt;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `rules[2].match.path`; empty for the text as a whole.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// Where the JSON is not of the form that is asked for: then nothing else of this part of
    /// the text was looked at. `None` for what is wrong with the meaning of well-formed text.
    pub place: Option<Place>,
}

/// A place in a text: line and column from 1, columns in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The first byte.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place at `line` and `column` of a part that begins here.
    #[must_use]
    pub fn plus(self, line: usize, column: usize) -> Self {
        match line {
            0 | 1 => Self {
                line: self.line,
                column: self.column.saturating_add(column).saturating_sub(1),
            },
            _ => Self {
                line: self.line.saturating_add(line).saturating_sub(1),
                column,
            },
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message)?,
            path => write!(f, "{path}: {}", self.message)?,
        }
        match self.place {
            Some(Place { line, column }) => write!(f, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}
