//! What a rule needs of a credential's scopes: `files:read AND (admin OR audit:*)`.

use std::fmt;

/// How deep parentheses may nest, and how long an expression may be, in characters.
const MAX_DEPTH: usize = 16;
const MAX_LENGTH: usize = 1000;

/// An expression over scopes. `AND` binds tighter than `OR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// This scope. With a trailing `*`: any scope that starts with what is before it.
    One(String),
    /// Each of these.
    All(Vec<Scopes>),
    /// One of these.
    Any(Vec<Scopes>),
}

/// Why a text is no expression over scopes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopesError {
    /// Nothing, or nothing between two operators.
    #[error("a scope is missing at the {0}")]
    Missing(Place),
    /// Two scopes in a row.
    #[error("\"AND\" or \"OR\" is missing before \"{0}\"")]
    Operator(String),
    /// Parentheses do not match.
    #[error("the parentheses are not balanced")]
    Parenthesis,
    /// A character that no scope has (RFC 6749 section 3.3), or `*` before the end.
    #[error(
        "\"{0}\" is not a scope: use visible ASCII without quotes or backslashes, and \"*\" only \
         at its end"
    )]
    Scope(String),
    /// Too long or too deep.
    #[error("must have at most 1000 characters and 16 levels of parentheses")]
    Size,
}

/// Where in an expression.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Before a word of it.
    Before(String),
    /// Behind everything.
    End,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(word) => write!(f, "place before \"{word}\""),
            Self::End => f.write_str("end"),
        }
    }
}

impl Scopes {
    /// Parses an expression.
    ///
    /// # Errors
    /// [`ScopesError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ScopesError> {
        if text.len() > MAX_LENGTH {
            return Err(ScopesError::Size);
        }
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut words = spaced.split_ascii_whitespace().peekable();
        let parsed = any(&mut words, 0)?;
        match words.next() {
            None => Ok(parsed),
            Some(")") => Err(ScopesError::Parenthesis),
            Some(word) => Err(ScopesError::Operator(word.to_owned())),
        }
    }

    /// Whether scopes with a space between meet it. A granted `files:*` covers every
    /// scope that starts with `files:`.
    pub fn is_met_by(&self, granted: &str) -> bool {
        match self {
            Self::One(need) => granted.split(' ').any(|have| covers(have, need)),
            Self::All(every) => every.iter().all(|it| it.is_met_by(granted)),
            Self::Any(some) => some.iter().any(|it| it.is_met_by(granted)),
        }
    }

    /// All scopes that it names, each once: the `scope` of RFC 6750 section 3.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names
    }

    fn collect<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::One(name) if !names.contains(&name.as_str()) => names.push(name),
            Self::One(_) => {}
            Self::All(members) | Self::Any(members) => {
                members.iter().for_each(|it| it.collect(names));
            }
        }
    }
}

fn covers(have: &str, need: &str) -> bool {
    match (have.strip_suffix('*'), need.strip_suffix('*')) {
        (Some(have), _) if !have.is_empty() && need.starts_with(have) => true,
        (_, Some(need)) => have.len() > need.len() && have.starts_with(need),
        (_, None) => have == need,
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitAsciiWhitespace<'a>>;

fn any(words: &mut Words<'_>, depth: usize) -> Result<Scopes, ScopesError> {
    let mut members = vec![all(words, depth)?];
    while words.next_if_eq(&"OR").is_some() {
        members.push(all(words, depth)?);
    }
    Ok(only_or(members, Scopes::Any))
}

fn all(words: &mut Words<'_>, depth: usize) -> Result<Scopes, ScopesError> {
    let mut members = vec![one(words, depth)?];
    while words.next_if_eq(&"AND").is_some() {
        members.push(one(words, depth)?);
    }
    Ok(only_or(members, Scopes::All))
}

fn one(words: &mut Words<'_>, depth: usize) -> Result<Scopes, ScopesError> {
    match words.next() {
        None => Err(ScopesError::Missing(Place::End)),
        Some("(") => {
            if depth >= MAX_DEPTH {
                return Err(ScopesError::Size);
            }
            let inner = any(words, depth.saturating_add(1))?;
            match words.next() {
                Some(")") => Ok(inner),
                Some(word) => Err(ScopesError::Operator(word.to_owned())),
                None => Err(ScopesError::Parenthesis),
            }
        }
        Some(word @ ("AND" | "OR" | ")")) => {
            Err(ScopesError::Missing(Place::Before(word.to_owned())))
        }
        Some(word) if is_scope(word) => Ok(Scopes::One(word.to_owned())),
        Some(word) => Err(ScopesError::Scope(word.to_owned())),
    }
}

fn only_or(mut members: Vec<Scopes>, group: fn(Vec<Scopes>) -> Scopes) -> Scopes {
    match members.pop() {
        Some(only) if members.is_empty() => only,
        last => {
            members.extend(last);
            group(members)
        }
    }
}

/// A scope-token of RFC 6749 section 3.3, with `*` at its end or not at all.
fn is_scope(word: &str) -> bool {
    let name = word.strip_suffix('*').unwrap_or(word);
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"\\*".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_as_they_read() {
        for (need, granted, expected) in [
            ("a", "a", true),
            ("a", "b a", true),
            ("a", "", false),
            ("a", "ab", false),
            ("a AND b", "a", false),
            ("a AND b", "b a", true),
            ("a OR b", "b", true),
            ("a OR b AND c", "a", true),
            ("a OR b AND c", "b", false),
            ("(a OR b) AND c", "a", false),
            ("(a OR b) AND c", "c b", true),
            ("((a))", "a", true),
            ("files:*", "files:read", true),
            ("files:*", "files:", false),
            ("files:*", "files", false),
            ("files:read", "files:*", true),
            ("files:read", "file*", true),
            ("files:read", "*", false),
            ("other:read", "files:*", false),
            ("files:*", "files:*", true),
            ("files:*", "files:read:*", true),
            ("files:*", "other:*", false),
            ("and OR or", "or", true),
        ] {
            let scopes = Scopes::parse(need).unwrap();
            assert_eq!(scopes.is_met_by(granted), expected, "{need} / {granted}");
        }
    }

    #[test]
    fn wrong_expressions_are_rejected() {
        for (text, error) in [
            ("", "a scope is missing at the end"),
            ("a AND", "a scope is missing at the end"),
            ("OR a", "a scope is missing at the place before \"OR\""),
            ("()", "a scope is missing at the place before \")\""),
            ("a b", "\"AND\" or \"OR\" is missing before \"b\""),
            ("a (b)", "\"AND\" or \"OR\" is missing before \"(\""),
            ("(a", "the parentheses are not balanced"),
            ("a)", "the parentheses are not balanced"),
        ] {
            assert_eq!(
                Scopes::parse(text).unwrap_err().to_string(),
                error,
                "{text}"
            );
        }
        for wrong in ["*", "a*b", "a\"b", "caf\u{e9}", "a\\b"] {
            assert_eq!(Scopes::parse(wrong), Err(ScopesError::Scope(wrong.into())));
        }
        let deep = format!("{}a{}", "(".repeat(17), ")".repeat(17));
        for large in [deep, "a OR ".repeat(400) + "a"] {
            assert_eq!(Scopes::parse(&large), Err(ScopesError::Size));
        }
        let deep = format!("{}a{}", "(".repeat(16), ")".repeat(16));
        for largest in [deep, "a".repeat(1000)] {
            assert!(Scopes::parse(&largest).is_ok());
        }
        let larger = Scopes::parse(&"a".repeat(1001));
        assert_eq!(larger, Err(ScopesError::Size));
    }

    #[test]
    fn every_named_scope_is_listed_once() {
        let scopes = Scopes::parse("a AND (b OR a) OR c:*").unwrap();
        assert_eq!(scopes.names(), ["a", "b", "c:*"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_can_panic(text in "[ab() ANDOR:*\"]{0,60}") {
            if let Ok(scopes) = Scopes::parse(&text) {
                proptest::prop_assert!(!scopes.is_met_by(""));
            }
        }
    }
}
