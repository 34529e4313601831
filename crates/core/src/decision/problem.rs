//! What is wrong with a configuration.

use std::fmt;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `rules[2].match.path`; empty for the text as a whole.
    pub path: String,
    /// What is wrong with it.
    pub wrong: Wrong,
    /// Where the JSON is not of the form that is asked for: then nothing else of this part of
    /// the text was looked at. `None` for what is wrong with the meaning of well-formed text.
    pub place: Option<Place>,
}

/// What is wrong with a field.
///
/// [`Display`](fmt::Display) makes the sentence. What a tool says in other words has a variant of
/// its own, so that nothing decides on the words of a sentence: a command line has options where a
/// policy has rings and variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// This text says it.
    Text(String),
    /// The value of an environment variable is not one that the field takes.
    Value {
        /// The name of the variable.
        variable: String,
        /// What is said of its value, such as "is empty".
        text: String,
    },
    /// The environment variable of this name is not set.
    Unset(String),
    /// The policy has no ring of this name.
    NoRing(String),
    /// An entry of the ring at the path does not suit what uses the ring.
    Entry {
        /// Its id.
        id: String,
        /// What is said of it, such as "must have at least 16 bytes".
        text: String,
    },
    /// An entry of the ring at the path is a public key, and a secret is required.
    NoSecret {
        /// Its id.
        id: String,
    },
    /// An entry of the ring at the path is not a public key of a kind that is required.
    NoPublicKey {
        /// Its id.
        id: String,
        /// The kinds, such as "RSA or P-256".
        kinds: String,
    },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Value { variable, text } => write!(f, "the value of {variable} {text}"),
            Self::Unset(variable) => write!(
                f,
                "the environment variable {variable} is not set for the filter. In Envoy, list it \
                 under host_env_keys"
            ),
            Self::NoRing(name) => write!(f, "there is no ring \"{name}\" in secrets"),
            Self::Entry { id, text } => write!(f, "\"{id}\" {text}"),
            Self::NoSecret { id } => {
                write!(f, "\"{id}\" is a public key, but a secret is required here")
            }
            Self::NoPublicKey { id, kinds } => write!(f, "\"{id}\" must be a public key: {kinds}"),
        }
    }
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
            "" => self.wrong.fmt(f)?,
            path => write!(f, "{path}: {}", self.wrong)?,
        }
        match self.place {
            Some(Place { line, column }) => write!(f, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}
