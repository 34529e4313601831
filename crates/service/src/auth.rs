//! Who may ask for what: bearer tokens (RFC 6750), each of one role.
//!
//! Only SHA-256 digests of the tokens are kept: they have one length, so a
//! constant-time comparison does not tell how long a token is.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use keygate_core::UnixMillis;
use subtle::{Choice, ConstantTimeEq as _};

use crate::bearer::{bearer, digest};
use crate::problem::Problem;
use crate::roles::{Action, Role};
use crate::tokens::{Bearer, CreatedTokens};

/// Least number of bytes of a token.
pub const MIN_TOKEN: usize = 16;

/// The tokens of one role: any of them counts, so that one can replace another.
#[derive(Clone)]
pub struct Tokens(Vec<[u8; 32]>);

/// Why a text contains no tokens. Never carries the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// Nothing but separators.
    #[error("contains no token")]
    None,
    /// Short enough to guess.
    #[error(
        "contains a token of fewer than {MIN_TOKEN} bytes: make one with `openssl rand -hex 32`"
    )]
    Short,
    /// No client could send it in a header.
    #[error("contains a token with characters other than visible ASCII")]
    Unsendable,
}

/// The tokens of the environment.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) owner: Tokens,
    pub(crate) edge: Tokens,
}

impl Gate {
    /// Lets a request pass that carries a token which entitles to this action, one of these or
    /// one that was created.
    pub(crate) fn admit(
        &self,
        created: &CreatedTokens,
        headers: &HeaderMap,
        action: Action,
        now: UnixMillis,
    ) -> Result<Bearer, Problem> {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        let header = sent.next().ok_or(Problem::MissingToken)?;
        if sent.next().is_some() {
            return Err(Problem::InvalidToken);
        }
        let token = bearer(header.as_bytes()).ok_or(Problem::MissingToken)?;
        let digest = digest(token);
        // All are always compared, so that the time says nothing about any.
        let owner = bool::from(self.owner.contains(&digest));
        let edge = bool::from(self.edge.contains(&digest));
        let created = created.find(&digest, now);
        let owner = owner.then(|| (Role::Owner, Bearer::default()));
        let edge = edge.then(|| (Role::Edge, Bearer::default()));
        let mut known = [owner, edge, created].into_iter().flatten().peekable();
        if known.peek().is_none() {
            return Err(Problem::InvalidToken);
        }
        let entitled = known.find(|(role, _)| role.may(action));
        entitled.map(|(_, bearer)| bearer).ok_or(Problem::WrongRole)
    }
}

impl Tokens {
    /// Reads one or several tokens, separated by commas or white space.
    ///
    /// # Errors
    /// [`TokensError`] when there is none, or one is too short or cannot be sent.
    pub fn parse(text: &str) -> Result<Self, TokensError> {
        let tokens: Vec<&[u8]> = split(text).map(str::as_bytes).collect();
        if tokens.is_empty() {
            return Err(TokensError::None);
        }
        if !tokens
            .iter()
            .all(|token| token.iter().all(u8::is_ascii_graphic))
        {
            return Err(TokensError::Unsendable);
        }
        if tokens.iter().any(|token| token.len() < MIN_TOKEN) {
            return Err(TokensError::Short);
        }
        Ok(Self(tokens.into_iter().map(digest).collect()))
    }

    pub(crate) fn shares_one_with(&self, other: &Self) -> bool {
        self.0.iter().any(|digest| other.0.contains(digest))
    }

    /// Compares with every token, also after a match.
    fn contains(&self, digest: &[u8; 32]) -> Choice {
        self.0
            .iter()
            .fold(Choice::from(0), |found, one| found | one.ct_eq(digest))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

/// The tokens in the text of an environment variable, in their order.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_separated_by_commas_or_white_space() {
        let tokens = Tokens::parse("aaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbb\ncccccccccccccccc ").unwrap();
        for token in ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"] {
            assert!(bool::from(tokens.contains(&digest(token.as_bytes()))));
        }
        assert!(!bool::from(tokens.contains(&digest(b"dddddddddddddddd"))));
    }

    #[test]
    fn missing_short_and_unsendable_tokens_are_rejected() {
        for (text, error) in [
            ("", TokensError::None),
            (" ,\n", TokensError::None),
            ("aaaaaaaaaaaaaaa", TokensError::Short),
            ("aaaaaaaaaaaaaaaa,b", TokensError::Short),
            ("aaaaaaaaaaaaaaaä", TokensError::Unsendable),
        ] {
            assert_eq!(Tokens::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn tokens_are_never_printed() {
        let tokens = Tokens::parse("aaaaaaaaaaaaaaaa").unwrap();
        assert_eq!(format!("{tokens:?}"), "Tokens(..)");
    }
}
