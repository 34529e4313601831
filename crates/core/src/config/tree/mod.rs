//! A configuration as a tree, between its text and the written types: it keeps the order
//! of members and names that are given twice, and knows where each value stands.
//!
//! The written types are read from this tree alone, so that the code that serde derives
//! for them exists once, and small.

mod deserialize;
mod error;
mod parse;
mod read;

use serde::de::{DeserializeOwned, Unexpected};

pub use error::Error;
pub use read::{Read, Shape, Start, UniqueMap};

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
    Float(f64),
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

    /// Makes a written type of it.
    ///
    /// # Errors
    /// [`Error`] with the path, below this value, of what is not of the right form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(self)
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

    fn unexpected(&self) -> Unexpected<'_> {
        match &self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Unsigned(value) => Unexpected::Unsigned(*value),
            Value::Negative(value) => Unexpected::Signed(*value),
            Value::Float(value) => Unexpected::Float(*value),
            Value::Text(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
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
