//! A configuration as a tree, between its text and the written types: it keeps the order
//! of members and names that are given twice, and knows where each value stands.
//!
//! The written types are read from this tree, without serde: what it derives is a multiple
//! of what the module may weigh. The tests show that both read the same.

#[cfg(test)]
mod deserialize;
mod error;
mod parse;
mod read;

use std::fmt;

pub use error::Error;
pub use read::{Elsewhere, Read, Shape, Start, UniqueMap};

/// One value of a configuration.
#[derive(Clone, Debug)]
pub struct Tree {
    value: Value,
    /// The offset of its first byte in the text.
    start: usize,
    /// The offset behind its last byte.
    end: usize,
}

#[derive(Clone, Debug)]
enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    /// A number that is not whole, or does not fit, as it was written.
    Float(String),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<Member>),
}

/// A member of an object.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    /// The offset behind its name.
    name_end: usize,
    value: Tree,
}

impl Tree {
    /// Reads JSON text.
    ///
    /// # Errors
    /// [`Error`] with the path of the value in which the text is no JSON.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        parse::parse(text)
    }

    /// The members of an object in the order of the text; nothing of anything else.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        let members = match &self.value {
            Value::Map(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(|it| (it.name.as_str(), &it.value))
    }

    /// The first member of this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().find(|it| it.0 == name).map(|it| it.1)
    }

    /// The same without its members of this name, which something else reads.
    pub fn without(&self, name: &str) -> Self {
        let mut rest = self.clone();
        if let Value::Map(members) = &mut rest.value {
            members.retain(|it| it.name != name);
        }
        rest
    }

    /// It is of another type than was expected.
    #[cold]
    #[inline(never)]
    fn mismatch(&self, expected: &dyn fmt::Display) -> Error {
        let at = match self.value {
            Value::List(_) | Value::Map(_) => self.start,
            _ => self.end,
        };
        Error::mismatch("type", self, expected).or_at(at)
    }
}

/// What is found, for a message.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "boolean `{value}`"),
            Value::Unsigned(value) => write!(f, "integer `{value}`"),
            Value::Negative(value) => write!(f, "integer `{value}`"),
            Value::Float(text) => write!(f, "floating point `{text}`"),
            Value::Text(text) => write!(f, "string {text:?}"),
            Value::List(_) => f.write_str("sequence"),
            Value::Map(_) => f.write_str("map"),
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]
mod tests;
