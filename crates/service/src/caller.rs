//! Who asks for keys: an admin by a token, or an account by an assertion that the edge
//! has signed. No other header says anything about a caller. What each may do is in
//! [`rights`](crate::rights).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use keygate_core::UnixMillis;
use keygate_core::identity::assertion::{ASSERTION_HEADER, Verifier};

use crate::auth::Gate;
use crate::problem::Problem;
use crate::rejections::Rejections;
use crate::rights::Caller;
use crate::roles::Action;
use crate::tokens::CreatedTokens;

/// How accounts prove themselves.
#[derive(Clone, Debug)]
pub struct Assertions {
    /// Checks the assertions of the edge.
    pub verifier: Verifier,
    /// Whether a session needs the scopes that an app key needs.
    pub sessions_need_scopes: bool,
}

impl Caller {
    /// Finds the caller, if it may do this. Exactly one credential is accepted: with two, the
    /// caller would be ambiguous.
    pub(crate) fn identify(
        gate: &Gate,
        created: &CreatedTokens,
        assertions: Option<&Assertions>,
        headers: &HeaderMap,
        action: Action,
        rejections: &Rejections,
        now: UnixMillis,
    ) -> Result<Self, Problem> {
        let mut sent = headers.get_all(ASSERTION_HEADER).iter();
        let (Some(assertions), Some(token)) = (assertions, sent.next()) else {
            let bearer = gate.admit(created, headers, action, now)?;
            return Ok(match action {
                Action::Follow => Self::Edge(bearer),
                _ => Self::Admin(bearer),
            });
        };
        if headers.contains_key(AUTHORIZATION) {
            return Err(Problem::TwoCredentials);
        }
        if sent.next().is_some() {
            return Err(Problem::InvalidAssertion);
        }
        let verified = assertions.verifier.verify(token.as_bytes(), now);
        let assertion = verified.map_err(|error| {
            rejections.note_assertion(&error, now);
            Problem::InvalidAssertion
        })?;
        let scopes = action.scopes().ok_or(Problem::WrongRole)?;
        let is_session = assertion.key_id.is_none();
        let is_free = is_session && !assertions.sessions_need_scopes;
        let mut scopes = scopes.iter();
        let missing = scopes.find(|scope| !assertion.scopes.iter().any(|it| it == *scope));
        match missing.filter(|_| !is_free) {
            None => Ok(Self::Account(assertion)),
            Some(scope) => Err(Problem::MissingScope(scope)),
        }
    }
}
