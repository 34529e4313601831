//! Spaces: names of environments or projects. A key is in one for its whole life; a token may be bound
//! to one, and then sees no key of another.

use std::fmt;

use serde::Serialize;

use crate::wrong::Wrong;

/// Most characters of the name of a space.
pub(crate) const MAX_SPACE: usize = 32;

/// The space of a key for which none is given.
const DEFAULT: &str = "default";

/// The name of a space: 1 to 32 letters, digits or `._-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Space(String);

impl Space {
    /// Parses a name.
    ///
    /// # Errors
    /// What it must be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match (1..=MAX_SPACE).contains(&text.len()) && text.bytes().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err("must be 1 to 32 letters, digits or ._-"),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Space {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The spaces whose keys a caller sees. Each way to read keys from the store asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Spaces {
    /// All of them.
    #[default]
    All,
    /// This one.
    Only(Space),
}

impl Spaces {
    /// Those of a token, which may be bound to one.
    pub(crate) fn of(bound: Option<Space>) -> Self {
        bound.map_or(Self::All, Self::Only)
    }

    /// The only one, if there is one.
    pub(crate) fn only(&self) -> Option<&Space> {
        match self {
            Self::All => None,
            Self::Only(space) => Some(space),
        }
    }

    /// The name of the only one: a parameter of a statement.
    pub(crate) fn name(&self) -> Option<&str> {
        self.only().map(Space::as_str)
    }

    /// Whether this space is one of them.
    pub(crate) fn has(&self, space: &Space) -> bool {
        self.only().is_none_or(|only| only == space)
    }

    /// Whether all of these are among them.
    pub(crate) fn has_all(&self, others: &Self) -> bool {
        *self == Self::All || self == others
    }

    /// The space that a call is about: the one that is asked for, or the only one. `None` if another
    /// is asked for.
    pub(crate) fn narrow(&self, asked: Option<Space>) -> Option<Option<Space>> {
        match asked {
            Some(asked) if !self.has(&asked) => None,
            Some(asked) => Some(Some(asked)),
            None => Some(self.only().cloned()),
        }
    }
}

/// Checks the space of a key; the default one if none is given.
pub(crate) fn space(field: &str, text: Option<String>) -> Result<Space, Wrong> {
    Ok(given(field, text)?.unwrap_or_default())
}

/// Checks a space that may be left out.
pub(crate) fn given(field: &str, text: Option<String>) -> Result<Option<Space>, Wrong> {
    let space = text.map(|text| Space::parse(&text)).transpose();
    space.map_err(|detail| Wrong::invalid(field, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_has_1_to_32_letters_digits_or_marks() {
        for good in ["default", "a", "Prod-eu_1.b", &"x".repeat(32)] {
            assert_eq!(Space::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            &"x".repeat(33),
            "a b",
            "a/b",
            "a\n",
            "\u{e4}",
            "a,b",
            "a\0",
        ] {
            assert!(Space::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_bound_caller_sees_its_own_space_alone() {
        let space = |name| Space::parse(name).unwrap();
        let (all, own) = (Spaces::All, Spaces::Only(space("own")));
        assert!(all.has(&space("other")) && own.has(&space("own")));
        assert!(!own.has(&space("other")));
        assert!(all.has_all(&own) && own.has_all(&own) && !own.has_all(&all));
        assert_eq!(own.narrow(None), Some(Some(space("own"))));
        assert_eq!(own.narrow(Some(space("other"))), None);
        assert_eq!(all.narrow(None), Some(None));
    }
}
