//! Who asks for keys: an admin by a token, or an account by an assertion that the edge
//! has signed. No other header says anything about a caller. What each may do is in
//! [`rights`](crate::rights).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use keygate_core::UnixMillis;
use keygate_core::identity::assertion::{ASSERTION_HEADER, Verifier};

use crate::auth::{Gate, Role};
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::rights::Caller;

/// How accounts prove themselves.
#[derive(Clone, Debug)]
pub struct Assertions {
    /// Checks the assertions of the edge.
    pub verifier: Verifier,
    /// Whether a session needs the scopes that an app key needs.
    pub sessions_need_scopes: bool,
}

impl Caller {
    /// Finds the caller. Exactly one credential is accepted: with two, the caller would be
    /// ambiguous.
    pub(crate) fn identify(
        gate: &Gate,
        assertions: Option<&Assertions>,
        headers: &HeaderMap,
        refusals: &Refusals,
        now: UnixMillis,
    ) -> Result<Self, Problem> {
        let mut sent = headers.get_all(ASSERTION_HEADER).iter();
        let (Some(assertions), Some(token)) = (assertions, sent.next()) else {
            gate.admit(headers, Role::Admin)?;
            return Ok(Self::Admin);
        };
        if headers.contains_key(AUTHORIZATION) {
            return Err(Problem::TwoCredentials);
        }
        if sent.next().is_some() {
            return Err(Problem::InvalidAssertion);
        }
        let verified = assertions.verifier.verify(token.as_bytes(), now);
        verified.map(Self::Account).map_err(|error| {
            refusals.note_assertion(&error, now);
            Problem::InvalidAssertion
        })
    }

    /// Whether the credential has the scope for this. An admin needs none.
    pub(crate) fn needs(
        &self,
        scope: &'static str,
        assertions: Option<&Assertions>,
    ) -> Result<(), Problem> {
        let Self::Account(assertion) = self else {
            return Ok(());
        };
        let is_session = assertion.key_id.is_none();
        let is_free = is_session && assertions.is_some_and(|it| !it.sessions_need_scopes);
        match is_free || assertion.scopes.iter().any(|it| it == scope) {
            true => Ok(()),
            false => Err(Problem::MissingScope(scope)),
        }
    }
}
